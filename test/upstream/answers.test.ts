import { afterEach, describe, expect, test } from "bun:test"
import { ByteStream } from "../../src/http/message/stream.ts"
import { answering, client, listenRaw, settled, take, upstreamAt, whole, type FakeUpstream } from "./harness.ts"

const open: FakeUpstream[] = []
const up = (server: FakeUpstream) => (open.push(server), server)
afterEach(() => open.splice(0).forEach(server => server.stop()))

describe("framing of the answer (RFC 9112, 6.3)", () => {
  const cases: [name: string, wire: string, body: string, kept: boolean, method?: string, fields?: string[]][] = [
    ["Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", true],
    ["Content-Length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", true],
    ["chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello", true],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n", "", true],
    ["304 keeps its length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", true, "GET", ["Content-Length", "9"]],
    ["HEAD keeps its length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "", true, "HEAD", ["Content-Length", "9"]],
    ["HEAD of a chunked answer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", true, "HEAD"],
    ["Connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok", false],
    ["HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false],
    ["garbage behind the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", "ok", false],
    ["garbage behind the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", "", false],
    ["a body on HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "", false, "HEAD", ["Content-Length", "2"]],
    ["a body on 204", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok", "", false],
  ]
  for (const [name, wire, body, kept, method, fields] of cases) {
    test(`${name}, at once and byte by byte`, async () => {
      const server = up(answering(wire))
      const upstream = upstreamAt(server.port)
      const reply = await upstream.send(client({ method: method ?? "GET" }).x)
      expect((await take(reply)).text).toBe(body)
      expect(reply.headers.flat).toEqual(fields ?? [])
      expect(upstream.idle).toBe(kept ? 1 : 0)
      expect(upstream.active).toBe(0)

      const slow = up(
        listenRaw(c => {
          if (!c.text.endsWith("\r\n\r\n")) return
          // Only what belongs to the message: what follows it comes too late for this test.
          const bytes = [...wire]
          const next = () => {
            const byte = bytes.shift()
            if (byte === undefined || c.closed) return
            c.write(byte)
            setTimeout(next, 0)
          }
          next()
        }),
      )
      const again = await upstreamAt(slow.port).send(client({ method: method ?? "GET" }).x)
      expect((await take(again)).text).toBe(body)
    })
  }

  test("until the upstream closes", async () => {
    const server = up(
      listenRaw(c => {
        c.write("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello ")
        setTimeout(() => {
          c.write("world")
          c.socket.end()
        }, 20)
      }),
    )
    const upstream = upstreamAt(server.port)
    const reply = await upstream.send(client().x)
    expect(reply.body).toBeInstanceOf(ByteStream)
    expect(await take(reply)).toMatchObject({ text: "hello world", error: undefined })
    expect(upstream.idle).toBe(0)
  })

  test("a small answer in one piece is bytes, not a stream", async () => {
    const server = up(answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
    const reply = await upstreamAt(server.port).send(client().x)
    expect(reply.body).toBeInstanceOf(Uint8Array)
  })

  test("status, reason, order, case and duplicates are kept; hop-by-hop fields are not", async () => {
    const server = up(
      answering(
        "HTTP/1.1 299 Quite fine\r\nset-COOKIE: a=1\r\nX: 1\r\nSet-Cookie: b=2\r\nConnection: X-Hop, keep-alive\r\n" +
          "X-Hop: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 0\r\nServer: s\r\n\r\n",
      ),
    )
    const reply = await upstreamAt(server.port).send(client().x)
    expect(reply.status).toBe(299)
    expect(reply.reason).toBe("Quite fine")
    expect(reply.headers.flat).toEqual(["set-COOKIE", "a=1", "X", "1", "Set-Cookie", "b=2", "Server", "s"])
  })

  test("trailers come at the end", async () => {
    const server = up(answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 9\r\n\r\n"))
    const upstream = upstreamAt(server.port)
    const reply = await upstream.send(client().x)
    expect(await take(reply)).toMatchObject({ text: "x", trailers: ["X-Sum", "9"] })
    expect(upstream.idle).toBe(1)
  })

  test("1xx are passed on, in order, 100 is not", async () => {
    const server = up(
      answering(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 P\r\n\r\n" +
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      ),
    )
    const c = client()
    const reply = await upstreamAt(server.port).send(c.x)
    expect(reply.status).toBe(200)
    expect(c.earlies).toEqual([[103, ["Link", "</a>"]], [102, []]])
  })
})

describe("an answer cut short does not look complete", () => {
  const cases: [name: string, wire: string][] = [
    ["Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"],
    ["chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["chunked, within the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"],
    ["chunked, then garbage", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
  ]
  for (const [name, wire] of cases) {
    for (const how of ["end", "terminate"] as const) {
      test(`${name}, ${how}`, async () => {
        const broken: string[] = []
        const server = up(
          listenRaw(c => {
            c.write(wire)
            setTimeout(() => (name.endsWith("garbage") ? c.write("zz\r\n") : c.socket[how]()), 20)
          }),
        )
        const upstream = upstreamAt(server.port, { onBrokenAnswer: error => broken.push(error.fault) })
        const got = await take(await upstream.send(client().x))
        expect(got.text).toBe("hello")
        expect(got.error).toBeDefined()
        expect(broken).toEqual([name.endsWith("garbage") ? "protocol" : "closed"])
        expect(upstream.idle).toBe(0)
        expect(upstream.active).toBe(0)
      })
    }
  }
  test("reset while the length is not known", async () => {
    const server = up(
      listenRaw(c => {
        c.write("HTTP/1.1 200 OK\r\n\r\nhello")
        setTimeout(() => c.socket.terminate(), 20)
      }),
    )
    const got = await take(await upstreamAt(server.port).send(client().x))
    expect(got.error).toBeDefined()
  })
})

describe("what is no answer is 502", () => {
  const cases: [name: string, wire: string][] = [
    ["garbage", "hello\r\n\r\n"],
    ["garbage without an end", "\x16\x03\x01"],
    ["HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n"],
    ["split header", "HTTP/1.1 200 OK\r\nA: b\rInjected: c\r\n\r\n"],
    ["NUL", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
    ["obs-fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ["length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["bad chunk at once", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"],
    ["switch unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"],
    ["endless head", "HTTP/1.1 200 OK\r\nA: " + "a".repeat(70_000)],
  ]
  for (const [name, wire] of cases) {
    test(name, async () => {
      const server = up(answering(wire))
      const upstream = upstreamAt(server.port)
      const { error } = await settled(upstream.send(client().x))
      expect(error).toMatchObject({ name: "HttpError", status: 502, fault: "protocol" })
      expect([upstream.idle, upstream.active]).toEqual([0, 0])
      await server.accepted[0]!.until(c => c.closed)
    })
  }
  test("closed without a byte", async () => {
    const server = up(listenRaw(c => c.socket.end()))
    const { error } = await settled(upstreamAt(server.port).send(client().x))
    expect(error).toMatchObject({ status: 502, fault: "closed" })
    // On a first connection it is not tried again: the upstream did see the request.
    expect(server.accepted.length).toBe(1)
  })
  test("nobody there", async () => {
    const server = listenRaw(() => {})
    server.stop()
    const upstream = upstreamAt(server.port)
    const { error } = await settled(upstream.send(client({ method: "POST", body: whole("x") }).x))
    expect(error).toMatchObject({ status: 502, fault: "connect", unsent: true, bodyTaken: false })
    expect(upstream.active).toBe(0)
  })
  test("no such socket", async () => {
    const { HttpUpstream } = await import("../../src/http/upstream/upstream.ts")
    const { parseTarget } = await import("../../src/http/upstream/target.ts")
    const { error } = await settled(new HttpUpstream({ target: parseTarget("unix:/nowhere/x.sock") }).send(client().x))
    expect(error).toMatchObject({ status: 502, fault: "connect" })
  })
})
