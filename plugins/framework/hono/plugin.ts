import { definePlugin } from "edge"
import * as v from "valibot"
import { toAppModule } from "./module.ts"

/** edge's own framework: Hono, and any module that has a fetch handler. */
export default definePlugin({
  name: "hono",
  kind: "framework",
  config: v.strictObject({}),
  modules: {
    "edge/app": () => import("./app-module.ts"),
    "edge/admin": () => import("./admin/module.ts"),
    "edge/auth": () => import("./auth/module.ts"),
    "edge/mail": () => import("./mail/module.ts"),
    "edge/db": () => import("./db/module.ts"),
    "edge/feeds": () => import("./feeds/module.ts"),
    "edge/files": () => import("./files/module.ts"),
    "edge/forms": () => import("./forms/module.ts"),
    "edge/sitemap": () => import("./sitemap/module.ts"),
    "edge/test": () => import("./test/module.ts"),
  },
  setup: (_config, { log, dev }) => ({ part: { load: (module, spec) => toAppModule(module, { spec, dev, log }) } }),
})
