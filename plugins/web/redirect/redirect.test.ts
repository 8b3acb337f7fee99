import { describe, expect, test } from "bun:test"
import { setUp } from "../../../test/kit/context.ts"
import { ask, type ExchangeOptions, exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

interface Request extends ExchangeOptions {
  restAt?: number
  params?: Record<string, string>
}

async function location(to: unknown, target: string, { restAt = 0, params = {}, ...options }: Request = {}): Promise<string | null> {
  const x = exchange(target, options)
  x.restAt = restAt
  x.params = params
  return (await seen(await setUp(plugin, to), x))!.headers.get("location")
}

test("status: 308 unless said", async () => {
  expect((await ask(await setUp(plugin, "/x"), "/")).status).toBe(308)
  for (const status of [301, 302, 303, 307, 308]) expect((await ask(await setUp(plugin, { to: "/x", status }), "/")).status).toBe(status)
  for (const status of [200, 300, 304, 305, "302"]) await expect(setUp(plugin, { to: "/x", status })).rejects.toThrow()
})

test.each([
  ["/new/{rest}", "/old/a/b", { restAt: 4 }, "/new/a/b"],
  ["/new/{rest}", "/old/", { restAt: 4 }, "/new/"],
  ["/#{rest}", "/docs/intro?v=1", { restAt: 5 }, "/?v=1#intro"],
  ["https://{host}{path}", "/a%20b?q=1", {}, "https://example.com/a%20b?q=1"],
  ["{scheme}://www.{host}:8443{path}", "/a", {}, "http://www.example.com:8443/a"],
  ["/u/{id}/:tab", "/x", { params: { id: "7", tab: "é" } }, "/u/7/%C3%A9"],
  ["/x?{query}", "/old?a=1", {}, "/x?a=1"],
  ["/x?{query}", "/old", {}, "/x"],
  ["/x?b=2&{query}#top", "/old?a=1", {}, "/x?b=2&a=1#top"],
  ["/x?b=2", "/old?a=1", {}, "/x?b=2"],
  [{ to: "/x", keep_query: false }, "/old?a=1", {}, "/x"],
  ["/{rest}", "/old/a%2Fb%3Fc", { restAt: 4 }, "/a%2Fb%3Fc"],
] as const)("%p for %s with %p", async (to, target, request, want) => {
  expect(await location(to, target, request as unknown as Request)).toBe(want)
})

describe("a client cannot choose the host", () => {
  test.each([
    ["/{rest}", "/old//evil.example", 4, "/evil.example"],
    ["/{rest}", "/old/%2F%2Fevil.example", 4, "/%2F%2Fevil.example"],
    ["/{rest}", "/old/%5Cevil.example", 4, "/%5Cevil.example"],
    ["/{rest}", "/old/https:%2F%2Fevil.example", 4, "/https:%2F%2Fevil.example"],
    ["/{path}", "/evil.example", 0, "/evil.example"],
    ["{path}x", "/evil.example", 0, null],
  ])("%s for %s", async (to, target, restAt, want) => {
    if (want === null) await expect(setUp(plugin, to)).rejects.toThrow("must begin with")
    else expect(await location(to, target, { restAt })).toBe(want)
  })

  test.each(["{rest}", "//{host}/x", "//evil.example", "/\\evil", "https://{rest}", "https://{host}{rest}", "https://a.example{id}", "https://:id/", "x", "javascript:alert(1)", "/a b", "/a\r\nX: y"])(
    "%p is refused",
    async to => {
      await expect(setUp(plugin, to)).rejects.toThrow()
    },
  )

  test("a redirect to {host} needs one", async () => {
    await expect(location("https://{host}/", "/", { host: "", httpVersion: "1.0" })).rejects.toMatchObject({ status: 400 })
  })
})

test("a parameter that the route does not have is an error that says so", async () => {
  await expect(location("/x/{uri}", "/")).rejects.toMatchObject({ status: 500, message: "redirect: the path of the route has no parameter :uri" })
  await expect(location("/x/{constructor}", "/")).rejects.toMatchObject({ status: 500 })
})

test("nothing of the request can end the line", async () => {
  const query = 'a=1"<>\\^`{|}é'
  expect(await location("/x", `/old?${query}`)).toBe("/x?a=1%22%3C%3E%5C%5E%60%7B%7C%7D%C3%A9")
  expect(await location("/x/{id}", "/", { params: { id: "a\r\nSet-Cookie: x" } })).toBe("/x/a%0D%0ASet-Cookie:%20x")
  expect(await location("/x", "/old?%0d%0aX:y")).toBe("/x?%0d%0aX:y")
})
