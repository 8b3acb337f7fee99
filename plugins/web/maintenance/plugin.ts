import { readFileSync, statSync } from "node:fs"
import { cidr, definePlugin, duration, forThisClient, HttpError, inEveryReading, path, Prepared, trustedPeers, type Context, type Handler } from "edge"
import * as v from "valibot"

const schema = v.strictObject({
  on: v.pipe(v.optional(v.boolean()), v.description("The switch; without it and without `file` it is on.")),
  file: v.pipe(v.optional(path()), v.description("On while this file is there; looked at once a second: `touch` it, `rm` it.")),
  retry_after: v.pipe(v.optional(duration({ min: "1s" }), "2m"), v.description("When clients should come again.")),
  page: v.pipe(v.optional(path()), v.description("File of the page; without it the site's error page of the status.")),
  status: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)), 503), v.description("Status of the answer.")),
  allow: v.pipe(v.optional(v.array(v.union([cidr(), v.literal("unix")])), []), v.description("Who is served all the same: ranges of addresses.")),
  except: v.pipe(v.optional(v.array(v.pipe(v.string(), v.startsWith("/"))), []), v.description('Paths that are served all the same: "/healthz", "/assets/*".')),
})

/** How long one look at the file is good for. */
const lookMs = 1000

/** Answers everything with 503 while it is on. */
export default definePlugin({
  name: "maintenance",
  kind: "middleware",
  config: schema,
  setup: (config, ctx) => {
    const isOn = toSwitch(config, ctx)
    if (isOn === null) return { part: next => next }
    const allowed = trustedPeers(config.allow)
    const excepted = toPaths(config.except)
    const retryAfter = String(Math.ceil(config.retry_after / 1000))
    const page = config.page === undefined ? null : readPage(config.page, { status: config.status, retryAfter, ctx })
    const { status } = config
    return {
      part: (next: Handler): Handler =>
        function maintenance(x) {
          if (!isOn() || inEveryReading(x, excepted)) return next(x)
          // What those see who may look all the same is not for the others, who would get it from a cache.
          forThisClient(x)
          if (allowed(x.ip)) return next(x)
          if (page !== null) return page.reply()
          throw new HttpError(status, "in maintenance", { headers: [["Retry-After", retryAfter], ["Cache-Control", "no-store"]], quiet: true })
        },
    }
  },
})

/** Null: never on. */
function toSwitch({ on, file }: v.InferOutput<typeof schema>, ctx: Context): (() => boolean) | null {
  if (on === true || (on === undefined && file === undefined)) return () => true
  if (file === undefined) return null
  const full = ctx.resolve(file)
  let there = false
  let lookedAt = -Infinity
  return () => {
    const now = performance.now()
    if (now - lookedAt >= lookMs) {
      lookedAt = now
      there = statSync(full, { throwIfNoEntry: false }) !== undefined
    }
    return there
  }
}

function toPaths(list: readonly string[]): (path: string) => boolean {
  const exact = new Set(list.filter(one => !one.endsWith("*")))
  const prefixes = list.filter(one => one.endsWith("*")).map(one => one.slice(0, -1))
  return at => exact.has(at) || prefixes.some(prefix => at.startsWith(prefix))
}

function readPage(file: string, { status, retryAfter, ctx }: { status: number; retryAfter: string; ctx: Context }): Prepared {
  let body: Uint8Array
  try {
    body = readFileSync(ctx.resolve(file))
  } catch (error) {
    throw ctx.fail(`cannot be read: ${(error as Error).message}`, ["page"])
  }
  const type = /\.html?$/i.test(file) ? "text/html; charset=utf-8" : file.endsWith(".json") ? "application/json" : "text/plain; charset=utf-8"
  return new Prepared(status, ["Content-Type", type, "Retry-After", retryAfter, "Cache-Control", "no-store"], body)
}
