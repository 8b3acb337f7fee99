import { expect, test } from "bun:test"
import { type Handler, HttpError, PASS, Reply } from "edge"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask, exchange, type ExchangeOptions, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

const ok: Handler = () => Reply.text(200, "ok")

async function around(options: unknown, ctx = noStore()): Promise<Handler> {
  return (await setUp(plugin as never, options, ctx) as (next: Handler) => Handler)(ok)
}

function noStore(): TestContext {
  return new TestContext({ store: { reach: "machine" } as never })
}

/** Statuses of these requests, one after the other. */
async function statuses(handler: Handler, requests: readonly ExchangeOptions[]): Promise<number[]> {
  const found: number[] = []
  for (const request of requests) {
    try {
      found.push((await seen(handler, exchange("/", request)))!.status)
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      found.push(error.status)
    }
  }
  return found
}

const from = (peer: string, headers: Record<string, string> = {}): ExchangeOptions => ({ conn: { peer }, headers })

test("by address; an IPv6 client is its /64, a mapped IPv4 address is itself", async () => {
  const handler = await around("1/1d")
  expect(await statuses(handler, [from("192.0.2.1"), from("192.0.2.1"), from("192.0.2.2"), from("::ffff:192.0.2.2")])).toEqual([200, 429, 200, 429])
  expect(await statuses(handler, [from("2001:db8::1"), from("2001:db8::ffff:1"), from("2001:db8:0:1::1")])).toEqual([200, 429, 200])
  const narrow = await around({ rate: "1/1d", ipv6_prefix: 60 })
  expect(await statuses(narrow, [from("2001:db8::1"), from("2001:db8:0:f::1"), from("2001:db8:0:10::1")])).toEqual([200, 429, 200])
})

test("by header, cookie, user; without one by address", async () => {
  const header = await around({ rate: "1/1d", key: "header:X-Api-Key" })
  expect(await statuses(header, [from("a", { "X-Api-Key": "1" }), from("b", { "X-Api-Key": "1" }), from("a", { "X-Api-Key": "2" }), from("a"), from("a"), from("b")])).toEqual([200, 429, 200, 200, 429, 200])
  const cookie = await around({ rate: "1/1d", key: "cookie:sid" })
  expect(await statuses(cookie, [from("a", { Cookie: "x=1; sid=s" }), from("b", { Cookie: "sid=s; y=2" }), from("b", { Cookie: "xsid=s" })])).toEqual([200, 429, 200])
  const user = await around({ rate: "1/1d", key: "user" })
  const signedIn = (name: string) => {
    const x = exchange("/", from("a"))
    x.vars = new Map([["user", name]])
    return x
  }
  expect((await seen(user, signedIn("ann")))!.status).toBe(200)
  expect(() => user(signedIn("ann"))).toThrow("rate limit")
  expect((await seen(user, signedIn("bob")))!.status).toBe(200)
})

test("long values are told apart, and do not fill the tables", async () => {
  const handler = await around({ rate: "1/1d", key: "header:A" })
  const long = "x".repeat(10_000)
  expect(await statuses(handler, [from("a", { A: `${long}1` }), from("a", { A: `${long}2` }), from("a", { A: `${long}1` })])).toEqual([200, 200, 429])
})

test("a list of keys counts each combination; no value poses as two", async () => {
  const handler = await around({ rate: "1/1d", key: ["header:A", "header:B"] })
  const both = (a: string, b: string) => from("x", { A: a, B: b })
  expect(await statuses(handler, [both("1", "2"), both("1", "2"), both("12", ""), both("1", "21:"), both("2", "1")])).toEqual([200, 429, 200, 200, 200])
  const route = await around({ rate: "2/1d", key: "route" })
  expect(await statuses(route, [from("a"), from("b"), from("c")])).toEqual([200, 200, 429])
})

test("what the client is told", async () => {
  const handler = await around({ rate: "2/1h", name: "api" })
  const first = await ask(handler, "/")
  expect(first.headers.get("ratelimit-policy")).toBe('"api";q=2;w=3600')
  expect(first.headers.get("ratelimit")).toMatch(/^"api";r=1;t=\d+$/)
  await ask(handler, "/")
  const error = await ask(handler, "/").catch((e: unknown) => e as HttpError)
  const headers = new Map((error as HttpError).options.headers)
  expect(Number(headers.get("Retry-After"))).toBeGreaterThan(0)
  expect(headers.get("RateLimit")).toMatch(/^"api";r=0;t=\d+$/)
  const quiet = await around({ rate: "1/1h", headers: "refused" })
  expect((await ask(quiet, "/")).headers.size).toBe(1)
  const mute = await around({ rate: "1/1h", headers: "never", status: 503 })
  expect((await ask(mute, "/")).headers.size).toBe(1)
  const refused = (await ask(mute, "/").catch((e: unknown) => e)) as HttpError
  expect([refused.status, refused.options.headers?.map(([name]) => name)]).toEqual([503, ["Retry-After"]])
})

test("several rules: all must let it in, and a refused request counts for none", async () => {
  const handler = await around([{ rate: "3/1d", key: "route", name: "all" }, { rate: "1/1d", name: "each" }])
  expect(await statuses(handler, [from("a"), from("a"), from("a"), from("a"), from("b"), from("c"), from("d")])).toEqual([200, 429, 429, 429, 200, 200, 429])
  const two = await ask(await around([{ rate: "9/1d", name: "x" }, { rate: "5/1s", name: "y" }]), "/")
  expect(two.headers.get("ratelimit-policy")).toBe('"x";q=9;w=86400, "y";q=5;w=1')
})

test("burst: so many at once, the rate on the average", async () => {
  const handler = await around({ rate: "1000/1d", burst: 3 })
  expect(await statuses(handler, Array.from({ length: 5 }, () => from("a")))).toEqual([200, 200, 200, 429, 429])
  const large = await around({ rate: "2/1d", burst: 4 })
  expect(await statuses(large, Array.from({ length: 5 }, () => from("a")))).toEqual([200, 200, 200, 200, 429])
})

test("exceptions are not counted; a dry run refuses nothing and says it once", async () => {
  const ctx = noStore()
  const handler = await around({ rate: "1/1d", except: ["10.0.0.0/8", "unix"], dry_run: true }, ctx)
  const peers = ["10.1.2.3", "10.1.2.3", "unix", "unix", "192.0.2.1", "192.0.2.1", "192.0.2.1"]
  expect(await statuses(handler, peers.map(peer => from(peer)))).toEqual(Array.from(peers, () => 200))
  expect(ctx.lines.map(line => [line.level, line.message])).toEqual([["warn", "rate limit reached (dry run: nothing is refused)"]])
})

test("only answers of a status count: sign-ins that failed", async () => {
  let status = 200
  const inner: Handler = () => {
    if (status === 401) throw new HttpError(401, "who are you")
    return new Reply(status)
  }
  const middleware = (await setUp(plugin as never, [{ rate: "9/1d", name: "all" }, { rate: "2/1d", count: [401, "5xx"] }], noStore())) as (next: Handler) => Handler
  const handler = middleware(inner)
  const ask = async (answer: number, peer = "a") => {
    status = answer
    return (await statuses(handler, [from(peer)]))[0]
  }
  expect([await ask(200), await ask(401), await ask(404), await ask(503), await ask(200), await ask(401)]).toEqual([200, 401, 404, 503, 429, 429])
  expect([await ask(200, "b"), await ask(401, "b")]).toEqual([200, 401])
})

test("passing goes through", async () => {
  const middleware = (await setUp(plugin as never, "9/1d", noStore())) as (next: Handler) => Handler
  expect(await seen(middleware(() => PASS), exchange("/"))).toBe(null)
})

test("rules of one name count together, and must count alike", async () => {
  const ctx = noStore()
  const one = await around({ rate: "1/1d", name: "n" }, ctx)
  const two = await around({ rate: "1/1d", name: "n" }, ctx)
  expect(await statuses(one, [from("a")])).toEqual([200])
  expect(await statuses(two, [from("a")])).toEqual([429])
  await expect(around({ rate: "2/1d", name: "n" }, ctx)).rejects.toThrow("counts differently")
})

test.each([["100"], ["0/1s"], ["5/1ms"], ["x/1s"], ["2000000/1s"], [{}], [{ rate: "1/s", key: "header" }], [{ rate: "1/s", key: [] }], [{ rate: "1/s", count: [100] }], [{ rate: "1/s", count: [] }], [{ rate: "1/s", brust: 1 }], [[]]])(
  "%p is refused",
  async options => {
    await expect(around(options)).rejects.toThrow()
  },
)

test.each([["10/s", "10", "1"], ["10r/s", "10", "1"], ["7/1m30s", "7", "90"]])("%p is understood", async (rate, q, w) => {
  expect((await ask(await around(rate), "/")).headers.get("ratelimit-policy")).toBe(`"default";q=${q};w=${w}`)
})
