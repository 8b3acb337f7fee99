/** Targets over HTTP/1.1 and HTTP/2, as raw bytes: one rule for both, and the same path for routes, upstreams and apps. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { askHttp2 } from "../kit/raw-http2.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { listenRaw } from "../upstream/harness.ts"

let edge: Edge
let upstream: ReturnType<typeof listenRaw>
beforeAll(async () => {
  upstream = listenRaw((c, chunk) => {
    const line = chunk.latin1Slice(0, chunk.indexOf("\r\n"))
    c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${line.length}\r\n\r\n${line}`)
  })
  edge = await Edge.start({
    config: `
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { to = ["http://127.0.0.1:${upstream.port}"] }
`,
  })
})
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  upstream?.stop()
})

async function overHttp1(method: string, target: string): Promise<[number, string]> {
  const text = await RawClient.ask(edge.port(), `${method} ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
  return [Number(text.split(" ")[1]), text.slice(text.indexOf("\r\n\r\n") + 4)]
}

async function overHttp2(method: string, path: string): Promise<[number, string]> {
  const { status, body } = await askHttp2(edge.port(), { method, path })
  return [status, body]
}

/** A line of the access log. */
const refused = /"http":"2"[^\n]*"status":400/
function logged400(): number {
  return [...edge.output.matchAll(new RegExp(refused.source, "g"))].length
}

const utf8 = Buffer.from("/café?q=ż").toString("latin1")

describe("the upstream gets", () => {
  test.each([
    ["/a/../b?c=/../d", "/a/../b?c=/../d"],
    ["/a/%2e%2E/./b//c", "/a/%2e%2E/./b//c"],
    ["/a%2Fb%5cc;d", "/a%2Fb%5cc;d"],
    ["/%e9%FF%00%0a%c0%af", "/%e9%FF%00%0a%c0%af"],
    ["//evil.example/x", "//evil.example/x"],
    ["/x?a\\b\"<>{}|^`'", "/x?a\\b\"<>{}|^`'"],
    ["/\"<>{}|^`'", "/\"<>{}|^`'"],
    ["/?", "/?"],
    [utf8, "/caf%C3%A9?q=%C5%BC"],
    ["/\xff\xe9", "/%FF%E9"],
  ])("%j as %s", async (target, sent) => {
    expect(await overHttp1("GET", target)).toEqual([200, `GET ${sent} HTTP/1.1`])
    expect(await overHttp2("GET", target)).toEqual([200, `GET ${sent} HTTP/1.1`])
  })
})

test.each(["/a#b", "/x?y#z", "/admin#/../../x", "/a\\b", "/x/..\\admin", "/a b", "/a\tb", "/a\x7f", "/a\0b", "/a\r\nX: y", "/%", "/%zz", "/%2", "/../x", "/%2e%2e/x", "/a/../../x", "x", "*", "a.test/x"])(
  "%j is 400 in both",
  async target => {
    expect((await overHttp1("GET", target))[0]).toBe(400)
    const before = logged400()
    expect((await overHttp2("GET", target))[0]).toBe(400)
    await edge.heard(refused, before + 1)
  },
)

test.each(["OPTIONS", "PROPFIND", "PURGE", "X-OWN", "DELETE"])("the method %s goes through", async method => {
  expect(await overHttp1(method, "/x")).toEqual([200, `${method} /x HTTP/1.1`])
  expect(await overHttp2(method, "/x")).toEqual([200, `${method} /x HTTP/1.1`])
})

test.each([
  ["OPTIONS", "*", 204],
  ["TRACE", "/x", 405],
  ["DELETE", "*", 400],
])("%s %s is %i in both", async (method, target, status) => {
  expect((await overHttp1(method, target))[0]).toBe(status)
  expect((await overHttp2(method, target))[0]).toBe(status)
})

test("CONNECT is 501 in both", async () => {
  expect((await overHttp1("CONNECT", "a.test:80"))[0]).toBe(501)
  const { literal } = await import("../../src/http/server/http2/hpack.ts")
  const { status } = await askHttp2(edge.port(), { path: "", block: Buffer.concat([literal(":method", "CONNECT"), literal(":authority", "a.test:80")]) })
  expect(status).toBe(501)
})
