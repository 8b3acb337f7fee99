import { definePlugin, type Exchange, type Middleware } from "edge"
import { ResponseCache } from "./cache.ts"
import { DiskStore } from "./store/disk/disk-store.ts"
import { Fact } from "./key/request-facts.ts"
import { queryFilter, toExtraKey } from "./key/key.ts"
import { MemoryStore } from "./store/memory.ts"
import type { CacheContext } from "./context.ts"
import { anyOf } from "./key/patterns.ts"
import { Purger } from "./purge/purger.ts"
import { type CacheConfig, cacheSchema } from "./schema.ts"
import { StatusLine } from "./reply/cache-status.ts"

/** Keeps answers and gives them again (RFC 9111, a shared cache). */
export default definePlugin({
  name: "cache",
  kind: "middleware",
  role: "cache",
  config: cacheSchema,
  setup: (config, ctx) => {
    const memory = new MemoryStore({ bytes: config.size, variants: config.variants })
    const log = ctx.log.with({ at: ctx.at })
    const purger = new Purger({ memory, bus: ctx.bus, store: ctx.store, log })
    const status = new StatusLine(config.status_header)
    const { purges } = purger
    const disk = config.disk && new DiskStore({ ...config.disk, dir: ctx.resolve(config.disk.dir), purges, hitLine: status.hit, config: ctx.digest, log })
    purger.disk = disk
    const context = toContext(config, { memory, disk, purger, status, log })
    const part: Middleware = next => new ResponseCache(next, context).handle
    return {
      part,
      start: () => {
        disk?.start()
        return purger.start()
      },
      stop: deadline => {
        purger.stop()
        return disk?.stop(deadline)
      },
      command: command => (command.name === "cache" ? { at: ctx.at, ...context.counts, answers: memory.size, bytes: memory.bytes } : purger.command(command)),
    }
  },
})

interface Made extends Pick<CacheContext, "memory" | "disk" | "status" | "log"> {
  readonly purger: Purger
}

function toContext(config: CacheConfig, { memory, disk, purger, status, log }: Made): CacheContext {
  return {
    counts: { hits: 0, misses: 0, bypassed: 0 },
    memory,
    disk,
    purges: purger.purges,
    rules: {
      defaultTtl: defaultTtl(config.default_ttl),
      heuristicMs: config.heuristic,
      swrMs: config.stale_while_revalidate,
      sieMs: config.stale_if_error,
      ignore: new Set(config.ignore),
      targeted: config.targeted,
    },
    status,
    log,
    options: {
      maxEntry: config.max_entry,
      // Many large answers at once must not take more than the cache itself may.
      maxFilling: config.size,
      collapseMs: config.collapse,
      requestControl: config.request_control,
      methods: new Set(config.methods),
      tags: config.tags,
      purgeToken: config.purge?.token,
    },
    targetOf: queryFilter(config.ignore_query),
    extraOf: toExtraKey(config.key),
    bypass: toBypass(config.bypass),
    invalidate: bases => purger.invalidate(bases),
    purge: spec => purger.purge(spec),
  }
}

/** As nginx has it: without a table, for 200, 301 and 302. */
function defaultTtl(given: CacheConfig["default_ttl"]): (status: number) => number {
  if (typeof given === "number") return status => (status === 200 || status === 301 || status === 302 ? given : 0)
  return status => given[String(status)] ?? given[`${Math.floor(status / 100)}xx`] ?? given["any"] ?? 0
}

function toBypass({ headers, cookies, paths }: CacheConfig["bypass"]): (x: Exchange, facts: Fact) => boolean {
  if (headers.length + cookies.length + paths.length === 0) return () => false
  const isPath = anyOf(paths)
  const isCookie = anyOf(cookies)
  return (x, facts) => {
    if (headers.some(name => x.headers.has(name)) || isPath(x.path)) return true
    if ((facts & Fact.Cookie) === 0 || cookies.length === 0) return false
    return (x.headers.get("cookie") ?? "").split(";").some(pair => isCookie(pair.split("=", 1)[0]!.trim()))
  }
}
