import { after, definePlugin } from "edge"
import * as v from "valibot"

/** Gives every request an id, on its way to the app and on the answer, unless the client's proxy sent one. */
export default definePlugin({
  name: "trace_id",
  kind: "middleware",
  config: v.strictObject({
    header: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/, "must be a header name")), "X-Request-Id"),
  }),
  setup: ({ header }) => ({
    part: next => x => {
      const id = x.headers.get(header) ?? crypto.randomUUID()
      x.headers.set(header, id)
      return after(() => next(x), {
        change: reply => {
          reply.headers.set(header, id)
          return reply
        },
      })
    },
  }),
})
