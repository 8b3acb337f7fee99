/**
 * The public interface ("edge"): all that a plugin author may rely on. First-party plugins use this file and nothing
 * else of src/, and so prove that it is enough.
 */
import { checkOptions, type Shape } from "./options.ts"
import type { GenericSchema, InferOutput } from "valibot"
import type { Bus } from "./generation/bus.ts"
import type { AppAttendants } from "./apps/attendants.ts"
import type { AppLimits } from "./apps/limits.ts"
import type { Awaitable, Handler, Middleware } from "./http/chain.ts"
import type { Exchange } from "./http/exchange.ts"
import type { Reply } from "./http/reply.ts"
import type { DnsProvider } from "./certificates/dns-provider.ts"
import type { CertificatePlan } from "./certificates/plan.ts"
import type { TlsOptions } from "./http/tls.ts"
import type { Logger } from "./log/logger.ts"

export { forAll } from "./config/for-all.ts"
export { didYouMean } from "./config/suggest.ts"
export { checkOptions } from "./options.ts"
export type { Shape, ValueWords } from "./options.ts"
export { duration, parseDuration, parseSize, size } from "./config/units.ts"
export type { Bounds } from "./config/units.ts"
export { accessLog, toAccess } from "./config/access-log.ts"
export { address, cidr, count, path, serverAddress } from "./config/values.ts"
export { Scripts } from "./cgi/script.ts"
export type { ScriptRules } from "./cgi/script.ts"
export { CgiUpstream } from "./cgi/upstream.ts"
export type { CgiUpstreamOptions } from "./cgi/upstream.ts"
export type { AppLimits } from "./apps/limits.ts"
export { placeholders } from "./placeholders.ts"
export { tempFolder } from "./system/temp-folder.ts"
export { AppHost } from "./apps/host.ts"
export { SocketRoad, wantsWebSocket } from "./apps/sockets.ts"
export { WorkerLost } from "./frames/call.ts"
export { FrameClient } from "./frames/client.ts"
export type { FrameClientOptions } from "./frames/client.ts"
export { pythonFrames } from "./frames/python/files.ts"
export { pythonOptions } from "./frames/python/options.ts"
export type { Bus } from "./generation/bus.ts"
export { after, asReply, fold, PASS } from "./http/chain.ts"
export type { AfterOptions, Answer, Awaitable, Handler, Middleware } from "./http/chain.ts"
export { type Encoding, encodingPicker, pickEncoding } from "./http/accept-encoding.ts"
export { Exchange } from "./http/exchange.ts"
export type { Carrier, Connection, ExchangeEnd, TlsFacts } from "./http/exchange.ts"
export { type Access, forThisClient, hasRole } from "./http/access.ts"
export { evaluate, matchesTag, rangeHolds } from "./http/conditions.ts"
export type { Validators } from "./http/conditions.ts"
export { parseHttpDate } from "./http/dates.ts"
export { parseRange, type Span } from "./http/ranges.ts"
export { validName, validValue } from "./http/codec/fields.ts"
export { HeaderList } from "./http/headers.ts"
export type { HeaderPair } from "./http/headers.ts"
export { HttpError } from "./http/errors.ts"
export { derive, isHot, Prepared, rehead, toWire } from "./http/prepared.ts"
export { cookieOf } from "./http/cookie.ts"
export { type ClientKey, clientKey, clientKeySchema } from "./http/client-key.ts"
export { KeyedHash } from "./system/keyed-hash.ts"
export { headerText } from "./http/header-text.ts"
export { decodeSegments, encodePath, normalizePath, pathBytes, pathOfText, resolveDots, textOfPath } from "./http/path.ts"
export { decodedReadings, dottedReadings, inEveryReading, mayReadOtherwise } from "./http/readings.ts"
export { type Part, PartsStream } from "./http/parts-stream.ts"
export { bodyLength, Reply } from "./http/reply.ts"
export type { FileSlice, ReplyBody, Wire } from "./http/reply.ts"
export { reasonOf } from "./http/status.ts"
export { addressBytes, trustedPeers } from "./http/trust.ts"
export { ByteStream } from "./http/stream.ts"
export type { ByteDuplex, ByteSink } from "./http/stream.ts"
export { UpstreamError } from "./http/upstream/error.ts"
export type { UpstreamFault } from "./http/upstream/error.ts"
export { AnswerSpool, SpoolDisk } from "./spool/answer-spool.ts"
export { receiveBody } from "./spool/request-spool.ts"
export { parseTarget } from "./http/upstream/target.ts"
export type { UpstreamTarget } from "./http/upstream/target.ts"
export { Http2Upstream } from "./http/upstream/http2-upstream.ts"
export { HttpUpstream } from "./http/upstream/upstream.ts"
export type { HttpUpstreamOptions } from "./http/upstream/upstream.ts"
export type { UpstreamTls } from "./http/upstream/connect.ts"
export { SlotClaims } from "./slots/claims.ts"
export { SlotKeeper } from "./slots/keeper.ts"
export { maxAhead, maxFronts, stamp } from "./slots/page.ts"
export type { FrontLife } from "./slots/page.ts"
export { CHALLENGE_TYPES, DEFAULT_DIRECTORY } from "./certificates/plan.ts"
export type { AcmeSettings, CertificatePlan } from "./certificates/plan.ts"
export { KEY_ALGORITHMS } from "./certificates/key-algorithm.ts"
export type { DnsProvider } from "./certificates/dns-provider.ts"
export type { Wanted } from "./certificates/managed.ts"
export type { TlsOptions } from "./http/tls.ts"
export { isMissing } from "./system/missing.ts"
export { missingModule } from "./frames/python/module.ts"
export { readPem, readTlsPair } from "./http/tls-pair.ts"
export { AccessLog } from "./log/access.ts"
export type { AccessSettings } from "./log/access.ts"
export type { Logger } from "./log/logger.ts"
export { readPrivateFile } from "./processes/private-files.ts"
export { selfArgv } from "./supervisor/self.ts"
export { start, test } from "./testing.ts"
export type { TestServer } from "./testing.ts"

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
  redispatch(x: Exchange): Awaitable<import("./http/chain.ts").Answer>
  /** `site.toml:14:3` of a path below this part, for an error that names a second place. */
  place(at?: readonly (string | number)[]): string
  /**
   * An error that names a place in the config: `at` is a path below this part, as ["use", 1]; with `key: true` the place
   * of the key itself is meant, not of its value. A setup may throw several in an AggregateError (see forAll).
   */
  fail(message: string, at?: readonly (string | number)[], options?: { key?: boolean }): Error
}

const PLUGIN: Shape<Plugin> = { name: "text", kind: "text", role: "text", config: "any", modules: "object", commands: "list", hooks: "object", setup: "function" }

/** Typed identity. Throws TypeError for a key that plugins do not have. */
export function definePlugin<K extends Kind, S extends GenericSchema>(plugin: Plugin<K, S>): Plugin<K, S> {
  checkOptions("definePlugin()", plugin, PLUGIN)
  return plugin
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

// Layer 1 ------------------------------------------------------------------------------------------------------------

export interface Web {
  readonly bindings: readonly Binding[]
  /** Absolute paths of log files: made for the fronts' user at the start, after a reload and after USR1. */
  readonly logFiles?: readonly string[]
  /** Certificates that edge gets and renews itself. */
  readonly certificates?: CertificatePlan
  /** Who proves names by DNS for them. */
  readonly dns?: DnsProvider
}

/** One address, as in the config ("127.0.0.1:8080", "[::]:80", "unix:run/x.sock"), and what answers there. */
export interface Binding {
  readonly address: string
  readonly handler: Handler
  readonly tls?: TlsOptions
  /** Trusted peers are balancers, and begin each connection with a PROXY header. */
  readonly proxyProtocol?: boolean
  /** What to print when it is listening: "http://example.com:8080/". */
  readonly urls?: readonly string[]
}

export interface Balancer {
  /** Synchronous: the upstream for this exchange, or undefined when none can take it. */
  pick(upstreams: readonly Upstream[], x: Exchange): Upstream | undefined
  /** The upstream that was picked has answered: its answer may be changed, as by a cookie that says who it was. */
  answered?(upstream: Upstream, on: { readonly x: Exchange; readonly reply: Reply }): void
}

/** One place that answers: a server behind the proxy, or a worker. */
export interface Upstream {
  readonly id: string
  readonly send: Handler
  /** Exchanges on it now. */
  readonly active: number
  readonly weight: number
  readonly down: boolean
}

// Layer 2 ------------------------------------------------------------------------------------------------------------

/** One `[app.x]` as checked; plain data that crosses processes. */
export interface AppSpec {
  readonly name: string
  /** Absolute. */
  readonly dir: string
  readonly runtime: string
  readonly gateway: string
  readonly framework: string
  /** File of the plugin when the framework is a third party's. */
  readonly frameworkFile?: string
  readonly env: Readonly<Record<string, string>>
  /** Requests at once per worker. */
  readonly concurrency: number
  /** Until the head of the answer; 0 for none. */
  readonly timeoutMs: number
  readonly user?: string
  readonly group?: string
  readonly limits?: AppLimits
  readonly attendants?: AppAttendants
  /** Absolute path of the file for what the workers print. */
  readonly log?: string
  /** The parts' own options, as checked by their schemas. */
  readonly options: {
    readonly runtime: Readonly<Record<string, unknown>>
    readonly gateway: Readonly<Record<string, unknown>>
    readonly framework: Readonly<Record<string, unknown>>
  }
}

/** What the fronts speak to a worker. */
export type Transport = "frames" | "http" | "fastcgi" | "uwsgi"

/**
 * How one worker is started: plain data, made by a runtime, carried out by the supervisor. In `argv`, `env` values and
 * `cwd` these are replaced: `{run}` private folder with `files`, `{socket}` path of this worker's unix socket,
 * `{port}` a free port of 127.0.0.1, `{index}` number of the worker, `{app}` name of the app.
 */
export interface Launch {
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly transport: Transport
  /**
   * "inherit": the supervisor listens on `{socket}` and hands the descriptor to the worker as 3 (frames workers);
   * "bind": the program itself listens on `{socket}` or on `{port}`, whichever comes first.
   */
  readonly socket: "inherit" | "bind"
  /** A request that is past its deadline cannot be given up, only ended with its worker (threads, one request at once). */
  readonly blocking?: boolean
  /** `argv` starts a warm parent, which forks the workers (docs/worker-protocol.md, "Forking"). Frames and "inherit" only. */
  readonly preload?: boolean
  /** Somebody else runs it already, here (path of a unix socket, or host:port): nothing is started, `argv` is empty. */
  readonly address?: string
  /** Files to be written to `{run}` before the first start, by name. */
  readonly files?: Readonly<Record<string, string>>
}

export interface Runtime {
  /** Default of an app's `concurrency`. */
  readonly concurrency: number
  launch(app: AppSpec): Launch
  /** For `edge check`: which key of the app names what is not there, and why. Runs nothing of the app. */
  check?(app: AppSpec): Awaitable<{ readonly key: string; readonly why: string } | undefined>
  /** True when gateway "inline" can run it inside a front (TypeScript). */
  readonly inline?: boolean
}

/** One worker as fronts and hooks see it. */
export interface WorkerInfo {
  readonly app: string
  /** Slot number in the pool, 0 to max - 1; a replacement has another one than the worker it replaces. */
  readonly index: number
  /** Counts up with every start; a worker is (index, serial). */
  readonly serial: number
  readonly pid: number
  readonly transport: Transport
  /** Where fronts connect: path of a unix socket, or host:port. */
  readonly address: string
}

export interface WorkerStatus extends WorkerInfo {
  readonly state: "starting" | "ready" | "draining" | "stopping"
  readonly startedAt: number
  readonly requests: number
  readonly active: number
  /** Resident bytes. */
  readonly memory: number
}

/** Layer 2, in two halves. Without `supervise` the app has no processes of its own. */
export interface Gateway {
  /** In the supervisor (first party) or in a child of it, as `user` (third party). Resolves when the app can serve. */
  supervise?(app: AppSpec, launch: Launch, host: WorkerHost): Awaitable<Supervision>
  /** It runs the app inside the fronts, so only runtimes with `inline` will do. */
  readonly inline?: boolean
  /** In each front. */
  connect(app: AppSpec, link: AppLink): Awaitable<Live<Handler>>
}

/** What the supervisor does for a gateway's supervising half. */
export interface WorkerHost {
  readonly log: Logger
  /**
   * Starts a process and resolves once it can be spoken to (frames: it said HELLO; bind: something accepts).
   * Rejects with its last lines of output when it exits or is silent past `bootMs` (default 30 s), and when `signal`
   * aborts; the process is gone by then.
   */
  spawn(index: number, options?: { bootMs?: number; launch?: Launch; signal?: AbortSignal }): Promise<WorkerProcess>
  /** Tells every front, now and later ones, which workers there are. */
  publish(workers: readonly WorkerInfo[]): void
  /** The page that fronts and supervisor share for this app (slots.ts); made for `max` workers. */
  page(max: number): Promise<SharedPage>
  /** A front says something about a worker ("stuck" past its deadline, "lost" connection). */
  onReport(f: (report: WorkerReport) => void): void
  /** Front number `front` is gone (it left or died): what it held of the workers can be cleaned up. */
  onFrontGone?(f: (front: number) => void): void
}

export interface WorkerProcess extends WorkerInfo {
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  kill(signal: NodeJS.Signals): void
  /** Resident bytes now. */
  memory(): number
  /** Asks the worker for the stack of its threads; "" when it cannot say. */
  stack(timeoutMs?: number): Promise<string>
  /** Exchanges that the worker has now, as it says itself; rejects when it does not answer in time. Frames only. */
  ping?(timeoutMs: number): Promise<number>
  /** Asks it to finish what it has and exit: DRAIN for frames, else SIGTERM. */
  drain?(): void
}

export interface WorkerReport {
  readonly kind: "stuck" | "lost"
  readonly index: number
  readonly serial: number
  readonly detail: string
}

/** What an app has done since its gateway was started, workers that are gone included. */
export interface WorkerTotals {
  readonly requests: number
  readonly starts: number
}

export interface Supervision {
  /** Workers that should run from now on. */
  scale(workers: number): void
  /** Replaces every worker, one at a time; rejects and keeps the old ones when the new code cannot boot. */
  roll(launch: Launch): Promise<void>
  status(): readonly WorkerStatus[]
  totals?(): WorkerTotals
  stop(deadline: AbortSignal): Promise<void>
}

/** What a front gives to a gateway's connecting half. */
export interface AppLink {
  readonly log: Logger
  /** Number of this front, unique among living fronts, 0 to 63. */
  readonly front: number
  /** Called now and at every change. */
  workers(f: (workers: readonly WorkerInfo[]) => void): void
  /** The app's shared page; undefined when the gateway made none. */
  page(): SharedPage | undefined
  report(report: WorkerReport): void
  /** For `edge workers`: says what the workers do for this front now. */
  requests?(f: () => readonly RequestNow[]): void
  /** The app itself, for gateways that run it inside the front: its fetch handler as the framework made it. */
  load(): Promise<AppModule>
}

/** A request that a worker has now. */
export interface RequestNow {
  readonly index: number
  readonly serial: number
  readonly method: string
  /** Without the query, where secrets may stand. */
  readonly path: string
  /** Since its head was complete. */
  readonly ms: number
}

/** Words shared by all processes of one edge, by Atomics. */
export interface SharedPage {
  readonly words: Int32Array
}

/** A page that the fronts share. */
export interface FrontPage extends SharedPage {
  /** Mapped when first asked for, which is not before `start`. */
  readonly words: Int32Array
  /** Number of this front, unique among living ones, 0 to 63. */
  readonly front: number
}

// Layer 3 ------------------------------------------------------------------------------------------------------------

/** Gives meaning to what an app's entry exports. */
export interface Framework {
  load(module: Record<string, unknown>, app: AppSpec): Awaitable<AppModule>
}

export interface AppModule {
  fetch(request: Request, info: RequestFacts): Awaitable<Response>
  /** Bun's websocket handlers, when the app upgrades with `info.server.upgrade(request)`. */
  readonly websocket?: object
  start?(): Awaitable<void>
  stop?(): Awaitable<void>
  /** `edge manage APP ...`: starts of the app what the command needs. Gives the exit code. */
  manage?(argv: readonly string[]): Awaitable<number>
}

/** Second argument of `fetch`: what a standard Request cannot say. Hono sees it as `c.env`. */
export interface RequestFacts {
  readonly ip: string
  readonly scheme: "http" | "https"
  /** What `strip` took off. */
  readonly prefix: string
  readonly server?: unknown
  waitUntil?(promise: Promise<unknown>): void
}

// Shared state -------------------------------------------------------------------------------------------------------

/**
 * Shared state. Keys are printable text up to 500 bytes and begin with their owner's name ("cache:..."). Every method
 * rejects when the store cannot be reached or does not answer within a few seconds; that it is gone, and back, is logged
 * by the kernel, once.
 */
export interface Store {
  /** Who shares it: the processes of this machine, or every edge with the same `server.state`. */
  readonly reach: "machine" | "machines"
  get(key: string): Promise<Uint8Array | null>
  /** False when it was to be set only if absent, and was there. Without `ttlMs` it stays until deleted. */
  set(key: string, value: Uint8Array | string, options?: { ttlMs?: number; onlyIfAbsent?: boolean }): Promise<boolean>
  /** Sets (null: deletes) only while the value is `expected`, null for absent; false when it is not. */
  compareAndSet(key: string, change: CompareAndSet): Promise<boolean>
  delete(key: string): Promise<void>
  /** Adds to a counter and returns the new value; the counter ends `ttlMs` after it began. Counters are no values: `get` does not see them. */
  increment(key: string, by: number, ttlMs: number): Promise<number>
  /** Text up to 4 kB, to every subscriber that is connected now, this process too. */
  publish(channel: string, message: string): Promise<void>
  /**
   * Resolves when messages arrive from now on, or when the store cannot be reached: then they come as soon as it can. `f`
   * gets null when some may have been missed, the store having been gone. The function returned ends it.
   */
  subscribe(channel: string, f: (message: string | null) => void): Promise<() => void>
  /** An operation got no answer in time: what is connected may be dead, so connect anew for the next. */
  reset?(): void
}

export interface CompareAndSet {
  readonly expected: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly ttlMs?: number
}
