import { checkOptions, type Shape } from "edge"
import type { AnyApp } from "../app/app.ts"
import { Csrf, CSRF_FIELD, CSRF_HEADER } from "../app/csrf.ts"
import { Session } from "../app/session.ts"
import type { Logged } from "./logged.ts"
import { type FormOnPage, formsOf, Page } from "./page.ts"

export type Fields = Readonly<Record<string, string | number | boolean | Blob | readonly (string | Blob)[] | undefined>>

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>
  /** Redirects are followed, at most ten. Default false. */
  readonly follow?: boolean
}

const ORIGIN = "http://localhost"
const ASK: Shape<Ask & { form: unknown }> = { headers: "object", follow: "boolean", form: "any" }

/** A visitor: keeps cookies as a browser does, and sends forms as one. */
export class Client {
  readonly app: AnyApp
  readonly cookies = new Map<string, string>()
  /** The visitor's address. */
  ip = "192.0.2.1"
  protected readonly options: { readonly logged: Logged[]; readonly strict: boolean }

  constructor(app: AnyApp, options: { logged: Logged[]; strict: boolean }) {
    this.app = app
    this.options = options
  }

  get(path: string, options: Ask = {}): Promise<Page> {
    return this.#ask(path, { method: "GET" }, options)
  }

  /** Sends a form, with the visitor's token; with a Blob among the fields as an upload. */
  post(path: string, fields: Fields = {}, options: Ask = {}): Promise<Page> {
    const body = Object.values(fields).flat().some(value => value instanceof Blob) ? this.#multipart(fields) : this.#encoded(fields)
    return this.#ask(path, { method: "POST", body }, { ...options, headers: { origin: ORIGIN, ...options.headers } })
  }

  /** Sends JSON, as a script of the site would. */
  json(method: "POST" | "PUT" | "PATCH" | "DELETE", path: string, value?: unknown, options: Ask = {}): Promise<Page> {
    const headers = { origin: ORIGIN, accept: "application/json", "content-type": "application/json", [CSRF_HEADER]: this.#token(), ...options.headers }
    return this.#ask(path, { method, ...(value !== undefined && { body: JSON.stringify(value) }) }, { ...options, headers })
  }

  /** Sends anything as it is: no token, no origin. For what an attacker or another program would send. */
  send(path: string, init: RequestInit & { headers?: Readonly<Record<string, string>> } = {}): Promise<Page> {
    const { headers, ...rest } = init
    return this.#ask(path, rest, { ...(headers !== undefined && { headers }) })
  }

  /**
   * Fills in a form of the page and sends it: what is not named keeps the value that the page gave it. `form` is its
   * action or its place on the page (0 is the first), when there are several. A field that is not there is an error.
   */
  submit(page: Page, fields: Fields = {}, options: Ask & { form?: string | number } = {}): Promise<Page> {
    const form = pick(page, options.form)
    const known = new Set(form.names)
    for (const name of Object.keys(fields)) {
      if (!known.has(name)) throw new Error(`the form has no field "${name}"; it has ${form.names.join(", ")}`)
    }
    const body = new FormData()
    for (const [name, value] of form.values) if (!(name in fields)) body.append(name, value)
    append(body, fields)
    const target = new URL(form.action === "" ? page.path : form.action, ORIGIN + page.path)
    const pairs = [...body].filter((pair): pair is [string, string] => typeof pair[1] === "string")
    const lost = form.multipart ? undefined : [...body].find(([, value]) => typeof value !== "string")
    if (lost !== undefined) throw new Error(`the form cannot send the file "${lost[0]}": it has no enctype="multipart/form-data"`)
    if (form.method === "get") return this.get(`${target.pathname}?${new URLSearchParams(pairs)}`, options)
    const sent = form.multipart ? body : new URLSearchParams(pairs)
    return this.#ask(target.pathname + target.search, { method: "POST", body: sent }, { ...options, headers: { origin: ORIGIN, ...options.headers } })
  }

  /** From now on this visitor is that user (of "edge/auth"), without the login page. */
  async login(user: { readonly id: number }): Promise<this> {
    const session = new Session(undefined, { ...this.app.sessionOptions, secure: false })
    session.belongsTo(`user ${user.id}`)
    this.#keep(await this.app.run(() => session.commit()))
    return this
  }

  /** Forgets every cookie. */
  logout(): this {
    this.cookies.clear()
    return this
  }

  async #ask(path: string, init: RequestInit, options: Ask): Promise<Page> {
    checkOptions("options of a request", options, ASK)
    const before = this.options.logged.length
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const headers = { accept: "text/html,*/*;q=0.8", ...(cookie !== "" && { cookie }), ...options.headers }
    const later: Promise<unknown>[] = []
    const facts = { ip: this.ip, scheme: "http", prefix: "", waitUntil: (promise: Promise<unknown>) => void later.push(promise) }
    const response = await this.app.request(ORIGIN + path, { ...init, headers }, facts as never, facts as never)
    // What goes on after the answer (mails) is part of what a test asks about.
    await Promise.allSettled(later)
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    if (this.options.strict) rethrow(this.options.logged.slice(before))
    const page = await Page.of(response, path)
    return options.follow === true ? this.#follow(page, 10) : page
  }

  async #follow(page: Page, left: number): Promise<Page> {
    if (page.location === undefined) return page
    if (left === 0) throw new Error(`redirects go round in a circle at ${page.path}`)
    const next = new URL(page.location, ORIGIN + page.path)
    if (next.origin !== ORIGIN) throw new Error(`${page.path} leads to ${next.href}`)
    return this.#follow(await this.get(next.pathname + next.search), left - 1)
  }

  #keep(line: string | undefined): void {
    const [, name, value = ""] = /^([^=]+)=([^;]*)/.exec(line ?? "") ?? []
    if (name === undefined) return
    if (value === "" || /; Max-Age=0(?:;|$)/i.test(line!)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }

  /** A token as a page would have shown it, and its cookie. */
  #token(): string {
    const id = this.cookies.get("csrf")
    const csrf = new Csrf(id === undefined ? undefined : `csrf=${id}`, { signer: this.app.signer, secure: false })
    const { token } = csrf
    this.#keep(csrf.setCookie)
    return token
  }

  #encoded(fields: Fields): URLSearchParams {
    const body = new FormData()
    append(body, { [CSRF_FIELD]: this.#token(), ...fields })
    return new URLSearchParams([...body] as [string, string][])
  }
  #multipart(fields: Fields): FormData {
    const body = new FormData()
    append(body, { [CSRF_FIELD]: this.#token(), ...fields })
    return body
  }
}

function append(body: FormData, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    // An unticked box is not sent.
    if (value === undefined || value === false) continue
    const all = typeof value === "object" && !(value instanceof Blob) ? value : [value === true ? "on" : value]
    for (const one of all) {
      // As browsers name a file that has no name (https://xhr.spec.whatwg.org/#create-an-entry); without one Bun sends a text.
      if (one instanceof Blob) body.append(name, one, one instanceof File ? one.name : "blob")
      else body.append(name, String(one))
    }
  }
}

function pick(page: Page, wanted: string | number | undefined): FormOnPage {
  const forms = formsOf(page)
  const fits = typeof wanted === "number" ? forms.slice(wanted, wanted + 1) : typeof wanted === "string" ? forms.filter(form => form.action === wanted) : forms.filter(form => form.method === "post")
  if (fits.length === 1) return fits[0]!
  const there = forms.map(form => `${form.method} ${form.action || page.path}`).join(", ") || "none"
  if (fits.length === 0 && wanted === undefined && forms.length === 1) return forms[0]!
  throw new Error(`${fits.length === 0 ? "no such form" : "more than one form"} on ${page.path}; there is ${there}: say which with { form }`)
}

/** What a handler threw is what the test should show. */
function rethrow(logged: readonly Logged[]): void {
  const failed = logged.find(line => line.level === "error" && line.message === "the app failed")
  if (failed !== undefined) throw failed.fields.error
}

