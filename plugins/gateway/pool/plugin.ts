import { definePlugin } from "edge"
import { connect } from "./worker-connections.ts"
import { poolOptions } from "./options.ts"
import { supervise } from "./supervise.ts"

/** Worker processes per app, each request to a free one. */
export default definePlugin({
  name: "pool",
  kind: "gateway",
  config: poolOptions,
  setup: () => ({ part: { supervise, connect } }),
})
