/** What every plugin is: its kind, its life, and what edge gives it. Types only, as in all of this folder. */
import type { GenericSchema, InferOutput } from "valibot"
import type { Answer, Awaitable, Handler, Middleware } from "../http/middleware/chain.ts"
import type { Exchange } from "../http/message/exchange.ts"
import type { Logger } from "../log/logger.ts"
import type { DnsProvider } from "./dns.ts"
import type { Framework } from "./framework.ts"
import type { AppSpec, Gateway, WorkerInfo } from "./gateway.ts"
import type { Runtime } from "./runtime.ts"
import type { Store } from "./store.ts"
import type { Balancer, FrontPage, Web } from "./web.ts"

/** Every kind of part a config may name. */
export interface Kinds {
  /** Layer 1: which addresses, and what answers there. */
  web: Web
  /** Ends a route: static, proxy, app, redirect, respond. */
  handler: Handler
  /** Answers or passes on: headers, compress, cache. */
  middleware: Middleware
  /** Chooses an upstream, synchronously. */
  balancer: Balancer
  /** Layer 2. */
  gateway: Gateway
  /** How a worker of an app is started and spoken to. */
  runtime: Runtime
  /** Layer 3: what an app's module means. */
  framework: Framework
  /** Shared state. */
  store: Store
  /** Writes records into a zone of DNS, for certificates. */
  dns: DnsProvider
}

export type Kind = keyof Kinds

export interface Plugin<K extends Kind = Kind, S extends GenericSchema = GenericSchema> {
  /** The key that the config uses; unique within its kind. */
  readonly name: string
  readonly kind: K
  /**
   * Middleware only. "access": it decides by who asks whether the request goes on; caches around it keep neither what it lets
   * through nor its refusals, and mirrors around it copy only what it lets through. "cache": it gives the answer to one
   * client to others. Without: neither.
   */
  readonly role?: Role
  /** A valibot strictObject (or a union with one), so that an unknown option is an error with its place. */
  readonly config: S
  /** Virtual modules for apps, loaded when first imported ("edge/db"). */
  readonly modules?: Record<string, () => Promise<object>>
  /** `edge manage APP <name> ...` */
  readonly commands?: readonly Command[]
  readonly hooks?: Hooks
  /** Builds the part. No sockets, timers or processes: `edge check` stops here. */
  setup(config: InferOutput<S>, ctx: Context): Awaitable<Live<Kinds[K]>>
}

export type Role = "access" | "cache"

/** A part and its life. `start` runs in the front once every part is set up; a throw keeps the old fronts serving. */
export interface Live<T> {
  readonly part: T
  start?(): Awaitable<void>
  stop?(deadline: AbortSignal): Awaitable<void>
  /**
   * Asked by `edge check` only: whether what the options name is there (folders, files). Throws `ctx.fail` with the place.
   * A start does not ask, as what is missing may still come: say it in the log, and go on without.
   */
  check?(): Awaitable<void>
  /**
   * Takes a command that came by the control socket, in each front alike, while it serves; undefined when it is for
   * somebody else. Plain data in and out; a throw refuses it.
   */
  command?(command: PartCommand): Awaitable<unknown>
}

/** A command to parts that run: `{ name: "upstream", args: { do: "drain", url: "http://10.0.0.1" } }`. */
export interface PartCommand {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

/** What a plugin's `setup` is given. */
export interface Context {
  readonly log: Logger
  /** Folder of the config file; paths in the config are relative to it. */
  readonly dir: string
  /** Of the whole config: another when anything in it is. What outlives a config (files) was perhaps made under other rules. */
  readonly digest: string
  /** Where this part stands in the config, as `site[0].route[1].static`. */
  readonly at: string
  /** Aborted when the generation that owns the part ends. */
  readonly signal: AbortSignal
  /** True in `edge dev`. */
  readonly dev: boolean
  /** This part in the other fronts of this machine; topics begin with the plugin's name ("cache.purge"). */
  readonly bus: Bus
  /** What `server.state` names; opened when it is first asked something. Not to be asked before `start`. */
  readonly store: Store
  /**
   * Declares, in `setup`, words that all fronts of this edge share: zero at first, kept over reloads and crashes of fronts.
   * One name and size is one page, whoever asks.
   */
  page(name: string, words: number): FrontPage
  /** `path` made absolute against `dir`. */
  resolve(path: string): string
  /**
   * Builds a child part. `part` is a name, or a one-key table `{ name: options }`, straight from this part's own
   * config (the same object, so that its place in the file is known). Its `start` and `stop` are called for you.
   * `at` is where `part` stands below this part's config, for a bare name or a table made by hand.
   */
  make<K extends Kind>(kind: K, part: unknown, at?: readonly (string | number)[]): Awaitable<Kinds[K]>
  /** Names of the known parts of a kind, for "the handler is the key of a route". */
  names(kind: Kind): readonly string[]
  /** A handler that sends to the app of that name; an error with its place when there is none. */
  app(name: string): Handler
  /** Runs another path through the same web layer (X-Accel-Redirect, error pages). */
  redispatch(x: Exchange): Awaitable<Answer>
  /** `site.toml:14:3` of a path below this part, for an error that names a second place. */
  place(at?: readonly (string | number)[]): string
  /**
   * An error that names a place in the config: `at` is a path below this part, as ["use", 1]; with `key: true` the place
   * of the key itself is meant, not of its value. A setup may throw several in an AggregateError (see forAll).
   */
  fail(message: string, at?: readonly (string | number)[], options?: { key?: boolean }): Error
}

export interface Command {
  readonly name: string
  readonly help: string
  run(argv: readonly string[], ctx: { app: AppSpec; log: Logger }): Awaitable<number | void>
}

/**
 * What a plugin does when something happens to the server. Hooks run in one process of their own, as `server.user`, in the
 * order of [plugins], one at a time. What one throws, or does not end within 10 s, is logged and changes nothing. A reload
 * loads them anew: what a module keeps in memory lasts until then.
 */
export interface Hooks {
  /** The server serves for the first time. */
  on_start?(ctx: HookContext): Awaitable<void>
  /** A reload was asked for; it begins when this has ended. */
  pre_reload?(ctx: HookContext): Awaitable<void>
  /** A reload succeeded: the new fronts serve. */
  on_reload?(ctx: HookContext): Awaitable<void>
  /** A worker answers. */
  worker_ready?(worker: WorkerInfo, ctx: HookContext): Awaitable<void>
  /** A worker's process is gone, as asked or not. */
  worker_exit?(worker: WorkerExit, ctx: HookContext): Awaitable<void>
  /** The last request was answered and the last worker is gone; the server ends when this has ended. */
  on_stop?(ctx: HookContext): Awaitable<void>
}

export interface HookContext {
  readonly log: Logger
  /** Folder of the config file. */
  readonly dir: string
  /** True in `edge dev`. */
  readonly dev: boolean
}

export interface WorkerExit extends WorkerInfo {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
}

export interface Bus {
  /** Tells every other front of this edge, those of earlier configs too. Plain data; lost where a front is not up. */
  send(topic: string, data: unknown): void
  /** Called for what other fronts send. */
  on(topic: string, f: (data: unknown) => void): void
}
