/**
 * The attacks of the threat list against one running server, all of them at once with clients that are honest. What each
 * sent and was answered is counted to the last one; SIEGE_ROUNDS (`npm run siege`) repeats every attack so often.
 */
import { expect, test } from "bun:test"
import { until } from "../kit/edge.ts"
import { leave, pipeline } from "./attacks/floods.ts"
import { bend } from "./attacks/heads.ts"
import { http2 } from "./attacks/http2.ts"
import { decodedOnce, walk } from "./attacks/paths.ts"
import { readNothing, slow } from "./attacks/slow.ts"
import { smuggle } from "./attacks/smuggling.ts"
import { honest } from "./honest.ts"
import { Ledger, total } from "./ledger.ts"
import { Origin } from "./origin.ts"
import { fortress, type Siege, weigh } from "./siege.ts"

const rounds = Number(process.env["SIEGE_ROUNDS"] ?? 1)
/** What all attacks together may add to the fronts for good; one that is not bounded adds hundreds. */
const MEMORY = 200 * 1024 * 1024

test("the siege", async () => {
  using origin = new Origin()
  await using edge = await fortress(origin.url)
  const ledger = new Ledger()
  const siege: Siege = { ports: { http: edge.port(0), https: edge.port(1) }, ledger, rounds }
  const { fronts: before } = await edge.status()
  const idle = await weigh(edge)

  let over = false
  const served = honest(siege, { clients: 8, until: () => over })
  // Those that wait all the time go beside each other, those that work one after the other.
  const waiting = Promise.all([slow(siege), readNothing(siege)])
  for (const attack of [smuggle, walk, bend, pipeline, leave, http2]) await attack(siege)
  await waiting
  over = true
  await served

  console.log(String(ledger))
  expect(ledger.wrong).toEqual([])
  for (const [name, { sent, answered, refused, lost }] of ledger.rows) {
    expect({ name, lost, counted: total(answered) + refused }).toEqual({ name, lost: 0, counted: sent })
  }
  // What reached the upstream is the same requests however it is read, and none of them is a forbidden one.
  expect(origin.disagreements).toEqual([])
  expect(origin.requests.filter(line => decodedOnce(line.split(" ")[1]!).startsWith("/forbidden/"))).toEqual([])

  // Nobody died of it, and what the attackers held is given back.
  const { fronts: after } = await edge.status()
  expect(after.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid))
  await until(async () => (await weigh(edge)).descriptors <= idle.descriptors + 40)
  expect((await weigh(edge)).memory - idle.memory).toBeLessThan(MEMORY)
  expect(edge.output).not.toMatch(/ERROR (?!.*slow)/)
}, 180_000 * rounds)
