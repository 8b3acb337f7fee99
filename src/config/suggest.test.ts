import { describe, expect, test } from "bun:test"
import { didYouMean, distance, list, nearest } from "./suggest.ts"

describe("nearest", () => {
  const keys = ["hosts", "listen", "tls", "use", "route", "max_requests", "trusted_proxies"]
  test.each([
    ["host", "hosts"],
    ["lisetn", "listen"],
    ["maxRequests", "max_requests"],
    ["max-requests", "max_requests"],
    ["trusted_proxy", "trusted_proxies"],
    ["LISTEN", "listen"],
    ["routes", "route"],
  ])("%s is %s", (wrong, right) => {
    expect(nearest(wrong, keys)).toBe(right)
  })

  test.each(["x", "certificate", "", "h"])("%j is like none", wrong => {
    expect(nearest(wrong, keys)).toBeUndefined()
  })

  test("a beginning counts, a short one does not", () => {
    expect(nearest("warning", ["debug", "warn"])).toBe("warn")
    expect(nearest("st", ["static"])).toBeUndefined()
  })

  test("the nearest wins, not the first", () => {
    expect(nearest("heders", ["readers", "headers"])).toBe("headers")
  })
})

test.each([
  ["", "", 0],
  ["abc", "", 3],
  ["abc", "acb", 1],
  ["kitten", "sitting", 3],
  ["ca", "abc", 3],
])("distance of %j and %j is %i, both ways", (a, b, cost) => {
  expect([distance(a, b), distance(b, a)]).toEqual([cost, cost])
})

test("what is allowed is listed only when nothing is near", () => {
  expect(didYouMean("hsots", ["hosts"], { list: "allowed" })).toBe('; did you mean "hosts"?')
  expect(didYouMean("zzz", ["a", "b"], { list: "allowed" })).toBe("; allowed: a, b")
  expect(didYouMean("zzz", ["a", "b"])).toBe("")
  expect(didYouMean("zzz", [], { list: "known" })).toBe("; known: none")
  const many = Array.from({ length: 30 }, (_, i) => `k${i}`)
  expect(didYouMean("zzz", many, { list: "known" })).toEndWith("k23, ...")
})

test("list", () => {
  expect([list([]), list(["a"]), list(["a", "b"]), list(["a", "b", "c"])]).toEqual(["", "a", "a or b", "a, b or c"])
})
