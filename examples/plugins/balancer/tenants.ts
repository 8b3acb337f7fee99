import { definePlugin, type Upstream } from "edge"
import * as v from "valibot"

/**
 * Sends each tenant (the first label of the host) to the upstream that the config names for it, and the others to the
 * least busy one. `pick` is synchronous: it runs for every request.
 */
export default definePlugin({
  name: "tenants",
  kind: "balancer",
  config: v.strictObject({ homes: v.record(v.string(), v.string()) }),
  setup: ({ homes }) => ({
    part: {
      pick(upstreams, x) {
        const home = homes[x.host.split(".")[0]!]
        const own = upstreams.find(upstream => upstream.id === home)
        return own ?? upstreams.reduce((least: Upstream, one) => (one.active / one.weight < least.active / least.weight ? one : least))
      },
      // Optional: told who answered, and may change the answer.
      answered(upstream, { reply }) {
        reply.headers.set("X-Answered-By", upstream.id)
      },
    },
  }),
})
