/** Rate limits through the executable: many fronts, reloads, killed fronts, two machines with one store, a store that goes. */
import { expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { Postgres } from "../kit/postgres.ts"
import { Redis } from "../kit/redis.ts"

interface SiteOptions {
  readonly limit: string
  readonly server?: string
  readonly route?: string
}

const site = ({ limit, server = "", route = "" }: SiteOptions): string => `
  [server]
  fronts = 3
  ${server}
  [log]
  access = { format = "off" }
  [[site]]
  listen = ["127.0.0.1:0"]
  use = [{ rate_limit = ${limit} }]
  ${route}
  [[site.route]]
  respond = { body = "ok" }
`

/** Each on a connection of its own, so that the kernel spreads them over the fronts. */
async function statuses(edge: Edge, times: number, init: RequestInit = {}): Promise<number[]> {
  const found: number[] = []
  const ask = async (): Promise<void> => {
    const response = await fetch(edge.url("/"), { keepalive: false, ...init, headers: { Connection: "close", ...(init.headers as Record<string, string>) } })
    await response.arrayBuffer()
    found.push(response.status)
  }
  for (let left = times; left > 0; left -= 20) await Promise.all(Array.from({ length: Math.min(20, left) }, ask))
  return found
}

const passed = (found: readonly number[]): number => found.filter(status => status === 200).length

test("three fronts let in exactly as many as the limit, also after a reload and a killed front", async () => {
  await using edge = await Edge.start({ config: site({ limit: '"50/1d"' }) })
  expect(passed(await statuses(edge, 30))).toBe(30)
  expect((await edge.command("reload")).code).toBe(0)
  expect(passed(await statuses(edge, 10))).toBe(10)
  const { fronts } = await edge.status()
  expect(fronts.filter(({ state }) => state === "serving")).toHaveLength(3)
  process.kill(fronts.find(({ state }) => state === "serving")!.pid, "SIGKILL")
  await until(async () => (await edge.status()).fronts.filter(({ state }) => state === "serving").length === 3)
  const found: number[] = []
  // The killed front's connections in the backlog may break.
  await until(async () => statuses(edge, 1).then(more => found.push(...more), () => 0).then(() => found.length >= 80))
  expect(passed(found)).toBe(10)
  const refused = await fetch(edge.url("/"))
  expect([refused.status, await refused.text()]).toEqual([429, "429 Too Many Requests\n"])
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0)
  expect(refused.headers.get("ratelimit-policy")).toBe('"default";q=50;w=86400')
  expect(edge.output).toContain("rate limit reached")
  // On one machine nothing needs a state file.
  expect(() => edge.read("edge.db")).toThrow()
}, 60_000)

test("a limit that is edited counts anew, one that is not goes on; error pages are the site's", async () => {
  const pages = 'errors = { 429 = "slow.html" }'
  const config = (limit: string) => site({ limit: `[{ rate = "2/1d", name = "kept" }, { rate = "${limit}/1d", key = "route" }]` }).replace("listen", `${pages}\nlisten`)
  await using edge = await Edge.start({ config: config("9"), files: { "slow.html": "<p>slow down" } })
  expect(passed(await statuses(edge, 1))).toBe(1)
  edge.write("site.toml", config("8"))
  expect((await edge.command("reload")).code).toBe(0)
  expect(passed(await statuses(edge, 5))).toBe(1)
  expect(await edge.get("/")).toBe("<p>slow down")
}, 60_000)

test("a flood of keys leaves fronts small and resets nobody", async () => {
  await using edge = await Edge.start({ config: site({ limit: '{ rate = "20/1d", key = "header:X-Key", keys = 1024 }' }) })
  expect(passed(await statuses(edge, 30, { headers: { "X-Key": "attacker" } }))).toBe(20)
  const memory = async () => Math.max(...(await edge.status()).fronts.map(front => front.memory ?? 0))
  // Filled once, so that what is measured is growth.
  await flood(edge, 3000)
  const before = await memory()
  await flood(edge, 10_000)
  expect(passed(await statuses(edge, 10, { headers: { "X-Key": "attacker" } }))).toBe(0)
  expect((await memory()) - before).toBeLessThan(30_000_000)
}, 60_000)

/** Requests with a key of their own each, pipelined. */
async function flood(edge: Edge, keys: number): Promise<void> {
  let answers = 0
  const done = Promise.withResolvers<void>()
  const run = Math.random()
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: edge.port(),
    socket: { data: (_, data) => void ((answers += data.toString("latin1").split("HTTP/1.1 ").length - 1) >= keys && done.resolve()), close: () => done.resolve(), error: () => done.resolve() },
  })
  let sent = 0
  while (sent < keys) {
    let batch = ""
    for (let i = 0; i < 100; i++) batch += `GET / HTTP/1.1\r\nHost: a\r\nX-Key: ${run} ${sent++}\r\n\r\n`
    socket.write(batch)
    await until(() => answers >= sent - 100 || socket.readyState !== 1)
  }
  await done.promise
  socket.end()
}

test("what is wrong is told with its place", async () => {
  const config = site({ limit: '{ rate = "fast", key = "adress", brust = 5 }', server: 'state = "etcd://somewhere"' })
  await using edge = await Edge.launch({ config, args: ["check"] })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toContain('site.toml:4:11: server.state: no store named "etcd"')
  expect(edge.output).toMatch(/site\.toml:9:\d+: site\[0\]\.use\[0\]\.rate_limit/)
  expect(edge.output).toContain("brust")
  expect(edge.output).toContain("requests per time")
}, 30_000)

test.each(['"redis://"', '"nonsense"', "{}", "{ redis = { ulr = 1 } }", '{ redis = { url = "redis://h" }, sqlite = { url = "sqlite:x" } }', '"postgres://user:secret@"'])(
  "state = %s is refused, without its secrets",
  async state => {
    await using edge = await Edge.launch({ config: site({ limit: '"1/s"', server: `state = ${state}` }), args: ["check"] })
    expect(await edge.exited).toBe(1)
    expect(edge.output).toMatch(/site\.toml:4:\d+: server\.state/)
    expect(edge.output).not.toContain("secret")
  },
  30_000,
)

test("a third party's store fills the kind", async () => {
  const plugin = `
    import { definePlugin } from "edge"
    import * as v from "valibot"
    import { appendFileSync } from "node:fs"
    const counts = new Map<string, number>()
    export default definePlugin({
      name: "memo", kind: "store", config: v.strictObject({ url: v.string() }),
      setup: ({ url }, ctx) => ({ part: {
        reach: "machines",
        async get() { return null }, async set() { return true }, async compareAndSet() { return true }, async delete() {},
        async increment(key, by) {
          appendFileSync(ctx.resolve("seen.txt"), url + " " + key.split(":")[0] + " " + by + "\\n")
          // As if another machine had used up nearly all.
          counts.set(key, (counts.get(key) ?? 8) + by)
          return counts.get(key)!
        },
        async publish() {}, async subscribe() { return () => {} },
      } }),
    })`
  const config = `${site({ limit: '"10/1d"', server: 'state = "memo:here"' }).replace("fronts = 3", "fronts = 1")}\n[plugins]\nmemo = "./memo.ts"`
  await using edge = await Edge.start({ config, files: { "memo.ts": plugin } })
  const found: number[] = []
  for (let i = 0; i < 6; i++) found.push(...(await statuses(edge, 1)))
  // The first goes on before the store has answered; then what the others have is known.
  expect(found[0]).toBe(200)
  expect(passed(found)).toBeLessThanOrEqual(2)
  expect(edge.read("seen.txt")).toMatch(/^memo:here rate_limit [1-6]$/m)
}, 60_000)

const stores = {
  redis: { need: "redis", start: () => Redis.start(), url: (server: Redis) => server.url },
  postgres: { need: "postgresql", start: () => Postgres.start(), url: (server: Postgres) => server.url("postgres") },
} as const

for (const [name, { need, start, url }] of Object.entries(stores)) {
  describeWith([need], `two machines with ${name}`, () => {
    test("count together", async () => {
      await using server = (await start()) as Redis & Postgres
      const config = site({ limit: '"80/1d"', server: `state = "${url(server)}"` }).replace("fronts = 3", "fronts = 2")
      await using one = await Edge.start({ config })
      await using two = await Edge.start({ config })
      const [a, b] = await Promise.all([statuses(one, 120), statuses(two, 120)])
      const both = passed(a) + passed(b)
      expect(both).toBeGreaterThanOrEqual(75)
      // An eighth of what is left is the lease of the other machine: it may be ahead by that, and by more where a busy
      // machine is slow to answer. By themselves they would let in 160.
      expect(both).toBeLessThanOrEqual(100)
      expect(passed(a)).toBeGreaterThan(0)
      expect(passed(b)).toBeGreaterThan(0)
      // Now both know.
      expect(passed([...(await statuses(one, 20)), ...(await statuses(two, 20))])).toBe(0)
    }, 90_000)
  })
}

describeWith(["redis"], "a store that goes", () => {
  test("each machine counts for itself meanwhile, the log says so once, and again when it is back", async () => {
    await using redis = await Redis.start()
    const config = site({ limit: '"30/1d"', server: `state = "${redis.url}"` }).replace("fronts = 3", "fronts = 1")
    await using one = await Edge.start({ config })
    await using two = await Edge.start({ config })
    expect(passed(await statuses(one, 10))).toBe(10)
    await redis.kill()
    expect(passed(await statuses(one, 30))).toBe(20)
    expect(passed(await statuses(two, 40))).toBe(30)
    await one.heard("the shared state (redis) is gone")
    await redis.restart()
    // A refused request tells nothing; what was counted meanwhile is told when it is back.
    await one.heard("the shared state (redis) is back")
    await two.heard("the shared state (redis) is back")
    expect(passed(await statuses(one, 5))).toBe(0)
    for (const edge of [one, two]) expect(edge.output.split("is gone;")).toHaveLength(2)
  }, 90_000)
})

describeWith(["redis"], "a store that hangs", () => {
  test("holds requests up for a moment, and then no more", async () => {
    await using redis = await Redis.start()
    const config = site({ limit: '"12/1d"', server: `state = "${redis.url}"` }).replace("fronts = 3", "fronts = 1")
    await using edge = await Edge.start({ config })
    expect(passed(await statuses(edge, 2))).toBe(2)
    redis.freeze()
    // Near the limit they would wait for the store: those that do are let go by, and the local count decides.
    expect(passed(await statuses(edge, 20))).toBe(10)
    await edge.heard("the shared state (redis) is gone")
    redis.wake()
    await edge.heard("the shared state (redis) is back")
    expect(passed(await statuses(edge, 3))).toBe(0)
  }, 60_000)
})

describeWith(["postgresql"], "a database that goes", () => {
  test("is used again when it is back", async () => {
    await using postgres = await Postgres.start()
    const config = site({ limit: '"30/1d"', server: `state = "${postgres.url("postgres")}"` }).replace("fronts = 3", "fronts = 1")
    await using one = await Edge.start({ config })
    await using two = await Edge.start({ config })
    expect(passed(await statuses(one, 10))).toBe(10)
    await postgres.stop()
    expect(passed(await statuses(one, 30))).toBe(20)
    await one.heard("the shared state (postgres) is gone")
    await postgres.restart()
    await one.heard("the shared state (postgres) is back")
    // What one counted while the database was gone is known to two.
    await until(async () => passed(await statuses(two, 1)) === 0)
  }, 90_000)
})
