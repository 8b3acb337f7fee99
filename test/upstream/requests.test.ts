import { afterEach, describe, expect, test } from "bun:test"
import type { Reply } from "../../src/http/message/reply.ts"
import type { ByteStream } from "../../src/http/message/stream.ts"
import { parseTarget } from "../../src/http/upstream/target.ts"
import { HttpUpstream } from "../../src/http/upstream/upstream.ts"
import { type Accepted, answering, client, listenRaw, Pushed, settled, take, upstreamAt, whole, type FakeUpstream } from "./harness.ts"

const open: FakeUpstream[] = []
const up = (server: FakeUpstream) => (open.push(server), server)
afterEach(() => open.splice(0).forEach(server => server.stop()))

const isFirst = (c: Accepted) => c.text.split(" HTTP/1.1\r\n").length === 2
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
/** Answers 200 once the text ends as said; leaves the text to be looked at. */
const recording = (end: string) =>
  up(
    listenRaw(c => {
      if (c.text.endsWith(end)) c.write(ok)
    }),
  )

async function sent(o: Parameters<typeof client>[0], options: Parameters<typeof upstreamAt>[1] = {}, end = "\r\n\r\n"): Promise<string> {
  const server = recording(end)
  await upstreamAt(server.port, options).send(client(o).x)
  return server.accepted[0]!.text.replace(`127.0.0.1:${server.port}`, "UPSTREAM")
}

const forwarded = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\n"

describe("what is sent on", () => {
  test("one line each, in order, with case and duplicates; Host first", async () => {
    const text = await sent({
      target: "/a%2Fb//c/../d?x=%zz&y",
      headers: ["accept", "*/*", "Host", "example.com", "X-A", "1", "x-a", "2", "Cookie", "a=1; b=\xe9"],
    })
    expect(text).toBe(`GET /a%2Fb//c/../d?x=%zz&y HTTP/1.1\r\nHost: example.com\r\naccept: */*\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=1; b=\xe9\r\n${forwarded}\r\n`)
  })
  test("hop-by-hop fields stay here", async () => {
    const text = await sent({
      shared: true,
      headers: [
        "Host", "example.com", "Connection", "close", "Keep-Alive", "timeout=1", "Proxy-Connection", "a",
        "Proxy-Authorization", "b", "TE", "gzip", "Upgrade", "h2c", "HTTP2-Settings", "AAA", "Trailer", "X", "Keep", "me",
      ],
    })
    expect(text).toBe(`GET / HTTP/1.1\r\nHost: example.com\r\nKeep: me\r\n${forwarded}\r\n`)
  })
  test("a client cannot take off what a middleware has set", async () => {
    const headers = ["Host", "example.com", "Connection", "X-User, X-Forwarded-For, Host, Content-Length"]
    const one = client({ headers, shared: true })
    one.x.headers.set("X-User", "alice")
    const server = recording("\r\n\r\n")
    await upstreamAt(server.port).send(one.x)
    expect(server.accepted[0]!.text).toBe(`GET / HTTP/1.1\r\nHost: example.com\r\nX-User: alice\r\n${forwarded}\r\n`)
  })
  test("a client's framing is replaced by ours", async () => {
    const text = await sent({ method: "POST", headers: ["Host", "example.com", "Content-Length", "0", "Transfer-Encoding", "chunked"] })
    expect(text).toBe(`POST / HTTP/1.1\r\nHost: example.com\r\n${forwarded}Content-Length: 0\r\n\r\n`)
  })
  test("h2c is not asked for, whatever the client writes", async () => {
    for (const upgrade of ["h2c", "H2C", "websocket, h2c", "TLS/1.2", "HTTP/2.0"]) {
      const text = await sent({ headers: ["Host", "example.com", "Connection", "Upgrade, HTTP2-Settings", "Upgrade", upgrade, "HTTP2-Settings", "x"] })
      expect(text).toBe(`GET / HTTP/1.1\r\nHost: example.com\r\n${forwarded}\r\n`)
    }
  })
  test("TE: trailers is asked for where the client takes them", async () => {
    const text = await sent({ headers: ["Host", "example.com", "TE", "gzip;q=0.5, trailers"] })
    expect(text).toEndWith("Connection: TE\r\nTE: trailers\r\n\r\n")
  })
  test("forwarding fields of a stranger are replaced", async () => {
    const text = await sent({
      headers: ["Host", "example.com", "X-Forwarded-For", "1.1.1.1", "Forwarded", "for=1.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Prefix", "/evil", "X-Forwarded-Host", "evil"],
    })
    expect(text).toBe(`GET / HTTP/1.1\r\nHost: example.com\r\n${forwarded}\r\n`)
  })
  test("those of a trusted proxy are added to", async () => {
    const text = await sent({
      prefix: "/api",
      conn: { trusted: true, peer: "::1" },
      headers: ["Host", "inner", "X-Forwarded-For", "1.1.1.1", "X-Forwarded-For", "2.2.2.2", "Forwarded", "for=1.1.1.1", "X-Forwarded-Prefix", "/outer", "X-Forwarded-Host", "outer.example"],
    })
    expect(text).toBe(
      "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2, ::1\r\nX-Forwarded-Proto: http\r\n" +
        'X-Forwarded-Host: outer.example\r\nX-Forwarded-Prefix: /outer/api\r\nForwarded: for=1.1.1.1, for="[::1]"\r\n\r\n',
    )
  })
  test("by Forwarded (RFC 7239), by both, or not at all", async () => {
    const headers = ["Host", "example.com:81", "X-Forwarded-For", "1.1.1.1", "Forwarded", "for=1.1.1.1"]
    const own = 'for=192.0.2.7;proto=http;host="example.com:81"'
    const x = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com:81\r\n"
    const start = "GET / HTTP/1.1\r\nHost: example.com:81\r\n"
    expect(await sent({ headers }, { head: { forwarded: "rfc7239" } })).toBe(`${start}Forwarded: ${own}\r\n\r\n`)
    expect(await sent({ headers }, { head: { forwarded: "both" } })).toBe(`${start}${x}Forwarded: ${own}\r\n\r\n`)
    expect(await sent({ headers }, { head: { forwarded: "none" } })).toBe(`${start}\r\n`)
    const conn = { trusted: true, peer: "2001:db8::1" }
    expect(await sent({ headers, conn }, { head: { forwarded: "rfc7239" } })).toContain('Forwarded: for=1.1.1.1, for="[2001:db8::1]";proto=http')
    const chain = ["Host", "a", "X-Forwarded-For", "1.1.1.1, ::2, nonsense"]
    expect(await sent({ headers: chain, conn }, { head: { forwarded: "rfc7239" } })).toContain('Forwarded: for=1.1.1.1, for="[::2]", for=unknown, for="[2001:db8::1]"')
  })
  test("fields whose value is of the request", async () => {
    const set = [["X-Real-IP", "{ip}"], ["X-Uri", "{method} {scheme}://{host}{uri}"], ["X-Json", '{"a": 1}'], ["X-Fixed", "1"]] as const
    const text = await sent({ headers: ["Host", "example.com", "X-Real-IP", "6.6.6.6"], target: "/a?b" }, { head: { set } })
    expect(text).toBe(`GET /a?b HTTP/1.1\r\nHost: example.com\r\n${forwarded}X-Json: {"a": 1}\r\nX-Fixed: 1\r\nX-Real-IP: 192.0.2.7\r\nX-Uri: GET http://example.com/a?b\r\n\r\n`)
    expect(() => upstreamAt(1, { head: { set: [["X-A", "{nothing}"]] } })).toThrow("no {nothing}; there are {ip}")
  })
  test("a unix peer has no address to add", async () => {
    expect(await sent({ conn: { peer: "unix" } })).toBe(
      "GET / HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\n\r\n",
    )
  })
  test("Host: the upstream's, a fixed one, or the upstream's where the client gave none", async () => {
    expect(await sent({}, { head: { host: "upstream" } })).toStartWith("GET / HTTP/1.1\r\nHost: UPSTREAM\r\n")
    expect(await sent({}, { head: { host: "fixed.example" } })).toStartWith("GET / HTTP/1.1\r\nHost: fixed.example\r\n")
    expect(await sent({ headers: [], host: "" })).toStartWith("GET / HTTP/1.1\r\nHost: UPSTREAM\r\n")
    expect(await sent({ headers: [] })).toStartWith("GET / HTTP/1.1\r\nHost: example.com\r\n")
  })
  test("fields set and removed by the config", async () => {
    const text = await sent(
      { headers: ["Host", "example.com", "x-a", "1", "X-B", "2", "X-C", "3"] },
      { head: { set: [["X-A", "new"], ["X-Forwarded-Proto", "https"]], remove: ["x-b", "X-Forwarded-Host"] } },
    )
    expect(text).toBe("GET / HTTP/1.1\r\nHost: example.com\r\nX-C: 3\r\nX-Forwarded-For: 192.0.2.7\r\nX-A: new\r\nX-Forwarded-Proto: https\r\n\r\n")
    expect(() => upstreamAt(1, { head: { set: [["Content-Length", "1"]] } })).toThrow("not free")
    expect(() => upstreamAt(1, { head: { set: [["A", "b\r\nC: d"]] } })).toThrow("not a header field")
  })
  test("the path of the target goes in front", async () => {
    const server = recording("\r\n\r\n")
    await new HttpUpstream({ target: parseTarget(`http://127.0.0.1:${server.port}/base/`) }).send(client({ target: "/x?y" }).x)
    expect(server.accepted[0]!.text).toStartWith("GET /base/x?y HTTP/1.1\r\n")
  })
  test("OPTIONS *", async () => {
    expect(await sent({ method: "OPTIONS", target: "*" })).toStartWith("OPTIONS * HTTP/1.1\r\n")
  })
  test("a shared header list is written once for its connection, and anew when it changed", async () => {
    const server = recording("\r\n\r\n")
    const upstream = upstreamAt(server.port)
    const headers = ["Host", "example.com", "A", "1"]
    const one = client({ headers, shared: true })
    await upstream.send(one.x)
    await upstream.send(one.x.with({ target: "/two" }))
    const other = client({ headers, shared: true, conn: { peer: "198.51.100.9" } })
    await upstream.send(other.x)
    one.x.headers.set("A", "2")
    await upstream.send(one.x)
    await upstream.send(client({ headers, shared: true, prefix: "/p" }).x)
    const requests = server.accepted[0]!.text.split("\r\n\r\n")
    expect(requests[1]).toBe(requests[0]!.replace("GET / ", "GET /two "))
    expect(requests[2]).toContain("X-Forwarded-For: 198.51.100.9")
    expect(requests[3]).toContain("A: 2")
    expect(requests[4]).toContain("X-Forwarded-Prefix: /p")
  })
})

describe("what would not be one well-formed request is not sent", () => {
  const cases: [name: string, o: Parameters<typeof client>[0]][] = [
    ["line feed in a value", { headers: ["Host", "a", "X", "a\nb"] }],
    ["CRLF in a value", { headers: ["Host", "a", "X", "a\r\nEvil: b"] }],
    ["U+010A, which is cut to a line feed", { headers: ["Host", "a", "X", "a\u010aEvil: b"] }],
    ["colon in a name", { headers: ["Host", "a", "X:", "a"] }],
    ["CRLF in the Host", { headers: ["Host", "a\r\nb", "X", "a"] }],
    ["space in the target", { target: "/a HTTP/1.1\r\nX: " }],
    ["U+0120 in the target, which is cut to a space", { target: "/a\u0120b" }],
    ["absolute target", { target: "http://evil/" }],
    ["CONNECT", { method: "CONNECT", target: "a:1" }],
    ["method", { method: "GET /x" }],
    ["line feed in the prefix", { prefix: "/a\r\nb" }],
    ["head past the buffer", { headers: ["Host", "a", "X", "a".repeat(40_000)] }],
  ]
  for (const [name, o] of cases) {
    test(name, async () => {
      const server = up(answering(ok))
      const upstream = upstreamAt(server.port)
      await upstream.send(client().x)
      expect((await settled(upstream.send(client(o).x))).error).toMatchObject({ name: "HttpError" })
      // The kept connection was not harmed.
      await upstream.send(client().x)
      expect(server.accepted.length).toBe(1)
      expect(upstream.active).toBe(0)
    })
  }
})

describe("bodies", () => {
  test("head and small body in one write", async () => {
    const chunks: string[] = []
    const server = up(
      listenRaw((c, chunk) => {
        chunks.push(chunk.latin1Slice())
        c.write(ok)
      }),
    )
    await upstreamAt(server.port).send(client({ method: "POST", body: whole("hello") }).x)
    expect(chunks.length).toBe(1)
    expect(chunks[0]).toEndWith("Content-Length: 5\r\n\r\nhello")
  })
  test("chunked when the length is not known, with trailers", async () => {
    const body = new Pushed(-1, [Buffer.from("a")])
    const server = recording("0\r\nX-T: 1\r\n\r\n")
    const reply = upstreamAt(server.port).send(client({ method: "POST", body }).x)
    await Bun.sleep(20)
    body.sink!.data(Buffer.from("bcd"))
    const { HeaderList } = await import("../../src/http/message/headers.ts")
    body.sink!.end(new HeaderList(["X-T", "1"]))
    expect((await reply).status).toBe(200)
    expect(server.accepted[0]!.text).toEndWith("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3\r\nbcd\r\n0\r\nX-T: 1\r\n\r\n")
  })
  test("empty body of known and of unknown length", async () => {
    expect(await sent({ method: "POST", body: whole("", 0) })).toEndWith("Content-Length: 0\r\n\r\n")
    expect(await sent({ method: "POST", body: whole("", -1) }, {}, "0\r\n\r\n")).toEndWith("chunked\r\n\r\n0\r\n\r\n")
  })
  test("a body that somebody else has read", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const body = whole("hello")
    body.pipe({ data() {}, end() {}, fail() {} })
    for (let i = 0; i < 2; i++) {
      const { error } = await settled(upstream.send(client({ method: "POST", body }).x))
      expect(error).toMatchObject({ status: 500 })
      expect(upstream.active).toBe(0)
      await upstream.send(client().x)
    }
  })
  test("a longer body than announced never reaches the upstream as a second request", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const body = new Pushed(5, [Buffer.from("helloGET /evil HTTP/1.1\r\n\r\n")], true)
    const { error } = await settled(upstream.send(client({ method: "POST", body }).x))
    expect(error!.message).toContain("longer")
    expect(upstream.idle).toBe(0)
    await server.accepted[0]!.until(c => c.closed)
    expect(server.accepted[0]!.text).not.toContain("evil")
  })
  test("a shorter body than announced closes the connection", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const body = new Pushed(5)
    const reply = settled(upstream.send(client({ method: "POST", body }).x))
    await Bun.sleep(10)
    body.sink!.data(Buffer.from("he"))
    body.sink!.end()
    // The fake upstream answers at once; the answer and the broken body may come in any order.
    await reply
    await server.accepted[0]!.until(c => c.closed)
    expect(upstream.idle).toBe(0)
  })
  test("the client breaks its body off: the upstream sees no end of it", async () => {
    const server = up(listenRaw(() => {}))
    const upstream = upstreamAt(server.port)
    const body = new Pushed(-1)
    const reply = settled(upstream.send(client({ method: "POST", body }).x))
    while (server.accepted[0]?.text.endsWith("\r\n\r\n") !== true) await Bun.sleep(5)
    body.sink!.data(Buffer.from("part"))
    await server.accepted[0]!.until(c => c.text.endsWith("part\r\n"))
    body.sink!.fail(new Error("bad chunk"))
    expect((await reply).error!.message).toBe("bad chunk")
    await server.accepted[0]!.until(c => c.closed)
    expect(server.accepted[0]!.text).not.toContain("0\r\n\r\n")
  })
  test("a slow upstream slows the client down, in constant memory", async () => {
    let held = true
    const server = up(listenRaw(c => held && c.socket.pause()))
    const upstream = upstreamAt(server.port)
    const piece = Buffer.alloc(1 << 20, "x")
    const total = 64
    const body = new Pushed(piece.length * total)
    const reply = upstream.send(client({ method: "PUT", body }).x)
    while (body.sink === undefined) await Bun.sleep(5)
    let pushed = 0
    while (!body.paused && pushed < total) {
      body.sink.data(piece)
      pushed++
    }
    // Loopback takes a few MB; the rest must wait in the client.
    expect(pushed).toBeLessThan(32)
    held = false
    server.accepted[0]!.socket.resume()
    while (pushed < total) {
      await body.resumed()
      body.sink.data(piece)
      pushed++
    }
    body.sink.end()
    let size = 0
    await server.accepted[0]!.until(c => (size = c.text.length) >= total * piece.length)
    expect(size).toBeGreaterThan(total * piece.length)
    server.accepted[0]!.write(ok)
    expect((await reply).status).toBe(200)
    expect(upstream.idle).toBe(1)
  })
  test("an early final answer is passed on, the rest of the body is not wanted", async () => {
    const server = up(listenRaw(c => c.text.includes("part") && c.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")))
    const upstream = upstreamAt(server.port)
    const body = new Pushed(1000, [Buffer.from("part")])
    const reply = await upstream.send(client({ method: "POST", body }).x)
    expect(reply.status).toBe(413)
    expect((await take(reply)).text).toBe("no")
    expect(body.cancelled).toBeDefined()
    expect(upstream.idle).toBe(0)
  })
  test("an upstream that answers and resets while a large body is on its way", async () => {
    const server = up(
      listenRaw(c => {
        c.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        c.socket.end()
      }),
    )
    const body = new Pushed(50_000_000, [Buffer.alloc(10_000_000)])
    const reply = await upstreamAt(server.port).send(client({ method: "POST", body }).x)
    expect(reply.status).toBe(413)
    expect((await take(reply)).text).toBe("no")
  })
  test("both directions at once", async () => {
    const server = up(
      listenRaw((c, chunk) => {
        if (c.text.endsWith("\r\n\r\n") && !c.text.includes("one")) c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else if (c.text.endsWith("0\r\n\r\n")) c.write("3\r\nend\r\n0\r\n\r\n")
        else c.write(`${chunk.length.toString(16)}\r\n${chunk.latin1Slice()}\r\n`)
      }),
    )
    const upstream = upstreamAt(server.port)
    const body = new Pushed(-1)
    const reply = await upstream.send(client({ method: "POST", body }).x)
    const got = take(reply)
    body.sink!.data(Buffer.from("one"))
    await Bun.sleep(20)
    body.sink!.data(Buffer.from("two"))
    await Bun.sleep(20)
    body.sink!.end()
    expect(await got).toMatchObject({ text: "3\r\none\r\n3\r\ntwo\r\nend", error: undefined })
    expect(upstream.idle).toBe(1)
  })
})

describe("Expect: 100-continue", () => {
  const headers = ["Host", "example.com", "Expect", "100-continue"]
  test("the body is read only when the upstream wants it", async () => {
    const server = up(
      listenRaw(c => {
        if (c.text.endsWith("Expect: 100-continue\r\n\r\n")) setTimeout(() => c.write("HTTP/1.1 100 Continue\r\n\r\n"), 30)
        else if (c.text.endsWith("hello")) c.write(ok)
      }),
    )
    const body = whole("hello")
    const c = client({ method: "POST", headers, body })
    const reply = upstreamAt(server.port).send(c.x)
    while (server.accepted[0]?.text.includes("Expect") !== true) await Bun.sleep(2)
    expect(body.sink).toBeUndefined()
    expect((await reply).status).toBe(200)
    // The listener says 100 when the body is first read; a second one would be ours.
    expect(c.earlies).toEqual([])
  })
  test("a refusal leaves the body unread and the connection closed", async () => {
    const server = up(answering("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"))
    const upstream = upstreamAt(server.port)
    const body = whole("hello")
    const reply = await upstream.send(client({ method: "POST", headers, body }).x)
    expect(reply.status).toBe(401)
    expect([body.sink, body.cancelled]).toEqual([undefined, undefined])
    expect(upstream.idle).toBe(0)
  })
  test("on a connection that turned out dead: sent again, the body being unsent", async () => {
    const server = up(
      listenRaw(c => {
        if (isFirst(c) && !c.text.includes("Expect")) c.write(ok)
        else if (!isFirst(c)) c.socket.end()
        else if (c.text.endsWith("hello")) c.write(ok)
        else c.write("HTTP/1.1 100 Continue\r\n\r\n")
      }),
    )
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    const reply = await upstream.send(client({ method: "POST", headers, body: whole("hello") }).x)
    expect([reply.status, server.accepted.length]).toEqual([200, 2])
  })
  test("an upstream that does not know it gets the body after a second", async () => {
    const server = recording("hello")
    const reply = await upstreamAt(server.port).send(client({ method: "POST", headers, body: whole("hello") }).x)
    expect(reply.status).toBe(200)
  })
})

describe("kept connections", () => {
  test("the last one used is used next", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    await Promise.all([upstream.send(client().x), upstream.send(client().x), upstream.send(client().x)])
    expect([server.accepted.length, upstream.idle]).toEqual([3, 3])
    for (let i = 0; i < 5; i++) await upstream.send(client().x)
    expect([server.accepted.length, upstream.idle]).toEqual([3, 3])
  })
  test("no more than may be kept", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port, { keepIdle: 2 })
    await Promise.all(Array.from({ length: 5 }, () => upstream.send(client().x)))
    expect(upstream.idle).toBe(2)
  })
  test("one that the upstream closes is forgotten; one that speaks unasked is closed", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    server.accepted[0]!.socket.end()
    while (upstream.idle > 0) await Bun.sleep(5)
    await upstream.send(client().x)
    server.accepted[1]!.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    await server.accepted[1]!.until(c => c.closed || c.ended)
    expect(upstream.idle).toBe(0)
    expect((await upstream.send(client().x)).status).toBe(200)
  })
  test("it is not kept longer than the upstream says", async () => {
    const server = up(answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=1\r\n\r\n"))
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    expect(upstream.idle).toBe(0)
  })
  test("idle ones go after their time, and on close", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port, { keepIdleMs: 50 })
    await upstream.send(client().x)
    expect(upstream.idle).toBe(1)
    await server.accepted[0]!.until(c => c.ended)
    expect(upstream.idle).toBe(0)
    await upstream.send(client().x)
    upstream.close()
    await server.accepted[1]!.until(c => c.ended)
    await upstream.send(client().x)
    expect(upstream.idle).toBe(0)
  })

  /** Answers the first request of a connection; at the second one it closes or resets without an answer. */
  const stale = (how: "end" | "terminate") => up(listenRaw(c => (isFirst(c) ? c.write(ok) : c.socket[how]())))
  for (const how of ["end", "terminate"] as const) {
    for (const [method, body, retried] of [
      ["GET", null, true],
      ["PUT", "small", true],
      ["DELETE", null, true],
      ["POST", null, false],
      ["POST", "small", false],
      ["PATCH", "small", false],
    ] as const) {
      test(`stale one (${how}): ${method} ${body ?? "without body"} is ${retried ? "sent again, once" : "not sent again"}`, async () => {
        const server = stale(how)
        const upstream = upstreamAt(server.port)
        await upstream.send(client().x)
        const { value, error } = await settled(upstream.send(client({ method, body: body === null ? null : whole(body) }).x))
        if (retried) {
          expect(value?.status).toBe(200)
          expect(server.accepted.length).toBe(2)
          if (body !== null) expect(server.accepted[1]!.text).toEndWith(`Content-Length: 5\r\n\r\n${body}`)
        } else {
          expect(error).toMatchObject({ status: 502, fault: "closed", unsent: false })
          expect(server.accepted.length).toBe(1)
        }
        expect(upstream.active).toBe(0)
      })
    }
  }
  test("a body that is too large to be kept is not sent again", async () => {
    const server = stale("end")
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    const { error } = await settled(upstream.send(client({ method: "PUT", body: whole("x".repeat(100_000)) }).x))
    expect(error).toMatchObject({ fault: "closed", bodyTaken: true })
  })
  test("sent again once only", async () => {
    let n = 0
    const server = up(listenRaw(c => (n++ === 0 ? c.write(ok) : c.socket.end())))
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    const { error } = await settled(upstream.send(client().x))
    expect(error).toMatchObject({ fault: "closed" })
    expect(server.accepted.length).toBe(2)
  })
  test("not after something of an answer came", async () => {
    let n = 0
    const server = up(
      listenRaw(c => {
        if (n++ === 0) return c.write(ok)
        c.write("HTTP/1.1 102 Processing\r\n\r\n")
        setTimeout(() => c.socket.end(), 20)
      }),
    )
    const upstream = upstreamAt(server.port)
    await upstream.send(client().x)
    expect((await settled(upstream.send(client().x))).error).toMatchObject({ fault: "closed" })
    expect(server.accepted.length).toBe(1)
  })
})

describe("a slow receiver", () => {
  /** Takes a first piece and pauses; `go` takes the rest. */
  function slowly(reply: Reply) {
    const body = reply.body as ByteStream
    const got = { size: 0, end: "" }
    body.pipe({
      data(chunk) {
        got.size += chunk.byteLength
        body.pause()
      },
      end: () => void (got.end = "end"),
      fail: error => void (got.end = error.message),
    })
    const go = async () => {
      while (got.end === "") {
        body.resume()
        await Bun.sleep(1)
      }
    }
    return { got, go }
  }
  const answer = (size: number) =>
    up(
      listenRaw(c => {
        c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\nx`)
        setTimeout(() => c.write("x".repeat(size - 1)), 20)
      }),
    )
  test("does not hold an upstream whose answer fits into the buffer", async () => {
    const upstream = upstreamAt(answer(60_000).port)
    const { got, go } = slowly(await upstream.send(client().x))
    while (upstream.idle === 0) await Bun.sleep(2)
    expect([got.size, got.end, upstream.active]).toEqual([1, "", 0])
    // The connection serves somebody else in the meantime.
    expect((await upstream.send(client().x)).status).toBe(200)
    await go()
    expect(got).toEqual({ size: 60_000, end: "end" })
  })
  test("holds one whose answer does not", async () => {
    const upstream = upstreamAt(answer(500_000).port, { limits: { holdBytes: 1000 } })
    const { got, go } = slowly(await upstream.send(client().x))
    await Bun.sleep(100)
    expect([upstream.idle, upstream.active]).toEqual([0, 1])
    await go()
    expect(got).toEqual({ size: 500_000, end: "end" })
    expect([upstream.idle, upstream.active]).toEqual([1, 0])
  })
  test("gets what came before the upstream broke off, and then the error", async () => {
    const server = up(
      listenRaw(c => {
        c.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx")
        setTimeout(() => {
          c.write("yz")
          c.socket.end()
        }, 20)
      }),
    )
    const upstream = upstreamAt(server.port)
    const { got, go } = slowly(await upstream.send(client().x))
    while (upstream.active > 0) await Bun.sleep(2)
    expect(got.end).toBe("")
    await go()
    expect(got.size).toBe(3)
    expect(got.end).toContain("broke its answer off")
  })
})

describe("time-outs are 504", () => {
  const limits = { connectMs: 100, headMs: 100, readMs: 100 }
  test("no answer", async () => {
    const server = up(listenRaw(() => {}))
    const upstream = upstreamAt(server.port, { limits })
    expect((await settled(upstream.send(client().x))).error).toMatchObject({ status: 504, fault: "head_timeout" })
    await server.accepted[0]!.until(c => c.closed)
  })
  test("1xx for ever are no answer", async () => {
    const server = up(
      listenRaw(c => {
        const timer = setInterval(() => (c.closed ? clearInterval(timer) : c.write("HTTP/1.1 102 P\r\n\r\n")), 20)
      }),
    )
    expect((await settled(upstreamAt(server.port, { limits }).send(client().x))).error).toMatchObject({ fault: "head_timeout" })
  })
  test("the answer stops", async () => {
    const server = up(listenRaw(c => c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")))
    const got = await take(await upstreamAt(server.port, { limits }).send(client().x))
    expect(got).toMatchObject({ text: "hello", error: { fault: "read_timeout" } })
  })
  test("a client that is slow to read is not the upstream's fault", async () => {
    const big = "x".repeat(20_000_000)
    const server = up(
      listenRaw(c => {
        c.socket.data.text = ""
        const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${big.length}\r\n\r\n${big}`)
        let at = 0
        const go = () => {
          while (at < bytes.length && !c.closed) {
            const n = c.socket.write(bytes.subarray(at))
            if (n <= 0) return void setTimeout(go, 5)
            at += n
          }
        }
        go()
      }),
    )
    const reply = await upstreamAt(server.port, { limits }).send(client().x)
    const body = reply.body as ByteStream
    let size = 0
    let pauses = 0
    const end = await new Promise(resolve =>
      body.pipe({
        data(chunk) {
          size += chunk.byteLength
          if (pauses < 1 && size > 5_000_000) {
            pauses++
            body.pause()
            setTimeout(() => body.resume(), 1500)
          }
        },
        end: () => resolve("end"),
        fail: resolve,
      }),
    )
    expect([end, size]).toEqual(["end", big.length])
  })
  test("an answer that nobody takes", async () => {
    const server = up(listenRaw(c => c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")))
    const upstream = upstreamAt(server.port, { limits })
    await upstream.send(client().x)
    await server.accepted[0]!.until(c => c.closed)
    expect(upstream.active).toBe(0)
  })
  test("it does not take the request", async () => {
    const server = up(listenRaw(c => c.socket.pause()))
    const body = new Pushed(50_000_000, [Buffer.alloc(20_000_000)])
    const { error } = await settled(upstreamAt(server.port, { limits }).send(client({ method: "PUT", body }).x))
    expect(error).toMatchObject({ status: 504, fault: "send_timeout" })
    expect(body.cancelled).toBeDefined()
  })
})

/** A port whose accept queue is full: the kernel drops every further SYN, as a host behind a firewall does. */
const silentPort = `
import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
keep = []
for _ in range(4):
    c = socket.socket(); c.setblocking(False); c.connect_ex(s.getsockname()); keep.append(c)
print(s.getsockname()[1], flush=True)
time.sleep(60)`

test("a host that drops packets: 504, and attempts cannot use up our descriptors", async () => {
  const run = Bun.spawn(["/usr/bin/python3", "-c", silentPort], { stdout: "pipe" })
  try {
    const { value } = await run.stdout.getReader().read()
    const upstream = upstreamAt(Number(Buffer.from(value!).toString()), { maxConnecting: 3, limits: { connectMs: 100 } })
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => settled(upstream.send(client().x))))
    expect(outcomes.map(one => [one.error!.status, one.error!.fault])).toEqual([
      [504, "connect_timeout"],
      [504, "connect_timeout"],
      [504, "connect_timeout"],
      [502, "connect"],
      [502, "connect"],
    ])
    expect(upstream.active).toBe(0)
  } finally {
    run.kill()
    await run.exited
  }
})

describe("the client goes away", () => {
  test("before the answer: the upstream's connection is closed", async () => {
    const server = up(listenRaw(() => {}))
    const upstream = upstreamAt(server.port)
    const c = client()
    const reply = settled(upstream.send(c.x))
    while (server.accepted[0]?.text.endsWith("\r\n\r\n") !== true) await Bun.sleep(2)
    c.abort()
    expect((await reply).error).toMatchObject({ status: 499 })
    await server.accepted[0]!.until(a => a.closed)
    expect([upstream.idle, upstream.active]).toEqual([0, 0])
  })
  test("while the connection is made", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const c = client()
    const reply = settled(upstream.send(c.x))
    c.abort()
    expect((await reply).error).toMatchObject({ status: 499 })
    await Bun.sleep(20)
    expect([upstream.idle, upstream.active]).toEqual([0, 0])
    for (const a of server.accepted) expect(a.text).toBe("")
  })
  test("within the answer", async () => {
    const server = up(listenRaw(c => c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")))
    const upstream = upstreamAt(server.port)
    const c = client()
    const got = take(await upstream.send(c.x))
    c.abort()
    expect((await got).error).toBeDefined()
    await server.accepted[0]!.until(a => a.closed)
    expect(upstream.active).toBe(0)
  })
  test("the receiver cancels", async () => {
    const server = up(listenRaw(c => c.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")))
    const upstream = upstreamAt(server.port)
    const reply = await upstream.send(client().x)
    ;(reply.body as ByteStream).cancel()
    await server.accepted[0]!.until(a => a.closed)
    expect(upstream.active).toBe(0)
  })
  test("before the upstream was even asked", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const c = client()
    const { x } = c
    Object.assign(x.carrier, { onAbort: (f: () => void) => f() })
    expect((await settled(upstream.send(x))).error).toMatchObject({ status: 499 })
    expect([upstream.active, server.accepted.length]).toEqual([0, 0])
  })
  test("after the answer it does not matter", async () => {
    const server = up(answering(ok))
    const upstream = upstreamAt(server.port)
    const c = client()
    await upstream.send(c.x)
    const other = upstream.send(client().x)
    c.abort()
    expect((await other).status).toBe(200)
    expect(server.accepted.length).toBe(1)
  })
})
