import { dirname } from "node:path"
import { type Context, definePlugin, isMissing } from "edge"
import { makeBindings } from "./listeners/bindings.ts"
import { KeptCertificates } from "./listeners/certificates.ts"
import { webSchema } from "./schema.ts"
import { refuseRouteKeys } from "./sites/site.ts"
import { SiteLogs } from "./sites/access-log.ts"

/** For `edge check`: an authority that nobody asks is a misunderstanding, and logs are made, their folders are not. */
function checkSites({ kept, logs, acme, ctx }: { kept: KeptCertificates; logs: SiteLogs; acme: unknown; ctx: Context }): void {
  if (acme !== undefined && !kept.asksAuthority) throw ctx.fail('no site has tls = "auto": nothing is asked of this authority', ["tls", "acme"])
  const folder = logs.files.map(file => dirname(file)).find(isMissing)
  if (folder !== undefined) throw ctx.fail(`there is no folder ${folder} for an access log`)
}

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
    return { part: { bindings, logFiles: logs.files, ...(certificates !== undefined && { certificates }), ...(dns !== undefined && { dns }) }, start: () => logs.open(), stop: () => logs.close(), check: () => checkSites({ kept, logs, acme: config.tls?.acme, ctx }) }
  },
})
