import { expect, test } from "bun:test"
import { Clock } from "./clock.ts"
import type { Timed } from "./clock.ts"

function entry(inMs: number, again?: number): Timed & { met: number } {
  const one = {
    deadline: performance.now() + inMs,
    dueTick: -1,
    met: 0,
    onDeadline() {
      one.met++
      one.deadline = again === undefined ? Infinity : performance.now() + again
    },
  }
  return one
}

test("deadlines are met in order, also when they are moved, and not before their time", async () => {
  const clock = new Clock()
  const soon = entry(100)
  const sooner = entry(60_000)
  const later = entry(100)
  const never = entry(100)
  const gone = entry(100)
  const again = entry(100, 100)
  for (const one of [soon, sooner, later, never, gone, again]) clock.watch(one)
  sooner.deadline = performance.now() + 100
  clock.watch(sooner)
  later.deadline = performance.now() + 60_000
  never.deadline = Infinity
  clock.forget(gone)
  while (soon.met === 0 || sooner.met === 0 || again.met < 2) await Bun.sleep(20)
  expect([later.met, never.met, gone.met]).toEqual([0, 0, 0])
  clock.forget(later)
  clock.forget(again)
})

test("the date is an IMF-fixdate of now, with and without entries", () => {
  const clock = new Clock()
  const check = () => {
    expect(clock.date).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
    expect(Math.abs(Date.parse(clock.date) - Date.now())).toBeLessThan(2000)
    expect(clock.sec).toBe(Date.parse(clock.date) / 1000)
  }
  check()
  const one = entry(60_000)
  clock.watch(one)
  check()
  clock.forget(one)
})
