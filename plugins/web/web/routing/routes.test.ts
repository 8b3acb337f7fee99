/** The tree against the plain reading of the contract: try each route in the order written. */
import { describe, expect, test } from "bun:test"
import { type Handler, HttpError, PASS, Reply } from "edge"
import { setUp, TestContext } from "../../../../test/kit/context.ts"
import { ask, exchange, seen } from "../../../../test/kit/exchange.ts"
import { definePlugin } from "edge"
import * as v from "valibot"
import { parsePattern } from "./path-pattern.ts"
import { RouteTree } from "./routes.ts"
import web from "../plugin.ts"

/** A small generator with a seed, so that a failure can be run again (Park and Miller). */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
}

interface Route {
  readonly patterns: readonly string[]
  /** Passes, at once or later, instead of answering. */
  readonly passes: "no" | "sync" | "async"
  readonly method: string | null
}

function toRegExp(pattern: string): RegExp {
  if (pattern.startsWith("*.")) return new RegExp(`/[^/]*\\${pattern.slice(1)}$`)
  const source = pattern
    .split("/")
    .map(segment => (segment.startsWith(":") ? "[^/]+" : segment === "*" ? ".*" : segment.endsWith("*") ? `${segment.slice(0, -1)}.*` : segment))
    .join("/")
  return new RegExp(`^${source}$`)
}

/** Which route answers, "slash" for the redirect, or null. */
function reference(routes: readonly Route[], path: string, method: string): number | "slash" | null {
  const allows = (route: Route) => route.method === null || route.method === method
  for (const [i, route] of routes.entries()) {
    if (route.passes === "no" && allows(route) && route.patterns.some(pattern => toRegExp(pattern).test(path))) return i
  }
  const below = routes.some(route => allows(route) && route.patterns.some(p => p.endsWith("/*") && p !== "/*" && toRegExp(p.slice(0, -2)).test(path)))
  return below ? "slash" : null
}

const segments = ["a", "b", "ab", ":x", ":y", "c.php"]
const words = ["a", "b", "ab", "abc", "c.php", "d.css", ""]

function randomRoutes(random: (below: number) => number): Route[] {
  const pattern = () => {
    const depth = random(4)
    const path = Array.from({ length: depth }, () => `/${segments[random(segments.length)]}`).join("")
    switch (random(6)) {
      case 0:
        return `${path}/*`
      case 1:
        return `${path}/a*`
      case 2:
        return random(4) === 0 ? "*.php" : path || "/"
      case 3:
        return `${path}/`
      default:
        return path || "/*"
    }
  }
  return Array.from({ length: 1 + random(12) }, () => ({
    patterns: Array.from({ length: 1 + random(2) }, pattern),
    passes: (["no", "no", "no", "sync", "async"] as const)[random(5)]!,
    method: random(5) === 0 ? "POST" : null,
  }))
}

test("3,000 random tables answer as the order of the file says", async () => {
  const random = randomOf(20_261_123)
  let answered = 0
  for (let round = 0; round < 3000; round++) {
    const routes = randomRoutes(random)
    const tree = new RouteTree()
    for (const [order, route] of routes.entries()) {
      const answer = Reply.text(200, String(order))
      const run: Handler = () => (route.passes === "no" ? answer : route.passes === "sync" ? PASS : Promise.resolve(PASS))
      const match = route.method === null ? null : (x: { method: string }) => x.method === route.method
      for (const pattern of route.patterns) tree.add(parsePattern(pattern), { order, run, match })
    }
    for (let i = 0; i < 6; i++) {
      const path = `/${Array.from({ length: 1 + random(4) }, () => words[random(words.length)]).join("/")}`.replaceAll(/\/{2,}/g, "/")
      const method = random(3) === 0 ? "POST" : "GET"
      const got = await seen(tree.handle, exchange(path, { method }))
      const found = got === null ? null : got.status === 308 ? "slash" : Number(got.text)
      const want = reference(routes, path, method)
      if (found !== want) throw new Error(`${method} ${path}: ${found}, not ${want}, of ${JSON.stringify(routes)}`)
      if (want !== null) answered++
    }
  }
  expect(answered).toBeGreaterThan(5000)
})

const show = definePlugin({
  name: "show",
  kind: "handler",
  config: v.boolean(),
  setup: pass => ({
    part: x => (pass ? PASS : Reply.text(200, JSON.stringify({ params: x.params, rest: x.path.slice(x.restAt), path: x.path, target: x.target, prefix: x.prefix }))),
  }),
})

async function site(...routes: object[]): Promise<Handler> {
  const part = await setUp(web, { site: [{ route: routes }] }, new TestContext({ plugins: [show] as never }))
  return part.bindings[0]!.handler
}
const shown = async (handler: Handler, target: string) => JSON.parse((await ask(handler, target)).text)

describe("what a handler is told", () => {
  test("parameters and the rest, of the route that answers and no other", async () => {
    const handler = await site({ path: "/u/:id/*", show: true }, { path: "/u/:name/:tab", show: false }, { path: "/u/*", show: false }, { show: false })
    expect(await shown(handler, "/u/7/a%20b")).toMatchObject({ params: { name: "7", tab: "a b" }, rest: "/u/7/a b" })
    expect(await shown(handler, "/u/7/x/y")).toMatchObject({ params: {}, rest: "/7/x/y" })
    expect(await shown(handler, "/w/7")).toMatchObject({ params: {}, rest: "/w/7" })
  })

  test("an expression over the path, its named groups, and who asks", async () => {
    const handler = await site(
      { path_regexp: "^/(?<lang>de|en)/(?<page>[^/]+)$", show: false },
      { path: "/:kind/*", path_regexp: "\\.php$", show: false },
      { path: "/net", ip: ["192.0.2.0/24", "2001:db8::/32"], show: false },
      { path: "/net", ip: "10.0.0.0/8", show: true },
    )
    expect(await shown(handler, "/de/a%20b")).toMatchObject({ params: { lang: "de", page: "a b" } })
    expect(await shown(handler, "/x/y/z.php")).toMatchObject({ params: { kind: "x" }, rest: "/y/z.php" })
    expect((await ask(handler, "/fr/a")).status).toBe(404)
    expect(await shown(handler, "/net")).toMatchObject({ path: "/net" })
    expect((await ask(handler, "/net", { conn: { peer: "203.0.113.1" } })).status).toBe(404)
    await expect(site({ path_regexp: "(", show: true })).rejects.toThrow()
  })

  test("a parameter named like a property of every object", async () => {
    const handler = await site({ path: "/:__proto__/:constructor", show: false })
    const { params } = await shown(handler, "/a/b")
    expect(params.constructor).toBe("b")
  })

  test.each([
    ["/api/x?q=1", "/x", "/x?q=1"],
    ["/api", "/", "/"],
    ["/api?q", "/", "/?q"],
    ["/api/", "/", "/"],
    ["/api/a%2Fb", "/a%2Fb", "/a%2Fb"],
    ["/api/%7Ex", "/~x", "/%7Ex"],
    ["/%61pi/x", "/x", "/x"],
    ["/api//x", "/x", "//x"],
    ["//api///a//b%2fc?//", "/a/b%2Fc", "///a//b%2fc?//"],
    ["/%61pi//a%252Fb", "/a%252Fb", "//a%252Fb"],
    ["/x/../api/a%252Fb", "/a%252Fb", "/a%252Fb"],
    ["/x/../api/%ff%00%5c", "/%FF%00%5C", "/%FF%00%5C"],
    ["/api/a/../b/./%2e", "/b/", "/a/../b/./%2e"],
    ["/./api/x", "/x", "/x"],
    ["/api/../api/x", "/x", "/x"],
    ["/api/.%2e/api/x", "/x", "/x"],
    ["/x/../api/%C3%A9", "/é", "/%C3%A9"],
  ])("strip: %s", async (target, path, raw) => {
    const handler = await site({ path: ["/api", "/api/*"], strip: "/api", show: false })
    expect(await shown(handler, target)).toMatchObject({ path, target: raw, prefix: "/api" })
  })

  test("strip leaves alone what only begins alike", async () => {
    const handler = await site({ strip: "/api", show: false })
    expect(await shown(handler, "/apix")).toMatchObject({ path: "/apix", target: "/apix", prefix: "" })
  })
})

describe("errors of handlers", () => {
  const failing = (error: unknown) =>
    definePlugin({
      name: "fail",
      kind: "handler",
      config: v.boolean(),
      setup: later => ({
        part: () => {
          if (later) return Promise.reject(error)
          throw error
        },
      }),
    })
  async function answer(error: unknown, options: { later?: boolean; dev?: boolean } = {}) {
    const ctx = new TestContext({ plugins: [failing(error)] as never, dev: options.dev ?? false })
    const part = await setUp(web, { site: [{ route: [{ fail: options.later ?? false }] }] }, ctx)
    return { got: await ask(part.bindings[0]!.handler, "/"), ctx }
  }

  test.each([false, true])("HttpError, later: %p", async later => {
    const { got } = await answer(new HttpError(429, "slow down, user 7", { headers: [["Retry-After", "3"]] }), { later })
    expect([got.status, got.text, got.headers.get("retry-after")]).toEqual([429, "429 Too Many Requests\n", "3"])
  })

  test.each([false, true])("anything else is 500, logged, and tells the client nothing, later: %p", async later => {
    const { got, ctx } = await answer(new Error("password is hunter2"), { later })
    expect([got.status, got.text]).toEqual([500, "500 Internal Server Error\n"])
    expect(ctx.lines.map(line => line.level)).toEqual(["error"])
    expect(JSON.stringify(ctx.lines)).toContain("hunter2")
  })

  test("in dev it tells", async () => {
    expect((await answer(new Error("oops at line 3"), { dev: true })).got.text).toContain("oops at line 3")
  })
})
