import { describe, expect, test } from "bun:test"
import type { PoolView, WorkerView } from "./plan.ts"
import { backoffMs, plan, whyReplace } from "./plan.ts"

function worker(index: number, change: Partial<WorkerView> = {}): WorkerView {
  return {
    index,
    serial: index + 1,
    version: 1,
    phase: "ready",
    sinceMs: 0,
    readyMs: 0,
    settled: true,
    busy: 0,
    stuck: 0,
    served: 0,
    servedMost: 0,
    memory: 1,
    tunnels: 0,
    killed: false,
    ...change,
  }
}

function pool(change: Partial<PoolView> = {}): PoolView {
  return {
    nowMs: 1000,
    target: 2,
    version: 1,
    workers: [worker(0), worker(1)],
    indexes: 6,
    notBeforeMs: 0,
    failures: 0,
    limits: { maxMemory: 0, lifetimeMs: 0, drainMs: 30_000, tunnelMs: 3_600_000, exitMs: 10_000 },
    stopping: false,
    ...change,
  }
}

/** "spawn 2", "drain 0: lifetime": what the plan says, in short. */
function told(view: PoolView): string[] {
  return plan(view).actions.map(a => ("why" in a ? `${a.do} ${a.index}: ${a.why}` : `${a.do} ${a.index}`))
}

describe("keeping the number", () => {
  test("nothing to do when all is well", () => {
    expect(plan(pool())).toEqual({ actions: [], waitMs: 1000 })
  })
  test("an empty pool starts all at once", () => {
    expect(told(pool({ workers: [], target: 3 }))).toEqual(["spawn 0", "spawn 1", "spawn 2"])
  })
  test("a dead worker's place is filled, at an index that nobody has", () => {
    expect(told(pool({ workers: [worker(1)] }))).toEqual(["spawn 0"])
    expect(told(pool({ workers: [worker(1), worker(0, { phase: "stopping", sinceMs: 1000 })] }))).toEqual(["spawn 2"])
  })
  test("a worker that starts counts already", () => {
    expect(told(pool({ workers: [worker(0), worker(1, { phase: "starting" })] }))).toEqual([])
  })
  test("more are started when the target grows", () => {
    expect(told(pool({ target: 4 }))).toEqual(["spawn 2", "spawn 3"])
  })
  test("the newest leave when it shrinks", () => {
    expect(told(pool({ target: 1 }))).toEqual(["drain 1: fewer workers"])
    expect(told(pool({ target: 0 }))).toEqual(["drain 1: fewer workers", "drain 0: fewer workers"])
  })
  test("no index is left: nothing is started", () => {
    const workers = [0, 1, 2, 3].map(i => worker(i, { phase: "draining", busy: 1, sinceMs: 1000 }))
    expect(told(pool({ workers, indexes: 4 }))).toEqual([])
  })
})

describe("backoff", () => {
  test("nothing starts before its time, and the plan says when to look", () => {
    expect(plan(pool({ workers: [worker(0)], notBeforeMs: 1400, failures: 3 }))).toEqual({ actions: [], waitMs: 400 })
  })
  test("after a failure they start one by one", () => {
    expect(told(pool({ workers: [], target: 3, failures: 2 }))).toEqual(["spawn 0"])
    expect(told(pool({ workers: [worker(0, { phase: "starting" })], target: 3, failures: 2 }))).toEqual([])
  })
  test("the first quick end is made good at once, then the wait doubles up to its limit", () => {
    const restart = { delay: 100, max_delay: 30_000 }
    expect([0, 1, 2, 3, 4, 5, 12, 1000].map(n => backoffMs(n, restart))).toEqual([
      0, 0, 100, 200, 400, 800, 30_000, 30_000,
    ])
  })
})

describe("replacing", () => {
  test("every reason", () => {
    const limits = { ...pool().limits, maxMemory: 100, lifetimeMs: 500 }
    const view = pool({ limits, nowMs: 1000 })
    expect(whyReplace(worker(0, { readyMs: 600 }), view)).toBeUndefined()
    expect(whyReplace(worker(0, { readyMs: 500 }), view)).toBe("lifetime")
    expect(whyReplace(worker(0, { readyMs: 600, memory: 101 }), view)).toBe("max_memory")
    expect(whyReplace(worker(0, { readyMs: 600, served: 10, servedMost: 10 }), view)).toBe("max_requests")
    expect(whyReplace(worker(0, { readyMs: 600, served: 9, servedMost: 10 }), view)).toBeUndefined()
    expect(whyReplace(worker(0, { readyMs: 600, version: 2 }), view)).toBe("new version")
  })
  test("the new one starts first, and one at a time", () => {
    const old = [worker(0, { version: 0 }), worker(1, { version: 0 })]
    expect(told(pool({ workers: old }))).toEqual(["spawn 2"])
    expect(told(pool({ workers: [...old, worker(2, { phase: "starting" })] }))).toEqual([])
  })
  test("the old one leaves when every front is connected to the new one, not before", () => {
    const old = [worker(0, { version: 0 }), worker(1, { version: 0 })]
    expect(told(pool({ workers: [...old, worker(2, { settled: false })] }))).toEqual([])
    expect(plan(pool({ workers: [...old, worker(2, { settled: false })] })).waitMs).toBe(20)
    expect(told(pool({ workers: [...old, worker(2)] }))).toEqual(["drain 0: new version"])
  })
  test("then the next, while the first still ends its requests", () => {
    const workers = [worker(0, { version: 0, phase: "draining", busy: 1 }), worker(1, { version: 0 }), worker(2)]
    expect(told(pool({ workers }))).toEqual(["spawn 3"])
  })
  test("one that is worn keeps answering while its replacement cannot start", () => {
    const workers = [worker(0, { served: 5, servedMost: 5 }), worker(1)]
    expect(told(pool({ workers, notBeforeMs: 5000, failures: 4 }))).toEqual([])
  })
})

describe("leaving", () => {
  test("it is asked to exit when its last request ended", () => {
    expect(told(pool({ workers: [worker(0), worker(1), worker(2, { phase: "draining", busy: 2 })] }))).toEqual([])
    expect(plan(pool({ workers: [worker(0), worker(1), worker(2, { phase: "draining" })] })).actions).toEqual([
      { do: "finish", index: 2, force: false },
    ])
  })
  test("requests have drainMs, WebSockets tunnelMs", () => {
    const at = (nowMs: number, change: Partial<WorkerView>) =>
      plan(pool({ nowMs, workers: [worker(0), worker(1), worker(2, { phase: "draining", ...change })] })).actions
    expect(at(29_999, { busy: 1 })).toEqual([])
    expect(at(30_000, { busy: 1 })).toEqual([{ do: "finish", index: 2, force: true }])
    expect(at(30_000, { tunnels: 1 })).toEqual([])
    expect(at(3_600_000, { tunnels: 1 })).toEqual([{ do: "finish", index: 2, force: true }])
  })
  test("a stuck request is not waited for, the others of its worker are", () => {
    const at = (change: Partial<WorkerView>) =>
      plan(pool({ workers: [worker(0), worker(1), worker(2, { phase: "draining", stuck: 1, ...change })] })).actions
    expect(at({ busy: 2 })).toEqual([])
    expect(at({ busy: 1, tunnels: 3 })).toEqual([{ do: "finish", index: 2, force: true }])
  })
  test("one that does not exit is killed, once; a stuck one sooner", () => {
    const at = (nowMs: number, change: Partial<WorkerView>) =>
      told(pool({ nowMs, workers: [worker(0), worker(1), worker(2, { phase: "stopping", ...change })] }))
    expect(at(9_999, {})).toEqual([])
    expect(at(10_000, {})).toEqual(["kill 2: did not exit"])
    expect(at(1000, { stuck: 1 })).toEqual(["kill 2: stuck"])
    expect(at(99_999, { killed: true })).toEqual([])
  })
})

test("stopping: all leave, none starts", () => {
  const workers = [worker(0), worker(1, { phase: "starting" }), worker(2, { phase: "draining", busy: 1 })]
  expect(told(pool({ workers, stopping: true, target: 5 }))).toEqual(["drain 0: stop"])
})

test("any history of crashes, scaling and rolls ends in the target, never below it while workers are only worn", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = mulberry(seed)
    const target = 1 + Math.floor(random() * 4)
    let serial = 0
    let workers: WorkerView[] = []
    let version = 1
    let nowMs = 0
    for (let step = 0; step < 60; step++) {
      const calm = step > 30
      if (!calm && random() < 0.1) version++
      if (!calm && random() < 0.1) workers = workers.filter(() => random() < 0.8)
      const before = workers.filter(w => w.phase === "ready").length
      const { actions } = plan(pool({ nowMs, target, version, workers, indexes: 2 * target + 2 }))
      for (const action of actions) {
        if (action.do === "spawn") workers.push(worker(action.index, { phase: "starting", serial: ++serial, version, sinceMs: nowMs }))
        else {
          const to = action.do === "drain" ? "draining" : "stopping"
          workers = workers.map(w => (w.index === action.index ? { ...w, phase: to, sinceMs: nowMs } : w))
        }
      }
      expect(new Set(workers.map(w => w.index)).size).toBe(workers.length)
      const after = workers.filter(w => w.phase === "ready").length
      if (after < before) expect(after).toBeGreaterThanOrEqual(target)
      // what was asked for happens
      workers = workers.filter(w => w.phase !== "stopping").map(w => (w.phase === "starting" ? { ...w, phase: "ready" } : w))
      nowMs += 100
    }
    expect(workers.map(w => `${w.phase} ${w.version}`)).toEqual(Array.from({ length: target }, () => `ready ${version}`))
  }
})

/** A small seeded generator, so that a failure can be seen again. */
function mulberry(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
