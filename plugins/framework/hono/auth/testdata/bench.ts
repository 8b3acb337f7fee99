/** An app with users on a database of its own, and browsers that visit it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Logger } from "edge"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { afterAll, beforeAll, describe } from "bun:test"
import { type AnyApp, App, type AppSettings } from "../../app/app.ts"
import { Database } from "../../db/database.ts"
import { createTables } from "../../db/migrate/create.ts"
import type { UsersOptions } from "../auth.ts"
import { users } from "../users.ts"

/** Cheap hashes: what is tested is not their cost. */
export const quick = { memoryCost: 64, timeCost: 1 }

export const logged: { message: string; fields: Record<string, unknown> | undefined }[] = []
const note = (message: string, fields?: Record<string, unknown>): void => void logged.push({ message, fields })
const log: Logger = { debug() {}, info() {}, warn: note, error: note, with: () => log }

export type Open = () => Promise<Database>

/** Runs the suite on SQLite and on PostgreSQL. */
export function onBoth(suite: (open: Open) => void): void {
  describe("SQLite", () => suite(async () => new Database("sqlite::memory:")))
  describeWith(["postgresql"], "PostgreSQL", () => {
    let server: Postgres
    let n = 0
    beforeAll(async () => {
      server = await Postgres.start()
    }, 60_000)
    afterAll(() => server[Symbol.asyncDispose]())
    suite(async () => new Database(await server.database(`auth${n++}`)))
  })
}

export async function boot<A extends AnyApp>(app: A, database: Database, env: Record<string, string> = {}): Promise<A & AsyncDisposable> {
  const dir = mkdtempSync(join(tmpdir(), "edge-auth-"))
  await createTables(database, app.models)
  await app.boot({ dir, name: "blog", env: { SECRET_KEY: "a secret of sixteen or more", MAIL_URL: "memory:", ...env }, dev: false, log, database })
  return Object.assign(app, {
    async [Symbol.asyncDispose]() {
      await app.shutdown()
      await database.close()
      rmSync(dir, { recursive: true })
    },
  })
}

export function makeApp(options: UsersOptions = {}, settings: AppSettings = {}): App {
  return new App({ name: "Newsroom", url: "https://news.example", ...settings, parts: [users({ hashing: quick, ...options }), ...(settings.parts ?? [])] })
}

/** Keeps cookies and fills in forms, as a browser does. */
export class Browser {
  readonly jar = new Map<string, string>()
  constructor(
    readonly app: AnyApp,
    readonly options: { ip?: string; origin?: string; agent?: string } = {},
  ) {}

  get origin(): string {
    return this.options.origin ?? "https://news.example"
  }

  async ask(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join("; ")
    const headers = { ...(cookie !== "" && { cookie }), "user-agent": this.options.agent ?? "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", ...init.headers }
    const facts = { ip: this.options.ip ?? "192.0.2.1", scheme: this.origin.startsWith("https") ? "https" : "http", prefix: "" }
    const response = await this.app.fetch(new Request(this.origin + path, { redirect: "manual", ...init, headers }), facts as never)
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line)!
      if (value === "" || line.includes("Max-Age=0")) this.jar.delete(name)
      else this.jar.set(name, value)
    }
    return response
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return this.ask(path, { headers })
  }

  /** Opens the page and sends its form with these fields over what it holds, token and all. */
  async submit(path: string, fields: Record<string, string>, options: { form?: string; headers?: Record<string, string> } = {}): Promise<Response> {
    return (await this.fillIn(path, fields, options))()
  }

  /** Opens the page and fills its form in; what it gives sends it. For several that are sent at once. */
  async fillIn(path: string, fields: Record<string, string>, options: { form?: string; headers?: Record<string, string> } = {}): Promise<() => Promise<Response>> {
    const page = await this.get(path)
    const form = formOf(await page.text(), options.form)
    if (form === undefined) throw new Error(`${path} (${page.status}) has no form ${options.form ?? ""}`)
    return () => this.post(form.action || path, { ...form.fields, ...fields }, options.headers)
  }

  post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    return this.ask(path, { method: "POST", body: new URLSearchParams(fields), headers: { origin: this.origin, ...headers } })
  }
}

/** Mails that the app sent, and the link in the last one that matches. */
export function linkIn(letters: readonly { text: string }[], path: string): string {
  const found = [...letters].toReversed().flatMap(letter => [...letter.text.matchAll(/https?:\/\/\S+/g)].map(match => match[0])).find(url => URL.parse(url)?.pathname.startsWith(path))
  if (found === undefined) throw new Error(`no link to ${path} in ${JSON.stringify(letters)}`)
  return new URL(found).pathname
}

/** The first form of a page that posts, or the one whose action ends in `action`. */
export function formOf(html: string, action?: string): { action: string; fields: Record<string, string> } | undefined {
  for (const [, head = "", body = ""] of html.matchAll(/<form([^>]*method="post"[^>]*)>([\s\S]*?)<\/form>/g)) {
    const to = attribute(head, "action") ?? ""
    if (action !== undefined && !to.endsWith(action)) continue
    const fields: Record<string, string> = {}
    for (const [, input = ""] of body.matchAll(/<input([^>]*)>/g)) {
      const name = attribute(input, "name")
      if (name !== undefined) fields[name] = attribute(input, "value") ?? ""
    }
    return { action: to, fields }
  }
  return undefined
}

function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  return found?.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")
}
