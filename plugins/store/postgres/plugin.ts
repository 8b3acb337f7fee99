import { definePlugin } from "edge"
import * as v from "valibot"
import { PostgresStore } from "./store.ts"

/** Shared state of many machines: tables edge_* of a PostgreSQL database. */
export default definePlugin({
  name: "postgres",
  kind: "store",
  config: v.strictObject({
    url: v.pipe(v.string(), v.description("postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE[?sslmode=...]")),
  }),
  setup: ({ url }, ctx) => {
    // Said without the URL: it may hold a password.
    if (!isUrl(url)) throw ctx.fail("a PostgreSQL URL is postgres://[USER:PASSWORD@]HOST[:PORT]/DATABASE")
    const store = new PostgresStore(url, ctx.log)
    return { part: store, stop: () => store.close() }
  },
})

function isUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^postgres(?:ql)?:$/.test(url.protocol) && url.hostname !== "" && url.pathname.length > 1
}
