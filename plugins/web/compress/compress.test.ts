import { afterAll, describe, expect, test } from "bun:test"
import { closeSync, openSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib"
import { ByteStream, type ByteSink, type Handler, HeaderList, Prepared, Reply } from "edge"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask, type ExchangeOptions, exchange, seen, streamOf } from "../../../test/kit/exchange.ts"
import { folder } from "../../../test/kit/served.ts"
import statics from "../static/plugin.ts"
import plugin from "./plugin.ts"

const text = "all work and no play makes jack a dull boy\n".repeat(200)
const big = text.repeat(50)

async function around(handler: Handler, options: unknown = {}): Promise<Handler> {
  return (await setUp(plugin, options))(handler)
}
const answer = (body: Reply["body"], lines: string[] = [], status = 200) => () => new Reply(status, new HeaderList(["Content-Type", "text/plain", ...lines]), body)
const want = (accept: string, headers: Record<string, string> = {}): ExchangeOptions => ({ headers: { "Accept-Encoding": accept, ...headers } })

const undo = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync } as const

describe.each(["gzip", "br", "zstd"] as const)("%s", encoding => {
  test.each([
    ["text", () => text],
    ["bytes", () => Buffer.from(text)],
    ["many bytes, by a thread", () => Buffer.from(big)],
    ["a stream", () => streamOf(text.match(/.{1,1000}/gs)!)],
    ["a stream of announced length", () => streamOf([text], text.length)],
  ])("of %s", async (_, body) => {
    const sent = body()
    const handler = await around(answer(sent, ["ETag", '"a"', "Accept-Ranges", "bytes", "Content-Length", String(text.length)]))
    const got = await ask(handler, "/", want(encoding))
    expect(got.headers.get("content-encoding")).toBe(encoding)
    expect(undo[encoding](got.body).toString()).toBe(sent instanceof Buffer ? sent.toString() : text)
    expect(got.headers.get("etag")).toBe('W/"a"')
    expect(got.headers.get("vary")).toBe("Accept-Encoding")
    expect([got.headers.has("accept-ranges"), got.headers.has("content-length")]).toEqual([false, false])
  })
})

describe("which", () => {
  const encodingOf = async (accept: string, options: unknown = {}) =>
    (await ask(await around(answer(text), options), "/", want(accept))).headers.get("content-encoding")
  test.each([
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip, br", "br"],
    ["gzip;q=1, br;q=0.5", "gzip"],
    ["gzip;q=0", null],
    ["identity", null],
    ["*;q=0.1", "zstd"],
    ["identity;q=1, gzip;q=0.5", null],
    ["", null],
  ])("%p gets %p", async (accept, encoding) => {
    expect(await encodingOf(accept)).toBe(encoding)
  })
  test("in the order of the config", async () => {
    expect(await encodingOf("gzip, br, zstd", { encodings: ["gzip", "br"] })).toBe("gzip")
  })
})

describe("left alone", () => {
  test.each([
    ["small", answer("tiny")],
    ["compressed already", answer(text, ["Content-Encoding", "br"])],
    ["no-transform", answer(text, ["Cache-Control", "public, no-transform"])],
    ["a range", answer(text, ["Content-Range", "bytes 0-1/2"], 206)],
    ["204", answer(null, [], 204)],
    ["no type", () => new Reply(200, new HeaderList(), text)],
    ["an image", () => new Reply(200, new HeaderList(["Content-Type", "image/png"]), text)],
  ] as [string, Handler][])("%s", async (_, handler) => {
    const got = await ask(await around(handler), "/", want("gzip"))
    const plain = await ask(handler, "/")
    expect([...got.headers]).toEqual([...plain.headers])
    expect(got.text).toBe(plain.text)
  })

  test("the client says no-transform: plain, but it varies", async () => {
    const got = await ask(await around(answer(text)), "/", want("gzip", { "Cache-Control": "no-transform" }))
    expect([got.headers.get("content-encoding"), got.headers.get("vary")]).toEqual([null, "Accept-Encoding"])
  })

  test("what does not get smaller", async () => {
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(5000)))
    const got = await ask(await around(answer(noise, ["ETag", '"a"'])), "/", want("gzip"))
    expect([got.headers.get("content-encoding"), got.headers.get("etag")]).toEqual([null, '"a"'])
    expect(got.body.equals(noise)).toBe(true)
  })

  test("Vary is added to, once", async () => {
    const vary = async (...lines: string[]) => (await ask(await around(answer(text, lines)), "/", want("gzip"))).headers.getAll("vary")
    expect(await vary("Vary", "Origin")).toEqual(["Origin, Accept-Encoding"])
    expect(await vary("Vary", "accept-encoding, Origin")).toEqual(["accept-encoding, Origin"])
    expect(await vary("Vary", "*")).toEqual(["*"])
  })

  test("guesses of another site with the user's cookies (BREACH)", async () => {
    const handler = await around(answer(text))
    const guess = { Cookie: "s=1", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors" }
    expect((await ask(handler, "/", want("gzip", guess))).headers.get("content-encoding")).toBe(null)
    expect((await ask(handler, "/", want("gzip", { ...guess, "Sec-Fetch-Site": "same-origin" }))).headers.get("content-encoding")).toBe("gzip")
  })
})

describe("types", () => {
  const isCompressed = async (type: string, options: unknown = {}) => {
    const handler = await around(() => new Reply(200, new HeaderList(["Content-Type", type]), text), options)
    return (await ask(handler, "/", want("gzip"))).headers.has("content-encoding")
  }
  test.each([
    ["text/html; charset=utf-8", true],
    ["TEXT/HTML", true],
    ["application/json", true],
    ["application/problem+json;charset=utf-8", true],
    ["image/svg+xml", true],
    ["application/jsonx", false],
    ["image/jpeg", false],
    ["font/woff2", false],
    ["application/octet-stream", false],
  ])("%s: %p", async (type, yes) => {
    expect(await isCompressed(type)).toBe(yes)
  })
  test("of the config", async () => {
    expect(await isCompressed("application/x-foo", { types: ["application/x-*"] })).toBe(true)
    expect(await isCompressed("text/html", { types: ["application/x-*"] })).toBe(false)
  })
})

describe("from memory", () => {
  test("compressed once, then the very same bytes on the wire", async () => {
    const prepared = new Prepared(200, ["Content-Type", "text/css", "ETag", '"a"'], text)
    let calls = 0
    const handler = await around(() => {
      calls++
      return prepared.reply()
    })
    const first = (await handler(exchange("/", want("br")))) as Reply
    const second = (await handler(exchange("/", want("br")))) as Reply
    expect(second.wire).toBe(first.wire!)
    expect(calls).toBe(2)
    expect(brotliDecompressSync(first.body as Uint8Array).toString()).toBe(text)
    const plain = (await handler(exchange("/"))) as Reply
    expect(plain.wire!.bytes.toString()).toContain("Vary: Accept-Encoding\r\n")
    expect(plain.headers.get("etag")).toBe('"a"')
    const gzip = (await handler(exchange("/", want("gzip")))) as Reply
    expect(gunzipSync(gzip.body as Uint8Array).toString()).toBe(text)
  })

  test("a large one is made by a thread, once for all who ask meanwhile", async () => {
    const prepared = new Prepared(200, ["Content-Type", "text/css"], big)
    const handler = await around(() => prepared.reply())
    const asked = Array.from({ length: 5 }, () => handler(exchange("/", want("gzip"))))
    expect(asked.every(got => got instanceof Promise)).toBe(true)
    const bodies = new Set((await Promise.all(asked)).map(reply => (reply as Reply).body))
    expect(bodies.size).toBe(1)
    expect(handler(exchange("/", want("gzip")))).toBeInstanceOf(Reply)
  })

  test("the copies are bounded: past it they are made again", async () => {
    const handler = await around(x => all.get(x.path)!.reply(), { cache: "4kb" })
    const all = new Map(Array.from({ length: 40 }, (_, i) => [`/${i}`, new Prepared(200, ["Content-Type", "text/css"], text + i)]))
    for (let round = 0; round < 3; round++) {
      for (const path of all.keys()) expect(gunzipSync((await ask(handler, path, want("gzip"))).body).toString()).toBe(text + path.slice(1))
    }
  })
})

describe("with files", () => {
  const dir = folder({ "a.css": text, "big.css": big.repeat(4) })
  afterAll(() => rmSync(dir, { recursive: true }))
  const files = async () => around(await setUp(statics, { root: "." }, new TestContext({ dir })))

  test("a 304 matches what the client holds", async () => {
    const handler = await files()
    const compressed = await ask(handler, "/a.css", want("gzip"))
    const etag = compressed.headers.get("etag")!
    expect(etag).toStartWith('W/"')
    const again = await ask(handler, "/a.css", want("gzip", { "If-None-Match": etag }))
    expect([again.status, again.headers.get("etag"), again.headers.get("vary")]).toEqual([304, etag, "Accept-Encoding"])
    expect(again.wire).toContain(`ETag: ${etag}\r\n`)
    const plain = await ask(handler, "/a.css")
    const strong = plain.headers.get("etag")!
    expect((await ask(handler, "/a.css", { headers: { "If-None-Match": strong } })).headers.get("etag")).toBe(strong)
  })

  test("ranges stay those of the file", async () => {
    const handler = await files()
    const { headers } = await ask(handler, "/a.css", want("gzip"))
    const range = await ask(handler, "/a.css", want("gzip", { Range: "bytes=0-2" }))
    expect([range.status, range.text, range.headers.get("content-encoding")]).toEqual([206, "all", null])
    const resumed = await ask(handler, "/a.css", want("gzip", { Range: "bytes=0-2", "If-Range": headers.get("etag")! }))
    expect([resumed.status, resumed.headers.get("content-encoding")]).toEqual([200, "gzip"])
  })

  test("HEAD says what GET would", async () => {
    const handler = await files()
    const get = await ask(handler, "/a.css", want("gzip"))
    const head = await ask(handler, "/a.css", { method: "HEAD", ...want("gzip") })
    expect([...head.headers]).toEqual([...get.headers])
  })

  test("a file too large for memory is compressed as it is read, and closed", async () => {
    const name = join(dir, "big.css")
    const fd = openSync(name, "r")
    let closed = 0
    const close = () => {
      closed++
      closeSync(fd)
    }
    const handler = await around(answer({ fd, start: 0, end: statSync(name).size, close }))
    const got = await ask(handler, "/", want("zstd"))
    expect(zstdDecompressSync(got.body).toString()).toBe(big.repeat(4))
    expect(closed).toBe(1)
  })
})

/** A source that is pushed by hand. */
class Pushed extends ByteStream {
  readonly length = -1
  sink!: ByteSink
  paused = false
  cancelled: Error | undefined | null = null
  pipe(sink: ByteSink): void {
    this.sink = sink
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  cancel(error?: Error): void {
    this.cancelled = error
  }
}

describe("streams", () => {
  async function start(encoding = "gzip") {
    const source = new Pushed()
    const handler = await around(() => new Reply(200, new HeaderList(["Content-Type", "text/event-stream"]), source))
    const reply = (await handler(exchange("/", want(encoding)))) as Reply
    const chunks: Uint8Array[] = []
    let end: "open" | "ended" | Error = "open"
    const body = reply.body as ByteStream
    body.pipe({
      data: chunk => void chunks.push(chunk),
      end: () => void (end = "ended"),
      fail: error => void (end = error),
    })
    return { source, body, chunks, state: () => end }
  }

  test.each(["gzip", "br", "zstd"])("%s: each event leaves as it comes", async encoding => {
    const { source, chunks } = await start(encoding)
    for (let n = 1; n <= 3; n++) {
      const before = chunks.length
      source.sink.data(Buffer.from(`data: ${n} ${crypto.randomUUID()}\n\n`))
      while (chunks.length === before) await new Promise(resolve => setImmediate(resolve))
    }
    source.sink.end()
  })

  test("what was flushed can be read before the end", async () => {
    const { source, chunks } = await start("gzip")
    source.sink.data(Buffer.from("data: hello\n\n"))
    const gunzip = createGunzip()
    const heard = new Promise(resolve => gunzip.once("data", chunk => resolve(String(chunk))))
    let fed = 0
    const feed = setInterval(() => {
      for (; fed < chunks.length; fed++) gunzip.write(chunks[fed])
    }, 1)
    expect(await heard).toBe("data: hello\n\n")
    clearInterval(feed)
    source.sink.end()
  })

  test("a slow client slows the source down, in bounded memory", async () => {
    const { source, body, chunks } = await start("gzip")
    body.pause()
    const noise = () => Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)))
    let pushed = 0
    for (; pushed < 1000 && !source.paused; pushed++) {
      source.sink.data(noise())
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(source.paused).toBe(true)
    expect(pushed).toBeLessThan(100)
    body.resume()
    while (source.paused) await new Promise(resolve => setImmediate(resolve))
    source.sink.end()
    expect(chunks.length).toBeGreaterThan(0)
  })

  test("a source that fails, and a client that goes", async () => {
    const failed = await start()
    failed.source.sink.data(Buffer.from("x"))
    failed.source.sink.fail(new Error("gone"))
    expect(failed.state()).toEqual(new Error("gone"))
    const left = await start()
    left.source.sink.data(Buffer.from("x"))
    left.body.cancel(new Error("client"))
    expect(left.source.cancelled).toEqual(new Error("client"))
    left.source.sink.data(Buffer.from("late"))
    left.source.sink.end()
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(left.state()).toBe("open")
  })

  test("HEAD of a stream says what GET would, but for the length", async () => {
    const handler = await around(answer(streamOf([text])))
    const got = await seen(handler, exchange("/", { method: "HEAD", ...want("gzip") }))
    expect(["content-encoding", "vary", "content-length"].map(name => got!.headers.get(name))).toEqual(["gzip", "Accept-Encoding", null])
  })
})
