/** Schemas of the sections that the kernel owns: type, default, limits and help of every key sit together. */
import * as v from "valibot"
import { accessLog } from "./access-log.ts"
import { appAttendants } from "../apps/attendants.ts"
import { appLimits } from "../apps/limits.ts"
import { duration, size } from "./units.ts"
import { address, cidr, count, path } from "./values.ts"

const say = v.description

export const limits = v.strictObject({
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
    v.optional(duration(), "0s"),
    say("A client that closed its side is taken for gone when its answer has not begun by then; 0s: at once, what runs for it is cancelled"),
  ),
  connections: v.pipe(v.optional(count({ min: 0 }), 0), say("Connections open at once, for each address and front; more are closed at once. 0: no limit")),
  connections_per_ip: v.pipe(
    v.optional(count({ min: 0 }), 0),
    say("Of one client (an IPv6 one is its /64), other than trusted proxies. 0: no limit"),
  ),
  underscores: v.pipe(
    v.optional(v.boolean(), false),
    say("Pass header names with an underscore; X_Forwarded_For poses as X-Forwarded-For in CGI, WSGI and PHP"),
  ),
})

export const server = v.strictObject({
  fronts: v.pipe(v.optional(v.union([v.literal("auto"), count({ max: 64 })]), "auto"), say("Front processes sharing each port")),
  grace: v.pipe(v.optional(duration(), "30s"), say("How long requests in flight may take on stop or reload")),
  tunnel_grace: v.pipe(v.optional(duration(), "1h"), say("How long WebSockets and long downloads may outlive a reload")),
  pid_file: v.pipe(v.optional(path()), say("Where the supervisor writes its process id")),
  control: v.pipe(v.optional(path(), "edge.sock"), say("Control socket, mode 0600")),
  state: v.pipe(
    v.optional(v.union([path(), v.record(v.string(), v.unknown())]), "sqlite:edge.db"),
    say("Shared state: sqlite:FILE, redis://..., postgres://..., or { store = options } of a plugin"),
  ),
  socket_mode: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(/^0?[0-7]{3}$/, 'must be a mode such as "0660" or "0666"')), "0660"),
    say("Mode of unix sockets in listen: who may connect. With `user` they belong to it and its group"),
  ),
  user: v.pipe(v.optional(v.string()), say("User of the fronts after binding, when started as root")),
  group: v.pipe(v.optional(v.string()), say("Group of the fronts; default the user's own")),
  trusted_proxies: v.pipe(
    v.optional(v.array(v.union([cidr(), v.literal("unix")])), []),
    say('Who may set X-Forwarded-* and Forwarded: ranges, or "unix" for peers on unix sockets'),
  ),
  status: v.pipe(
    v.optional(
      v.pipe(
        v.strictObject({
          listen: v.pipe(address(), say("Where it is served")),
          token: v.pipe(v.optional(v.string(), ""), say("What a caller must show; none: nobody is asked")),
        }),
        v.check(() => false, "the status address is not available yet; edge status --json has the figures"),
      ),
    ),
    say("Status API, /metrics and dashboard; off when absent"),
  ),
  header: v.pipe(v.optional(v.string()), say("Value of the Server header; none when absent")),
  limits: v.pipe(v.optional(limits, {}), say("What a client may cost")),
})

export const log = v.strictObject({
  level: v.pipe(v.optional(v.picklist(["debug", "info", "warn", "error"]), "info"), say("Least weight that is logged")),
  format: v.pipe(v.optional(v.picklist(["text", "json"]), "text"), say("Lines of the event log, on standard error")),
  access: v.pipe(v.optional(accessLog, {}), say("Access log, of sites that have none of their own")),
})

export const layers = v.strictObject({
  web: v.pipe(v.optional(v.string(), "web"), say("Plugin of layer 1")),
  gateway: v.pipe(v.optional(v.string(), "pool"), say("Plugin of layer 2, for apps that name none")),
  framework: v.pipe(v.optional(v.string(), "hono"), say("Plugin of layer 3, for apps that name none")),
})

export const plugins = v.record(v.string(), path())

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
  log: v.pipe(v.optional(path()), say("File for what the workers print; default the event log")),
  ...appLimits,
  ...appAttendants,
})

export const sections = { server, log, plugins, layers } as const
export const kernelKeys = ["include", "server", "log", "plugins", "layers", "app"] as const
