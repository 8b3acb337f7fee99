import { definePlugin } from "edge"
import * as v from "valibot"
import { InlineApp } from "./app.ts"

/** Runs a TypeScript app inside the fronts: no hop and no process of its own, and no isolation either. */
export default definePlugin({
  name: "inline",
  kind: "gateway",
  config: v.strictObject({}),
  setup: () => ({
    part: {
      inline: true,
      connect: (app, link) => {
        const inline = new InlineApp(app, link)
        return { part: x => inline.handle(x), start: () => inline.start(), stop: deadline => inline.stop(deadline) }
      },
    },
  }),
})
