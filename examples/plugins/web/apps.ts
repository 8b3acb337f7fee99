import { definePlugin, duration, Reply } from "edge"
import * as v from "valibot"

/**
 * A whole layer 1 in one file: no sites and no routes, every app has an address of its own.
 * A web plugin owns the top-level keys of its schema: here `[[apps]]` instead of `[[site]]`.
 */
export default definePlugin({
  name: "apps",
  kind: "web",
  config: v.strictObject({
    apps: v.pipe(
      v.array(v.strictObject({ listen: v.string(), app: v.string(), retry_after: v.optional(duration(), "5s") })),
      v.minLength(1),
    ),
  }),
  setup: ({ apps }, ctx) => ({
    part: {
      bindings: apps.map(({ listen, app, retry_after }) => {
        const send = ctx.app(app)
        return {
          address: listen,
          urls: [`http://${listen}/`],
          handler: async x => {
            if (x.path !== "/-/health") return send(x)
            const reply = Reply.text(200, `${app} is served here\n`)
            reply.headers.set("Retry-After", String(retry_after / 1000))
            return reply
          },
        }
      }),
    },
  }),
})
