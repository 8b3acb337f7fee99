import { resolve } from "node:path"
import { definePlugin, isMissing, selfArgv } from "edge"
import * as v from "valibot"

/** Runs a TypeScript or JavaScript app in worker processes of edge itself. */
export default definePlugin({
  name: "fetch",
  kind: "runtime",
  config: v.strictObject({
    entry: v.pipe(
      v.optional(v.pipe(v.string(), v.nonEmpty()), "app.ts"),
      v.description("the app's module, relative to its dir: .ts, .tsx, .js, .jsx or .mjs"),
    ),
  }),
  setup(config, ctx) {
    return {
      part: {
        concurrency: 100,
        inline: true,
        check: app => {
          const file = resolve(app.dir, config.entry)
          return !isMissing(file) ? undefined : { key: "entry", why: `there is no file ${file}` }
        },
        launch: app => {
          const order = JSON.stringify({ app, dev: ctx.dev })
          // A name for each content: workers of two configs may start at once.
          const file = `order-${Bun.hash(order).toString(36)}.json`
          return {
            argv: [...selfArgv("__worker"), `{run}/${file}`, "{index}"],
            cwd: app.dir,
            // An app may call others: Bun's own limit of 256 fetches at once would be its limit of requests.
            env: { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", ...app.env },
            transport: "frames",
            socket: "inherit",
            files: { [file]: order },
          }
        },
      },
    }
  },
})
