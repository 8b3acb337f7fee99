/** Builds the parts that a config names, and remembers them in the order in which they must start. */
import { resolve } from "node:path"
import type { GenericSchema } from "valibot"
import { locateError, formatLocated } from "../registry/source-location.ts"
import type { Bus, Context, Kind, Kinds, Live } from "../contract/plugin.ts"
import { check } from "../config/check.ts"
import type { Config } from "../config/config.ts"
import { show } from "../config/explain.ts"
import { formatPath, type Path, valueAt } from "../config/path.ts"
import { nearest } from "../config/suggest.ts"
import { EdgeError, errors, type Place, type Problem, reason, type Said } from "../errors.ts"
import { inRole } from "../http/middleware/access.ts"
import { PASS, type Awaitable, type Handler } from "../http/middleware/chain.ts"
import type { FrontPage } from "../contract/web.ts"
import type { Logger } from "../log/logger.ts"
import type { Store } from "../contract/store.ts"
import { PartPlaces } from "./part-places.ts"
import type { Registered, Registry } from "../registry/registry.ts"

export interface PartsOptions {
  readonly config: Config
  readonly registry: Registry
  readonly problems: Problem[]
  readonly log: Logger
  readonly dev: boolean
  readonly bus: Bus
  readonly signal: AbortSignal
  readonly store: Store
  page(name: string, words: number): FrontPage
  app(name: string): Handler | undefined
  redispatch: Context["redispatch"]
  readonly appNames: readonly string[]
  /** Longest that a part may take to be set up. */
  readonly setupMaxMs: number
}

/** One part that was set up: what starts, what stops, and what its options may be (`edge check --dump`). */
export interface BuiltPart {
  readonly kind: Kind
  /** `middleware "headers"`, for messages. */
  readonly what: string
  readonly path: Path
  readonly schema: GenericSchema
  readonly live: Live<unknown>
  readonly file?: string
}

/** A part that no other part made, with its checked options. */
export interface BuiltTop<P> {
  readonly part: P
  readonly options: Readonly<Record<string, unknown>>
}

/** What to build: the options as written, and where they stand. */
interface Written {
  readonly value: unknown
  readonly path: Path
  readonly otherKeys?: readonly string[]
  /** Where the part is named, when that is not where its options stand: `[layers] web`. */
  readonly named?: Path
}

/** Where a child part may stand: below its parent, and more exactly when the parent says so. */
interface Where {
  readonly parent: Path
  readonly at: Path | undefined
}

/** The problem is in the list already; thrown so that what needs the part stops too. */
class Told extends Error {}

/** A problem with its place, thrown by a plugin that called `ctx.fail`. */
export class PartError extends EdgeError {
  constructor(
    readonly problem: Problem,
    message: string,
  ) {
    super({ code: problem.code, message })
  }
}

export class Parts {
  /** Children come before the part that made them, so that a part starts on parts that run. */
  readonly built: BuiltPart[] = []
  readonly #places: PartPlaces
  readonly #digest: string
  /** Parts whose setup is not done, parents first. */
  readonly #waiting: object[] = []

  constructor(readonly options: PartsOptions) {
    this.#places = new PartPlaces(options.config)
    this.#digest = options.config.digest
  }

  /** A top-level part (web, runtime, gateway, framework); undefined when it could not be, which is then told. */
  async top<K extends Kind>(kind: K, found: Registered<K>, written: Written): Promise<BuiltTop<Kinds[K]> | undefined> {
    try {
      return await this.#build(kind, found, written)
    } catch (error) {
      if (error instanceof Told) return undefined
      throw error
    }
  }

  tell(said: Said, path: Path, options: { key?: boolean } = {}): void {
    this.options.problems.push({ ...said, ...this.#placeOf(path, options) })
  }

  /** With `key` the place is the key's and the path its table's: an unknown key is no place that could be looked up. */
  #placeOf(path: Path, { key = false }: { key?: boolean } = {}): { place: Place; at: string } {
    return { place: this.options.config.placeOf(path, { key }), at: formatPath(key ? path.slice(0, -1) : path) }
  }

  /** A plugin that could not be loaded may have brought the name: then its own error is enough, unless it looks misspelt. */
  tellUnknown(kind: Kind, name: string, { path, key = false }: { path: Path; key?: boolean }): void {
    const { registry } = this.options
    const known = registry.names(kind)
    if (registry.isWhole || nearest(name, known) !== undefined) this.tell(errors.noPlugin(kind, name, known), path, { key })
  }

  isWritten(path: Path): boolean {
    return valueAt(this.options.config.tree, path) !== undefined
  }

  async #make<K extends Kind>(kind: K, part: unknown, where: Where): Promise<Kinds[K]> {
    try {
      const { name, options, path } = this.#read(kind, part, where)
      const found = await this.options.registry.find(kind, name)
      if (found === undefined) {
        this.tellUnknown(kind, name, { path, key: typeof part !== "string" })
        throw new Told()
      }
      return (await this.#build(kind, found, { value: options, path })).part
    } catch (error) {
      const placeholder = placeholders[kind]
      // The rest of the config is still looked at, so that all problems are told at once.
      if (error instanceof Told && placeholder !== undefined) return placeholder as Kinds[K]
      throw error
    }
  }

  #read(kind: Kind, part: unknown, { parent, at }: Where): { name: string; options: unknown; path: Path } {
    const { config } = this.options
    if (typeof part === "string") {
      const path = at === undefined ? this.#places.find(parent, { value: part }) : [...parent, ...at]
      return { name: part, options: {}, path }
    }
    const entries = typeof part === "object" && part !== null && !Array.isArray(part) ? Object.entries(part) : []
    const [entry] = entries
    if (entry === undefined || entries.length !== 1) {
      this.tell(errors.badPart(kind, show(part)), config.pathOf(part) ?? [...parent, ...(at ?? [])])
      throw new Told()
    }
    const [name, options] = entry
    return { name, options, path: this.#places.ofOptions({ part, name, options, parent, at }) }
  }

  async #build<K extends Kind>(kind: K, found: Registered<K>, written: Written): Promise<BuiltTop<Kinds[K]>> {
    const { plugin, file } = found
    const { value, path, named = path, ...others } = written
    const what = `${kind} "${plugin.name}"`
    const checked = check(plugin.config, value, { config: this.options.config, path, ...others })
    if (checked.problems !== undefined) {
      this.options.problems.push(...checked.problems)
      throw new Told()
    }
    try {
      const live = (await this.#inTime(plugin.setup(checked.output, this.#context(plugin.name, path)), what)) as Live<Kinds[K]>
      if (typeof live !== "object" || live === null || !("part" in live)) throw new EdgeError(errors.noPart(what))
      this.built.push({ kind, what, path, schema: plugin.config, live, ...(file !== undefined && { file }) })
      return { part: this.#inRole(plugin, live.part), options: checked.output as Record<string, unknown> }
    } catch (error) {
      this.#tellThrown(error, { what, path: named, file })
      throw new Told()
    }
  }

  #inRole<K extends Kind>({ kind, role }: Registered<K>["plugin"], part: Kinds[K]): Kinds[K] {
    return kind === "middleware" && role !== undefined ? (inRole(part as Kinds["middleware"], role) as Kinds[K]) : part
  }

  #tellThrown(error: unknown, { what, path, file }: { what: string; path: Path; file: string | undefined }): void {
    if (error instanceof Told) return
    if (error instanceof AggregateError && error.errors.every(one => one instanceof Error)) {
      for (const one of error.errors) this.#tellThrown(one, { what, path, file })
      return
    }
    if (error instanceof PartError) this.options.problems.push(error.problem)
    else if (error instanceof EdgeError) this.tell({ code: error.code, message: error.message }, path)
    else if (file !== undefined) this.tell(errors.setupFailed(what, formatLocated(locateError(error, file))), path)
    else this.tell(errors.setupFailed(what, reason(error)), path)
  }

  /** The innermost part that is being set up is the slow one: a parent's time begins anew while it waits for a child. */
  async #inTime<T>(result: Awaitable<T>, what: string): Promise<T> {
    if (!(result instanceof Promise)) return result
    const { setupMaxMs } = this.options
    const { promise, reject } = Promise.withResolvers<never>()
    const self = { timer: setTimeout(() => look(), setupMaxMs) }
    const look = (): void => {
      if (this.#waiting.at(-1) === self) reject(new EdgeError(errors.setupSlow(what, setupMaxMs / 1000)))
      else self.timer = setTimeout(look, setupMaxMs)
    }
    this.#waiting.push(self)
    try {
      return await Promise.race([result, promise])
    } finally {
      clearTimeout(self.timer)
      this.#waiting.splice(this.#waiting.indexOf(self), 1)
    }
  }

  #context(name: string, path: Path): Context {
    const { config, registry, log, dev, bus, signal, store, redispatch } = this.options
    return {
      log: log.with({ plugin: name }),
      dir: config.dir,
      digest: this.#digest,
      at: formatPath(path),
      signal,
      dev,
      bus,
      store,
      page: (page, words) => this.options.page(page, words),
      resolve: file => resolve(config.dir, file),
      make: (kind, part, at) => this.#make(kind, part, { parent: path, at }),
      names: kind => registry.names(kind),
      app: app => {
        const handler = this.options.app(app)
        if (handler !== undefined) return handler
        this.tell(errors.noApp(app, this.options.appNames), this.#places.find(path, { value: app }))
        throw new Told()
      },
      redispatch,
      place: (at = []) => config.place([...path, ...at]),
      fail: (message, at = [], options) => new PartError({ ...errors.part(message), ...this.#placeOf([...path, ...at], options) }, message),
    }
  }
}

/** Stand in for a part that could not be made, so that its parent can be checked as well. Never serves: setUp fails. */
const placeholders: { readonly [K in Kind]?: Kinds[K] } = {
  handler: () => PASS,
  middleware: next => next,
  balancer: { pick: () => undefined },
}
