import { definePlugin } from "edge"
import { makeBindings } from "./bindings.ts"
import { webSchema } from "./schema.ts"

/** Layer 1: sites by host, routes by path, the middleware around them. */
export default definePlugin({
  name: "web",
  kind: "web",
  config: webSchema,
  setup: async (config, ctx) => ({ part: { bindings: await makeBindings(config, ctx) } }),
})
