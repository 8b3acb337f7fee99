/** One list of promises, kept by every store; then what becomes of them when the server goes and comes back. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { Live, Plugin, Store } from "edge"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import postgresStore from "../../plugins/store/postgres/plugin.ts"
import redisStore from "../../plugins/store/redis/plugin.ts"
import sqliteStore from "../../plugins/store/sqlite/plugin.ts"
import { TestContext } from "../kit/context.ts"
import { until } from "../kit/edge.ts"
import { describeWith, type Need } from "../kit/needs.ts"
import { Postgres } from "../kit/postgres.ts"
import { Redis } from "../kit/redis.ts"

interface Host {
  /** Another process's view of the same state. */
  open(): Promise<Store>
  close(): Promise<void>
}

async function host(plugin: Plugin<"store">, { url, dir, end }: { url: string; dir?: string; end(): unknown }): Promise<Host> {
  const lives: Live<Store>[] = []
  return {
    async open() {
      const live = await plugin.setup({ url, prefix: "t:" }, new TestContext(dir === undefined ? {} : { dir }))
      lives.push(live)
      return live.part
    },
    async close() {
      for (const live of lives) await live.stop?.(AbortSignal.timeout(1000))
      await end()
    },
  }
}

const hosts: Record<string, { needs: readonly Need[]; make(): Promise<Host> }> = {
  sqlite: {
    needs: [],
    make: async () => {
      const dir = mkdtempSync(join(tmpdir(), "edge-state-"))
      return host(sqliteStore as never, { url: "sqlite:edge.db", dir, end: () => rmSync(dir, { recursive: true }) })
    },
  },
  redis: {
    needs: ["redis"],
    make: async () => {
      const redis = await Redis.start()
      return host(redisStore as never, { url: redis.url, end: () => redis[Symbol.asyncDispose]() })
    },
  },
  postgres: {
    needs: ["postgresql"],
    make: async () => {
      const postgres = await Postgres.start()
      return host(postgresStore as never, { url: postgres.url("postgres"), end: () => postgres[Symbol.asyncDispose]() })
    },
  },
}

const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : Buffer.from(bytes).toString())

for (const [name, { needs, make }] of Object.entries(hosts)) {
  describeWith(needs, name, () => {
    let state: Host
    let one: Store
    let two: Store
    beforeAll(async () => {
      state = await make()
      ;[one, two] = [await state.open(), await state.open()]
    }, 60_000)
    afterAll(() => state.close(), 30_000)

    test("values are bytes, seen by the other process", async () => {
      const bytes = new Uint8Array([0, 255, 13, 10, 128])
      expect(await one.get("a")).toBe(null)
      expect(await one.set("a", bytes)).toBe(true)
      expect(Buffer.from((await two.get("a"))!)).toEqual(Buffer.from(bytes))
      expect(await two.set("a", "text ü")).toBe(true)
      expect(text(await one.get("a"))).toBe("text ü")
      await one.delete("a")
      expect(await two.get("a")).toBe(null)
    })

    test("set only if absent: one of many wins", async () => {
      const tries = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : two).set("lock", String(i), { onlyIfAbsent: true }))
      expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1)
    })

    test("what has a time to live ends, and is absent then", async () => {
      await one.set("t", "old", { ttlMs: 60 })
      await one.set("stays", "x", { ttlMs: 60_000 })
      await until(async () => (await two.get("t")) === null)
      expect(await two.set("t", "new", { onlyIfAbsent: true, ttlMs: 60_000 })).toBe(true)
      expect(text(await one.get("t"))).toBe("new")
      expect(text(await two.get("stays"))).toBe("x")
      // Set without one, it stays.
      await one.set("stays", "y")
      expect(text(await two.get("stays"))).toBe("y")
    })

    test("compare and set", async () => {
      expect(await one.compareAndSet("c", { expected: "1", value: "2" })).toBe(false)
      expect(await one.compareAndSet("c", { expected: null, value: null })).toBe(true)
      expect(await one.compareAndSet("c", { expected: null, value: "1" })).toBe(true)
      expect(await two.compareAndSet("c", { expected: null, value: "1" })).toBe(false)
      expect(await two.compareAndSet("c", { expected: "1", value: "2", ttlMs: 60_000 })).toBe(true)
      expect(await one.compareAndSet("c", { expected: "1", value: null })).toBe(false)
      expect(await one.compareAndSet("c", { expected: "2", value: null })).toBe(true)
      expect(await two.get("c")).toBe(null)
      const bytes = new Uint8Array([0, 255, 128])
      expect(await one.compareAndSet("c", { expected: null, value: bytes })).toBe(true)
      expect(await two.compareAndSet("c", { expected: new Uint8Array([0, 255, 129]), value: "0" })).toBe(false)
      expect(await two.compareAndSet("c", { expected: bytes, value: "0" })).toBe(true)
      const tries = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? one : two).compareAndSet("c", { expected: "0", value: "9" }))
      expect((await Promise.all(tries)).filter(Boolean)).toHaveLength(1)
    })

    test("counters are exact, each caller gets a total of its own, and they end", async () => {
      const keys = ["n", 'odd "key" {a,b} \\ \' ü', "null"]
      const totals = await Promise.all(keys.flatMap(key => Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? one : two).increment(key, 2, 60_000))))
      for (let k = 0; k < keys.length; k++) {
        expect(totals.slice(k * 50, k * 50 + 50).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * (i + 1)))
      }
      expect(await one.increment("n", -100, 60_000)).toBe(0)
      expect(await one.get("n")).toBe(null)
      await one.increment("short", 5, 50)
      await until(async () => (await two.increment("short", 0, 50)) === 0)
    })

    test("messages reach every subscriber, in order, and no one else", async () => {
      const heard: (string | null)[] = []
      const other: (string | null)[] = []
      const end = await two.subscribe("purge", message => heard.push(message))
      await one.subscribe("purge:other", message => other.push(message))
      for (let i = 0; i < 20; i++) await one.publish("purge", `m${i} "ü"`)
      await two.publish("purge", "own")
      await until(() => heard.length >= 21)
      expect(heard).toEqual([...Array.from({ length: 20 }, (_, i) => `m${i} "ü"`), "own"])
      expect(other).toEqual([])
      end()
      const after = await one.subscribe("purge", () => {})
      await one.publish("purge", "unheard")
      await two.publish("purge:other", "last")
      await until(() => other.length === 1)
      expect(heard).toHaveLength(21)
      after()
    })
  })
}

test("many processes open one SQLite file at once", async () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-state-"))
  const script = `
    import plugin from ${JSON.stringify(join(import.meta.dir, "../../plugins/store/sqlite/store.ts"))}
  `.replace("import plugin", "import { SqliteStore }") + `
    const store = new SqliteStore(process.argv[2], { debug() {} })
    for (let i = 0; i < 100; i++) await store.increment("n", 1, 60000)
    store.close()
  `
  await Bun.write(join(dir, "count.ts"), script)
  const run = () => Bun.spawn([process.execPath, join(dir, "count.ts"), join(dir, "edge.db")], { stderr: "pipe" })
  const children = [run(), run(), run(), run()]
  for (const child of children) expect([await child.exited, await new Response(child.stderr).text()]).toEqual([0, ""])
  const live = await sqliteStore.setup({ url: "sqlite:edge.db" }, new TestContext({ dir }))
  expect(await live.part.increment("n", 0, 1)).toBe(400)
  await live.stop?.(AbortSignal.timeout(1000))
  rmSync(dir, { recursive: true })
}, 30_000)

test("a SQLite file that is none fails with its name, is not touched, and is used once it is moved away", async () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-state-"))
  const file = join(dir, "edge.db")
  await Bun.write(file, "this is no database, but somebody's letter ".repeat(50))
  const live = await sqliteStore.setup({ url: "sqlite:edge.db" }, new TestContext({ dir }))
  await expect(live.part.get("a")).rejects.toThrow(file)
  await expect(live.part.set("a", "b")).rejects.toThrow(file)
  expect(await Bun.file(file).text()).toStartWith("this is no database")
  rmSync(file)
  expect(await live.part.set("a", "b")).toBe(true)
  await live.stop?.(AbortSignal.timeout(1000))
  rmSync(dir, { recursive: true })
})

test("a folder that is not there fails, too", async () => {
  const live = await sqliteStore.setup({ url: "sqlite:none/edge.db" }, new TestContext({ dir: tmpdir() }))
  await expect(live.part.get("a")).rejects.toThrow()
  await live.stop?.(AbortSignal.timeout(1000))
})

describeWith(["redis"], "a server that goes and comes back", () => {
  test("fails while it is gone, goes on when it is back, and says that messages may be missing", async () => {
    await using redis = await Redis.start()
    const live = await redisStore.setup({ url: redis.url, prefix: "" }, new TestContext())
    const store = live.part
    const heard: (string | null)[] = []
    await store.subscribe("c", message => heard.push(message))
    expect(await store.increment("n", 1, 60_000)).toBe(1)
    await redis.kill()
    await expect(store.get("n")).rejects.toThrow()
    await expect(store.get("n")).rejects.toThrow()
    await redis.restart()
    await until(() => store.increment("n", 1, 60_000).then(() => true, () => false))
    await until(() => heard.includes(null))
    await store.publish("c", "again")
    await until(() => heard.includes("again"))
    redis.freeze()
    const stuck = store.get("n")
    store.reset!()
    await expect(stuck).rejects.toThrow()
    redis.wake()
    await until(() => store.get("n").then(() => true, () => false))
    await live.stop?.(AbortSignal.timeout(1000))
  }, 30_000)
})

describe("what the config says", () => {
  test.each([
    [redisStore, "redis://"],
    [redisStore, "redis://h/x"],
    [postgresStore, "postgres://h"],
    [sqliteStore, "sqlite:"],
  ])("%# is refused", (plugin, url) => {
    expect(() => (plugin as Plugin<"store">).setup({ url, prefix: "" }, new TestContext())).toThrow()
  })
})
