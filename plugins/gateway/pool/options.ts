import { duration, maxPrefetch, size } from "edge"
import * as v from "valibot"

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const some = v.pipe(v.number(), v.integer(), v.minValue(1))

const range = v.pipe(
  v.strictObject({
    min: v.pipe(v.optional(count, 1), v.description("That run always; 0: none until a request comes")),
    max: v.pipe(some, v.maxValue(1000), v.description("That run at most")),
  }),
  v.check(r => r.min <= r.max, "min is more than max"),
)

const buffer = v.strictObject({
  requests: v.pipe(
    v.optional(v.boolean()),
    v.description("Receive the whole body before a worker is given the request; default for wsgi, fastcgi, uwsgi"),
  ),
  answers: v.pipe(
    v.optional(v.boolean()),
    v.description("Receive an answer faster than its client does; default for wsgi, fastcgi, uwsgi; event streams never"),
  ),
  memory: v.pipe(v.optional(size({ max: "16mb" }), "1mb"), v.description("Of one body in memory; what is above goes to a file without a name below TMPDIR")),
  disk: v.pipe(v.optional(size(), "1gb"), v.description("All answers of the app on the disk, in each front; past it the worker waits for its client")),
})

export const poolOptions = v.strictObject({
  workers: v.pipe(
    v.optional(v.union([v.pipe(some, v.maxValue(1000)), range]), 1),
    v.transform(w => (typeof w === "number" ? { min: w, max: w } : w)),
    v.description("Worker processes: a number, or { min, max } to follow the load"),
  ),
  max_requests: v.pipe(v.optional(count, 0), v.description("Replace a worker after so many requests; 0: never")),
  max_requests_jitter: v.pipe(
    v.optional(count, 0),
    v.description("Up to so many requests more, at random, so that workers are not all replaced at once"),
  ),
  max_memory: v.pipe(v.optional(size()), v.description("Replace a worker whose resident memory is above this")),
  lifetime: v.pipe(v.optional(duration()), v.description("Replace a worker that is older than this")),
  queue: v.pipe(
    v.optional(
      v.strictObject({
        size: v.pipe(v.optional(count, 1000), v.description("Most requests that wait, over all fronts; past it 503")),
        wait: v.pipe(v.optional(duration(), "10s"), v.description("Longest that a request waits; past it 503")),
        bypass: v.pipe(
          v.optional(v.array(v.pipe(v.string(), v.startsWith("/"))), []),
          v.description("Paths (health checks) that are sent on even when no worker is free"),
        ),
      }),
      {},
    ),
    v.description("What happens to a request when no worker is free"),
  ),
  ahead: v.pipe(
    v.optional(v.pipe(count, v.maxValue(maxPrefetch)), maxPrefetch),
    v.description("GET requests sent on to a busy threaded worker before it is free; taken back when it is slow. 0: none"),
  ),
  buffer: v.pipe(
    v.optional(v.union([v.literal(false), buffer]), {}),
    v.transform(b => (b === false ? { ...v.parse(buffer, {}), requests: false, answers: false } : b)),
    v.description("Bodies kept for slow clients, so that they hold no worker; false: none"),
  ),
  boot_timeout: v.pipe(v.optional(duration(), "30s"), v.description("How long a worker may take until it answers")),
  drain_timeout: v.pipe(
    v.optional(duration(), "30s"),
    v.description("How long a worker that is replaced may take to finish the requests it has"),
  ),
  tunnel_grace: v.pipe(
    v.optional(duration(), "1h"),
    v.description("How long the WebSockets of a worker that is replaced may last"),
  ),
  websocket: v.pipe(
    v.optional(
      v.strictObject({
        max_message: v.pipe(v.optional(size({ max: "64mb" }), "16mb"), v.description("Largest message of a client, at most 64mb; past it 1009")),
        ping: v.pipe(v.optional(duration(), "30s"), v.description("A client silent so long is pinged, after as long again closed; 0: never")),
      }),
      {},
    ),
    v.description("WebSockets of ASGI apps"),
  ),
  restart: v.pipe(
    v.optional(
      v.strictObject({
        delay: v.pipe(v.optional(duration(), "100ms"), v.description("Wait before the second quick restart; doubles")),
        max_delay: v.pipe(v.optional(duration(), "30s"), v.description("Longest wait between restarts")),
        quick: v.pipe(v.optional(duration(), "10s"), v.description("A worker that ends sooner than this has crashed")),
      }),
      {},
    ),
    v.description("How workers that crash are started again"),
  ),
})

export type PoolOptions = v.InferOutput<typeof poolOptions>
