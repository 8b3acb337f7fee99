import { afterEach, expect, test } from "bun:test"
import { exchange, seen } from "../kit/exchange.ts"
import { Rig, type RigOptions, until } from "./rig.ts"

let rig: Rig
afterEach(() => rig.stop())
const start = (options: RigOptions = {}) => (rig = new Rig(options)).start(options.fronts ?? 1)

test("requests reach workers, each worker, and answers come back", async () => {
  await start({ gateway: { workers: 2 }, fronts: 2 })
  const pids = new Set<string>()
  for (let i = 0; i < 10; i++) pids.add((await rig.fronts[i % 2]!.get("/pid")).text)
  expect([...pids].map(Number).toSorted()).toEqual(rig.pids().toSorted())
  expect((await rig.fronts[0]!.get("/echo", { method: "POST", body: "hello" })).text).toBe("hello")
})

for (const blocking of [false, true])
test(`two fronts, four ${blocking ? "threaded " : ""}workers of one slot, one stuck: nobody waits behind it, nobody shares a worker`, async () => {
  await start({ gateway: { workers: 4 }, fronts: 2, blocking })
  const stuck = rig.fronts[0]!.get("/sleep/3000")
  let over = false
  void stuck.then(() => (over = true))
  let done = 0
  const client = async (n: number) => {
    for (let i = 0; i < 150; i++) {
      expect((await rig.fronts[n % 2]!.get("/sleep/1")).status).toBe(200)
      done++
    }
  }
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(client))
  // 1200 requests went past the one that hangs
  expect(over).toBe(false)
  expect(done).toBe(1200)
  await stuck
  const most = await Promise.all([0, 1, 2, 3].map(() => rig.fronts[0]!.get("/most")))
  expect(most.map(m => m.text)).toEqual(["1", "1", "1", "1"])
}, 20_000)

test("with every worker busy requests wait in order, and go on as slots come free in either front", async () => {
  await start({ gateway: { workers: 1 }, fronts: 2 })
  const first = rig.fronts[0]!.get("/sleep/300")
  await Bun.sleep(50)
  const order: number[] = []
  const rest = [1, 2, 3].map(n => rig.fronts[1]!.get("/pid").then(() => order.push(n)))
  await Promise.all([first, ...rest])
  expect(order).toEqual([1, 2, 3])
})

test("the queue is bounded over all fronts: past it 503 with Retry-After, at once", async () => {
  await start({ gateway: { workers: 1, queue: { size: 3, wait: "8s" } }, fronts: 2 })
  const running = rig.fronts[0]!.get("/sleep/1500")
  await Bun.sleep(50)
  const waiting = [0, 1, 0].map(n => rig.fronts[n]!.status("/pid"))
  for (const front of rig.fronts) {
    const error = await front.get("/pid").then(() => undefined, (e: unknown) => e)
    expect(error).toMatchObject({ status: 503, options: { headers: [["Retry-After", "8"]] } })
  }
  for (let i = 0; i < 50; i++) expect(await rig.fronts[i % 2]!.status("/pid")).toBe(503)
  // a flood is a line per front, not one each
  expect(rig.lines.filter(l => l.message.startsWith("every worker is busy"))).toHaveLength(2)
  expect(await Promise.all(waiting)).toEqual([200, 200, 200])
  expect((await running).status).toBe(200)
  // and there is room again
  expect(await rig.fronts[1]!.status("/pid")).toBe(200)
})

test("the queue is bounded in time", async () => {
  await start({ gateway: { workers: 1, queue: { wait: "200ms" } } })
  const running = rig.fronts[0]!.status("/sleep/1200")
  await Bun.sleep(50)
  expect(await rig.fronts[0]!.status("/pid")).toBe(503)
  expect(await running).toBe(200)
})

test("a bypass path goes past a full pool of concurrent workers, and to the head of the queue of threaded ones", async () => {
  await start({ gateway: { workers: 1, queue: { size: 0, bypass: ["/pid"] } } })
  const running = rig.fronts[0]!.status("/sleep/800")
  await Bun.sleep(50)
  let over = false
  void running.then(() => (over = true))
  expect(await rig.fronts[0]!.status("/version")).toBe(503)
  expect(await rig.fronts[0]!.status("/pid")).toBe(200)
  expect(over).toBe(false)
  await running
  await rig.stop()

  await start({ gateway: { workers: 1, queue: { size: 2, bypass: ["/pid"] } }, blocking: true })
  const front = rig.fronts[0]!
  const all = [front.get("/sleep/300?running")]
  await Bun.sleep(50)
  all.push(front.get("/version?a"), front.get("/version?b"), front.get("/pid?health"))
  await Promise.all(all)
  expect((await front.get("/begun")).text).toBe("running health a b")
})

test("a client that goes while it waits leaves its place", async () => {
  await start({ gateway: { workers: 1, queue: { size: 1 } } })
  const front = rig.fronts[0]!
  const running = front.status("/sleep/600")
  await Bun.sleep(50)
  const x = exchange("/pid")
  const gone = seen(front.handler, x).catch((e: unknown) => e)
  expect(await front.status("/pid")).toBe(503)
  x.abort()
  expect(await gone).toMatchObject({ status: 499 })
  expect(await front.status("/pid")).toBe(200)
  await running
})

test("the slot is held until the last byte of a streamed answer", async () => {
  await start({ gateway: { workers: 1 } })
  const front = rig.fronts[0]!
  const order: string[] = []
  const stream = front.get("/stream/10").then(s => order.push(s.text))
  await Bun.sleep(100)
  const next = front.get("/most").then(s => order.push(s.text))
  await Promise.all([stream, next])
  expect(order).toEqual(["..........", "1"])
})

test("past its deadline 504; an event loop that turns keeps its worker", async () => {
  await start({ gateway: { workers: 1 }, timeoutMs: 300, concurrency: 10 })
  const [pid] = rig.pids()
  expect(await rig.fronts[0]!.status("/sleep/2000")).toBe(504)
  expect((await rig.fronts[0]!.get("/pid")).text).toBe(String(pid))
  await Bun.sleep(300)
  expect(rig.pids()).toEqual([pid!])
})

test("past its deadline in a blocking worker: 504, said in the log, replaced", async () => {
  await start({ gateway: { workers: 1 }, timeoutMs: 300, blocking: true })
  const [pid] = rig.pids()
  expect(await rig.fronts[0]!.status("/spin/60000")).toBe(504)
  const next = await rig.fronts[0]!.get("/pid")
  expect(Number(next.text)).not.toBe(pid)
  await until(() => rig.said("worker stuck") !== undefined, "the stuck worker is in the log")
  expect(rig.said("worker stuck")!.message).toContain("GET /spin/60000")
  await until(() => !alive(pid!), "the stuck worker is gone")
}, 20_000)

test("a request that kills its worker kills one", async () => {
  await start({ gateway: { workers: 4 } })
  expect(await rig.fronts[0]!.status("/exit/1")).toBe(502)
  await until(() => rig.said("worker died") !== undefined && rig.pids().length === 4, "the pool is whole again")
  expect(rig.lines.filter(l => l.message === "worker died")).toHaveLength(1)
})

test("a request that has not left for a worker that is gone goes to another", async () => {
  await start({ gateway: { workers: 2 } })
  const front = rig.fronts[0]!
  for (let i = 0; i < 5; i++) {
    const [victim] = rig.pids()
    process.kill(victim!, "SIGKILL")
    // Dead by now, and the front has not been told: it does so in its next turn.
    Bun.sleepSync(20)
    expect(await Promise.all([1, 2, 3, 4].map(() => front.status("/pid", { method: "POST" })))).toEqual([200, 200, 200, 200])
    await until(() => !rig.pids().includes(victim!) && rig.pids().length === 2, "the pool is whole again")
  }
})

test("a crash a second does not take the app down: workers that had work are replaced at once", async () => {
  await start({ gateway: { workers: 2, restart: { delay: "60s", max_delay: "60s" } } })
  for (let i = 0; i < 6; i++) {
    expect(await rig.fronts[0]!.status("/exit/1")).toBe(502)
    expect(await rig.fronts[0]!.status("/pid")).toBe(200)
    await until(() => rig.pids().length === 2, "the pool is whole again")
  }
  expect(rig.said("crash loop")).toBeDefined()
}, 20_000)

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
