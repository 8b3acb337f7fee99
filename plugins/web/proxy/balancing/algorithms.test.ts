import { describe, expect, test } from "bun:test"
import type { Exchange, Upstream } from "edge"
import { picks } from "./algorithms.ts"

type Fake = Upstream & { active: number }
const fake = (id: string, weight = 1): Fake => ({ id, weight, active: 0, down: false, send: () => Promise.reject(new Error("no")) })
const from = (ip: string) => ({ ip }) as Exchange
const x = from("192.0.2.1")
const run = (name: string, upstreams: Upstream[], n: number) => {
  const pick = picks[name]!()
  return Array.from({ length: n }, () => pick(upstreams, x)!.id).join("")
}

describe("round_robin", () => {
  test("in turn", () => expect(run("round_robin", [fake("a"), fake("b"), fake("c")], 7)).toBe("abcabca"))
  test("smooth by weight", () => expect(run("round_robin", [fake("a", 5), fake("b"), fake("c")], 7)).toBe("aabacaa"))
  test("fair after one has gone", () => {
    const pick = picks.round_robin!()
    const [a, b, c] = [fake("a", 2), fake("b"), fake("c")]
    for (let i = 0; i < 10; i++) pick([a, b, c], x)
    const after = Array.from({ length: 30 }, () => pick([a, b], x)!.id).filter(id => id === "a").length
    expect(after).toBeGreaterThanOrEqual(19)
    expect(after).toBeLessThanOrEqual(21)
  })
})

describe("least_conn", () => {
  test("the idle ones in turn", () => expect(run("least_conn", [fake("a"), fake("b"), fake("c")], 6)).toBe("abcabc"))
  test("busy for its weight", () => {
    const [a, b] = [fake("a", 3), fake("b", 1)]
    a.active = 5
    b.active = 2
    expect(run("least_conn", [a, b], 3)).toBe("aaa")
    a.active = 7
    expect(run("least_conn", [a, b], 3)).toBe("bbb")
  })
})

describe("random", () => {
  test("never the busier of two", () => {
    const [a, b] = [fake("a"), fake("b")]
    a.active = 1
    expect(run("random", [a, b], 50)).toBe("b".repeat(50))
  })
  test("each gets its share", () => {
    const seen = new Set(run("random", [fake("a"), fake("b"), fake("c")], 200))
    expect(seen.size).toBe(3)
  })
})

describe("ip_hash", () => {
  const set = ["a", "b", "c", "d"].map(id => fake(id))
  const addresses = Array.from({ length: 400 }, (_, i) => `10.${i % 20}.${i}.9`)
  test("stays, and moves only those of the one that went", () => {
    const pick = picks.ip_hash!()
    const before = addresses.map(ip => pick(set, from(ip))!.id)
    expect(addresses.map(ip => pick(set, from(ip))!.id)).toEqual(before)
    const left = set.filter(one => one.id !== "c")
    addresses.forEach((ip, i) => {
      if (before[i] !== "c") expect(pick(left, from(ip))!.id).toBe(before[i]!)
    })
    for (const id of "abcd") expect(before.filter(one => one === id).length).toBeGreaterThan(60)
  })
  test("neighbours of one network stay together", () => {
    const pick = picks.ip_hash!()
    expect(pick(set, from("198.51.100.7"))).toBe(pick(set, from("198.51.100.200"))!)
    expect(pick(set, from("2001:db8:1:2:3:4:5:6"))).toBe(pick(set, from("2001:db8:1:2::9"))!)
  })
  test("by weight", () => {
    const pick = picks.ip_hash!()
    const heavy = [fake("a", 3), fake("b", 1)]
    const share = addresses.filter(ip => pick(heavy, from(ip))!.id === "a").length / addresses.length
    expect(share).toBeGreaterThan(0.65)
    expect(share).toBeLessThan(0.85)
  })
})
