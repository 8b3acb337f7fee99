/** A Context for tests of one plugin, with parts that the test hands in. */
import type { Answer, Awaitable, Context, Exchange, FrontPage, Handler, Kind, Kinds, Logger, Plugin, Store } from "edge"
import { FrontPages } from "../../src/generation/front-pages.ts"
import { resolve } from "node:path"
import * as v from "valibot"
import { FrontBus } from "../../src/generation/bus.ts"

export interface ContextOptions {
  dir?: string
  dev?: boolean
  plugins?: readonly Plugin<never, never>[]
  apps?: Readonly<Record<string, Handler>>
  redispatch?(x: Exchange): Awaitable<Answer>
  store?: Store
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

export class TestContext implements Context {
  readonly lines: LogLine[] = []
  readonly log: Logger = logTo(this.lines)
  readonly dir: string
  readonly at = ""
  readonly digest = "test"
  readonly dev: boolean
  /** What the part said to itself in other fronts; `bus.hear` plays another front. */
  readonly casts: { topic: string; data: unknown }[] = []
  readonly bus = new FrontBus((topic, data) => void this.casts.push({ topic, data }))
  readonly signal: AbortSignal
  readonly #options: ContextOptions
  readonly #end = new AbortController()
  readonly #pages = new FrontPages(undefined)
  readonly #live: { start?(): Awaitable<void>; stop?(deadline: AbortSignal): Awaitable<void> }[] = []

  constructor(options: ContextOptions = {}) {
    this.#options = options
    this.dir = options.dir ?? process.cwd()
    this.dev = options.dev ?? false
    this.signal = this.#end.signal
  }

  get store(): Store {
    if (this.#options.store === undefined) throw new Error("this test has no store")
    return this.#options.store
  }

  page(name: string, words: number): FrontPage {
    return this.#pages.declare(name, words)
  }

  resolve(path: string): string {
    return resolve(this.dir, path)
  }

  names(kind: Kind): readonly string[] {
    return (this.#options.plugins ?? []).filter(p => p.kind === kind).map(p => p.name)
  }

  async make<K extends Kind>(kind: K, part: unknown): Promise<Kinds[K]> {
    const [name, options] = typeof part === "string" ? [part, {}] : Object.entries(part as object)[0]!
    const plugin = (this.#options.plugins ?? []).find(p => p.kind === kind && p.name === name)
    if (plugin === undefined) throw this.fail(`no ${kind} named "${name}"`)
    return setUp(plugin as unknown as Plugin<K>, options, this)
  }

  app(name: string): Handler {
    const app = this.#options.apps?.[name]
    if (app === undefined) throw this.fail(`no app named "${name}"`)
    return app
  }

  redispatch(x: Exchange): Awaitable<Answer> {
    if (this.#options.redispatch === undefined) throw new Error("this test has no redispatch")
    return this.#options.redispatch(x)
  }

  place(at: readonly (string | number)[] = []): string {
    return at.join(".")
  }

  fail(message: string, at: readonly (string | number)[] = []): Error {
    return new Error(at.length === 0 ? message : `${at.join(".")}: ${message}`)
  }

  own(live: { start?(): Awaitable<void>; stop?(deadline: AbortSignal): Awaitable<void> }): void {
    this.#live.push(live)
  }

  async start(): Promise<void> {
    for (const live of this.#live) await live.start?.()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    for (const live of this.#live) await live.stop?.(AbortSignal.timeout(1000))
  }
}

/** Checks the options as the kernel does and builds the part. */
export async function setUp<K extends Kind>(plugin: Plugin<K, never> | Plugin<K>, options: unknown, ctx = new TestContext()): Promise<Kinds[K]> {
  const checked = v.safeParse(plugin.config as v.GenericSchema, options)
  if (!checked.success) {
    throw new Error(checked.issues.map(issue => `${v.getDotPath(issue) ?? ""}: ${issue.message}`).join("\n"))
  }
  const live = await (plugin as Plugin<K>).setup(checked.output as never, ctx)
  ctx.own(live)
  return live.part
}

export function logTo(lines: LogLine[], base: Record<string, unknown> = {}): Logger {
  const at = (level: string) => (message: string, fields: Record<string, unknown> = {}) =>
    void lines.push({ level, message, fields: { ...base, ...fields } })
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: fields => logTo(lines, { ...base, ...fields }),
  }
}
