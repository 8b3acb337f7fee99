import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Hono } from "hono"
import { cors } from "hono/cors"
import { etag } from "hono/etag"
import { bytesOf, exchange, streamOf } from "../../../test/kit/exchange.ts"
import { patchGlobals, toReply } from "./bridge.ts"
import { Reply } from "../message/reply.ts"
import { ByteStream } from "../message/stream.ts"

const native = { Request: globalThis.Request, Response: globalThis.Response, fetch: globalThis.fetch }
beforeAll(() => patchGlobals())
afterAll(() => void Object.assign(globalThis, native))

/** What a client would get of it. */
async function shown(response: Response) {
  const reply = await toReply(response)
  return { status: reply.status, headers: [...reply.headers], body: (await bytesOf(reply)).toString() }
}

describe("Response -> Reply", () => {
  test("text, JSON and redirects take no promise and no stream", () => {
    const answers = [
      new Response("text"),
      new Response("<p>", { headers: { "Content-Type": "text/html" } }),
      Response.json({ a: 1 }),
      new Response(null, { status: 204 }),
      new Response("not there", { status: 404, statusText: "Nope" }),
      new Response("text").clone(),
      new Response(new Response("again").body),
    ]
    for (const answer of answers) {
      const reply = toReply(answer)
      expect(reply).toBeInstanceOf(Reply)
      expect((reply as Reply).body).not.toBeInstanceOf(ByteStream)
    }
    expect(toReply(Response.redirect("https://example.com/", 302))).toBeInstanceOf(Reply)
  })

  test.each<[string, () => Response, Awaited<ReturnType<typeof shown>>]>([
    ["text", () => new Response("hi"), { status: 200, headers: [["content-type", "text/plain;charset=utf-8"]], body: "hi" }],
    ["text beyond ASCII", () => new Response("żółć"), { status: 200, headers: [["content-type", "text/plain;charset=utf-8"]], body: "żółć" }],
    ["own type", () => new Response("{}", { headers: { "Content-Type": "x/y" } }), { status: 200, headers: [["content-type", "x/y"]], body: "{}" }],
    ["json", () => Response.json([1], { status: 201, headers: { "x-a": "1" } }),
      { status: 201, headers: [["content-type", "application/json;charset=utf-8"], ["x-a", "1"]], body: "[1]" }],
    ["redirect", () => Response.redirect("/there", 307), { status: 307, headers: [["location", "/there"]], body: "" }],
    ["bytes", () => new Response(new Uint8Array([104, 105])), { status: 200, headers: [], body: "hi" }],
    ["part of a buffer", () => new Response(Buffer.from("xhix").subarray(1, 3)), { status: 200, headers: [], body: "hi" }],
    ["a Blob", () => new Response(new Blob(["<p>"], { type: "text/html" })), { status: 200, headers: [["content-type", "text/html;charset=utf-8"]], body: "<p>" }],
    ["a form", () => new Response(new URLSearchParams({ a: "b c" })),
      { status: 200, headers: [["content-type", "application/x-www-form-urlencoded;charset=UTF-8"]], body: "a=b+c" }],
    ["a stream", () => new Response(new Blob(["a", "b"]).stream()), { status: 200, headers: [], body: "ab" }],
    ["nothing", () => new Response(), { status: 200, headers: [], body: "" }],
    ["204 with a body", () => new Response("dropped", { status: 204 }), { status: 204, headers: [], body: "" }],
    ["304 keeps its headers", () => new Response(null, { status: 304, headers: { etag: '"a"' } }), { status: 304, headers: [["etag", '"a"']], body: "" }],
    ["empty text", () => new Response(""), { status: 200, headers: [["content-type", "text/plain;charset=utf-8"]], body: "" }],
    ["status text", () => new Response("x", { status: 299, statusText: "Fine" }), { status: 299, headers: [["content-type", "text/plain;charset=utf-8"]], body: "x" }],
  ])("%s", async (_, make, want) => {
    expect(await shown(make())).toEqual(want)
  })

  test("the reason phrase", async () => {
    expect((await toReply(new Response("x", { status: 299, statusText: "Fine" }))).reason).toBe("Fine")
    expect((await toReply(new Response("x", { status: 201 }))).reason).toBe(undefined)
  })

  test("Set-Cookie lines stay apart", async () => {
    const response = new Response("x")
    response.headers.append("Set-Cookie", "a=1; Path=/")
    response.headers.append("Set-Cookie", "b=2, c")
    const reply = await toReply(response)
    expect(reply.headers.getAll("set-cookie")).toEqual(["a=1; Path=/", "b=2, c"])
  })

  test("headers are taken as they are now", async () => {
    const response = new Response("x")
    response.headers.set("x-late", "1")
    const init = new Headers({ "x-early": "1" })
    const other = new Response("y", { headers: init })
    init.set("x-early", "2")
    const [reply, otherReply] = [await toReply(response), await toReply(other)]
    response.headers.set("x-late", "2")
    expect(reply.headers.get("x-late")).toBe("1")
    expect(otherReply.headers.get("x-early")).toBe("1")
  })

  test("an app that reuses its buffer sends what it was", async () => {
    const buffer = Buffer.from("first")
    const response = new Response(buffer)
    buffer.write("XXXXX")
    expect((await shown(response)).body).toBe("first")
  })

  test("Content-Length of text is the front's", async () => {
    const reply = await toReply(new Response("four", { headers: { "Content-Length": "9" } }))
    expect(reply.headers.has("content-length")).toBe(false)
  })

  test("a stream that says its length keeps it", async () => {
    const reply = await toReply(new Response(new Blob(["abc"]).stream(), { headers: { "Content-Length": "3" } }))
    expect((reply.body as ByteStream).length).toBe(3)
    expect(reply.headers.has("content-length")).toBe(false)
  })

  test("a file has its length, a part of one too, a missing one is an error", async () => {
    const file = Bun.file(import.meta.path)
    const reply = await toReply(new Response(file))
    expect((reply.body as ByteStream).length).toBe(file.size)
    expect((await bytesOf(reply)).toString()).toBe(await file.text())
    expect((await shown(new Response(file.slice(2, 8)))).body).toBe((await file.text()).slice(2, 8))
    await expect((async () => toReply(new Response(Bun.file("/nowhere/at/all"))))()).rejects.toThrow("no such file")
  })

  test("a body is sent once", async () => {
    const text = new Response("x")
    await toReply(text)
    expect(() => toReply(text)).toThrow(TypeError)
    const read = new Response("x")
    await read.text()
    expect(() => toReply(read)).toThrow("already used")
    const stream = new Response(new Blob(["x"]).stream())
    await bytesOf(await toReply(stream))
    await expect((async () => toReply(stream))()).rejects.toThrow("already used")
    const wrapped = new Response("x")
    const outer = new Response(wrapped.body)
    await outer.text()
    expect(() => toReply(outer)).toThrow("already used")
    // There is nothing to use up.
    const redirect = Response.redirect("/x")
    expect([(await toReply(redirect)).status, (await toReply(redirect)).status]).toEqual([302, 302])
  })

  test("what is no Response is an error that says what it is", () => {
    expect(() => toReply(undefined as never)).toThrow("expected a Response, got undefined")
    expect(() => toReply("text" as never)).toThrow("got a string")
    expect(() => toReply({} as never)).toThrow("got an object of Object")
    expect(() => toReply(Response.error())).toThrow("status 0")
    expect(() => toReply(new Response(null, { status: 101 }))).toThrow("status 101")
  })

  test("an answer of fetch goes through decoded", async () => {
    const zipped = Bun.gzipSync(Buffer.from("hello ".repeat(100)))
    const server = Bun.serve({
      port: 0,
      fetch: () => new native.Response(zipped, { headers: { "Content-Encoding": "gzip", "X-A": "1" } }),
    })
    try {
      const reply = await toReply(await fetch(server.url))
      expect(reply.headers.get("content-encoding")).toBe(null)
      expect(reply.headers.get("x-a")).toBe("1")
      expect((await bytesOf(reply)).toString()).toBe("hello ".repeat(100))
      const raw = await toReply(await fetch(server.url, { decompress: false } as RequestInit))
      expect(raw.headers.get("content-encoding")).toBe("gzip")
      expect(await bytesOf(raw)).toEqual(Buffer.from(zipped))
    } finally {
      await server.stop(true)
    }
  })
})

describe("the patched classes", () => {
  test("are what code expects of them", async () => {
    class Own extends Response {}
    expect(new Response("x")).toBeInstanceOf(Response)
    expect(new Response("x")).toBeInstanceOf(native.Response)
    expect(Response.redirect("/")).toBeInstanceOf(Response)
    expect(new native.Response("x")).toBeInstanceOf(Response)
    expect(new Own("x")).toBeInstanceOf(Own)
    expect(new Response("x")).not.toBeInstanceOf(Own)
    expect([Response.name, Request.name]).toEqual(["Response", "Request"])
    expect(await new Response("x").clone().text()).toBe("x")
    expect(new Response("x", { status: 404 }).clone().status).toBe(404)
    expect(() => Response.json(undefined)).toThrow(TypeError)
    expect(Object.prototype.toString.call(exchange("/").request)).toBe("[object Request]")
  })

  test("go through a Bun.serve of the app's own", async () => {
    const server = Bun.serve({ port: 0, fetch: () => new Response("own", { headers: { "X-A": "1" } }) })
    try {
      const answer = await fetch(server.url)
      expect([await answer.text(), answer.headers.get("x-a")]).toEqual(["own", "1"])
    } finally {
      await server.stop(true)
    }
  })
})

describe("Exchange -> Request", () => {
  test("method, url, headers", () => {
    const { request } = exchange("/a/b?c=d&e", { method: "PUT", host: "Example.com:8080", headers: [["X-A", "1"], ["x-a", "2"], ["X-A", "3"]] })
    expect(request).toBeInstanceOf(Request)
    expect(request).toBeInstanceOf(native.Request)
    expect([request.method, request.url]).toEqual(["PUT", "http://Example.com:8080/a/b?c=d&e"])
    expect(request.headers.get("X-a")).toBe("1, 2, 3")
    expect(request.headers.get("host")).toBe("Example.com:8080")
    expect([request.body, request.bodyUsed, request.redirect, request.mode]).toEqual([null, false, "follow", "cors"])
  })

  test("headers are Headers in every way", () => {
    const made = () => exchange("/", { host: "h", headers: [["X-B", "2"], ["Cookie", "a=1"], ["X-A", "1"], ["x-b", "3"], ["Cookie", "b=2"]] }).request.headers
    const want = new Headers([["host", "h"], ["cookie", "a=1; b=2"], ["x-a", "1"], ["x-b", "2, 3"]])
    const headers = made()
    expect(headers).toBeInstanceOf(Headers)
    for (const name of ["x-b", "X-B", "COOKIE", "x-a", "host", "none"]) {
      expect([name, headers.get(name), headers.has(name)]).toEqual([name, want.get(name), want.has(name)])
    }
    expect(() => headers.get("not a name")).toThrow(TypeError)
    expect(() => headers.has("é")).toThrow(TypeError)
    expect([...made()]).toEqual([...want])
    expect([...made().keys()]).toEqual([...want.keys()])
    expect([...made().entries()]).toEqual([...want.entries()])
    expect(made().toJSON()).toEqual(want.toJSON())
    const seen: string[] = []
    made().forEach((value, name) => seen.push(`${name}=${value}`))
    expect(seen).toEqual([...want].map(pair => pair.join("=")))
    expect([...new Headers(made())]).toEqual([...want])
    expect([...new Response("x", { headers: made() }).headers]).toEqual([...want])
    expect(Object.fromEntries(made())).toEqual(Object.fromEntries(want))
    headers.set("X-C", "4")
    headers.delete("x-a")
    expect([headers.get("x-c"), headers.get("x-a"), headers.has("x-b")]).toEqual(["4", null, true])
  })

  test("changed headers go on with the request", async () => {
    const { request } = exchange("/", { headers: { "x-a": "1" } })
    request.headers.set("x-a", "2")
    expect(new Request(request).headers.get("x-a")).toBe("2")
    expect(request.clone().headers.get("x-a")).toBe("2")
  })

  test("the same object each time; cookies are joined as cookies", () => {
    const x = exchange("/", { headers: [["Cookie", "a=1"], ["Cookie", "b=2"]] })
    expect(x.request).toBe(x.request)
    expect(x.request.headers.get("cookie")).toBe("a=1; b=2")
  })

  test.each([
    // target, the path the road saw, the path the app must see
    ["/a/../b", "/b", "/b"],
    ["/a/%2e%2e/b", "/b", "/b"],
    ["//a//b", "/a/b", "//a//b"],
    ["/%c5%bc", "/ż", "/%c5%bc"],
    ["/a%2Fb", "/a%2Fb", "/a%2Fb"],
    ["/a%20b", "/a b", "/a%20b"],
    ["/p?x=/../y", "/p", "/p"],
  ])("the app sees of %s what the road saw", (target, path, seen) => {
    const x = exchange(target)
    expect(x.path).toBe(path)
    expect(new URL(x.request.url).pathname).toBe(seen)
    expect(new URL(x.request.url).hash).toBe("")
  })

  test("a stripped prefix and a rewritten target", () => {
    const x = exchange("/blog/a?b")
    expect(x.with({ target: "/a?b", path: "/a", prefix: "/blog" }).request.url).toBe("http://example.com/a?b")
  })

  test("body as text, JSON, bytes, form, stream", async () => {
    const post = (body: string | Uint8Array, type = "text/plain") =>
      exchange("/", { method: "POST", body, headers: { "Content-Type": type } }).request
    expect(await post("żó").text()).toBe("żó")
    expect(await post('{"a":[1]}').json()).toEqual({ a: [1] })
    expect(await post("abc").bytes()).toEqual(new Uint8Array([97, 98, 99]))
    expect(new Uint8Array(await post("abc").arrayBuffer())).toEqual(new Uint8Array([97, 98, 99]))
    expect(await (await post("abc").blob()).text()).toBe("abc")
    expect((await post("a=1&b=2", "application/x-www-form-urlencoded").formData()).get("b")).toBe("2")
    expect(await new Response(post("stream").body).text()).toBe("stream")
    await expect((async () => post("{").json())()).rejects.toThrow(SyntaxError)
  })

  test("a body is read once", async () => {
    const { request } = exchange("/", { method: "POST", body: "x" })
    expect(request.bodyUsed).toBe(false)
    await request.text()
    expect(request.bodyUsed).toBe(true)
    await expect((async () => request.text())()).rejects.toThrow(TypeError)
    await expect((async () => request.json())()).rejects.toThrow(TypeError)
    await expect((async () => request.formData())()).rejects.toThrow(TypeError)
    const other = exchange("/", { method: "POST", body: "x" }).request
    await new Response(other.body).text()
    await expect((async () => other.text())()).rejects.toThrow(TypeError)
  })

  test("a body that breaks rejects", async () => {
    const broken = new ReadableStream<Uint8Array>({ start: c => c.error(new Error("cut")) })
    const { request } = exchange("/", { method: "POST", body: ByteStream.from(broken) })
    await expect((async () => request.text())()).rejects.toThrow("cut")
  })

  test("clone: both have the body", async () => {
    const { request } = exchange("/", { method: "POST", body: streamOf(["a", "b"]) })
    const copy = request.clone()
    expect([await copy.text(), await request.text()]).toEqual(["ab", "ab"])
  })

  test("goes into fetch and new Request", async () => {
    const server = Bun.serve({
      port: 0,
      fetch: async r => new native.Response(`${r.method} ${r.headers.get("x-a")} ${await r.text()}`),
    })
    try {
      const host = `127.0.0.1:${server.port}`
      const post = () => exchange("/x", { method: "POST", body: "abc", host, headers: { "X-A": "1" } }).request
      expect(await (await fetch(post())).text()).toBe("POST 1 abc")
      expect(await (await fetch(new Request(post(), { headers: { "x-a": "2" } }))).text()).toBe("POST 2 abc")
      expect(await (await fetch(`http://${host}/`, exchange("/", { headers: { "x-a": "3" } }).request)).text()).toStartWith("GET 3")
    } finally {
      await server.stop(true)
    }
  })

  test("signal: aborted when the client goes", () => {
    const x = exchange("/")
    const { signal } = x.request
    expect(signal.aborted).toBe(false)
    x.abort()
    expect(signal.aborted).toBe(true)
  })
})

describe("Hono over both", () => {
  const app = new Hono()
  app.use("/mw/*", cors(), etag())
  app.get("/mw/text", c => c.text("middleware"))
  app.get("/late", async (c, next) => {
    await next()
    c.header("X-Late", "1")
  })
  app.get("/late", c => c.text("late"))
  app.post("/json", async c => c.json({ got: await c.req.json(), q: c.req.query("q"), ua: c.req.header("user-agent") }, 201))
  app.get("/cookie", c => {
    c.header("Set-Cookie", "a=1")
    c.header("Set-Cookie", "b=2", { append: true })
    return c.html("<p>")
  })
  app.get("/go", c => c.redirect("/there"))
  app.notFound(c => c.text("nothing", 404))

  async function ask(target: string, options: Parameters<typeof exchange>[1] = {}) {
    const reply = await toReply(await app.fetch(exchange(target, options).request))
    return { reply, text: (await bytesOf(reply)).toString() }
  }

  test("middleware that reads and rewraps answers", async () => {
    const { reply, text } = await ask("/mw/text")
    expect(text).toBe("middleware")
    expect(reply.headers.get("access-control-allow-origin")).toBe("*")
    const tag = reply.headers.get("etag")!
    expect(tag).toMatch(/^"/)
    const again = await ask("/mw/text", { headers: { "If-None-Match": tag } })
    expect([again.reply.status, again.text]).toEqual([304, ""])
    const late = await ask("/late")
    expect([late.text, late.reply.headers.get("x-late"), late.reply.body instanceof ByteStream]).toEqual(["late", "1", false])
  })

  test("JSON in and out, cookies, redirect, not found", async () => {
    const json = await ask("/json?q=%20x", { method: "POST", body: '{"a":1}', headers: { "User-Agent": "t" } })
    expect([json.reply.status, JSON.parse(json.text)]).toEqual([201, { got: { a: 1 }, q: " x", ua: "t" }])
    const cookie = await ask("/cookie")
    expect(cookie.reply.headers.getAll("set-cookie")).toEqual(["a=1", "b=2"])
    expect(cookie.reply.headers.get("content-type")).toStartWith("text/html")
    const go = await ask("/go")
    expect([go.reply.status, go.reply.headers.get("location")]).toEqual([302, "/there"])
    expect((await ask("/none")).reply.status).toBe(404)
  })
})
