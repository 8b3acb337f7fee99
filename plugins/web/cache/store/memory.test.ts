import { expect, test } from "bun:test"
import { CacheEntry } from "./entry.ts"
import { MemoryStore } from "./memory.ts"
import type { Selector } from "../key/vary.ts"

const terms = { bornMs: 0, freshMs: 1e15, swrMs: 0, sieMs: 0, strict: false, noCache: false, forAll: false, strip: [], vary: [] }

function entry(base: string, size: number, selectors: Selector[] = []): CacheEntry {
  return new CacheEntry({ base, extra: "", selectors, status: 200, lines: ["Date", "x"], body: Buffer.alloc(size), terms, storedMs: 0, tags: [], hitLine: [] })
}

const store = (bytes = 1_000_000) => new MemoryStore({ bytes, variants: 8 })

test("never more bytes than allowed, whatever the sizes", () => {
  const memory = store()
  let seed = 7
  for (let i = 0; i < 5000; i++) {
    seed = (seed * 48_271) % 0x7fffffff
    const one = entry(`u${seed % 900}`, seed % 40_000)
    memory.put(one)
    if (seed % 3 === 0) one.uses++
    expect(memory.bytes).toBeLessThanOrEqual(1_000_000)
  }
  const entries = [...memory.groups].flatMap(group => group.entries)
  expect([entries.reduce((sum, { cost }) => sum + cost, 0), entries.length]).toEqual([memory.bytes, memory.size])
})

test("one that is larger than all of it is not taken", () => {
  const memory = store()
  expect(memory.put(entry("a", 2_000_000))).toBe(false)
  expect([memory.get("a"), memory.bytes]).toEqual([undefined, 0])
})

test("a crawler that asks for everything once drives out nothing that is used", () => {
  const memory = store()
  const hot = Array.from({ length: 40 }, (_, i) => entry(`hot${i}`, 10_000))
  for (const one of hot) {
    memory.put(one)
    one.uses = 1
  }
  for (let i = 0; i < 10_000; i++) memory.put(entry(`once${i}`, 10_000))
  expect(hot.filter(one => memory.get(one.base) === undefined)).toHaveLength(0)
})

test("what comes back soon after it left is kept longer", () => {
  const memory = store(200_000)
  memory.put(entry("back", 10_000))
  for (let i = 0; i < 30; i++) memory.put(entry(`a${i}`, 10_000))
  expect(memory.get("back")).toBeUndefined()
  memory.put(entry("back", 10_000))
  for (let i = 0; i < 30; i++) memory.put(entry(`b${i}`, 10_000))
  expect(memory.get("back")).toBeDefined()
})

test("entries that are used no more make room in the end", () => {
  const memory = store()
  for (let i = 0; i < 90; i++) {
    const one = entry(`old${i}`, 10_000)
    memory.put(one)
    one.uses = 3
  }
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 200; i++) {
      const one = entry(`new${i}`, 10_000)
      memory.put(one)
      one.uses = 3
    }
  }
  expect(Array.from({ length: 90 }, (_, i) => memory.get(`old${i}`)).filter(Boolean).length).toBeLessThan(20)
})

test("one answer for the same requests, a bounded number for one URL", () => {
  const memory = store()
  for (let i = 0; i < 30; i++) memory.put(entry("u", 100, [["x-kind", String(i % 20), String(i % 20)]]))
  expect(memory.get("u")!.entries.map(({ selectors }) => selectors[0]![1])).toEqual(["9", "8", "7", "6", "5", "4", "3", "2"])
  expect(memory.size).toBe(8)
  expect(memory.deleteGroup("u")).toBe(8)
  expect([memory.bytes, memory.size, memory.get("u")]).toEqual([0, 0, undefined])
})
