import { definePlugin } from "edge"
import * as v from "valibot"
import { fixture } from "./fixture.ts"

/** The fixture as a handler of a site.toml. */
export default definePlugin({
  name: "wire",
  kind: "handler",
  config: v.strictObject({ folder: v.string() }),
  setup: ({ folder }, ctx) => ({ part: fixture(ctx.resolve(folder)) }),
})
