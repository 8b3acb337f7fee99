import { describe, expect, test } from "bun:test"
import { definePlugin, type Handler, Reply } from "edge"
import * as v from "valibot"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask } from "../../../test/kit/exchange.ts"
import { atPoint } from "./choose.ts"
import plugin from "./plugin.ts"

const say = definePlugin({ name: "say", kind: "handler", config: v.string(), setup: word => ({ part: x => Reply.text(200, `${word} ${x.headers.get("x-variant")}`) }) })
const context = () => new TestContext({ plugins: [say as never] })
async function split(options: object): Promise<Handler> {
  return setUp(plugin, options, context())
}
const groups = (a: number, b: number) => [
  { name: "a", weight: a, say: "A" },
  { name: "b", weight: b, say: "B" },
]
const who = async (handler: Handler, headers: Record<string, string> = {}, peer = "192.0.2.1") => (await ask(handler, "/", { headers, conn: { peer } })).text[0]!

test("the weights laid end to end", () => {
  const arms = [{ name: "a", weight: 3 }, { name: "b", weight: 1 }, { name: "c", weight: 0 }]
  expect([0, 0.7, 0.75, 0.999_999].map(point => atPoint(arms, point).name)).toEqual(["a", "a", "b", "b"])
})

test("each gets about its share by chance", async () => {
  const handler = await split({ groups: groups(1, 3) })
  const seen = await Promise.all(Array.from({ length: 2000 }, () => who(handler)))
  const b = seen.filter(one => one === "B").length
  // Six standard deviations: fails by chance once in a billion.
  expect(Math.abs(b - 1500)).toBeLessThan(120)
})

test("by address or by a field: the same client, the same group; addresses spread", async () => {
  for (const by of ["ip", "header:X-User"]) {
    const handler = await split({ groups: groups(1, 1), by })
    const ask400 = () => Promise.all(Array.from({ length: 400 }, (_, i) => who(handler, { "X-User": `u${i}` }, `10.0.${i >> 8}.${i & 255}`)))
    const first = await ask400()
    expect(await ask400()).toEqual(first)
    expect(first.filter(one => one === "A").length).toBeGreaterThan(120)
    expect(first.filter(one => one === "B").length).toBeGreaterThan(120)
  }
})

describe("a cookie", () => {
  test("is set once, kept, and of no use for a group that is emptied", async () => {
    const handler = await split({ groups: groups(1, 1), cookie: { name: "ab", max_age: "1h" } })
    const first = await ask(handler, "/")
    const name = first.text[0]!.toLowerCase()
    expect(first.headers.get("set-cookie")).toBe(`ab=${name}; Path=/; SameSite=Lax; HttpOnly; Max-Age=3600`)
    for (let i = 0; i < 20; i++) {
      const again = await ask(handler, "/", { headers: { Cookie: `x=1; ab=${name}` } })
      expect([again.text[0]!.toLowerCase(), again.headers.get("set-cookie")]).toEqual([name, null])
    }
    const other = await ask(await split({ groups: groups(1, 0), cookie: "ab" }), "/", { headers: { Cookie: "ab=b" } })
    expect([other.text[0], other.headers.get("set-cookie")]).toEqual(["A", "ab=a; Path=/; SameSite=Lax; HttpOnly"])
    expect(await who(await split({ groups: groups(1, 0), cookie: "ab" }), { Cookie: "ab=zzz" })).toBe("A")
  })
  test("is Secure over TLS", async () => {
    const got = await ask(await split({ groups: groups(1, 1), cookie: "ab" }), "/", { conn: { secure: true } })
    expect(got.headers.get("set-cookie")).toContain("; Secure")
  })
})

test("a field may ask for a group, also for one without weight; the handler is told", async () => {
  const handler = await split({ groups: groups(1, 0), header: "X-Canary", tell: "X-Variant" })
  expect((await ask(handler, "/", { headers: { "X-Canary": "b", "X-Variant": "forged" } })).text).toBe("B b")
  expect((await ask(handler, "/", { headers: { "X-Canary": "none" } })).text).toBe("A a")
})

test.each([
  [{ groups: [{ name: "a", say: "A" }] }, "two groups"],
  [{ groups: [...groups(1, 1), { name: "a", say: "C" }] }, 'two groups are named "a"'],
  [{ groups: groups(0, 0) }, "needs a weight"],
  [{ groups: [{ name: "a", say: "A" }, { name: "b" }] }, "needs a handler"],
  [{ groups: [{ name: "a", say: "A" }, { name: "b", sya: "B" }] }, "sya"],
])("%j is refused", async (options, why) => {
  await expect(split(options)).rejects.toThrow(why)
})
