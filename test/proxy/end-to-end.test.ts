import { afterEach, describe, expect, test } from "bun:test"
import { ChunkedReader } from "../../src/http/codec/chunked.ts"
import { answering, listenRaw, type FakeUpstream } from "../upstream/harness.ts"
import { RawClient } from "./raw-client.ts"
import { serveProxy, type Served } from "./serve.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})
const up = (server: FakeUpstream) => (closers.push(() => server.stop()), server)
async function front(options: unknown, o?: Parameters<typeof serveProxy>[1]): Promise<Served> {
  const served = await serveProxy(options, o)
  closers.push(() => served.stop())
  return served
}
const at = (server: FakeUpstream) => `http://127.0.0.1:${server.port}`
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
const get = (path = "/", more = "") => `GET ${path} HTTP/1.1\r\nHost: example.com\r\n${more}\r\n`

describe("through the listener", () => {
  test("raw target, fields and Host reach the upstream", async () => {
    let seen = ""
    const server = up(
      listenRaw(c => {
        seen = c.text
        c.write(ok)
      }),
    )
    const { port } = await front(at(server))
    await RawClient.ask(port, get("/a%2Fb/../c?x=%2F", "aCCept: */*\r\nX-A: 1\r\nX-A: 2\r\nX_B: 3\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n"))
    expect(seen).toBe(
      "GET /a%2Fb/../c?x=%2F HTTP/1.1\r\nHost: example.com\r\naCCept: */*\r\nX-A: 1\r\nX-A: 2\r\nX-Forwarded-For: 127.0.0.1\r\n" +
        "X-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com\r\nVia: 1.1 edge\r\n\r\n",
    )
  })
  test("pipelined requests are answered in order, on kept connections", async () => {
    let n = 0
    const server = up(
      listenRaw(c => {
        const path = /GET (\S+)/.exec(c.text)![1]!
        c.text = ""
        setTimeout(() => c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`), n++ % 2 === 0 ? 20 : 0)
      }),
    )
    const { port } = await front(at(server))
    const text = await RawClient.ask(port, get("/one") + get("/two") + get("/three") + get("/four", "Connection: close\r\n"))
    expect(text.match(/\/(one|two|three|four)/g)).toEqual(["/one", "/two", "/three", "/four"])
    expect(server.accepted.length).toBe(1)
  })
  test("same head, other body: no answer is given twice", async () => {
    let n = 100
    const server = up(
      listenRaw(c => {
        c.text = ""
        c.write(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A: b\r\n\r\n${n++}`)
      }),
    )
    const { url } = await front(at(server))
    const bodies = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(url)).text()))
    expect(bodies.toSorted()).toEqual(Array.from({ length: 50 }, (_, i) => String(100 + i)))
  })
  test("HEAD and 304 keep the length they tell", async () => {
    const server = up(listenRaw((c, chunk) => c.write(chunk.latin1Slice().startsWith("HEAD") ? "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" : "HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n")))
    const { port } = await front(at(server))
    expect(await RawClient.ask(port, get("/", "Connection: close\r\n").replace("GET", "HEAD"))).toMatch(/^HTTP\/1.1 200 OK\r\n(?:.+\r\n)*Content-Length: 5000\r\n/)
    expect(await RawClient.ask(port, get("/", "Connection: close\r\n"))).toMatch(/^HTTP\/1.1 304 Not Modified\r\n(?:.+\r\n)*Content-Length: 5000\r\n/)
  })
  test("1xx and trailers reach the client", async () => {
    const server = up(
      answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
      ),
    )
    const { port } = await front(at(server))
    const text = await RawClient.ask(port, get("/", "TE: trailers\r\nConnection: close, TE\r\n"))
    expect(text).toStartWith("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n")
    expect(text).toEndWith("2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")
  })
  test("a response that would split is 502, and the next request is answered", async () => {
    const server = up(answering("HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n", ok))
    const { port } = await front(at(server))
    const text = await RawClient.ask(port, get() + get("/", "Connection: close\r\n"))
    expect(text).toStartWith("HTTP/1.1 502 Bad Gateway\r\n")
    expect(text).not.toContain("evil")
    expect(text).toEndWith("\r\n\r\nok")
  })
  test("server-sent events come one by one", async () => {
    const server = up(listenRaw(c => c.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")))
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send(get())
    await client.until(c => c.text.includes("\r\n\r\n"))
    for (const event of ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"]) {
      server.accepted[0]!.write(`${event.length.toString(16)}\r\n${event}\r\n`)
      // Nothing else follows: an event that was held back would never come.
      await client.until(c => c.text.includes(event))
    }
    client.socket.terminate()
    await server.accepted[0]!.until(c => c.closed)
  })
})

describe("where an upstream may be", () => {
  for (const [hostname, name] of [
    ["::1", "[::1]"],
    ["127.0.0.1", "localhost"],
  ] as const) {
    test(name, async () => {
      const server = Bun.serve({ hostname, port: 0, fetch: request => new Response(request.headers.get("host")) })
      closers.push(() => server.stop(true))
      const { url } = await front({ to: `http://${name}:${server.port}`, host: "upstream" })
      expect(await (await fetch(url)).text()).toBe(`${name}:${server.port}`)
    })
  }
})

describe("bodies through the listener", () => {
  test("chunked upload", async () => {
    const server = up(listenRaw(c => c.text.endsWith("0\r\n\r\n") && c.write(ok)))
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n")
    await Bun.sleep(20)
    client.send("006\r\n world\r\n0\r\n\r\n")
    await client.until(c => c.text.endsWith("ok"))
    const sent = server.accepted[0]!.text
    expect(sent).toContain("\r\nTransfer-Encoding: chunked\r\n")
    expect(sent).not.toContain("ext")
    let body = ""
    new ChunkedReader().read(Buffer.from(sent), sent.indexOf("\r\n\r\n") + 4, data => (body += data.latin1Slice()))
    expect(body).toBe("hello world")
    client.socket.terminate()
  })
  test("Expect: 100-continue: the client's 100 comes when the upstream wants the body, and only once", async () => {
    const server = up(
      listenRaw(c => {
        if (c.text.endsWith("Expect: 100-continue\r\n\r\n")) c.write("HTTP/1.1 100 Continue\r\n\r\n")
        if (c.text.endsWith("hello")) c.write(ok)
      }),
    )
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    await client.until(c => c.text === "HTTP/1.1 100 Continue\r\n\r\n")
    client.send("hello")
    await client.until(c => c.text.endsWith("ok"))
    expect(client.text.split("100 Continue").length).toBe(2)
    client.socket.terminate()
  })
  test("Expect: 100-continue refused by the upstream: no 100, and the body is not asked for", async () => {
    const server = up(answering("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"))
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    await client.until(c => c.text.endsWith("no"))
    expect(client.text).toStartWith("HTTP/1.1 401 ")
    client.socket.terminate()
  })
  test("a bad chunk of the client ends the upstream's connection without an end of body", async () => {
    const server = up(listenRaw(() => {}))
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    while (server.accepted[0]?.text.includes("hello") !== true) await Bun.sleep(2)
    client.send("-1\r\n")
    await client.until(c => c.text.startsWith("HTTP/1.1 400 "))
    await server.accepted[0]!.until(c => c.closed)
    expect(server.accepted[0]!.text).not.toContain("0\r\n\r\n")
    client.socket.terminate()
  })
  test("the client goes away in the middle of its upload, or while it waits", async () => {
    const server = up(listenRaw(() => {}))
    const { port, listener } = await front(at(server))
    for (const request of ["PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhello", get()]) {
      const n = server.accepted.length
      const client = await RawClient.to(port)
      client.send(request)
      while (server.accepted[n]?.text.includes("\r\n\r\n") !== true) await Bun.sleep(2)
      client.socket.terminate()
      await server.accepted[n]!.until(c => c.closed)
    }
    while (listener.connections > 0) await Bun.sleep(2)
  })
})

describe("buffer_request", () => {
  const recorder = () => up(listenRaw(c => (c.text.endsWith("last") || c.text.endsWith("0\r\n\r\n")) && c.write(ok)))
  test("the upstream is asked once the body is there, with its length", async () => {
    const server = recorder()
    const { port } = await front({ to: at(server), buffer_request: "1kb" })
    const client = await RawClient.to(port)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    await Bun.sleep(50)
    expect(server.accepted.length).toBe(0)
    client.send("5\r\n last\r\n0\r\n\r\n")
    await client.until(c => c.text.endsWith("ok"))
    expect(server.accepted[0]!.text).toEndWith("Content-Length: 10\r\n\r\nfirst last")
    expect(server.accepted[0]!.text).not.toContain("chunked")
    client.socket.terminate()
  })
  test("a longer one is streamed, none of it lost", async () => {
    const server = recorder()
    const { port } = await front({ to: at(server), buffer_request: "1kb" })
    const client = await RawClient.to(port)
    const sent = Array.from({ length: 300 }, (_, i) => `<${i}>`.padEnd(40, "."))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for (const [i, piece] of sent.entries()) {
      client.send(`28\r\n${piece}\r\n`)
      if (i % 50 === 0) await Bun.sleep(5)
    }
    client.send("0\r\n\r\n")
    await client.until(c => c.text.endsWith("ok"))
    const { text } = server.accepted[0]!
    let body = ""
    new ChunkedReader().read(Buffer.from(text), text.indexOf("\r\n\r\n") + 4, data => (body += data.latin1Slice()))
    expect(body).toBe(sent.join(""))
    client.socket.terminate()
  })
  test("an empty one, and one that breaks off", async () => {
    const server = up(answering(ok))
    const { port, listener } = await front({ to: at(server), buffer_request: "1kb" })
    const empty = await RawClient.to(port)
    empty.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    await empty.until(c => c.text.endsWith("ok"))
    empty.socket.terminate()
    const bad = await RawClient.to(port)
    bad.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\nzz\r\n")
    await bad.until(c => c.text.startsWith("HTTP/1.1 400 "))
    bad.socket.terminate()
    const gone = await RawClient.to(port)
    gone.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
    await Bun.sleep(20)
    gone.socket.terminate()
    while (listener.connections > 0) await Bun.sleep(5)
    expect(server.accepted.length).toBe(1)
  })
})

describe("an upstream that dies within its answer", () => {
  for (const [name, head, tail] of [
    ["Content-Length", "Content-Length: 50", "hello"],
    ["chunked", "Transfer-Encoding: chunked", "5\r\nhello\r\n"],
  ] as const) {
    for (const how of ["end", "terminate"] as const) {
      test(`${name}, ${how}`, async () => {
        const server = up(
          listenRaw(c => {
            c.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${tail}`)
            setTimeout(() => c.socket[how](), 20)
          }),
        )
        const { port, lines } = await front(at(server))
        const client = await RawClient.to(port)
        client.send(get())
        await client.until(c => c.closed || c.ended)
        expect(client.text).toContain("hello")
        expect(client.text).not.toContain("\r\n0\r\n\r\n")
        const line = lines.find(one => one.message === "upstream broke its answer off")!
        expect(line.fields).toMatchObject({ upstream: at(server), fault: "closed" })
      })
    }
  }
  test("of unknown length to an HTTP/1.0 client: a reset, not an end", async () => {
    const server = up(
      listenRaw(c => {
        c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        setTimeout(() => c.socket.end(), 20)
      }),
    )
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    await client.until(c => c.closed || c.ended)
    expect([client.ended, client.closed]).toEqual([false, true])
  })
})

describe("tunnels", () => {
  test("WebSocket: messages of all sizes both ways, close code, many at once", async () => {
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, s) => (s.upgrade(request, { headers: { "X-From": "upstream" } }) ? undefined : new Response("no", { status: 400 })),
      websocket: {
        maxPayloadLength: 1 << 24,
        message(ws, message) {
          if (message === "close") ws.close(4001, "as asked")
          else ws.send(message)
        },
      },
    })
    closers.push(() => server.stop(true))
    const { port } = await front(`http://127.0.0.1:${server.port}`)
    const one = async (n: number) => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`)
      ws.binaryType = "arraybuffer"
      const inbox: unknown[] = []
      let wake = () => {}
      ws.onmessage = event => {
        inbox.push(event.data)
        wake()
      }
      const next = async () => {
        while (inbox.length === 0) await new Promise<void>(resolve => (wake = resolve))
        return inbox.shift()
      }
      await new Promise((resolve, reject) => {
        ws.onopen = resolve
        ws.onerror = reject
      })
      ws.send(`hello ${n}`)
      expect(await next()).toBe(`hello ${n}`)
      for (const size of [0, 1, 125, 126, 65_536, 3_000_000]) {
        const sent = Buffer.alloc(size, n)
        ws.send(sent)
        const got = new Uint8Array((await next()) as ArrayBuffer)
        expect(Buffer.compare(got, sent)).toBe(0)
      }
      const closed = new Promise<CloseEvent>(resolve => (ws.onclose = resolve as never))
      ws.send("close")
      expect(await closed).toMatchObject({ code: 4001, reason: "as asked" })
    }
    await Promise.all(Array.from({ length: 10 }, (_, n) => one(n + 1)))
  })
  const upgrade = get("/", "Connection: Upgrade\r\nUpgrade: echo\r\n")
  const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n"
  test("bytes behind the 101 are not lost, half-closes pass through both ways", async () => {
    const server = up(
      listenRaw(c => {
        if (c.text.endsWith("\r\n\r\n")) c.write(switching + "first")
      }),
    )
    const { port } = await front(at(server))
    const client = await RawClient.to(port)
    client.send(upgrade)
    await client.until(c => c.text.endsWith("first"))
    expect(client.text).toStartWith("HTTP/1.1 101 Switching Protocols\r\n")
    expect(client.text).toContain("\r\nUpgrade: echo\r\n")
    expect(client.text).toContain("\r\nX-A: b\r\n")
    client.send("\0\r\n\r\nbytes")
    const [accepted] = server.accepted
    await accepted!.until(c => c.text.endsWith("bytes"))
    client.socket.shutdown()
    await accepted!.until(c => c.ended)
    accepted!.write("still here")
    await client.until(c => c.text.endsWith("still here"))
    accepted!.socket.end()
    await client.until(c => c.ended || c.closed)
  })
  test("one side gone, the other goes", async () => {
    const server = up(listenRaw(c => c.write(switching)))
    const { port, listener } = await front(at(server))
    const one = await RawClient.to(port)
    one.send(upgrade)
    await one.until(c => c.text.endsWith("\r\n\r\n"))
    one.socket.terminate()
    await server.accepted[0]!.until(c => c.closed)
    const two = await RawClient.to(port)
    two.send(upgrade)
    await two.until(c => c.text.endsWith("\r\n\r\n"))
    server.accepted[1]!.socket.terminate()
    await two.until(c => c.closed || c.ended)
    while (listener.connections > 0) await Bun.sleep(2)
  })
  test("refused by the upstream: an ordinary answer, and the connection goes on", async () => {
    const server = up(answering("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nUpgrade: other\r\n\r\nno", ok))
    const { port } = await front(at(server))
    const text = await RawClient.ask(port, upgrade + get("/", "Connection: close\r\n"))
    expect(text).toStartWith("HTTP/1.1 426 ")
    expect(text).toEndWith("ok")
  })
  test("h2c is never tunnelled", async () => {
    const server = up(answering(ok))
    const { port } = await front(at(server))
    const text = await RawClient.ask(port, get("/", "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))
    expect(text).toStartWith("HTTP/1.1 200 OK")
    expect(server.accepted[0]!.text).not.toContain("h2c")
  })
})
