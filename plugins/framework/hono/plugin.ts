import { definePlugin } from "edge"
import * as v from "valibot"
import { toAppModule } from "./module.ts"

/** edge's own framework: Hono, and any module that has a fetch handler. */
export default definePlugin({
  name: "hono",
  kind: "framework",
  config: v.strictObject({}),
  modules: {
    "edge/db": () => import("./db/module.ts"),
  },
  setup: () => ({ part: { load: toAppModule } }),
})
