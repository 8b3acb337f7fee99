import { definePlugin } from "edge"
import * as v from "valibot"

/** Hands the request to an app of layer 2: `app = "blog"` is `[app.blog]`. */
export default definePlugin({
  name: "app",
  kind: "handler",
  config: v.pipe(v.string(), v.minLength(1), v.description("Name of an app: a table [app.NAME].")),
  setup: (name, ctx) => ({ part: ctx.app(name) }),
})
