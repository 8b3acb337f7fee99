import { describe, expect, test } from "bun:test"
import { HttpUpstream, parseTarget, type Logger } from "edge"
import { Health } from "./health.ts"
import { toEndpoint, type Endpoint } from "../servers/endpoint.ts"

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
function make(rules: { maxFails?: number; failMs?: number; slowMs?: number } = {}, n = 2): { health: Health; endpoints: Endpoint[] } {
  const health = new Health({ rules: { maxFails: 3, failMs: 10_000, slowMs: 0, ...rules }, log })
  const endpoints = Array.from({ length: n }, (_, i) => endpoint(`http://127.0.0.${i + 1}`))
  for (const one of endpoints) health.add(one, { fresh: false })
  return { health, endpoints }
}
function endpoint(url: string, options: { weight?: number; backup?: boolean } = {}): Endpoint {
  return toEndpoint(new HttpUpstream({ target: parseTarget(url) }), { weight: 1, backup: false, most: 0, ...options })
}
const ids = (health: Health) => health.open.map(one => one.id.at(-1)).join("")

describe("slow start", () => {
  test("one that is there from the start has its weight at once; one that comes up goes up step by step", async () => {
    const { health, endpoints } = make({ slowMs: 2000 })
    const [a, b] = endpoints as [Endpoint, Endpoint]
    expect([a.upstream.weight, b.upstream.weight]).toEqual([1, 1])
    health.probed(b, true)
    expect(ids(health)).toBe("1")
    health.probed(b, false)
    expect(ids(health)).toBe("12")
    let last = b.upstream.weight
    expect(last).toBeLessThan(0.5)
    const seen = new Set([last])
    while (last < 1) {
      await Bun.sleep(20)
      expect(ids(health)).toBe("12")
      expect(b.upstream.weight).toBeGreaterThanOrEqual(last)
      last = b.upstream.weight
      seen.add(last)
    }
    expect(a.upstream.weight).toBe(1)
    expect(seen.size).toBeGreaterThan(3)
  })
  test("so does one that is added later, and not without the option", () => {
    const { health } = make({ slowMs: 60_000 })
    const fresh = endpoint("http://127.0.0.9", { weight: 10 })
    health.add(fresh, { fresh: true })
    expect(fresh.upstream.weight).toBe(0.5)
    const other = make()
    const quick = endpoint("http://127.0.0.9", { weight: 10 })
    other.health.add(quick, { fresh: true })
    expect(quick.upstream.weight).toBe(10)
  })
})

describe("changes while it runs", () => {
  test("drained ones get nothing until they are taken back, even when all others are down", () => {
    const { health, endpoints } = make()
    health.drain(endpoints[0]!, true)
    expect(ids(health)).toBe("2")
    health.probed(endpoints[1]!, true)
    expect(ids(health)).toBe("")
    health.drain(endpoints[0]!, false)
    expect(ids(health)).toBe("1")
  })
  test("added, weighed, removed", () => {
    const { health, endpoints } = make()
    const third = endpoint("http://127.0.0.3", { backup: true })
    health.add(third, { fresh: true })
    expect(ids(health)).toBe("12")
    health.remove(endpoints[0]!)
    health.remove(endpoints[1]!)
    expect(ids(health)).toBe("3")
    health.weigh(third, 7)
    expect(third.upstream.weight).toBe(7)
    // What is no longer there is nobody's concern.
    health.failed(endpoints[0]!.upstream)
    health.answered(endpoints[0]!.upstream)
  })
})
