/** The sections of site.toml that the kernel owns; the others are the web plugin's. */
import { resolve } from "node:path"
import * as v from "valibot"
import type { Problem } from "../errors.ts"
import type { Limits } from "../http/limits.ts"
import { check, type Checked } from "./check.ts"
import { keysOf } from "./schema.ts"
import { duration, size } from "./units.ts"
import { address, cidr, count, path } from "./values.ts"

const say = v.description

const limits = v.strictObject({
  head: v.pipe(v.optional(size({ min: "1kb", max: "1mb" }), "16kb"), say("Largest request head; more is answered 431")),
  head_fields: v.pipe(v.optional(count({ max: 10_000 }), 100), say("Most header fields of a request")),
  body: v.pipe(v.optional(size(), "100mb"), say("Largest request body; more is answered 413. A route may change it")),
  head_timeout: v.pipe(v.optional(duration({ min: "100ms" }), "10s"), say("Until a request head is complete")),
  body_rate: v.pipe(
    v.optional(
      v.strictObject({
        bytes: v.pipe(v.optional(count({ min: 0 }), 1000), say("Least bytes per second; 0 for no limit")),
        over: v.pipe(v.optional(duration({ min: "1s" }), "20s"), say("Measured over so long")),
      }),
      {},
    ),
    say("How slow a request body may come"),
  ),
  idle_timeout: v.pipe(v.optional(duration({ min: "1s" }), "75s"), say("A kept connection without a request is closed after it")),
  send_timeout: v.pipe(v.optional(duration({ min: "1s" }), "60s"), say("A client that takes no byte of its answer for so long is cut")),
  linger: v.pipe(
    v.optional(duration({ max: "1m" }), "5s"),
    say("After an answer that had to close the connection: how long more bytes are read and dropped, so that it arrives"),
  ),
  drain: v.pipe(v.optional(size(), "64kb"), say("An unread rest of a body up to it is dropped to keep the connection")),
  pipeline: v.pipe(v.optional(size(), "64kb"), say("Bytes of further requests that are held while one is answered")),
  half_close: v.pipe(
    v.optional(duration(), "10s"),
    say("A client that closed its side is taken for gone when its answer has not begun by then"),
  ),
  underscores: v.pipe(
    v.optional(v.boolean(), false),
    say("Pass header names with an underscore; X_Forwarded_For poses as X-Forwarded-For in CGI, WSGI and PHP"),
  ),
})

const server = v.strictObject({
  fronts: v.pipe(v.optional(v.union([v.literal("auto"), count({ max: 64 })]), "auto"), say("Front processes sharing each port")),
  grace: v.pipe(v.optional(duration(), "30s"), say("How long requests in flight may take on stop or reload")),
  tunnel_grace: v.pipe(v.optional(duration(), "1h"), say("How long WebSockets and long downloads may outlive a reload")),
  pid_file: v.pipe(v.optional(path()), say("Where the supervisor writes its process id")),
  control: v.pipe(v.optional(path(), "edge.sock"), say("Control socket, mode 0600")),
  state: v.pipe(v.optional(path(), "sqlite:edge.db"), say("Shared state: sqlite:FILE, redis://... or postgres://...")),
  user: v.pipe(v.optional(v.string()), say("User of the fronts after binding, when started as root")),
  group: v.pipe(v.optional(v.string()), say("Group of the fronts; default the user's own")),
  trusted_proxies: v.pipe(
    v.optional(v.array(v.union([cidr(), v.literal("unix")])), []),
    say('Who may set X-Forwarded-* and Forwarded: ranges, or "unix" for peers on unix sockets'),
  ),
  status: v.pipe(
    v.optional(v.strictObject({ listen: address(), token: v.optional(v.string(), "") })),
    say("Status API, /metrics and dashboard; off when absent"),
  ),
  header: v.pipe(v.optional(v.string()), say("Value of the Server header; none when absent")),
  limits: v.pipe(v.optional(limits, {}), say("What a client may cost")),
})

const log = v.strictObject({
  level: v.pipe(v.optional(v.picklist(["debug", "info", "warn", "error"]), "info"), say("Least weight that is logged")),
  format: v.pipe(v.optional(v.picklist(["text", "json"]), "text"), say("Lines of the event log, on standard error")),
  access: v.pipe(
    v.optional(
      v.strictObject({
        path: v.pipe(v.optional(path(), "-"), say('"-" is stdout')),
        format: v.pipe(v.optional(v.picklist(["json", "combined", "off"]), "json"), say("One line per request")),
      }),
      {},
    ),
    say("Access log"),
  ),
})

const layers = v.strictObject({
  web: v.pipe(v.optional(v.string(), "web"), say("Plugin of layer 1")),
  gateway: v.pipe(v.optional(v.string(), "pool"), say("Plugin of layer 2, for apps that name none")),
  framework: v.pipe(v.optional(v.string(), "hono"), say("Plugin of layer 3, for apps that name none")),
})

const plugins = v.record(v.string(), path())

/** Keys that every app has; the rest is split between its runtime, gateway and framework. */
export const appCommon = v.strictObject({
  runtime: v.pipe(v.optional(v.string(), "fetch"), say("How a worker is started and spoken to")),
  gateway: v.pipe(v.optional(v.string()), say("Default: the one of [layers]")),
  framework: v.pipe(v.optional(v.string()), say("Default: the one of [layers]")),
  dir: v.pipe(v.optional(path(), "."), say("Working folder of the workers")),
  env: v.pipe(
    v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])), {}),
    say("Environment variables of the workers"),
  ),
  timeout: v.pipe(v.optional(duration(), "30s"), say('Until the head of the answer, then 504; "0s" for none')),
  concurrency: v.pipe(v.optional(count({ max: 65_535 })), say("Requests at once per worker; default by runtime")),
  user: v.pipe(v.optional(v.string()), say("User of the workers, when started as root")),
  group: v.pipe(v.optional(v.string()), say("Group of the workers")),
})

export const sections = { server, log, plugins, layers } as const
export const kernelKeys = ["include", "server", "log", "plugins", "layers", "app"] as const

export interface Kernel {
  readonly server: Server
  readonly log: LogConfig
  /** Label -> file, folder or package, as written. */
  readonly plugins: Readonly<Record<string, string>>
  readonly layers: { readonly web: string; readonly gateway: string; readonly framework: string }
  readonly apps: readonly AppConfig[]
}

export interface Server {
  readonly fronts: number | "auto"
  readonly graceMs: number
  readonly tunnelGraceMs: number
  /** Absolute, as `control`. */
  readonly pidFile?: string
  readonly control: string
  readonly state: string
  readonly user?: string
  readonly group?: string
  readonly trustedProxies: readonly string[]
  readonly status?: { readonly listen: string; readonly token: string }
  readonly limits: Limits
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly format: "text" | "json"
  /** `path` is absolute, or "-". */
  readonly access: { readonly path: string; readonly format: "json" | "combined" | "off" }
}

/** The common half of one `[app.x]`. */
export interface AppConfig {
  readonly name: string
  readonly runtime: string
  readonly gateway: string
  readonly framework: string
  /** Absolute. */
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly concurrency?: number | undefined
  readonly user?: string | undefined
  readonly group?: string | undefined
  /** The keys that are not common, as written. */
  readonly rest: Readonly<Record<string, unknown>>
}

interface Source extends Checked {
  readonly dir: string
  readonly tree: Readonly<Record<string, unknown>>
}

/** Checks the kernel's sections; one with problems is replaced by its defaults so that the rest can be checked too. */
export function readKernel(config: Source): { kernel: Kernel; problems: readonly Problem[] } {
  const problems: Problem[] = []
  function section<S extends v.GenericSchema>(schema: S, at: string): v.InferOutput<S> {
    const result = check(schema, config.tree[at] ?? {}, { config, path: [at] })
    if (result.problems === undefined) return result.output
    problems.push(...result.problems)
    return v.parse(schema, {})
  }
  const chosen = section(layers, "layers")
  const kernel: Kernel = {
    server: toServer(section(server, "server"), config.dir),
    log: toLog(section(log, "log"), config.dir),
    plugins: section(plugins, "plugins"),
    layers: chosen,
    apps: Object.entries(section(v.record(v.string(), v.record(v.string(), v.unknown())), "app")).map(([name]) => {
      const table = config.tree["app"] as Record<string, Record<string, unknown>>
      return readApp(name, { table: table[name]!, config, layers: chosen, problems })
    }),
  }
  return { kernel, problems }
}

interface AppOptions {
  readonly table: Readonly<Record<string, unknown>>
  readonly config: Source
  readonly layers: Kernel["layers"]
  readonly problems: Problem[]
}

function readApp(name: string, options: AppOptions): AppConfig {
  const { table, config } = options
  const common: Record<string, unknown> = {}
  const rest: Record<string, unknown> = {}
  const known = keysOf(appCommon)
  for (const [key, value] of Object.entries(table)) (known.includes(key) ? common : rest)[key] = value
  const result = check(appCommon, common, { config, path: ["app", name] })
  options.problems.push(...(result.problems ?? []))
  const { gateway = options.layers.gateway, framework = options.layers.framework, timeout, dir, env, ...others } =
    result.output ?? v.parse(appCommon, onlyNames(common))
  return {
    ...others,
    gateway,
    framework,
    name,
    dir: resolve(config.dir, dir),
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])),
    timeoutMs: timeout,
    rest,
  }
}

/** Of an app with bad values: what tells which parts judge its other keys, so that these are checked too. */
function onlyNames(common: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const named = ["runtime", "gateway", "framework"].filter(key => typeof common[key] === "string")
  return Object.fromEntries(named.map(key => [key, common[key]]))
}

function toServer(s: v.InferOutput<typeof server>, dir: string): Server {
  return {
    fronts: s.fronts,
    graceMs: s.grace,
    tunnelGraceMs: s.tunnel_grace,
    ...(s.pid_file !== undefined && { pidFile: resolve(dir, s.pid_file) }),
    control: resolve(dir, s.control),
    state: s.state,
    ...(s.user !== undefined && { user: s.user }),
    ...(s.group !== undefined && { group: s.group }),
    trustedProxies: s.trusted_proxies,
    ...(s.status !== undefined && { status: s.status }),
    limits: toLimits(s.limits, s.header),
  }
}

function toLimits(l: v.InferOutput<typeof limits>, header: string | undefined): Limits {
  return {
    headBytes: l.head,
    headFields: l.head_fields,
    bodyBytes: l.body,
    headTimeoutMs: l.head_timeout,
    bodyRate: { bytesPerSecond: l.body_rate.bytes, overMs: l.body_rate.over },
    idleTimeoutMs: l.idle_timeout,
    sendTimeoutMs: l.send_timeout,
    lingerMs: l.linger,
    drainBytes: l.drain,
    pipelineBytes: l.pipeline,
    halfCloseMs: l.half_close,
    underscores: l.underscores,
    ...(header !== undefined && { server: header }),
  }
}

function toLog(l: v.InferOutput<typeof log>, dir: string): LogConfig {
  const { path: file, format } = l.access
  return { ...l, access: { format, path: file === "-" ? file : resolve(dir, file) } }
}
