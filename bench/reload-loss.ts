/**
 * Requests on new connections while edge is reloaded with real changes, all its fronts replaced each time, and some fronts are
 * killed between requests: how many fail. Usage: bun bench/reload-loss.ts [REQUESTS]
 */
import { join } from "node:path"
import { alive, Edge, until } from "../test/kit/edge.ts"
import { between, storm, type StormOptions } from "../test/processes/storm.ts"

const requests = Number(process.argv[2] ?? 200_000)
const RELOADS = 20
const KILLS = 5

const site = (text: string): string => `
[server]
fronts = 2
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/ping"
respond = { status = 200, body = "${text}" }
`

await using edge = await Edge.start({ config: site("pong0") })
const unix = join(edge.dir, "edge.sock")
const command = async (body: object): Promise<{ ok: boolean; error?: string; status?: Awaited<ReturnType<Edge["status"]>> }> =>
  (await (await fetch("http://edge/", { unix, method: "POST", body: JSON.stringify(body) })).json()) as never
const pause: NonNullable<StormOptions["pause"]> = { promise: undefined, active: 0 }

const start = performance.now()
let done = 0
const storming = storm({ port: edge.port(), requests, concurrency: 16, body: /^pong\d+$/, pause, onAnswer: () => void done++ })
let kills = 0
for (let reloads = 1; reloads <= RELOADS; reloads++) {
  // Spread over the whole run.
  await until(() => done >= (reloads * requests) / (RELOADS + 1))
  edge.write("site.toml", site(`pong${reloads}`))
  const answer = await command({ do: "reload" })
  if (!answer.ok) throw new Error(answer.error)
  if (reloads % (RELOADS / KILLS) !== 0) continue
  const { pid } = (await command({ do: "status" })).status!.fronts.find(({ state }) => state === "serving")!
  await between(pause, async () => {
    process.kill(pid, "SIGKILL")
    await until(() => !alive(pid))
  })
  kills++
}
const { answered, failures } = await storming
const seconds = (performance.now() - start) / 1000
console.log(`${requests} requests on new connections, ${RELOADS} reloads, ${kills} fronts killed between requests: ${answered} answered in ${seconds.toFixed(1)} s`)
console.log(Object.keys(failures).length === 0 ? "none failed" : failures)
process.exitCode = answered === requests ? 0 : 1
