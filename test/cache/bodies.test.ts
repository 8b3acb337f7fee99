/** Bodies: large ones, slow ones, many; with compression; over HTTP/2. */
import { afterEach, expect, test } from "bun:test"
import { gunzipSync } from "node:zlib"
import { Edge, until } from "../kit/edge.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** An HTTP server that the test feeds; `use` is the site's, outside of the cache. */
async function start(fetch: (request: Request, n: number) => Response | Promise<Response>, { cache = "", use = "" } = {}) {
  let asked = 0
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: request => fetch(request, ++asked) })
  closers.push(() => server.stop(true))
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [${use}{ cache = { ${cache} } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${server.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  return { edge, asked: () => asked }
}

const streamOf = (parts: AsyncGenerator<Uint8Array>) => new Response(parts as never).body

const fresh = { headers: { "Cache-Control": "max-age=600" } }
const status = (answer: Response) => answer.headers.get("cache-status")

test("larger than max_entry: given on, not kept", async () => {
  const big = "0123456789abcdef".repeat(100_000)
  // One says how long it is, one does not.
  const { edge, asked } = await start(({ url }) => (url.endsWith("/said") ? new Response(big, fresh) : new Response(new Blob([big]).stream(), fresh)), { cache: 'max_entry = "1mb"' })
  for (const path of ["/said", "/not"]) for (let i = 0; i < 2; i++) expect((await edge.get(path)) === big).toBe(true)
  expect(asked()).toBe(4)
}, 60_000)

test("without a length, up to max_entry, it is kept whole", async () => {
  const text = "0123456789abcdef".repeat(50_000)
  const { edge, asked } = await start(() => new Response(new Blob([text]).stream(), fresh))
  for (let i = 0; i < 3; i++) expect((await edge.get("/a")) === text).toBe(true)
  expect(asked()).toBe(1)
}, 60_000)

test("an answer reaches the first client as it comes", async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { edge } = await start(() => {
    async function* body() {
      yield Buffer.from("first ")
      await promise
      yield Buffer.from("second")
    }
    return new Response(streamOf(body()), fresh)
  })
  const answer = await fetch(edge.url("/a"))
  const reader = answer.body!.getReader()
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("first ")
  resolve()
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("second")
  await reader.read()
  expect(await edge.get("/a")).toBe("first second")
}, 60_000)

test("those who join while a body of known length comes get it from its first byte on", async () => {
  let asked = 0
  let rest: (() => void) | undefined
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        asked++
        socket.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 10\r\n\r\n01234")
        rest = () => socket.write("56789")
      },
    },
  })
  closers.push(() => server.stop(true))
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\nproxy = "http://127.0.0.1:${server.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  const first = await fetch(edge.url("/a"))
  const second = await fetch(edge.url("/a"))
  const part = await fetch(edge.url("/a"), { headers: { Range: "bytes=3-6" } })
  expect([first, second, part].map(status)).toEqual(["edge; fwd=uri-miss; stored", "edge; fwd=uri-miss; collapsed", "edge; fwd=uri-miss; collapsed"])
  rest!()
  expect([await first.text(), await second.text()]).toEqual(["0123456789", "0123456789"])
  expect([part.status, await part.text()]).toEqual([206, "3456"])
  expect([await edge.get("/a"), asked]).toEqual(["0123456789", 1])
}, 60_000)

test("a client that does not read holds up no other", async () => {
  const text = "x".repeat(3_000_000)
  const { edge, asked } = await start(() => new Response(text, fresh))
  const lazy = await RawClient.to(edge.port())
  lazy.socket.pause()
  lazy.send("GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
  await until(() => asked() === 1)
  for (let i = 0; i < 3; i++) expect((await edge.get("/a", { headers: { Host: "127.0.0.1" } })).length).toBe(3_000_000)
  expect(asked()).toBe(1)
  lazy.socket.terminate()
}, 60_000)

test("an answer that is cut is cut for its client too, and not kept", async () => {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n")
        setTimeout(() => socket.terminate(), 100)
      },
    },
  })
  closers.push(() => server.stop(true))
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\nproxy = { to = "http://127.0.0.1:${server.port}", retries = 0 }\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(edge.url("/a"))
    expect(status(answer)).toStartWith("edge; fwd=uri-miss")
    expect(await answer.text().catch(() => "cut")).toBe("cut")
  }
}, 60_000)

test("compressed once outside of the cache, with its age; and each coding for itself inside", async () => {
  const text = "a page of text ".repeat(500)
  for (const use of ['"compress", ', ""]) {
    const { edge, asked } = await start(() => new Response(text, { headers: { ...fresh.headers, "Content-Type": "text/html", Age: "100" } }), { use })
    for (let i = 0; i < 3; i++) {
      const answer = await fetch(edge.url("/a"), { headers: { "Accept-Encoding": "gzip" }, decompress: false } as RequestInit)
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (use !== "") expect(gunzipSync(bytes).toString()).toBe(text)
      expect(answer.headers.get("content-encoding")).toBe(use === "" ? null : "gzip")
      expect(Number(answer.headers.get("age"))).toBeGreaterThanOrEqual(100)
    }
    expect(asked()).toBe(1)
  }
}, 60_000)

test("files and answers of edge's own pass as they are, with their ranges and conditions", async () => {
  const edge = await Edge.start({
    config: `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\npath = "/f/*"\nstatic = { root = "www" }\n[[site.route]]\nrespond = { body = "hello", headers = { Cache-Control = "max-age=60" } }\n`,
    files: { "www/a.txt": "0123456789" },
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  for (let i = 0; i < 3; i++) {
    const whole = await fetch(edge.url("/f/a.txt"))
    expect([status(whole), await whole.text()]).toEqual([null, "0123456789"])
    expect((await fetch(edge.url("/f/a.txt"), { headers: { "If-None-Match": whole.headers.get("etag")! } })).status).toBe(304)
    expect(await edge.get("/f/a.txt", { headers: { Range: "bytes=2-3" } })).toBe("23")
    expect(await edge.get("/x")).toBe("hello")
  }
  edge.write("www/a.txt", "changed")
  await until(async () => (await edge.get("/f/a.txt")) === "changed")
}, 60_000)

test("many URLs and many hosts: the memory stays within its bound", async () => {
  const text = "x".repeat(20_000)
  const origin = new Origin(() => ({ status: 200, headers: [["Cache-Control", "max-age=600"], ["Vary", "X-Kind"]], body: text }))
  closers.push(() => origin.stop())
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ cache = { size = "2mb" } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  const flood = async (from: number) => {
    for (let i = 0; i < 1500; i++) {
      const n = from + i
      const headers = { Host: n % 3 === 0 ? `h${n}.test` : "127.0.0.1", "X-Kind": String(n % 7) }
      await (await fetch(edge.url(`/${n % 2 === 0 ? n : "same"}`), { headers })).arrayBuffer()
    }
  }
  await Promise.all([0, 10_000, 20_000, 30_000, 40_000, 50_000].map(flood))
  const [front] = (await edge.status()).fronts
  // 6,000 of 20 kB would be 120 MB over the 60 MB that an idle front has.
  expect(front!.memory! / 2 ** 20).toBeLessThan(170)
  expect(await edge.get("/same")).toBe(text)
}, 120_000)
