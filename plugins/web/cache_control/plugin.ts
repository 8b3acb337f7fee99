import type { HeaderList, Prepared, Reply } from "edge"
import { after, definePlugin, parseDuration, rehead } from "edge"
import { type CacheControlConfig, cacheControlSchema } from "./schema.ts"

/** Says how long answers may be kept. One that says so itself is left alone: an app's `private` must stay private. */
export default definePlugin({
  name: "cache_control",
  kind: "middleware",
  config: cacheControlSchema,
  setup: (config, ctx) => {
    const value = toDirectives(config)
    if (value === "") throw ctx.fail("there is nothing to say: give at least one directive")
    const override = typeof config === "object" && config.override
    const change = (headers: HeaderList, status: number): void => {
      if (!isCacheable(status) || (!override && (headers.has("cache-control") || headers.has("set-cookie")))) return
      headers.set("Cache-Control", value)
    }
    const options = { change, known: new WeakMap<object, Prepared>() }
    const on = { change: (reply: Reply) => rehead(reply, options) }
    return { part: next => x => after(() => next(x), on) }
  },
})

/** Those that nginx's `expires` applies to, with all of 2xx that has a body; an error must not stay for a year. */
function isCacheable(status: number): boolean {
  return (status >= 200 && status <= 206) || (status >= 301 && status <= 308)
}

function toDirectives(config: CacheControlConfig): string {
  if (typeof config === "string") {
    const ms = parseDuration(config)
    return ms === null ? config : `max-age=${Math.floor(ms / 1000)}`
  }
  const out: string[] = []
  for (const [key, value] of Object.entries(config)) {
    if (key === "override" || value === false || value === undefined) continue
    const name = key === "s_maxage" ? "s-maxage" : key.replaceAll("_", "-")
    out.push(value === true ? name : `${name}=${Math.floor(value / 1000)}`)
  }
  return out.join(", ")
}
