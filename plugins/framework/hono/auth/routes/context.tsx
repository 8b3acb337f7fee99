import { HTTPException } from "hono/http-exception"
import type { FC } from "hono/jsx"
import type { Ctx } from "../../app/env.ts"
import { boundedText } from "../../app/cross-site.ts"
import { rendererFor } from "../../app/render.tsx"
import { clientIp } from "../../app/request.ts"
import { mailerOf } from "../../mail/mailer.ts"
import type { Auth } from "../auth.ts"
import { note } from "../events.ts"
import { Busy } from "../hashing.ts"
import { builtInMails, type Mails, type MailText } from "../mails.tsx"
import { builtInPages, type Pages } from "../pages/pages.ts"
import { AuthDocument } from "../pages/parts.tsx"
import { type Act, attempt } from "../throttle.ts"

type PropsOf<K extends keyof Pages> = Pages[K] extends FC<infer P> ? P : never

/** What all routes of auth need: to show a page, to read a form, to send a mail. */
export class AuthContext {
  readonly pages: Pages
  readonly mails: Mails

  constructor(readonly auth: Auth) {
    this.pages = { ...builtInPages, ...auth.options.pages }
    this.mails = { ...builtInMails, ...auth.options.mails }
  }

  get paths(): Auth["paths"] {
    return this.auth.paths
  }

  /** Shows a page of auth; kept by no cache, as it is about one person. */
  show<K extends keyof Pages>(c: Ctx, page: K, props: PropsOf<K>, options: { title: string; status?: number }): Response | Promise<Response> {
    c.header("Cache-Control", "no-store")
    c.status((options.status ?? 200) as 200)
    const Page = this.pages[page] as FC<PropsOf<K>>
    const app = this.auth.app.given.layout
    const layout = this.auth.options.pages?.[page] !== undefined || this.auth.options.layout === "app" ? app : undefined
    return rendererFor(c, layout ?? AuthDocument)(<Page {...(props as PropsOf<K> & object)} />, { title: options.title })
  }

  notice(c: Ctx, title: string, text: string, options: { link?: { href: string; text: string }; status?: number } = {}): Response | Promise<Response> {
    const { link, status } = options
    return this.show(c, "notice", { title, text, ...(link !== undefined && { link }) }, { title, ...(status !== undefined && { status }) })
  }

  /** A link that was used, is too old, or was never ours: one answer for all three. */
  deadLink(c: Ctx, link: { href: string; text: string }): Response | Promise<Response> {
    return this.notice(c, "This link is no longer good", "It was used already, is too old, or was not copied as a whole.", { link, status: 410 })
  }

  /** These fields of the form, as text and no longer than any of them may be; no others, whatever was sent. */
  async form<K extends string>(c: Ctx, ...names: K[]): Promise<Record<K, string>> {
    const type = (c.req.header("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase()
    // An upload would be held in memory as a whole.
    if (type !== "application/x-www-form-urlencoded") throw new HTTPException(415, { message: "Send this form as a browser does." })
    const fields = new URLSearchParams(await boundedText(c.req.raw))
    return Object.fromEntries(names.map(name => [name, (fields.get(name) ?? "").slice(0, 2000)])) as Record<K, string>
  }

  /** Words for who tried too often, with the answer's Retry-After; undefined when it may go on. */
  async tooMany(c: Ctx, act: Act, account: string | undefined): Promise<string | undefined> {
    const seconds = await attempt(act, { address: clientIp(c), limits: this.auth.limits, ...(account !== undefined && { account }) })
    if (seconds === 0) return undefined
    note(c, "too many tries")
    c.header("Retry-After", String(seconds))
    const minutes = Math.ceil(seconds / 60)
    return `Too many tries. Try again in ${minutes === 1 ? "a minute" : `${minutes} minutes`}.`
  }

  /** Runs what hashes; when too many do so at once, that is no error of ours. */
  async hashing<T>(f: () => Promise<T>): Promise<T> {
    try {
      return await f()
    } catch (error) {
      if (error instanceof Busy) throw new HTTPException(503, { message: "Many are logging in at this moment. Try again in a few seconds." })
      throw error
    }
  }

  /**
   * Where links in mails lead: the site's configured URL. Never the request's Host, which whoever asks for a reset
   * chooses (reset poisoning); but for a site that only this machine reaches, as while it is written.
   */
  link(c: Ctx, path: string): string {
    const { siteUrl } = this.auth.app
    if (siteUrl !== undefined) return new URL(path, siteUrl).href
    const { hostname, origin } = new URL(c.req.url)
    if (/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) return new URL(path, origin).href
    throw new Error('links in mails need the site\'s address: new App({ url: "https://..." }) or SITE_URL')
  }

  /** After the answer: so that it takes as long whether there is something to do or not. */
  async later(c: Ctx, work: () => Promise<void>): Promise<void> {
    const { app } = this.auth
    const done = work().catch((error: unknown) => app.booted.log.error("a mail was not sent", { error }))
    const facts = c.env as { waitUntil?(promise: Promise<unknown>): void } | undefined
    if (facts?.waitUntil === undefined) await done
    else facts.waitUntil(done)
  }

  mail(to: { email: string; name: string }, text: MailText): Promise<void> {
    return mailerOf(this.auth.app).send({ to: to.name === "" ? to.email : { name: to.name, address: to.email }, ...text })
  }
}
