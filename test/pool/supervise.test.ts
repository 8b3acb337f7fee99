import { afterEach, expect, test } from "bun:test"
import { Rig, type RigOptions, until } from "./rig.ts"

let rig: Rig
afterEach(() => rig.stop())
const start = (options: RigOptions = {}) => (rig = new Rig(options)).start(options.fronts ?? 2)

/** Clients that ask one after the other until told to stop; resolves with the count of each status. */
function load(clients: number, path: (n: number) => string = () => "/pid") {
  let going = true
  const statuses: Record<number, number> = {}
  const client = async (n: number) => {
    for (let i = 0; going; i++) {
      const status = await rig.fronts[n % rig.fronts.length]!.status(path(i))
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(n)))
  return {
    statuses,
    get total() {
      return Object.values(statuses).reduce((a, b) => a + b, 0)
    },
    async stop() {
      going = false
      await all
      return statuses
    },
  }
}

test("workers killed with -9 under load: only what they ran is lost, and the pool is whole again within a second", async () => {
  await start({ gateway: { workers: 3 } })
  const clients = load(4, i => (i % 2 === 0 ? "/pid" : "/sleep/2"))
  for (let i = 0; i < 3; i++) {
    await Bun.sleep(200)
    const [victim] = rig.pids()
    process.kill(victim!, "SIGKILL")
    await until(() => !rig.pids().includes(victim!) && rig.pids().length === 3, "the pool is whole")
  }
  const { 200: answered, 502: lost = 0, ...others } = await clients.stop()
  expect(answered).toBeGreaterThan(0)
  // One slot each.
  expect(lost).toBeLessThanOrEqual(3)
  expect(others).toEqual({})
  expect(rig.lines.filter(l => l.message === "worker died")).toHaveLength(3)
}, 20_000)

test("recycling by count: every request is answered, the number of workers never drops", async () => {
  await start({ gateway: { workers: 2, max_requests: 40, max_requests_jitter: 10 } })
  const first = rig.pids()
  let least = Infinity
  const watch = setInterval(() => (least = Math.min(least, rig.pids().length)), 2)
  const clients = load(4)
  await until(() => rig.lines.filter(l => l.message === "worker leaves: max_requests").length >= 6, "six were recycled")
  const statuses = await clients.stop()
  clearInterval(watch)
  expect(Object.keys(statuses)).toEqual(["200"])
  expect(least).toBe(2)
  for (const pid of first) expect(rig.pids()).not.toContain(pid)
  expect(rig.said("worker died")).toBeUndefined()
}, 20_000)

test("recycling by age and by memory", async () => {
  await start({ gateway: { workers: 1, lifetime: "700ms" } })
  const [pid] = rig.pids()
  await until(() => rig.said("worker leaves: lifetime") !== undefined, "its time is over")
  await until(() => !rig.pids().includes(pid!) && rig.pids().length === 1, "another one serves")
  await rig.stop()

  await start({ gateway: { workers: 1, max_memory: "150mb" } })
  const before = (await rig.fronts[0]!.get("/grow/200")).text
  await until(() => rig.said("worker leaves: max_memory") !== undefined, "it is too large")
  await until(async () => (await rig.fronts[0]!.get("/pid")).text !== before, "another one serves")
}, 20_000)

test("a roll replaces every worker under load, one at a time", async () => {
  await start({ gateway: { workers: 3 } })
  const before = rig.pids()
  const clients = load(4, i => (i % 3 === 0 ? "/sleep/5" : "/pid"))
  await Bun.sleep(100)
  rig.setVersion("2")
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, rig.pids().length)), 2)
  await rig.roll()
  clearInterval(watch)
  expect(most).toBeLessThanOrEqual(4)
  expect(Object.keys(await clients.stop())).toEqual(["200"])
  for (let i = 0; i < 9; i++) expect((await rig.fronts[i % 2]!.get("/version")).text).toBe("2")
  for (const pid of before) expect(rig.pids()).not.toContain(pid)
}, 20_000)

test("a roll with code that cannot boot rejects with its error and changes nothing", async () => {
  await start({ gateway: { workers: 2 } })
  const before = rig.pids()
  const clients = load(2)
  rig.setVersion("throw-2")
  const error = await rig.roll().then(() => undefined, (e: unknown) => e as Error)
  expect(error?.message).toContain("version throw-2 is broken")
  expect(Object.keys(await clients.stop())).toEqual(["200"])
  expect(rig.pids()).toEqual(before)
  expect((await rig.fronts[0]!.get("/version")).text).toBe("1")
  // and the next one, with good code, works
  rig.setVersion("3")
  await rig.roll()
  expect((await rig.fronts[0]!.get("/version")).text).toBe("3")
}, 20_000)

test("code that is silent past boot_timeout cannot boot", async () => {
  await start({ gateway: { workers: 1, boot_timeout: "700ms" } })
  rig.setVersion("silent")
  const error = await rig.roll().then(() => undefined, (e: unknown) => e as Error)
  expect(error?.message).toContain("not ready within 0.7 s")
  expect((await rig.fronts[0]!.get("/version")).text).toBe("1")
})

test("the first start rejects with what the worker said, and leaves nothing behind", async () => {
  rig = new Rig({ gateway: { workers: 3 } })
  rig.setVersion("throw-1")
  const error = await rig.start().then(() => undefined, (e: unknown) => e as Error)
  expect(error?.message).toContain("version throw-1 is broken")
  expect(rig.pool.status()).toEqual([])
})

test("a crash loop is recognised and said, and heals when the code does", async () => {
  await start({ gateway: { workers: 1, restart: { delay: "10ms", max_delay: "200ms" } } })
  rig.setVersion("throw")
  process.kill(rig.pids()[0]!, "SIGKILL")
  await until(() => rig.said("crash loop") !== undefined, "the crash loop is said")
  expect(rig.lines.filter(l => l.message.startsWith("crash loop"))).toHaveLength(1)
  expect(rig.said("worker cannot start")!.fields.error).toContain("version throw is broken")
  const waits = rig.fronts[0]!.status("/version")
  rig.setVersion("4")
  expect(await waits).toBe(200)
}, 20_000)

test("scale up and down; what runs on a worker that leaves is ended first", async () => {
  await start({ gateway: { workers: 1 } })
  rig.pool.scale(3)
  await until(() => rig.pids().length === 3, "three serve")
  const slow = [0, 1, 2].map(n => rig.fronts[n % 2]!.status("/sleep/500"))
  await Bun.sleep(50)
  rig.pool.scale(1)
  expect(await Promise.all(slow)).toEqual([200, 200, 200])
  await until(() => rig.pool.status().length === 1, "one is left")
}, 20_000)

test("autoscaling follows the queue up to max", async () => {
  await start({ gateway: { workers: { min: 1, max: 3 } } })
  expect(rig.pids()).toHaveLength(1)
  const clients = load(8, () => "/sleep/20")
  await until(() => rig.pids().length === 3, "three serve")
  await Bun.sleep(600)
  expect(rig.pool.status().length).toBe(3)
  expect(Object.keys(await clients.stop())).toEqual(["200"])
}, 20_000)

test("stop: requests that run are ended, then the processes; past the deadline they are killed", async () => {
  await start({ gateway: { workers: 2 } })
  const pids = rig.pids()
  const slow = rig.fronts[0]!.status("/sleep/400")
  await Bun.sleep(50)
  await rig.pool.stop(AbortSignal.timeout(10_000))
  expect(await slow).toBe(200)
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow()
  await rig.stop()

  await start({ gateway: { workers: 1 } })
  const [pid] = rig.pids()
  void rig.fronts[0]!.status("/spin/20000")
  await Bun.sleep(50)
  await rig.pool.stop(AbortSignal.timeout(300))
  expect(() => process.kill(pid!, 0)).toThrow()
}, 20_000)

test("to zero when nobody asks, and back with the first request, which waits for it", async () => {
  await start({ gateway: { workers: { min: 0, max: 2 } } })
  rig.pool.scale(0)
  await until(() => rig.pool.status().length === 0, "nobody is left")
  expect((await rig.fronts[1]!.get("/version")).status).toBe(200)
  expect(rig.pids()).toHaveLength(1)
}, 20_000)

test("new code whose workers end as soon as they serve is taken back", async () => {
  await start({ gateway: { workers: 1, restart: { delay: "10ms" } } })
  rig.setVersion("brief")
  const rolled = rig.roll().then(() => "rolled", (e: unknown) => (e as Error).message)
  // The first of them answers, so the roll is done or taken back; what counts is that the pool heals with good code.
  expect(["rolled", "the new workers end quickly: exit code 7"]).toContain(await rolled)
  rig.setVersion("5")
  // One that meets the end of such a worker is 502.
  await until(async () => (await rig.fronts[0]!.get("/version").catch(() => undefined))?.text === "5", "good code serves")
}, 20_000)
