import { definePlugin, HeaderList, Reply } from "edge"
import { redirectSchema } from "./schema.ts"
import { toTarget } from "./target.ts"

/** Sends the client elsewhere. */
export default definePlugin({
  name: "redirect",
  kind: "handler",
  config: redirectSchema,
  setup: (config, ctx) => {
    const { to, status, keep_query } = typeof config === "string" ? { to: config, status: 308, keep_query: true } : config
    const target = guard(() => toTarget(to, { keepQuery: keep_query }), (why: string) => ctx.fail(why, typeof config === "string" ? [] : ["to"]))
    return { part: x => new Reply(status, new HeaderList(["Location", target(x)])) }
  },
})

function guard<T>(make: () => T, fail: (why: string) => Error): T {
  try {
    return make()
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error))
  }
}
