import { expect, test } from "bun:test"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { pong } from "./site.ts"
import { between, storm, type StormOptions } from "./storm.ts"

const REQUESTS = 20_000
const simple = (text: string): string => pong(text).replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")

test(`none of ${REQUESTS} requests on new connections is lost by reloads, replaced and killed fronts`, async () => {
  await using edge = await Edge.start({ config: simple("pong0") })
  const pause: NonNullable<StormOptions["pause"]> = { promise: undefined, active: 0 }
  let over = false
  const storming = storm({ port: edge.port(), requests: REQUESTS, concurrency: 16, body: /^pong\d+$/, pause }).finally(() => (over = true))
  const unix = join(edge.dir, "edge.sock")
  const command = async (body: object) => (await fetch("http://edge/", { unix, method: "POST", body: JSON.stringify(body) })).json()

  let reloads = 0
  let kills = 0
  while (!over && reloads < 12) {
    edge.write("site.toml", simple(`pong${++reloads}`))
    expect(await command({ do: "reload" })).toMatchObject({ ok: true })
    if (reloads % 4 !== 0) continue
    const { status } = (await command({ do: "status" })) as { status: Awaited<ReturnType<Edge["status"]>> }
    const { pid } = status.fronts.find(({ state }) => state === "serving")!
    await between(pause, async () => {
      process.kill(pid, "SIGKILL")
      await until(() => !alive(pid))
    })
    kills++
  }
  expect(await storming).toEqual({ answered: REQUESTS, failures: {} })
  expect(reloads).toBeGreaterThan(3)
  expect(kills).toBeGreaterThan(0)
}, 120_000)
