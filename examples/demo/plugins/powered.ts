import { after, definePlugin } from "edge"
import * as v from "valibot"

/** Adds one header to every answer; the whole of a middleware plugin. */
export default definePlugin({
  name: "powered",
  kind: "middleware",
  config: v.strictObject({ by: v.optional(v.string(), "edge") }),
  setup: ({ by }) => ({
    part: next => x =>
      after(() => next(x), {
        change: reply => {
          reply.headers.set("X-Powered-By", by)
          return reply
        },
      }),
  }),
})
