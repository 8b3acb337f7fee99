import { definePlugin } from "edge"
import { makeBindings } from "./bindings.ts"
import { KeptCertificates } from "./certificates.ts"
import { webSchema } from "./schema.ts"
import { refuseRouteKeys } from "./site.ts"
import { SiteLogs } from "./site-log.ts"

/** Layer 1: sites by host, routes by path, the middleware around them. */
export default definePlugin({
  name: "web",
  kind: "web",
  config: webSchema,
  setup: async (config, ctx) => {
    refuseRouteKeys(ctx)
    const logs = new SiteLogs(ctx)
    const kept = new KeptCertificates(ctx)
    const bindings = await makeBindings(config, { ctx, logs, kept })
    const certificates = kept.plan(config.tls?.acme)
    const dns = await kept.provider(config.tls?.acme)
    return { part: { bindings, logFiles: logs.files, ...(certificates !== undefined && { certificates }), ...(dns !== undefined && { dns }) }, start: () => logs.open(), stop: () => logs.close() }
  },
})
