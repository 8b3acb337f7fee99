import { afterEach, expect, test } from "bun:test"
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import type { Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Logger } from "../../log/logger.ts"
import type { Handler } from "../middleware/chain.ts"
import { HttpError } from "../message/errors.ts"
import type { ExchangeEnd } from "../message/exchange.ts"
import { HeaderList } from "../message/headers.ts"
import { defaultLimits } from "./limits.ts"
import type { Limits } from "./limits.ts"
import { listen } from "./listener.ts"
import type { HttpListener, ListenOptions } from "./listener.ts"
import { Reply } from "../message/reply.ts"
import { ByteStream } from "../message/stream.ts"
import type { ByteSink } from "../message/stream.ts"

const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
const folder = mkdtempSync(join(tmpdir(), "listener-"))
const open: HttpListener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.closeNow()
})
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

function serve(handler: Handler, o: Partial<ListenOptions> & { limits?: Limits } = {}): HttpListener {
  const listener = listen({
    ...(o.unix === undefined ? { hostname: "127.0.0.1", port: 0 } : {}),
    address: "127.0.0.1:0",
    handler,
    limits: defaultLimits,
    trusted: () => false,
    log,
    ...o,
  })
  open.push(listener)
  return listener
}

const dial = (listener: HttpListener): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: listener.port })
    socket.once("connect", () => resolve(socket)).once("error", reject)
  })
const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`
/** All that comes until the server closes. */
const all = (socket: Socket): Promise<string> =>
  new Promise(resolve => {
    let got = ""
    socket.on("data", (chunk: Buffer) => (got += chunk.toString("latin1")))
    socket.on("error", () => {})
    socket.on("close", () => resolve(got))
  })
/** Waits until it is true; a test that waits for ever times out. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await Bun.sleep(2)
}
const url = (listener: HttpListener, path: string) => `http://127.0.0.1:${listener.port}${path}`

/** Sends for ever, and counts what was taken. */
class Endless extends ByteStream {
  readonly length = -1
  sent = 0
  cancelled = false
  #paused = false
  #sink!: ByteSink
  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.resume()
  }
  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    while (!this.#paused && !this.cancelled) {
      this.sent += 65_536
      this.#sink.data(Buffer.alloc(65_536, "x"))
    }
  }
  cancel(): void {
    this.cancelled = true
  }
}

test("a stream waits for a slow reader, and is cancelled when the reader is gone", async () => {
  const stream = new Endless()
  let end: ExchangeEnd | undefined
  let aborted = false
  const listener = serve(
    x => {
      x.signal.addEventListener("abort", () => (aborted = true))
      return new Reply(200, undefined, stream)
    },
    { onExchangeEnd: (_, e) => (end = e) },
  )
  const socket = await dial(listener)
  socket.pause()
  socket.write(get("/"))
  await until(() => stream.sent > 0)
  await Bun.sleep(50)
  const stalled = stream.sent
  expect(stalled).toBeLessThan(32 * 1024 * 1024)
  await Bun.sleep(50)
  expect(stream.sent).toBe(stalled)
  socket.resume()
  await until(() => stream.sent > stalled + 1_000_000)
  socket.destroy()
  await until(() => stream.cancelled && end !== undefined)
  expect(aborted).toBe(true)
  expect(end!.error).toBeInstanceOf(Error)
  expect(listener.connections).toBe(0)
})

test("a reader that takes nothing is cut", async () => {
  const stream = new Endless()
  const listener = serve(() => new Reply(200, undefined, stream), { limits: { ...defaultLimits, sendTimeoutMs: 100 } })
  const socket = await dial(listener)
  socket.pause()
  socket.write(get("/"))
  await until(() => stream.cancelled)
  await until(() => listener.connections === 0)
  socket.destroy()
})

test("a reader that takes nothing of a file is cut, one that takes a little now and then is not", async () => {
  const file = join(folder, "big")
  writeFileSync(file, new Uint8Array(32 * 1024 * 1024))
  let closed = 0
  const handler = () => {
    const fd = openSync(file, "r")
    return new Reply(200, undefined, { fd, start: 0, end: 32 * 1024 * 1024, close: () => (closed++, closeSync(fd)) })
  }
  const listener = serve(handler, { limits: { ...defaultLimits, sendTimeoutMs: 1000 } })
  const [idle, slow] = await Promise.all([dial(listener), dial(listener)])
  idle.pause()
  idle.write(get("/"))
  let got = 0
  slow.on("data", chunk => {
    got += chunk.length
    slow.pause()
    setTimeout(() => slow.resume(), 20)
  })
  slow.write(get("/"))
  await until(() => listener.connections === 1)
  await until(() => got > 32 * 1024 * 1024)
  expect(closed).toBe(2)
  idle.destroy()
  slow.destroy()
}, 60_000)

test("a body waits for a slow handler", async () => {
  let body: ByteStream | undefined
  let got = 0
  const listener = serve(x => {
    body = x.body!
    return new Promise(resolve => {
      body!.pipe({
        data: chunk => {
          got += chunk.byteLength
          body!.pause()
        },
        end: () => resolve(Reply.text(200, String(got))),
        fail: () => resolve(Reply.text(500, "failed")),
      })
    })
  })
  const socket = await dial(listener)
  const size = 64 * 1024 * 1024
  const answer = all(socket)
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`)
  socket.write(Buffer.alloc(size))
  await until(() => got > 0)
  await Bun.sleep(50)
  const stalled = got
  expect(stalled).toBeLessThan(2 * 1024 * 1024)
  const timer = setInterval(() => body!.resume(), 0)
  expect(await answer).toEndWith(`\r\n\r\n${size}`)
  clearInterval(timer)
}, 20_000)

test("a file is sent whole to fast and slow readers, and closed once", async () => {
  const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, i) => `${i}\n`).join(""))
  const path = join(folder, "big")
  writeFileSync(path, bytes)
  let closed = 0
  const listener = serve(() => {
    const fd = openSync(path, "r")
    return new Reply(200, undefined, { fd, start: 10, end: bytes.length, close: () => (closeSync(fd), void closed++) })
  })
  expect(Buffer.from(await (await fetch(url(listener, "/"))).arrayBuffer()).equals(bytes.subarray(10))).toBe(true)
  const socket = await dial(listener)
  let got = 0
  socket.on("data", (chunk: Buffer) => {
    got += chunk.length
    socket.pause()
    setTimeout(() => socket.resume(), 1)
  })
  const over = new Promise(resolve => socket.on("close", resolve))
  socket.write(get("/", "Connection: close\r\n"))
  await over
  expect(got).toBeGreaterThan(bytes.length - 10)
  const gone = await dial(listener)
  gone.pause()
  gone.write(get("/"))
  await Bun.sleep(20)
  gone.destroy()
  await until(() => closed === 3)
})

test("a file that becomes shorter does not look complete", async () => {
  const path = join(folder, "shrinks")
  writeFileSync(path, "short")
  const listener = serve(() => {
    const fd = openSync(path, "r")
    return new Reply(200, undefined, { fd, start: 0, end: 100_000, close: () => closeSync(fd) })
  })
  const socket = await dial(listener)
  const answer = all(socket)
  socket.write(get("/"))
  expect(await answer).toEndWith("Content-Length: 100000\r\n\r\nshort")
})

test("what a client pipelines is bounded, and answered in the end", async () => {
  let release: ((reply: Reply) => void) | undefined
  let count = 0
  const listener = serve(() => (count++ === 0 ? new Promise(resolve => (release = resolve)) : Reply.text(200, ".")))
  const socket = await dial(listener)
  let bytes = 0
  socket.on("data", (chunk: Buffer) => (bytes += chunk.length))
  const many = 40_000
  let flushed = false
  socket.write(get("/").repeat(many), () => (flushed = true))
  await until(() => release !== undefined)
  await Bun.sleep(100)
  // 1.1 MB: the kernel's buffers and 64 kB of ours.
  expect(count).toBe(1)
  release!(Reply.text(200, "."))
  const one = Buffer.byteLength("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Length: 1\r\n\r\n.")
  await until(() => bytes === many * one)
  expect(flushed).toBe(true)
  socket.destroy()
}, 20_000)

test("a client that pipelines, closes its side and reads slowly gets every answer", async () => {
  const big = Buffer.alloc(1_000_000, "x")
  const listener = serve(() => new Reply(200, undefined, big))
  const socket = await dial(listener)
  socket.pause()
  socket.end(get("/").repeat(30))
  await Bun.sleep(100)
  const answer = all(socket)
  socket.resume()
  expect((await answer).split("HTTP/1.1 200 OK").length - 1).toBe(30)
})

test("answers of one batch leave in one write", async () => {
  const listener = serve(() => Reply.text(200, "."))
  const socket = await dial(listener)
  const chunks: number[] = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk.length))
  socket.write(get("/").repeat(20))
  await until(() => chunks.reduce((a, b) => a + b, 0) >= 20 * 100)
  expect(chunks.length).toBe(1)
  socket.destroy()
})

test("the limit of one exchange is the handler's to set, also on a changed exchange", async () => {
  const listener = serve(async x => {
    const changed = x.with({ path: "/other" })
    changed.bodyLimit = 10
    return Reply.text(200, String((await changed.body!.bytes()).byteLength))
  })
  const post = (size: number) => fetch(url(listener, "/"), { method: "POST", body: "x".repeat(size) })
  expect((await post(10)).status).toBe(200)
  expect((await post(11)).status).toBe(413)
})

test("an HttpError is answered with its status and fields, and tells nothing", async () => {
  const listener = serve(() => {
    throw new HttpError(429, "a secret", { headers: [["Retry-After", "3"]], close: true })
  })
  const response = await fetch(url(listener, "/"))
  expect([response.status, response.headers.get("retry-after"), response.headers.get("connection")]).toEqual([429, "3", "close"])
  expect(await response.text()).toBe("429 Too Many Requests\n")
})

test("every exchange ends once, with its bytes", async () => {
  const ends: string[] = []
  const listener = serve(
    x => {
      x.onEnd(end => ends.push(`on ${end.status} ${end.bytesOut}`))
      return x.path === "/throw" ? Promise.reject(new Error()) : Reply.text(200, "hello")
    },
    { onExchangeEnd: (x, end) => ends.push(`${x.method} ${x.target} ${end.status} ${end.bytesOut}`) },
  )
  await (await fetch(url(listener, "/a"))).text()
  await (await fetch(url(listener, "/b"), { method: "HEAD" })).text()
  await (await fetch(url(listener, "/throw"))).text()
  const socket = await dial(listener)
  const answer = all(socket)
  socket.write("BAD\r\n\r\n")
  await answer
  expect(ends).toEqual([
    "on 200 5", "GET /a 200 5", "on 200 0", "HEAD /b 200 0", "on 500 26", "GET /throw 500 26", "- - 400 33",
  ])
})

test("an early answer to a large upload arrives", async () => {
  const listener = serve(() => Reply.text(403, "no"))
  for (let i = 0; i < 5; i++) {
    const socket = await dial(listener)
    const answer = all(socket)
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n`)
    socket.write(Buffer.alloc(5_000_000))
    socket.on("end", () => socket.end())
    expect(await answer).toContain(" 403 ")
  }
})

test("a handler that reads the body after the client is gone fails", async () => {
  let failed: Error | undefined
  const listener = serve(async x => {
    try {
      await x.body!.bytes()
    } catch (error) {
      failed = error as Error
    }
    return Reply.text(200, "")
  })
  const socket = await dial(listener)
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
  await Bun.sleep(20)
  socket.destroy()
  await until(() => failed !== undefined)
})

test("trusted proxies name the client and the scheme", async () => {
  const trusted = (peer: string) => peer === "127.0.0.1" || peer.startsWith("10.")
  const listener = serve(x => Reply.text(200, `${x.ip} ${x.scheme} ${x.headers.has("x-forwarded-for")}`), { trusted })
  const ask = async (headers: Record<string, string>) => (await fetch(url(listener, "/"), { headers })).text()
  expect(await ask({})).toBe("127.0.0.1 http false")
  expect(await ask({ "X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.0.0.1", "X-Forwarded-Proto": "https" })).toBe("1.2.3.4 https true")
  expect(await ask({ "X-Forwarded-For": "junk, 10.0.0.1" })).toBe("10.0.0.1 http true")
  expect(await ask({ Forwarded: 'for=6.6.6.6, for="[2001:db8::1]:4711";proto=https' })).toBe("2001:db8::1 https false")
  expect(await ask({ "X-Forwarded-Proto": "gopher" })).toBe("127.0.0.1 http false")
})

test("unix sockets", async () => {
  const unix = join(folder, "http.sock")
  serve(x => Reply.text(200, `${x.peer} ${x.conn.peerPort} ${x.conn.local}`), { unix, address: `unix:${unix}` })
  expect(await (await fetch("http://a/", { unix })).text()).toBe(`unix 0 unix:${unix}`)
})

test("drain answers what is under way, says close, and ends", async () => {
  let release: ((reply: Reply) => void) | undefined
  const listener = serve(x => (x.path === "/slow" ? new Promise(resolve => (release = resolve)) : Reply.text(200, "x")))
  const idle = await dial(listener)
  const idleOver = all(idle)
  idle.write(get("/"))
  const slow = await dial(listener)
  const slowOver = all(slow)
  slow.write(get("/slow"))
  await until(() => release !== undefined)
  let drained = false
  const draining = listener.drain({ graceMs: 5000, tunnelGraceMs: 5000 }).then(() => (drained = true))
  expect(await idleOver).toContain("200 OK")
  expect(drained).toBe(false)
  release!(Reply.text(200, "late"))
  expect(await slowOver).toMatch(/Connection: close\r\n\r\nlate$/)
  await draining
  await expect(dial(listener)).rejects.toThrow()
})

test("drain cuts what does not end in its grace, and keeps tunnels longer", async () => {
  const listener = serve(x => {
    if (x.path !== "/tunnel") return new Promise(() => {})
    const duplex = x.upgrade()!
    duplex.incoming.pipe({ data: chunk => void duplex.write(chunk), end: () => duplex.end(), fail: () => {} })
    return Reply.text(200, "")
  })
  const stuck = await dial(listener)
  const stuckOver = all(stuck)
  stuck.write(get("/"))
  const tunnel = await dial(listener)
  const tunnelOver = all(tunnel)
  tunnel.write(get("/tunnel"))
  await Bun.sleep(20)
  const draining = listener.drain({ graceMs: 500, tunnelGraceMs: 1500 })
  expect(await stuckOver).toBe("")
  tunnel.write("still")
  expect(await tunnelOver).toBe("still")
  await draining
})

test("a tunnel half-closes in both directions", async () => {
  const listener = serve(x => {
    const duplex = x.upgrade()!
    let got = ""
    duplex.incoming.pipe({
      data: chunk => void (got += Buffer.from(chunk).toString()),
      end: () => {
        duplex.write(Buffer.from(`got ${got}`))
        duplex.end()
      },
      fail: () => {},
    })
    return Reply.text(200, "")
  })
  const socket = await dial(listener)
  const answer = all(socket)
  socket.write(get("/") + "one")
  await Bun.sleep(10)
  socket.end("two")
  expect(await answer).toBe("got onetwo")
  await until(() => listener.connections === 0)
})

test("a body that is read when the answer is complete fails, and the connection goes on", async () => {
  let late: Promise<unknown> | undefined
  const listener = serve(x => {
    if (x.body !== null) late = Bun.sleep(20).then(() => x.body!.bytes())
    return Reply.text(200, "early")
  })
  const socket = await dial(listener)
  let got = ""
  socket.on("data", (chunk: Buffer) => (got += chunk.toString()))
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na")
  await until(() => late !== undefined)
  await expect(late).rejects.toThrow("gone")
  socket.write("bc" + get("/"))
  await until(() => got.split("200 OK").length === 3)
  socket.destroy()
})

test("a slow handler does not make its client too slow", async () => {
  const listener = serve(
    x =>
      new Promise(resolve => {
        let size = 0
        x.body!.pipe({
          data: chunk => {
            size += chunk.byteLength
            x.body!.pause()
            setTimeout(() => x.body!.resume(), 400)
          },
          end: () => resolve(Reply.text(200, String(size))),
          fail: error => resolve(Reply.text(200, String(error))),
        })
      }),
    { limits: { ...defaultLimits, bodyRate: { bytesPerSecond: 1_000_000, overMs: 300 } } },
  )
  const answer = fetch(url(listener, "/"), { method: "POST", body: Buffer.alloc(1_000_000) })
  expect(await (await answer).text()).toBe("1000000")
}, 20_000)

test("an early hint that cannot be sent is an error of the handler", async () => {
  const listener = serve(x => {
    x.early(103, new HeaderList(["Link", "a\r\nb"]))
    return Reply.text(200, "")
  })
  expect((await fetch(url(listener, "/"))).status).toBe(500)
})
