import { expect, test } from "bun:test"
import { Lock } from "./lock.ts"

test("one at a time, in the order of asking, whatever fails", async () => {
  const lock = new Lock()
  const seen: string[] = []
  const one = (name: string, fails = false) =>
    lock.run(async () => {
      seen.push(`${name} in`)
      await Bun.sleep(1)
      seen.push(`${name} out`)
      if (fails) throw new Error(name)
    })
  expect((await Promise.allSettled([one("a"), one("b", true), one("c")])).map(each => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect(seen).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"])
})

test("who waits for one holder too long is told; a long queue of quick ones is no fault", async () => {
  const lock = new Lock({ ms: 150, error: () => new Error("stuck") })
  // A holder that waits for whom it keeps waiting.
  const told = lock.run(() => lock.run(async () => "in"))
  await expect(told).rejects.toThrow("stuck")
  // The lock is free again.
  expect(await lock.run(async () => "in")).toBe("in")
  const many = Array.from({ length: 100 }, (_, i) => lock.run(async () => { await Bun.sleep(3); return i }))
  expect(await Promise.all(many)).toHaveLength(100)
})
