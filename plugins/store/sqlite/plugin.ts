import { definePlugin } from "edge"
import * as v from "valibot"
import { SqliteStore } from "./store.ts"

/** Shared state of one machine: a SQLite file. */
export default definePlugin({
  name: "sqlite",
  kind: "store",
  config: v.strictObject({
    url: v.pipe(v.string(), v.description("sqlite:FILE; a relative path starts at the folder of the config")),
  }),
  setup: ({ url }, ctx) => {
    const file = /^sqlite:(?:\/\/)?(?<path>[^?#]+)$/i.exec(url)?.groups?.["path"]
    if (file === undefined) throw ctx.fail(`"${url}" is not sqlite:FILE`)
    const store = new SqliteStore(ctx.resolve(file), ctx.log)
    return { part: store, stop: () => store.close() }
  },
})
