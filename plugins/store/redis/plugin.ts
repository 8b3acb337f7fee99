import { definePlugin } from "edge"
import * as v from "valibot"
import { RedisStore } from "./store.ts"

/** Shared state of many machines: a Redis or Valkey server. */
export default definePlugin({
  name: "redis",
  kind: "store",
  config: v.strictObject({
    url: v.pipe(v.string(), v.description("redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS")),
    prefix: v.pipe(v.optional(v.string(), "edge:"), v.description("Put before every key and channel, so that one server may serve several")),
  }),
  setup: ({ url, prefix }, ctx) => {
    if (!isUrl(url)) throw ctx.fail('a Redis URL is redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]')
    const store = new RedisStore({ url, prefix })
    return { part: store, stop: () => store.close() }
  },
})

/** Said without the URL: it may hold a password. */
function isUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^(?:rediss?|valkeys?):$/.test(url.protocol) && url.hostname !== "" && /^(?:\/\d*)?$/.test(url.pathname)
}
