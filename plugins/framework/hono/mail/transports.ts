import { mkdirSync, writeFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import type { Logger } from "edge"
import type { Transporter } from "nodemailer"
import { type Address, type Letter, mailboxOf, shown } from "./message.ts"

/** Takes letters away. */
export interface Transport {
  deliver(letter: Letter): Promise<void>
  close(): void
}

export interface TransportContext {
  /** Folder that "file:" is relative to. */
  readonly dir: string
  readonly log: Logger
  /** Where "memory:" puts them. */
  readonly outbox: Letter[]
}

/** "smtp://user:password@host:587", "smtps://...", "console:", "file:mails", "memory:". */
export async function transportFor(url: string, context: TransportContext): Promise<Transport> {
  if (/^smtps?:/.test(url)) return smtp(url)
  if (url === "memory:") return { deliver: async letter => void context.outbox.push(letter), close() {} }
  if (url === "console:") return { deliver: async letter => print(letter), close() {} }
  if (url.startsWith("file:") && url.length > 5) return file(url.slice(5), context.dir)
  throw new Error(`MAIL_URL "${url.replace(/\/\/.*@/, "//...@")}": must be smtp://, smtps://, console:, file:FOLDER or memory:`)
}

async function smtp(url: string): Promise<Transport> {
  const nodemailer = await import("nodemailer")
  const { hostname, username, protocol, searchParams } = new URL(url)
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  const transporter = nodemailer.createTransport({
    url,
    pool: true,
    maxConnections: 2,
    connectionTimeout: 15_000,
    greetingTimeout: 15_000,
    socketTimeout: 60_000,
    // A password never goes over the net in the clear because somebody took STARTTLS out of the answer.
    ...(protocol === "smtp:" && username !== "" && !isLocal && !searchParams.has("requireTLS") && { requireTLS: true }),
  })
  return { deliver: letter => send(transporter, letter), close: () => transporter.close() }
}

/** Each mail a file that mail programs open. */
async function file(folder: string, dir: string): Promise<Transport> {
  const nodemailer = await import("nodemailer")
  const into = isAbsolute(folder) ? folder : join(dir, folder)
  const transporter = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "unix" })
  return {
    async deliver(letter) {
      const info = (await transporter.sendMail(plain(letter))) as { message: Buffer }
      mkdirSync(into, { recursive: true, mode: 0o700 })
      const name = `${new Date().toISOString().replaceAll(/[:.]/g, "-")}-${crypto.randomUUID().slice(0, 8)}.eml`
      writeFileSync(join(into, name), info.message, { mode: 0o600 })
    },
    close() {},
  }
}

async function send(transporter: Transporter<unknown>, letter: Letter): Promise<void> {
  await transporter.sendMail(plain(letter))
}

function plain(letter: Letter): object {
  const address = (a: Address) => (typeof a === "string" ? { name: "", address: a } : { ...a })
  return {
    from: address(letter.from),
    to: letter.to.map(address),
    cc: letter.cc.map(address),
    bcc: letter.bcc.map(address),
    ...(letter.replyTo !== undefined && { replyTo: address(letter.replyTo) }),
    subject: letter.subject,
    text: letter.text,
    html: letter.html,
    headers: { ...letter.headers },
    attachments: letter.attachments.map(({ name, content, type }) => ({
      filename: name,
      content: typeof content === "string" ? content : Buffer.from(content),
      ...(type !== undefined && { contentType: type }),
    })),
    // Nothing that came from outside may name a file of this machine or a URL to be fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

function print(letter: Letter): void {
  const head = [`From: ${shown(letter.from)}`, `To: ${letter.to.map(mailboxOf).join(", ")}`, `Subject: ${letter.subject}`]
  const files = letter.attachments.map(({ name }) => `[${name}]`)
  const text = [...head, "", letter.text.trimEnd(), ...files].map(line => line.replaceAll("\n", "\n  | "))
  console.log(`  | ${text.join("\n  | ")}`)
}
