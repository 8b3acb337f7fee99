import { describe, expect, test } from "bun:test"
import { type Exchange, type Handler, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { ask } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

const show: Handler = (x: Exchange) => Reply.text(200, `${x.path} ${x.query} ${x.target}`)
async function rewritten(options: unknown, target: string): Promise<string> {
  const got = await ask((await setUp(plugin, options))(show), target)
  return got.headers.get("location") === null ? got.text : `${got.status} ${got.headers.get("location")}`
}

describe("by expression", () => {
  test.each([
    [{ from: "^/user/(\\d+)$", to: "/profile?id=$1" }, "/user/7", "/profile id=7 /profile?id=7"],
    [{ from: "^/user/(\\d+)$", to: "/profile?id=$1" }, "/user/7?a=b", "/profile id=7&a=b /profile?id=7&a=b"],
    [{ from: "^/user/(\\d+)$", to: "/profile?" }, "/user/7?a=b", "/profile  /profile"],
    [{ from: "^/user/(\\d+)$", to: "/profile?id=$1&{query}" }, "/user/7?a=b", "/profile id=7&a=b /profile?id=7&a=b"],
    [{ from: "^/user/(\\d+)$", to: "/p/$1" }, "/other?x", "/other x /other?x"],
    [{ from: "^/(?<lang>..)/(.*)", to: "/$2?l=$<lang>" }, "/de/a%20b", "/a b l=de /a%20b?l=de"],
    [{ from: "^/q/(.*)", to: "/s?q=$1" }, "/q/a&b=%3F", "/s q=a%26b%3D%3F /s?q=a%26b%3D%3F"],
    [{ from: "^.*$", to: "/index.php?{query}" }, "/any/where?x=1", "/index.php x=1 /index.php?x=1"],
    [{ from: "_", to: "-", all: true }, "/a_b_c?d_e", "/a-b-c d_e /a-b-c?d_e"],
    [{ from: "(a)(?<n>b)", to: "$<n>$1", all: true }, "/abab", "/baba  /baba"],
    [{ from: "^/a/(.*)", to: "/b/$1" }, "/a/x%2Fy", "/b/x%2Fy  /b/x%2Fy"],
    [{ rules: [{ from: "^/a$", to: "/1" }, { from: "^/.*$", to: "/2" }] }, "/a", "/1  /1"],
    [{ rules: [{ from: "^/a$", to: "/1" }, { from: "^/.*$", to: "/2" }] }, "/b", "/2  /2"],
  ])("%j of %s is %s", async (options, target, expected) => {
    expect(await rewritten(options, target)).toBe(expected)
  })
  test("a rule that builds dot segments or // comes out in normal form; above the root is refused", async () => {
    expect(await rewritten({ from: "^/(.*)$", to: "/base//./$1" }, "/a")).toBe("/base/a  /base/a")
    await expect(rewritten({ from: "^/(.*)$", to: "/../$1" }, "/a")).rejects.toThrow("no normal form")
  })
})

describe("as a redirect", () => {
  test.each([
    [{ from: "^/old/(.*)", to: "/new/$1", status: 301 }, "/old/%c3%a4?b=c", "301 /new/%C3%A4?b=c"],
    [{ from: "^/old/?(.*)", to: "/$1/x", status: 302 }, "/old/", "302 /x"],
    [{ from: "^/old(.*)", to: "/x$1", status: 302 }, "/old%0dSet-Cookie", "302 /x%0DSet-Cookie"],
  ])("%j of %s is %s", async (options, target, expected) => {
    expect(await rewritten(options, target)).toBe(expected)
  })
})

describe("by parts", () => {
  test.each([
    [{ strip_prefix: "/api" }, "/api/a?x", "/a x /a?x"],
    [{ strip_prefix: "/api" }, "/api", "/  /"],
    [{ strip_prefix: "/api" }, "/apis", "/apis  /apis"],
    [{ strip_suffix: ".html" }, "/a.html", "/a  /a"],
    [{ add_prefix: "/v1" }, "/a", "/v1/a  /v1/a"],
    [{ strip_prefix: "/a", add_prefix: "/b", from: "^/(.*)$", to: "/c/$1" }, "/a/x", "/c/b/x  /c/b/x"],
    [{ query: { set: { a: "1 2" }, remove: ["utm_source"] } }, "/?a=0&utm%5Fsource=x&b=c%20d", "/ b=c%20d&a=1%202 /?b=c%20d&a=1%202"],
  ])("%j of %s is %s", async (options, target, expected) => {
    expect(await rewritten(options, target)).toBe(expected)
  })
})

test("what is the same goes on as the client wrote it", async () => {
  expect(await rewritten({ from: "^/a$", to: "/b" }, "/x//%7E?y")).toBe("/x/~ y /x//%7E?y")
})

test.each([
  [{ from: "(", to: "/" }],
  [{ from: "^/a" }],
  [{ from: "^/(a)", to: "/$2" }],
  [{ from: "^/(a)", to: "/$<n>" }],
  [{ from: "^/(a)", to: "//evil.example" }],
  [{ from: "^/(a)", to: "https://evil.example" }],
  [{ from: "^/a", to: "/{nothing}" }],
  [{ from: "a", to: "b?c", all: true }],
])("%j is refused", async options => {
  await expect(setUp(plugin, options)).rejects.toThrow()
})
