import { afterAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SlotClaims } from "../../src/slots/claims.ts"
import { SlotKeeper } from "../../src/slots/keeper.ts"
import { createPage, maxPrefetch, openPage } from "../../src/slots/page.ts"

const folder = mkdtempSync(join(tmpdir(), "edge-slots-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let pages = 0

function setUp(size: { workers: number; capacity: number }) {
  const file = join(folder, `page${++pages}`)
  const page = createPage(file, size)
  const keeper = new SlotKeeper(page)
  for (let w = 0; w < size.workers; w++) keeper.open(w, { serial: w + 1, capacity: size.capacity, blocking: false })
  const front = (n: number) => {
    const claims = new SlotClaims(openPage(file), n)
    for (let w = 0; w < size.workers; w++) claims.connected(w, w + 1)
    return claims
  }
  return { file, keeper, front }
}

describe("claims of one front", () => {
  test("the least used worker, in turn among equals", () => {
    const { front } = setUp({ workers: 3, capacity: 2 })
    const claims = front(0)
    const first = [1, 2, 3, 4, 5, 6].map(() => claims.workerOf(claims.claim()))
    expect(first.slice(0, 3).toSorted()).toEqual([0, 1, 2])
    expect(first.slice(3).toSorted()).toEqual([0, 1, 2])
    expect(claims.claim()).toBe(-1)
  })
  test("a freed slot is the next one claimed, and is freed once only", () => {
    const { front, keeper } = setUp({ workers: 2, capacity: 1 })
    const claims = front(3)
    const ticket = claims.claim()
    claims.claim()
    const serial = claims.workerOf(ticket) + 1
    expect(claims.free(ticket, serial)).toBe(true)
    expect(claims.free(ticket, serial)).toBe(false)
    expect(claims.claim()).toBe(ticket)
    expect(keeper.served(claims.workerOf(ticket))).toBe(1)
  })
  test("a worker that is closed, lost or not connected is never claimed", () => {
    const { front, keeper } = setUp({ workers: 3, capacity: 4 })
    const claims = front(0)
    keeper.close(0)
    claims.lost(1)
    for (let i = 0; i < 4; i++) expect(claims.workerOf(claims.claim())).toBe(2)
    expect(claims.claim()).toBe(-1)
    expect(keeper.busy(2)).toBe(4)
    expect(keeper.busy(0)).toBe(0)
  })
  test("a late free by a worker's former serial does not free its successor's slot", () => {
    const { front, keeper } = setUp({ workers: 1, capacity: 1 })
    const [a, b] = [front(0), front(1)]
    const old = a.claim()
    keeper.sweepWorker(0)
    keeper.open(0, { serial: 9, capacity: 1, blocking: false })
    b.connected(0, 9)
    const ticket = b.claim()
    expect(ticket).toBe(old)
    expect(a.free(old, 1)).toBe(false)
    expect(keeper.busy(0)).toBe(1)
    expect(b.free(ticket, 9)).toBe(true)
  })
  test("settled: every living front is connected, a dead one is not waited for", () => {
    const { front, keeper, file } = setUp({ workers: 1, capacity: 1 })
    front(0)
    expect(keeper.settled(0)).toBe(true)
    const other = new SlotClaims(openPage(file), 40)
    expect(keeper.settled(0)).toBe(false)
    keeper.markFrontDead(40)
    expect(keeper.settled(0)).toBe(true)
    other.connected(0, 1)
  })
  test("a dead front's slots are told from those of the next front of that number", () => {
    const { front, keeper } = setUp({ workers: 1, capacity: 4 })
    const dead = front(5)
    dead.claim()
    dead.claim()
    const ghost = keeper.markFrontDead(5)
    const next = front(5)
    next.claim()
    expect(keeper.heldBy(ghost, 0)).toEqual([0, 1])
    expect(keeper.sweepFront(ghost, 0, 1)).toBe(1)
    expect(keeper.sweepFront(ghost, 0)).toBe(1)
    expect(keeper.sweepFront(ghost, 0)).toBe(0)
    expect(keeper.busy(0)).toBe(1)
  })
  test("the oldest of another front is seen", () => {
    const { front, keeper } = setUp({ workers: 1, capacity: 1 })
    const [a, b] = [front(0), front(1)]
    a.oldest = 1000
    expect(b.othersWaitLonger(1030, 20)).toBe(true)
    expect(b.othersWaitLonger(1015, 20)).toBe(false)
    expect(a.othersWaitLonger(5000, 20)).toBe(false)
    keeper.markFrontDead(0)
    expect(b.othersWaitLonger(1030, 20)).toBe(false)
  })
  test("WebSockets are counted per worker and forgotten with their front", () => {
    const { front, keeper } = setUp({ workers: 2, capacity: 1 })
    const [a, b] = [front(0), front(1)]
    a.tunnel({ index: 1, serial: 2 }, 1)
    b.tunnel({ index: 1, serial: 2 }, 1)
    a.tunnel({ index: 1, serial: 7 }, 1)
    expect([keeper.tunnels(0), keeper.tunnels(1)]).toEqual([0, 2])
    keeper.markFrontDead(0)
    expect(keeper.tunnels(1)).toBe(1)
  })
  test("a file that is no page is refused", () => {
    const file = join(folder, "other")
    writeFileSync(file, Buffer.alloc(8192, 7))
    expect(() => openPage(file)).toThrow("is not a page")
  })
})

describe("several processes", () => {
  interface Said {
    claimed: number
    full: number
    doubles: number
    late: number
    refused: number
    tooMany: number
  }

  async function hammer(o: { file: string; check: string; front: number; rounds: number }) {
    const argv = [process.execPath, join(import.meta.dir, "hammer.ts"), o.file, o.check, String(o.front), String(o.rounds)]
    const child = Bun.spawn(argv, { stdout: "pipe", stderr: "inherit" })
    const reader = child.stdout.getReader()
    let text = ""
    while (!text.includes("ready")) {
      const { value, done } = await reader.read()
      if (done) throw new Error(`hammer ended: ${text}`)
      text += new TextDecoder().decode(value)
    }
    const said = (async (): Promise<Said | undefined> => {
      for (;;) {
        const { value, done } = await reader.read()
        if (done) break
        text += new TextDecoder().decode(value)
      }
      const line = text.split("\n").find(l => l.startsWith("{"))
      return line === undefined ? undefined : (JSON.parse(line) as Said)
    })()
    return { child, said }
  }

  function checkPage(workers: number, capacity: number): { check: string; words: Int32Array } {
    const check = join(folder, `check${++pages}`)
    writeFileSync(check, Buffer.alloc(4 * (workers * (capacity + maxPrefetch) + workers + 1)))
    const bytes = Bun.mmap(check, { shared: true })
    return { check, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2) }
  }

  for (const [workers, capacity] of [[4, 1], [2, 4]] as const) {
    test(`${workers} workers of ${capacity}: no slot has two owners, the queue keeps its bound, all is free at the end`, async () => {
      const { file, keeper } = setUp({ workers, capacity })
      const { check } = checkPage(workers, capacity)
      const rounds = 150_000
      const fronts = await Promise.all([0, 1, 33, 63].map(front => hammer({ file, check, front, rounds })))
      const said = await Promise.all(fronts.map(f => f.said))
      for (const one of said) expect(one).toMatchObject({ doubles: 0, tooMany: 0, late: 0 })
      // it was really contended
      expect(said.reduce((n, one) => n + one!.full, 0)).toBeGreaterThan(0)
      let served = 0
      for (let w = 0; w < workers; w++) {
        expect(keeper.busy(w)).toBe(0)
        served += keeper.served(w)
      }
      expect(served).toBe(said.reduce((n, one) => n + one!.claimed, 0))
      expect(keeper.queued()).toBe(0)
    })
  }

  test("fronts killed with -9 in the middle: exactly what they held is cleaned, the others go on undisturbed", async () => {
    const { file, keeper, front } = setUp({ workers: 3, capacity: 2 })
    const { check, words } = checkPage(3, 2)
    const steady = await Promise.all([0, 1].map(n => hammer({ file, check, front: n, rounds: 4_000_000 })))
    for (let round = 0; round < 6; round++) {
      const victim = await hammer({ file, check, front: 2, rounds: 1e9 })
      await Bun.sleep(5 + 7 * round)
      victim.child.kill("SIGKILL")
      await victim.child.exited
      const ghost = keeper.markFrontDead(2)
      for (let w = 0; w < 3; w++) {
        // what the victim marked on the check page goes with it; nobody else can hold these slots
        for (const slot of keeper.heldBy(ghost, w)) Atomics.store(words, w * (2 + maxPrefetch) + slot, 0)
        keeper.sweepFront(ghost, w)
        expect(keeper.heldBy(ghost, w)).toEqual([])
      }
    }
    const said = await Promise.all(steady.map(s => s.said))
    for (const one of said) expect(one).toMatchObject({ doubles: 0, tooMany: 0 })
    for (let w = 0; w < 3; w++) expect(keeper.busy(w)).toBe(0)
    expect(keeper.queued()).toBe(0)
    const claims = front(7)
    for (let i = 0; i < 6; i++) expect(claims.claim()).toBeGreaterThanOrEqual(0)
    expect(claims.claim()).toBe(-1)
  })

  test("a worker that is closed and seen idle is never claimed again", async () => {
    const { file, keeper } = setUp({ workers: 4, capacity: 1 })
    const { check, words } = checkPage(4, 1)
    const fronts = await Promise.all([0, 1, 2].map(n => hammer({ file, check, front: n, rounds: 300_000 })))
    for (let w = 0; w < 3; w++) {
      await Bun.sleep(20)
      keeper.close(w)
      while (keeper.busy(w) > 0) await Bun.sleep(0)
      Atomics.store(words, 4 * (1 + maxPrefetch) + w, 1)
    }
    const said = await Promise.all(fronts.map(f => f.said))
    for (const one of said) expect(one).toMatchObject({ doubles: 0, late: 0 })
  })
})
