import { expect, test } from "bun:test"
import type { FrontPage } from "edge"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FrontPages } from "../../../src/generation/front-pages.ts"
import { wordsFor } from "./layout.ts"
import { CountTable } from "./table.ts"

/** A window that begins at a whole number of windows, so that the test says where in it it is. */
const start = 1_000_000_000_000

function table(limit: number, { windowMs = 1000, keys = 64, page = privatePage(keys) }: { windowMs?: number; keys?: number; page?: FrontPage } = {}): CountTable {
  return new CountTable(page, { limit, windowMs, keys })
}

function privatePage(keys: number): FrontPage {
  return new FrontPages(undefined).declare("test", wordsFor(keys))
}

function taken(counts: CountTable, key: string, { at, times }: { at: number; times: number }): number {
  let n = 0
  for (let i = 0; i < times; i++) if (counts.take(key, at)) n++
  return n
}

test("as many as the limit, each key for itself; what is left and how long to wait", () => {
  const counts = table(3)
  expect([counts.take("a", start), counts.left]).toEqual([true, 2])
  expect(taken(counts, "a", { at: start + 100, times: 9 })).toBe(2)
  expect([counts.take("a", start + 100), counts.left]).toEqual([false, 0])
  expect(counts.waitMs).toBeCloseTo(900, 3)
  expect(taken(counts, "b", { at: start + 100, times: 9 })).toBe(3)
})

test("the window slides: what was used in the last one fades over this one", () => {
  const counts = table(100)
  expect(taken(counts, "a", { at: start + 999, times: 200 })).toBe(100)
  // A fixed window would let 100 more in a millisecond later.
  expect(taken(counts, "a", { at: start + 1000, times: 200 })).toBe(0)
  expect(taken(counts, "a", { at: start + 1250, times: 200 })).toBe(25)
  expect(taken(counts, "a", { at: start + 1500, times: 200 })).toBe(25)
  expect(counts.waitMs).toBeGreaterThanOrEqual(0)
  expect(taken(counts, "a", { at: start + 5000, times: 200 })).toBe(100)
})

test("whoever waits as long as told is let in", () => {
  for (const part of [0, 1, 333, 500, 999]) {
    const counts = table(7)
    taken(counts, "a", { at: start - 1000 + part, times: 4 })
    taken(counts, "a", { at: start + part, times: 20 })
    expect(counts.take("a", start + part)).toBe(false)
    expect(counts.take("a", start + part + Math.ceil(counts.waitMs) + 1)).toBe(true)
  }
})

test("a front whose clock read is a window late counts where the others are", () => {
  const counts = table(5, { windowMs: 10 })
  expect(taken(counts, "a", { at: start + 20, times: 5 })).toBe(5)
  expect(counts.take("a", start + 9)).toBe(false)
  expect(counts.take("a", start + 20)).toBe(false)
})

test("a key that was never met counts where it should, also in the windows whose numbers are next to 0", () => {
  for (let window = 4090; window < 4100; window++) {
    const counts = table(100)
    expect(taken(counts, "a", { at: window * 1000 + 999, times: 200 })).toBe(100)
    expect(taken(counts, "a", { at: (window + 1) * 1000, times: 200 })).toBe(0)
    expect(taken(counts, "a", { at: (window + 1) * 1000 + 500, times: 200 })).toBe(50)
  }
})

test("a clock that was set back does not lock anybody out", () => {
  const counts = table(5)
  taken(counts, "a", { at: start + 3_600_000, times: 9 })
  expect(counts.take("a", start)).toBe(true)
})

test("what is taken back can be used again", () => {
  const counts = table(2)
  expect(taken(counts, "a", { at: start, times: 9 })).toBe(2)
  counts.giveBack("a", counts.window)
  expect(taken(counts, "a", { at: start, times: 9 })).toBe(1)
  counts.giveBack("nobody", counts.window)
})

test("a flood of keys resets nobody's count, in bounded memory", () => {
  const counts = table(20, { keys: 64 })
  expect(taken(counts, "attacker", { at: start, times: 30 })).toBe(20)
  for (let i = 0; i < 100_000; i++) counts.take(`flood ${i}`, start)
  expect(counts.displaced).toBeGreaterThan(0)
  expect(taken(counts, "attacker", { at: start, times: 30 })).toBe(0)
  // It is over with the window.
  expect(taken(counts, "attacker", { at: start + 2000, times: 30 })).toBe(20)
})

test("no count is ever too small, whoever is displaced", () => {
  const counts = table(1_000_000, { keys: 64 })
  const truth = new Map<string, number>()
  let x = 12_345
  for (let i = 0; i < 20_000; i++) {
    x = Math.imul(x, 1_103_515_245) + 12_345
    const key = `k${((x >>> 8) % 300) * ((x >>> 20) % 3)}`
    counts.take(key, start)
    truth.set(key, (truth.get(key) ?? 0) + 1)
    if (i % 100 === 0) expect(1_000_000 - counts.left).toBeGreaterThanOrEqual(truth.get(key)!)
  }
})

test("many processes count together exactly, also when all meet a key for the first time", async () => {
  const folder = mkdtempSync(join(tmpdir(), "edge-table-"))
  const children = Array.from({ length: 4 }, (_, front) =>
    Bun.spawn([process.execPath, join(import.meta.dir, "testdata", "hammer.ts"), folder, String(front)], { stdout: "pipe", stderr: "inherit" }),
  )
  const totals: number[] = []
  for (const child of children) {
    const counted = JSON.parse(await new Response(child.stdout).text()) as number[]
    counted.forEach((n, i) => (totals[i] = (totals[i] ?? 0) + n))
  }
  expect(totals).toHaveLength(200)
  expect(totals.filter(n => n !== 50)).toEqual([])
  rmSync(folder, { recursive: true })
}, 30_000)
