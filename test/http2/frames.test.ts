/** Frames as clients may cut them, and what is none: nothing of it is lost on the way through edge. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:http2"
import { Flag, frame, maxFrame, Type } from "../../src/http/server/http2/frame.ts"
import { literal } from "../../src/http/server/http2/hpack.ts"
import { Edge } from "../kit/edge.ts"
import { askHttp2, blockOf } from "../kit/raw-http2.ts"

const app = `export default { fetch: async (r: Request) => {
  if (r.url.endsWith("/later")) return new Response("the body was not read")
  const body = new TextDecoder().decode(await r.bytes())
  return new Response(JSON.stringify({ url: r.url, method: r.method, headers: [...r.headers], body }))
} }`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config: '[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "a"\n[app.a]\nentry = "app.ts"\n', files: { "app.ts": app } })
})
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
})

async function seen(frames: Uint8Array[]): Promise<{ url: string; method: string; headers: [string, string][]; body: string }> {
  const answer = await askHttp2(edge.port(), { path: "", frames })
  expect([answer.status, answer.end]).toEqual([200, "end"])
  return JSON.parse(answer.body)
}

const whole = Flag.EndHeaders | Flag.EndStream

test("a block in padding, behind a priority, and in CONTINUATIONs of one byte", async () => {
  const block = blockOf({ path: "/x?y=1", headers: [["x-a", "b"]] })
  const padded = Buffer.concat([Uint8Array.of(7), block, new Uint8Array(7)])
  const priority = Uint8Array.of(0, 0, 0, 0, 15)
  const both = Buffer.concat([Uint8Array.of(3), priority, block.subarray(0, 20), new Uint8Array(3)])
  const cut = [...block.subarray(0, 12)].map((_, i) => frame({ type: Type.Continuation, flags: 0, stream: 1 }, block.subarray(i + 1, i + 2)))
  const ways = [
    [frame({ type: Type.Headers, flags: whole, stream: 1 }, block)],
    [frame({ type: Type.Headers, flags: whole | Flag.Padded, stream: 1 }, padded)],
    [frame({ type: Type.Headers, flags: whole | Flag.Priority, stream: 1 }, Buffer.concat([priority, block]))],
    [
      frame({ type: Type.Headers, flags: Flag.EndStream | Flag.Padded | Flag.Priority, stream: 1 }, both),
      frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 1 }, block.subarray(20)),
    ],
    [frame({ type: Type.Headers, flags: Flag.EndStream, stream: 1 }, block.subarray(0, 1)), ...cut, frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 1 }, block.subarray(13))],
  ]
  for (const frames of ways) {
    const got = await seen(frames)
    expect([got.url, got.method]).toEqual(["http://a.test/x?y=1", "GET"])
    expect(got.headers.find(([name]) => name === "x-a")).toEqual(["x-a", "b"])
    expect(got.headers.filter(([name]) => name.startsWith("edge-"))).toEqual([])
  }
})

test("a head of more than one frame", async () => {
  const long = "v".repeat(11_000)
  const block = blockOf({ path: "/" + "p".repeat(4000), headers: [["x-long", long]] })
  const at = 9000
  const got = await seen([
    frame({ type: Type.Headers, flags: Flag.EndStream, stream: 1 }, block.subarray(0, at)),
    frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 1 }, block.subarray(at)),
  ])
  expect(got.url).toEndWith("/" + "p".repeat(4000))
  expect(got.headers.find(([name]) => name === "x-long")?.[1]).toBe(long)
})

const head = frame({ type: Type.Headers, flags: 0, stream: 1 }, blockOf({ path: "/" }))
const headers = (payload: Uint8Array, flags: number = whole) => frame({ type: Type.Headers, flags, stream: 1 }, payload)
test.each([
  ["a block that is none", [headers(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff))], /goaway 9|closed/],
  ["field 0", [headers(Uint8Array.of(0x80))], /goaway 9/],
  ["a frame between HEADERS and CONTINUATION", [head, frame({ type: Type.Ping, flags: 0, stream: 0 }, new Uint8Array(8))], /goaway 1|closed/],
  ["CONTINUATION of another stream", [head, frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 3 }, new Uint8Array(0))], /goaway 1|closed/],
  ["CONTINUATION of nothing", [frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 1 }, new Uint8Array(0))], /goaway 1/],
  ["more padding than frame", [headers(Uint8Array.of(200, 0x82), whole | Flag.Padded)], /goaway 1/],
  ["HEADERS of stream 0", [frame({ type: Type.Headers, flags: whole, stream: 0 }, blockOf({ path: "/" }))], /goaway 1/],
  ["HEADERS above the size of a frame", [headers(new Uint8Array(maxFrame + 1))], /goaway 6/],
  ["CONTINUATIONs without end", [head, ...Array.from({ length: 100 }, () => frame({ type: Type.Continuation, flags: 0, stream: 1 }, new Uint8Array(0)))], /closed/],
  ["no path", [headers(Buffer.concat([literal(":method", "GET"), literal(":scheme", "http"), literal(":authority", "a")]))], /reset 1/],
  ["an empty path", [headers(blockOf({ path: "" }))], /reset 1/],
  ["two paths", [headers(Buffer.concat([blockOf({ path: "/" }), literal(":path", "/admin")]))], /reset 1/],
  ["two methods", [headers(Buffer.concat([blockOf({ path: "/" }), literal(":method", "POST")]))], /reset 1/],
  ["a path behind the fields", [headers(Buffer.concat([literal(":method", "GET"), literal(":scheme", "http"), literal(":authority", "a"), literal("x", "y"), literal(":path", "/")]))], /reset 1/],
  ["a name in capitals", [headers(blockOf({ path: "/", headers: [["X-A", "b"]] }))], /reset 1/],
])("%s", async (_, frames, end) => {
  const answer = await askHttp2(edge.port(), { path: "", frames })
  expect(answer.status).toBe(0)
  expect(answer.end).toMatch(end)
})

test("a method that is none is 400 or refused", async () => {
  for (const method of ["GE T", "", "GET /admin HTTP/1.1\r\nX:"]) {
    const answer = await askHttp2(edge.port(), { method, path: "/" })
    expect([0, 400]).toContain(answer.status)
  }
})

test("an upload has a window of a megabyte as soon as its head is there", async () => {
  const { grants } = await askHttp2(edge.port(), { path: "", frames: [frame({ type: Type.Headers, flags: Flag.EndHeaders, stream: 1 }, blockOf({ method: "POST", path: "/later" }))] })
  // With the 65,535 that a stream begins with (RFC 9113, 6.9.2).
  expect(grants[0]).toBeGreaterThanOrEqual(1024 * 1024 - 65_536)
  expect(grants[0]).toBeLessThan(2 * 1024 * 1024)
})

test("many requests on one connection share its table", async () => {
  const session = connect(edge.url(""))
  const paths = Array.from({ length: 50 }, (_, i) => `/n${i}?${"q".repeat(i)}`)
  const answers = paths.map(path => {
    const stream = session.request({ ":path": path, "x-same": "always the same", "x-own": path })
    let text = ""
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    return new Promise<string>((resolve, reject) => stream.on("end", () => resolve(text)).on("error", reject))
  })
  for (const [i, text] of (await Promise.all(answers)).entries()) {
    const got = JSON.parse(text)
    expect(got.url).toBe(edge.url(paths[i]!))
    expect(got.headers).toContainEqual(["x-same", "always the same"])
    expect(got.headers).toContainEqual(["x-own", paths[i]])
  }
  session.close()
})

describe("uploads that break the rules are reset (RFC 9113, 8.1.1), whether the app reads them or has answered", () => {
  const head = (length?: number) => frame({ type: Type.Headers, flags: Flag.EndHeaders, stream: 1 }, blockOf({ method: "POST", path: "/x", headers: length === undefined ? [] : [["content-length", String(length)]] }))
  const early = (length?: number) => frame({ type: Type.Headers, flags: Flag.EndHeaders, stream: 1 }, blockOf({ method: "POST", path: "/later", headers: length === undefined ? [] : [["content-length", String(length)]] }))
  const data = (text: string, flags = 0) => frame({ type: Type.Data, flags, stream: 1 }, Buffer.from(text))
  const trailers = (flags: number, name: string) => frame({ type: Type.Headers, flags: Flag.EndHeaders | flags, stream: 1 }, literal(name, "x"))
  const bad: Record<string, (head: (length?: number) => Uint8Array) => Uint8Array[]> = {
    "shorter than its length": begin => [begin(5), data("abc", Flag.EndStream)],
    "longer, in two frames": begin => [begin(5), data("abc"), data("abcd", Flag.EndStream)],
    "a second head": begin => [begin(), data("abc"), trailers(0, "a")],
    "trailers with a field of heads": begin => [begin(), data("abc"), trailers(Flag.EndStream, ":path")],
  }
  for (const [name, frames] of Object.entries(bad)) {
    test(name, async () => {
      // STREAM_CLOSED where Bun was done with it in this very moment.
      for (const begin of [head, early]) expect((await askHttp2(edge.port(), { path: "", frames: frames(begin), untilReset: true })).end).toMatch(/^reset [15]$/)
    })
  }

  test("one that keeps them is not", async () => {
    expect((await askHttp2(edge.port(), { path: "", frames: [head(6), data("abc"), data("def", Flag.EndStream)] })).end).toBe("end")
    expect((await askHttp2(edge.port(), { path: "", frames: [head(), data("abc"), trailers(Flag.EndStream, "a")] })).end).toBe("end")
  })

  test("a frame that is too long ends the connection", async () => {
    expect((await askHttp2(edge.port(), { path: "", frames: [early(), data("a".repeat(maxFrame + 1))] })).end).toMatch(/^(goaway 6|end|closed)$/)
  })
})
