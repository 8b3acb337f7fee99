import { checkOptions, type Shape } from "edge"
import type { AnyApp } from "../app/app.ts"
import { currentApp } from "../app/current.ts"
import { withAsciiDomain } from "../db/email-address.ts"
import { type Address, checkLetter, type Letter, type Message } from "./message.ts"
import { textOf } from "./text-of.ts"
import { type Transport, transportFor } from "./transports.ts"

export interface MailOptions {
  /** Where mails go; MAIL_URL wins. Default "console:": they are printed. */
  readonly url?: string
  /** MAIL_FROM wins. */
  readonly from?: Address
}

/** The mails of one app. */
export class Mailer {
  /** What "memory:" was given, oldest first: for tests. */
  readonly outbox: Letter[] = []
  readonly #app: AnyApp
  #options: MailOptions = {}
  #transport: Promise<Transport> | undefined

  constructor(app: AnyApp) {
    this.#app = app
    app.onShutdown(() => this.close())
  }

  /** Says where mails go; those of before are sent. */
  async use(options: MailOptions): Promise<void> {
    checkOptions("mail.use()", options ?? null, { url: "text", from: "text|object" })
    await this.close()
    this.#options = options
  }

  get url(): string {
    return this.#env("MAIL_URL") ?? this.#options.url ?? "console:"
  }

  get from(): Address {
    const host = this.#app.siteUrl === undefined ? "localhost" : new URL(this.#app.siteUrl).hostname
    return this.#env("MAIL_FROM") ?? this.#options.from ?? { name: this.#app.title, address: `noreply@${host}` }
  }

  /** Resolves when the back end has taken it; rejects when it did not. */
  async send(message: Message): Promise<void> {
    checkOptions("mail.send()", message ?? null, MESSAGE)
    const html = message.body === undefined ? message.html : String(await message.body)
    const letter: Letter = {
      from: reachable(message.from ?? this.from),
      to: (Array.isArray(message.to) ? message.to : [message.to as Address]).map(reachable),
      cc: (message.cc ?? []).map(reachable),
      bcc: (message.bcc ?? []).map(reachable),
      ...(message.replyTo !== undefined && { replyTo: reachable(message.replyTo) }),
      subject: message.subject,
      text: message.text ?? (html === undefined ? "" : await textOf(html)),
      ...(html !== undefined && { html }),
      headers: message.headers ?? {},
      attachments: message.attachments ?? [],
    }
    checkLetter(letter)
    this.#transport ??= this.#open()
    await (await this.#transport).deliver(letter)
  }

  async close(): Promise<void> {
    const transport = this.#transport
    this.#transport = undefined
    if (transport !== undefined) await transport.then(open => open.close(), () => {})
  }

  #open(): Promise<Transport> {
    const { dir, log, dev } = this.#app.booted
    if (this.url === "console:" && !dev) log.warn("mails are printed here and not sent: set MAIL_URL", {})
    return transportFor(this.url, { dir, log, outbox: this.outbox })
  }

  #env(name: string): string | undefined {
    return (this.#app.isBooted ? this.#app.booted.env[name] : undefined) || undefined
  }
}

const MESSAGE: Shape<Message> = {
  to: "text|object|list", subject: "text", body: "any", text: "text", html: "text", from: "text|object", replyTo: "text|object",
  cc: "list", bcc: "list", headers: "object", attachments: "list",
}

/** Mail servers are found by the ASCII form of a domain. */
function reachable(address: Address): Address {
  return typeof address === "string" ? withAsciiDomain(address) : { ...address, address: withAsciiDomain(address.address) }
}

const mailers = new WeakMap<AnyApp, Mailer>()

export function mailerOf(app: AnyApp): Mailer {
  let mailer = mailers.get(app)
  if (mailer === undefined) {
    mailer = new Mailer(app)
    mailers.set(app, mailer)
  }
  return mailer
}

/** Mails of the app that is running: `await mail.send({ to, subject, body: <Welcome name={name} /> })`. */
export const mail = {
  send: (message: Message): Promise<void> => mailerOf(currentApp()).send(message),
  use: (options: MailOptions): Promise<void> => mailerOf(currentApp()).use(options),
  get outbox(): Letter[] {
    return mailerOf(currentApp()).outbox
  },
}
