import { definePlugin, type Exchange, type Middleware } from "edge"
import { ResponseCache } from "./cache.ts"
import { DiskStore } from "./disk/store.ts"
import { Fact } from "./facts.ts"
import { queryFilter, toExtraKey } from "./key.ts"
import { MemoryStore } from "./memory.ts"
import type { CacheParts } from "./parts.ts"
import { anyOf } from "./patterns.ts"
import { Purging } from "./purging.ts"
import { type CacheConfig, cacheSchema } from "./schema.ts"
import { StatusLine } from "./status.ts"

/** Keeps answers and gives them again (RFC 9111, a shared cache). */
export default definePlugin({
  name: "cache",
  kind: "middleware",
  role: "cache",
  config: cacheSchema,
  setup: (config, ctx) => {
    const memory = new MemoryStore({ bytes: config.size, variants: config.variants })
    const log = ctx.log.with({ at: ctx.at })
    const purging = new Purging({ memory, bus: ctx.bus, store: ctx.store, log })
    const status = new StatusLine(config.status_header)
    const { purges } = purging
    const disk = config.disk && new DiskStore({ ...config.disk, dir: ctx.resolve(config.disk.dir), purges, hitLine: status.hit, config: ctx.digest, log })
    purging.disk = disk
    const parts = toParts(config, { memory, disk, purging, status, log })
    const part: Middleware = next => new ResponseCache(next, parts).handle
    return {
      part,
      start: () => {
        disk?.start()
        return purging.start()
      },
      stop: deadline => {
        purging.stop()
        return disk?.stop(deadline)
      },
      command: asked => (asked.name === "cache" ? { at: ctx.at, ...parts.counts, answers: memory.size, bytes: memory.bytes } : purging.command(asked)),
    }
  },
})

interface Made extends Pick<CacheParts, "memory" | "disk" | "status" | "log"> {
  readonly purging: Purging
}

function toParts(config: CacheConfig, { memory, disk, purging, status, log }: Made): CacheParts {
  return {
    counts: { hits: 0, misses: 0, bypassed: 0 },
    memory,
    disk,
    purges: purging.purges,
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
    invalidate: bases => purging.invalidate(bases),
    purge: spec => purging.purge(spec),
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
