import { expect, test } from "bun:test"
import type { Store } from "edge"
import { TestContext } from "../../../../test/kit/context.ts"
import { CacheEntry } from "../store/entry.ts"
import { MemoryStore } from "../store/memory.ts"
import { matcherOf, Purges } from "./purges.ts"
import { Purger } from "./purger.ts"

const terms = { bornMs: 0, freshMs: 1e15, swrMs: 0, sieMs: 0, strict: false, noCache: false, forAll: false, strip: [], vary: [] }
const entry = (base: string, tags: string[] = [], storedMs = 0) =>
  new CacheEntry({ base, extra: "", selectors: [], status: 200, lines: ["Date", "x"], body: null, terms, storedMs, tags, hitLine: [] })

/** Several machines, each with one front: what one publishes all hear, the sender too. */
function machines(count: number) {
  const heard: ((message: string | null) => void)[] = []
  const sent: string[] = []
  const store = {
    reach: "machines",
    publish: async (_: string, message: string) => {
      sent.push(message)
      for (const f of heard) f(message)
    },
    subscribe: async (_: string, f: (message: string | null) => void) => {
      heard.push(f)
      return () => heard.splice(heard.indexOf(f), 1)
    },
  } as unknown as Store
  const fronts = Array.from({ length: count }, () => {
    const ctx = new TestContext({ store })
    const memory = new MemoryStore({ bytes: 1_000_000, variants: 8 })
    return { ctx, memory, purger: new Purger({ memory, bus: ctx.bus, store, log: ctx.log }) }
  })
  return { fronts, sent, miss: () => heard.forEach(f => f(null)) }
}

test("a purge reaches other machines, once", async () => {
  const { fronts } = machines(3)
  for (const { purger, memory } of fronts) {
    await purger.start()
    for (const path of ["/a", "/b"]) memory.put(entry(`http://a.test${path}`, path === "/a" ? ["red"] : []))
  }
  expect(fronts[0]!.purger.purge({ tags: ["red"] })).toBe(1)
  for (const { memory } of fronts) expect([...memory.groups].map(({ base }) => base)).toEqual(["http://a.test/b"])
  for (const { purger } of fronts) expect(purger.purges.list).toHaveLength(1)
  expect(fronts[0]!.ctx.casts).toHaveLength(1)
})

test("an invalidation does too, and a long list of either in pieces", async () => {
  const { fronts, sent } = machines(2)
  for (const { purger } of fronts) await purger.start()
  const urls = Array.from({ length: 200 }, (_, i) => `http://a.test/${i}/${"x".repeat(50)}`)
  for (const url of urls) fronts[1]!.memory.put(entry(url))
  fronts[0]!.purger.invalidate(urls.slice(0, 100))
  fronts[0]!.purger.purge({ urls: urls.slice(100) })
  expect(fronts[1]!.memory.size).toBe(0)
  expect(Math.max(...sent.map(text => Buffer.byteLength(text)))).toBeLessThan(4096)
})

test("when messages were missed nothing is trusted", async () => {
  const { fronts, miss } = machines(1)
  const [{ purger, memory }] = fronts as [(typeof fronts)[0]]
  await purger.start()
  memory.put(entry("http://a.test/a"))
  miss()
  expect(memory.size).toBe(0)
  purger.stop()
})

test("what comes from elsewhere may be of any shape", () => {
  const [{ ctx, purger, memory }] = machines(1).fronts as [ReturnType<typeof machines>["fronts"][0]]
  memory.put(entry("http://a.test/a"))
  for (const data of [null, 1, "x", [], {}, { id: 1, spec: {} }, { id: "a" }, { bases: [1, null] }, { id: "b", spec: { urls: 5, tags: [7] } }]) ctx.bus.hear("cache.purge", data)
  expect(memory.size).toBe(1)
  expect(purger.command({ name: "other", args: {} })).toBeUndefined()
  expect(() => purger.purge({ urls: ["not a url"] })).toThrow("not a URL")
})

test.each([
  [{ urls: ["/a"] }, ["http://x/a", "https://y:8080/a"]],
  [{ urls: ["/a?b"] }, ["http://x/a?b"]],
  [{ urls: ["Y/a", "//x/nothing"] }, ["https://y:8080/a"]],
  [{ urls: ["https://x/c/./../a"] }, ["http://x/a"]],
  [{ prefixes: ["/a/"] }, ["http://x/a/1", "http://x//a/%32"]],
  [{ prefixes: ["x/"] }, ["http://x/a", "http://x/a?b", "http://x/a/1", "http://x//a/%32", "http://x/%3C"]],
  [{ urls: ["/<"] }, ["http://x/%3C"]],
  [{ all: true }, ["http://x/a", "https://y:8080/a", "http://x/a?b", "http://x/a/1", "http://x//a/%32", "http://x/%3C"]],
])("%o", (spec, want) => {
  const all = ["http://x/a", "https://y:8080/a", "http://x/a?b", "http://x/a/1", "http://x//a/%32", "http://x/%3C"]
  const matches = matcherOf(spec)
  expect(all.filter(base => matches({ base, tags: [] }))).toEqual(want)
})

test("only what was asked for before a purge is covered by it", () => {
  const purges = new Purges()
  purges.add({ id: "1", ms: 100, spec: { urls: ["/a"] } })
  purges.invalidate("http://x/b", 100)
  for (const path of ["a", "b"]) {
    expect([100, 101].map(storedMs => purges.covers({ base: `http://x/${path}`, tags: [], storedMs }))).toEqual([true, false])
  }
  expect(purges.covers({ base: "http://x/c", tags: [], storedMs: 1 })).toBe(false)
  // More than can be remembered: rather too much than too little.
  for (let i = 0; i < 1500; i++) purges.add({ id: `m${i}`, ms: 200 + i, spec: { tags: ["t"] } })
  expect([200, 1900].map(storedMs => purges.covers({ base: "http://x/c", tags: [], storedMs }))).toEqual([true, false])
})
