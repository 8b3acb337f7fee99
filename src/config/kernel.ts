/** The sections of site.toml that the kernel owns; the others are the web plugin's. */
import type { AppAttendants, AppLimits } from "../contract/gateway.ts"
import { toAttendants } from "../apps/attendants.ts"
import { toAppLimits } from "../apps/limits.ts"
import { resolve } from "node:path"
import * as v from "valibot"
import type { Problem } from "../errors.ts"
import type { Limits } from "../http/server/limits.ts"
import type { AccessSettings } from "../log/access.ts"
import { toAccess } from "./access-log.ts"
import { check, type Checked } from "./check.ts"
import { appCommon, layers, type limits, log, plugins, server } from "./kernel-schemas.ts"
import { keysOf } from "./schema.ts"

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
  /** `sqlite:FILE`, a URL whose scheme names a store, or `{ store = options }`. */
  readonly state: string | Readonly<Record<string, unknown>>
  /** Of unix sockets that are listened on. */
  readonly socketMode: number
  readonly user?: string
  readonly group?: string
  readonly trustedProxies: readonly string[]
  readonly status?: { readonly listen: string; readonly token: string }
  readonly limits: Limits
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly format: "text" | "json"
  readonly access: AccessSettings
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
  readonly limits?: AppLimits | undefined
  readonly attendants?: AppAttendants | undefined
  /** Absolute. */
  readonly log?: string | undefined
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
  const { gateway = options.layers.gateway, framework = options.layers.framework, timeout, dir, env, log, nice, rlimits, cgroup, daemons, cron, ...others } =
    result.output ?? v.parse(appCommon, onlyNames(common))
  return {
    ...others,
    gateway,
    framework,
    name,
    dir: resolve(config.dir, dir),
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])),
    timeoutMs: timeout,
    limits: toAppLimits({ nice, rlimits, cgroup }),
    attendants: toAttendants(daemons, cron),
    log: log === undefined ? undefined : resolve(config.dir, log),
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
    socketMode: Number.parseInt(s.socket_mode, 8),
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
    connections: l.connections,
    connectionsPerIp: l.connections_per_ip,
    underscores: l.underscores,
    ...(header !== undefined && { server: header }),
  }
}

function toLog(l: v.InferOutput<typeof log>, dir: string): LogConfig {
  return { ...l, access: toAccess(l.access, file => resolve(dir, file)) }
}
