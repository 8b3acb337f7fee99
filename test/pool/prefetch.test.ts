import { afterEach, expect, test } from "bun:test"
import { Rig, type RigOptions, until } from "./rig.ts"

let rig: Rig
afterEach(() => rig.stop())
const start = (options: RigOptions) => (rig = new Rig({ blocking: true, ...options })).start(options.fronts ?? 1)

/** What each worker began, by its pid. */
async function begun(): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>()
  await until(async () => {
    const list = await rig.fronts[0]!.get("/begun")
    all.set(list.headers.get("pid")!, list.text.split(" "))
    return all.size === rig.pids().length
  }, "every worker was asked")
  return all
}

test("what waits for a busy threaded worker is sent on before it is free, and runs in order, once", async () => {
  await start({ gateway: { workers: 1 } })
  const front = rig.fronts[0]!
  const names = Array.from({ length: 60 }, (_, n) => `r${n}`)
  const answers = await Promise.all(names.map(name => front.get(`/pid?${name}`)))
  expect(answers.every(a => a.status === 200)).toBe(true)
  expect((await begun()).values().next().value).toEqual(names)
  expect((await front.get("/most")).text).toBe("1")
  expect(rig.pool.status()[0]!.requests).toBeGreaterThanOrEqual(60)
  expect(rig.pool.status()[0]!.active).toBe(0)
})

test("behind a request that hangs: taken back, given to the other worker, and not run by the first one later", async () => {
  await start({ gateway: { workers: 2 } })
  const front = rig.fronts[0]!
  for (let round = 0; round < 3; round++) {
    let hung = true
    // both workers have something quick, behind which the others are prefetched, among them one that hangs
    const names = Array.from({ length: 60 }, (_, n) => `${round}.${n}`)
    const all = names.map((name, n) => front.get(n === 25 ? `/spin/900?${name}` : `/pid?${name}`))
    const slow = all[25]!.then(() => (hung = false))
    await Promise.all(all.filter((_, n) => n !== 25))
    expect(hung).toBe(true)
    await slow
    const lists = [...(await begun()).values()].flat().filter(name => name.startsWith(`${round}.`))
    expect(lists.toSorted()).toEqual(names.toSorted())
  }
}, 20_000)

test("with one worker alone they are taken back too, so that each keeps its own deadline", async () => {
  await start({ gateway: { workers: 1, queue: { wait: "300ms" } } })
  const front = rig.fronts[0]!
  const slow = front.status("/spin/900?slow")
  await Bun.sleep(20)
  const waiting = [1, 2, 3].map(n => front.status(`/pid?w${n}`))
  expect(await Promise.all(waiting)).toEqual([503, 503, 503])
  expect(await slow).toBe(200)
  expect((await begun()).values().next().value).toEqual(["slow"])
})

test("only GET and HEAD are prefetched: a POST that waits is not lost with the worker it waits for", async () => {
  await start({ gateway: { workers: 1 } })
  const front = rig.fronts[0]!
  const first = front.status("/sleep/5000", { method: "POST", body: "x" })
  await Bun.sleep(50)
  const post = front.get("/echo", { method: "POST", body: "once" })
  const get = front.get("/version")
  await Bun.sleep(50)
  process.kill(rig.pids()[0]!, "SIGKILL")
  expect((await post).text).toBe("once")
  expect((await get).text).toBe("1")
  expect(await first).toBe(502)
}, 20_000)

test("a POST between GETs has its turn", async () => {
  await start({ gateway: { workers: 1 }, fronts: 2 })
  let going = true
  const client = async (n: number) => {
    while (going) await rig.fronts[n % 2]!.get("/pid")
  }
  const clients = [0, 1, 2, 3, 4, 5, 6, 7].map(client)
  for (let i = 0; i < 20; i++) {
    const answer = await rig.fronts[i % 2]!.get("/echo", { method: "POST", body: `b${i}` })
    expect(answer.text).toBe(`b${i}`)
  }
  going = false
  await Promise.all(clients)
  await until(() => rig.pool.status()[0]!.active === 0, "every slot is free")
}, 20_000)

test("recycling and rolling under load lose nothing", async () => {
  await start({ gateway: { workers: 2, max_requests: 300 }, fronts: 2 })
  let going = true
  const statuses: number[] = []
  const client = async (n: number) => {
    while (going) statuses.push(await rig.fronts[n % 2]!.status("/pid"))
  }
  const clients = Array.from({ length: 16 }, (_, n) => client(n))
  await Bun.sleep(300)
  await rig.roll()
  await until(() => rig.lines.filter(l => l.message === "worker leaves: max_requests").length >= 4, "four were recycled")
  process.kill(rig.pids()[0]!, "SIGKILL")
  await until(() => rig.said("worker died") !== undefined && rig.pids().length === 2, "the killed one is replaced")
  going = false
  await Promise.all(clients)
  // The killed one's own request, and what another front cannot know to have been behind it; not what was prefetched.
  expect(statuses.filter(status => status === 502).length).toBeLessThanOrEqual(2)
  expect(new Set(statuses).difference(new Set([200, 502])).size).toBe(0)
  await until(() => rig.pool.status().every(w => w.active === 0), "every slot is free")
}, 20_000)
