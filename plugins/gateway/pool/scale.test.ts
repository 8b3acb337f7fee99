import { expect, test } from "bun:test"
import type { Load, Sample } from "./scale.ts"
import { autoscale, noLoad, sampleMs } from "./scale.ts"

/** Feeds samples and lets the pool follow at once; returns the targets over time. */
function run(seconds: number, at: (ms: number, target: number) => Partial<Sample>, from = { target: 2, load: noLoad }) {
  let { target, load }: { target: number; load: Load } = from
  const targets: number[] = []
  for (let nowMs = 1; nowMs < seconds * 1000; nowMs += sampleMs) {
    const sample = { nowMs, min: 1, max: 8, target, ready: target, busy: 0, slots: 1, queued: 0, refused: 0, ...at(nowMs, target) }
    ;({ target, load } = autoscale(load, sample))
    targets.push(target)
  }
  return { target, load, targets }
}

test("requests that wait bring more workers within a second, up to max", () => {
  expect(run(1, (_, target) => ({ busy: target, queued: 20 })).target).toBeGreaterThan(4)
  expect(run(5, (_, target) => ({ busy: target, queued: 20 })).target).toBe(8)
})

test("one sample with a queue is a burst and brings none", () => {
  expect(run(2, ms => ({ queued: ms === 1 ? 5 : 0 })).target).toBe(2)
})

test("busy workers without a queue bring one more at a time", () => {
  const { targets } = run(5, (_, target) => ({ busy: target }))
  expect(targets.at(-1)!).toBeGreaterThan(2)
  for (let i = 1; i < targets.length; i++) expect(targets[i]! - targets[i - 1]!).toBeLessThanOrEqual(1)
})

test("none is started while others are on their way", () => {
  expect(run(5, (_, target) => ({ busy: 2, queued: 9, ready: Math.min(2, target) })).target).toBeLessThanOrEqual(4)
})

test("a calm lets them go one by one, each after half a minute, not below min", () => {
  const { targets } = run(200, () => ({}), { target: 4, load: noLoad })
  expect(targets.filter(t => t === 4).length).toBeGreaterThanOrEqual(119)
  expect(targets.at(-1)).toBe(1)
  for (let i = 1; i < targets.length; i++) expect(targets[i - 1]! - targets[i]!).toBeLessThanOrEqual(1)
})

test("a load between the marks moves nothing: no flapping", () => {
  const { targets } = run(300, () => ({ ready: 4, busy: 2.4 }), { target: 4, load: noLoad })
  expect(new Set(targets)).toEqual(new Set([4]))
})

test("a calm that is broken begins again", () => {
  const { targets } = run(120, ms => ({ queued: ms % 20_000 < sampleMs ? 1 : 0 }), { target: 4, load: noLoad })
  expect(new Set(targets)).toEqual(new Set([4]))
})

test("to zero when idle, and back with the first request", () => {
  const idle = run(100, () => ({ min: 0 }), { target: 1, load: noLoad })
  expect(idle.target).toBe(0)
  const woken = autoscale(idle.load, { nowMs: 1, min: 0, max: 2, target: 0, ready: 0, busy: 0, slots: 1, queued: 1, refused: 0 })
  expect(woken.target).toBe(1)
})
