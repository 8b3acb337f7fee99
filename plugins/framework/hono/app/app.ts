import { resolve } from "node:path"
import { type Awaitable, checkOptions, type Logger, type Shape } from "edge"
import { Hono } from "hono"
import type { GenericSchema, InferOutput } from "valibot"
import { type Database, useDatabase, withDatabase } from "../db/database.ts"
import type { AnyModel } from "../db/model.ts"
import { LocalFiles } from "../files/local.ts"
import { serveFile } from "../files/serve.ts"
import { type FileStorage, useFiles } from "../files/storage.ts"
import { Assets } from "./assets.ts"
import { currentApp, enter, isAlone, leave, within } from "./current.ts"
import { DevGate } from "./dev-gate.tsx"
import type { AppEnv } from "./env.ts"
import { MARK } from "./mark.ts"
import { answerError, answerNotFound } from "./failures.ts"
import { middleware } from "./middleware.ts"
import { openDatabase } from "./open.ts"
import type { AppCommand, Finding, Part } from "./part.ts"
import type { Layout } from "./render.tsx"
import { findSecret, type SecretSource, Signer } from "./secret.ts"
import type { SecurityOptions } from "./security.ts"
import { sessions } from "./session-model.ts"
import type { SessionOptions } from "./session.ts"
import { readSettings } from "./settings.ts"
import { currentTrace, traced } from "./trace.ts"

export interface AppSettings<S extends GenericSchema = GenericSchema> {
  /** Shown in titles and mails; default the app's name in the config. */
  readonly name?: string
  readonly models?: readonly AnyModel[]
  /** What others bring: users(), admin(). */
  readonly parts?: readonly Part[]
  /** "sqlite:data.db" (the default; relative to the app's folder) or "postgres://...". DATABASE_URL wins. */
  readonly database?: string
  /** At least 16 random characters; better in SECRET_KEY. */
  readonly secret?: string
  /** Goes around every page of `c.render`. */
  readonly layout?: Layout
  /** The app's own settings from the environment: typed in `app.settings`, checked at start. */
  readonly settings?: S
  /** Where the site is, "https://example.com": for links in mails, feeds and sitemaps. SITE_URL wins. */
  readonly url?: string
  /** Where uploads are kept: a folder (default "media" in the app's), served at /media/, or S3Files and the like. */
  readonly files?: string | FileStorage
  readonly session?: Partial<SessionOptions>
  readonly security?: SecurityOptions
}

const KNOWN: Shape<AppSettings> = {
  name: "text", models: "list", parts: "list", database: "text", secret: "text", layout: "function",
  settings: "object", url: "text", files: "text|object", session: "object", security: "object",
}
const SESSION: Shape<SessionOptions> = { cookie: "text", days: "number" }
const SECURITY: Shape<SecurityOptions> = { csp: "text|boolean", hstsSeconds: "number", trustedOrigins: "list", framing: "text" }
const COMMAND: Shape<AppCommand> = { name: "text", help: "text", run: "function" }

export interface Boot {
  readonly dir: string
  readonly name: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly dev: boolean
  readonly log: Logger
  /** A management command: the database may be behind the models. */
  readonly command?: boolean
  /** Instead of the app's own: a test's. */
  readonly database?: Database
}

export type AnyApp = App<any>
type Hook = () => Awaitable<void>

/** A Hono app with a database, sessions, forms that are safe, and the parts it is given. */
export class App<S extends GenericSchema = GenericSchema> extends Hono<AppEnv> {
  readonly [MARK] = true
  readonly given: AppSettings<S>
  readonly parts: readonly Part[]
  readonly commands: AppCommand[] = []
  readonly sessionOptions: SessionOptions
  /** Paths whose posts are let in unchecked; "/hooks/*" for all below. */
  readonly exempt: string[] = []
  /** What parts have to say to `check --deploy`. */
  readonly deployChecks: (() => Awaitable<readonly Finding[]>)[] = []
  readonly #boots: Hook[] = []
  readonly #shutdowns: Hook[] = []
  #boot: Boot | undefined
  #database: Database | undefined
  #ownsDatabase = false
  #assets: Assets | undefined
  #files: FileStorage | undefined
  #devGate: DevGate | undefined
  #secret: { secret: string; source: SecretSource; signer: Signer } | undefined
  #settings: { value: InferOutput<S> } | undefined

  constructor(options: AppSettings<S> = {}) {
    super()
    checkOptions("new App()", options, KNOWN)
    checkOptions("new App(): session", options.session, SESSION)
    checkOptions("new App(): security", options.security, SECURITY)
    for (const part of options.parts ?? []) if (typeof part?.name !== "string" || typeof part.setup !== "function") throw new TypeError("new App(): a part is { name, models?, setup(app) }, as users() makes it")
    this.given = options
    this.parts = options.parts ?? []
    this.sessionOptions = { cookie: "session", days: 14, ...options.session }
    this.onError(answerError)
    this.notFound(answerNotFound)
    this.use(middleware(this))
    this.get("/static/*", async (c, next) => this.#assetsNow().answer(c, decodeURIComponent(c.req.path.slice("/static/".length))) ?? next())
    this.get("/media/*", async (c, next) => (await serveFile(c, this.files, c.req.path.slice("/media/".length))) ?? next())
    for (const part of this.parts) part.setup(this)
    const answer = this.fetch
    this.fetch = (request, env, context) => this.#enter(() => answer(request, env, context))
  }

  /** Every model: the app's, its parts', and the framework's own. */
  get models(): readonly AnyModel[] {
    return [...new Set([...(this.given.models ?? []), ...this.parts.flatMap(part => part.models ?? []), sessions])]
  }

  /** False for an app that keeps nothing: no database is made for it. */
  get keepsData(): boolean {
    return this.given.database !== undefined || this.given.models !== undefined || this.parts.length > 0
  }

  /** `edge manage APP <name>`. */
  command(command: AppCommand): this {
    checkOptions("app.command()", command, COMMAND)
    if (this.commands.some(other => other.name === command.name)) throw new Error(`there are two commands "${command.name}"`)
    this.commands.push(command)
    return this
  }

  /** Lets posts to a path in without a token: for other programs that prove who they are in another way (webhooks). */
  csrfExempt(path: string): this {
    this.exempt.push(path)
    return this
  }

  /** Runs when the database is open, before the first request. A throw keeps the app from starting. */
  onBoot(hook: Hook): this {
    this.#boots.push(hook)
    return this
  }
  /** Runs after the last request. */
  onShutdown(hook: Hook): this {
    this.#shutdowns.push(hook)
    return this
  }

  async boot(boot: Boot): Promise<void> {
    this.#boot = boot
    this.#secret = undefined
    this.#settings = undefined
    this.#assets = undefined
    this.#files = undefined
    enter(this)
    useFiles(() => currentApp().files)
    try {
      if (this.given.settings !== undefined) void this.settings
      void this.signer
      this.#ownsDatabase = boot.database === undefined
      this.#database = boot.database ?? (this.keepsData ? await openDatabase(this, boot) : undefined)
      this.#devGate = boot.dev && this.#ownsDatabase && this.#database !== undefined ? new DevGate(this) : undefined
      useDatabase(this.#database)
      await this.#enter(async () => {
        for (const hook of this.#boots) await hook()
      })
    } catch (error) {
      await this.shutdown()
      throw error
    }
  }

  async shutdown(): Promise<void> {
    for (const hook of this.#shutdowns) await this.#enter(async () => hook())
    // Of two apps in a front the one that stays is alone now, and asks the process's database.
    const left = leave(this) as this | undefined
    useDatabase(left === undefined ? undefined : left.#database)
    if (this.#ownsDatabase) await this.#database?.close()
    this.#database = undefined
    this.#boot = undefined
  }

  /** What it was started with. */
  get booted(): Boot {
    if (this.#boot === undefined) throw new Error("the app has not been started: edge does that, or a test's client")
    return this.#boot
  }
  get isBooted(): boolean {
    return this.#boot !== undefined
  }
  get dev(): boolean {
    return this.#boot?.dev === true
  }
  get devGate(): DevGate | undefined {
    return this.#devGate
  }
  get title(): string {
    return this.given.name ?? this.#boot?.name ?? "app"
  }
  get database(): Database {
    if (this.#database === undefined) throw new Error("this app has no database: give it models, or `database`")
    return this.#database
  }
  get settings(): InferOutput<S> {
    if (this.given.settings === undefined) throw new Error("this app has no settings: new App({ settings: v.object({ ... }) })")
    this.#settings ??= { value: readSettings(this.given.settings, { ...process.env, ...this.#boot?.env }) }
    return this.#settings.value
  }
  /** Origin of the site as configured; undefined when only requests tell. */
  get siteUrl(): string | undefined {
    return this.#boot?.env.SITE_URL ?? this.given.url
  }
  get signer(): Signer {
    return this.#secretNow().signer
  }
  get secretSource(): SecretSource {
    return this.#secretNow().source
  }
  /** Where uploads are kept. */
  get files(): FileStorage {
    // A test's own folder: it must not write among real uploads.
    const files = this.booted.env.EDGE_FILES ?? this.given.files ?? "media"
    return (this.#files ??= typeof files === "string" ? new LocalFiles({ dir: resolve(this.booted.dir, files) }) : files)
  }
  asset(path: string): string {
    return this.#assetsNow().url(path)
  }

  /** Runs `f` as this app: its models use its database. */
  run<T>(f: () => T): T {
    return this.#database === undefined ? within(this, f) : within(this, () => withDatabase(this.#database!, f))
  }

  #secretNow(): { secret: string; source: SecretSource; signer: Signer } {
    if (this.#secret === undefined) {
      const found = findSecret(this.given.secret, this.booted.env, this.booted.dir)
      this.#secret = { ...found, signer: new Signer(found.secret) }
    }
    return this.#secret
  }

  #assetsNow(): Assets {
    this.#assets ??= new Assets(`${this.booted.dir}/static`, this.dev)
    return this.#assets
  }

  /** With one app in the process nothing has to be carried along; 300 ns are saved. */
  #enter<T>(f: () => T): T {
    const inner = this.dev && currentTrace() === undefined ? () => traced(f) : f
    return isAlone() ? inner() : this.run(inner)
  }
}
