import { afterAll, beforeAll, describe, test } from "bun:test"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { allCases, play } from "./play.ts"
import { serverTables } from "./servers.ts"

/** Every wire case through the executable: supervisor, a front with the inherited socket, the web layer, a plugin. */
const running: Record<string, Edge> = {}
const config = (table: string) => `${table}
[log]
access = { format = "off" }
[plugins]
wire = "${join(import.meta.dir, "plugin.ts")}"
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
wire = { folder = "." }
`

beforeAll(async () => {
  for (const [name, table] of Object.entries(serverTables)) running[name] = await Edge.start({ config: config(table) })
}, 120_000)

afterAll(async () => {
  for (const edge of Object.values(running)) await edge[Symbol.asyncDispose]()
})

for (const { file, cases } of allCases()) {
  describe(file, () => {
    for (const one of cases) {
      test(`${one.name} (RFC ${one.rfc})`, () => play(one, { host: "127.0.0.1", port: running[one.server]!.port() }), 20_000)
    }
  })
}
