/** Files over real sockets: raw targets, pipelining, slow readers, files replaced while they are sent. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { serve, type Served } from "../../../test/kit/served.ts"

const big = Buffer.alloc(8 * 1024 * 1024)
for (let i = 0; i < big.length; i += 4) big.writeUInt32BE(i, i)

let served: Served
beforeAll(async () => {
  served = await serve(
    `
[[site]]
[[site.route]]
path = "/static/*"
static = { root = "public" }
[[site.route]]
path = "/strict/*"
static = { root = "public", fallthrough = false }
`,
    { "public/a.txt": "0123456789", "public/big.bin": big, "secret.txt": "SECRET", "public2/x": "SECRET", "static/x": "SECRET" },
  )
  symlinkSync("../secret.txt", join(served.dir, "public", "out.txt"))
})
afterAll(() => served.stop())

function open(): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket: Socket = connect(served.port(), "127.0.0.1", () => resolve(socket))
  socket.on("error", reject)
  return promise
}

/** All that the server says until it closes. */
async function raw(request: string): Promise<Buffer> {
  const socket = await open()
  const chunks: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  socket.on("data", chunk => void chunks.push(Buffer.from(chunk)))
  socket.on("close", () => resolve(Buffer.concat(chunks)))
  socket.write(request)
  return promise
}
const get = (target: string, lines = "") => raw(`GET ${target} HTTP/1.1\r\nHost: a\r\n${lines}Connection: close\r\n\r\n`)

describe("no target leads out of root", () => {
  test.each([
    "/static/../secret.txt",
    "/static/%2e%2e/secret.txt",
    "/static/%2E%2E%2Fsecret.txt",
    "/static/..%2fsecret.txt",
    "/static/..%5csecret.txt",
    "/static/%5c..%5csecret.txt",
    "/static/....//secret.txt",
    "/static/.%2e/secret.txt",
    "/static../secret.txt",
    "/static../public2/x",
    "/static/..;/secret.txt",
    "/static/;/../secret.txt",
    "/static/%252e%252e/secret.txt",
    "/static/%c0%ae%c0%ae/secret.txt",
    "/static/%e0%80%ae%e0%80%ae/secret.txt",
    "/static/a.txt%00.html",
    "/static/%00",
    "/static//../../secret.txt",
    "/static/out.txt",
    "/static/./../../secret.txt",
    "//static/../secret.txt",
    "http://a/static/../secret.txt",
    "/static/x",
  ])("%s", async target => {
    const answer = (await get(target)).toString("latin1")
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /)
    expect(answer).not.toContain("SECRET")
  })

  test.each(["/static/a.txt", "/static/./a.txt", "/static//a.txt", "/x/../static/a.txt", "/static/%61.txt", "/stati%63/a.txt", "/static/a.txt?../../secret.txt"])(
    "but %s is a.txt",
    async target => {
      expect((await get(target)).toString()).toEndWith("\r\n\r\n0123456789")
    },
  )
})

test("pipelined: whole, HEAD, not modified, range, missing; each framed so that the next is found", async () => {
  const etag = /ETag: (\S+)/.exec((await get("/static/a.txt")).toString())![1]!
  const request = (method: string, target: string, line = "") => `${method} ${target} HTTP/1.1\r\nHost: a\r\n${line}\r\n`
  const all = await raw(
    request("GET", "/static/a.txt") +
      request("HEAD", "/static/a.txt") +
      request("GET", "/static/a.txt", `If-None-Match: ${etag}\r\n`) +
      request("GET", "/static/a.txt", "Range: bytes=1-2\r\n") +
      request("HEAD", "/static/big.bin") +
      request("GET", "/static/a.txt", "Range: bytes=99-\r\n") +
      request("POST", "/strict/a.txt", "Content-Length: 0\r\n") +
      request("GET", "/static/a.txt", "Connection: close\r\n"),
  )
  const seen = all
    .toString("latin1")
    .split(/(?=HTTP\/1\.1 )/)
    .map(answer => {
      const [head = "", body = ""] = answer.split("\r\n\r\n")
      return [Number(head.slice(9, 12)), /content-length: (\d+)/i.exec(head)?.[1] ?? null, body]
    })
  expect(seen).toEqual([
    [200, "10", "0123456789"],
    [200, "10", ""],
    [304, null, ""],
    [206, "2", "12"],
    [200, String(big.length), ""],
    [416, "26", "416 Range Not Satisfiable\n"],
    [405, "23", "405 Method Not Allowed\n"],
    [200, "10", "0123456789"],
  ])
})

test("errors keep what a client needs: Allow and Content-Range", async () => {
  expect((await raw("DELETE /strict/a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toString()).toContain("\r\nAllow: GET, HEAD\r\n")
  expect((await get("/static/a.txt", "Range: bytes=99-\r\n")).toString()).toContain("\r\nContent-Range: bytes */10\r\n")
})

test("a large file, whole and in parts, byte for byte", async () => {
  const response = await fetch(served.url("/static/big.bin"))
  expect(Buffer.from(await response.arrayBuffer()).equals(big)).toBe(true)
  const part = await fetch(served.url("/static/big.bin"), { headers: { Range: "bytes=1000001-3000000" } })
  expect(part.status).toBe(206)
  expect(Buffer.from(await part.arrayBuffer()).equals(big.subarray(1_000_001, 3_000_001))).toBe(true)
  const parts = await fetch(served.url("/static/big.bin"), { headers: { Range: "bytes=0-999999,2000000-4999999" } })
  const text = Buffer.from(await parts.arrayBuffer())
  expect(text.includes(big.subarray(2_000_000, 5_000_000))).toBe(true)
})

/** Reads the head and then nothing more until `resume`. */
async function slow(target: string): Promise<{ socket: Socket; rest(): Promise<Buffer> }> {
  const socket = await open()
  const chunks: Buffer[] = []
  socket.on("data", chunk => {
    if (chunks.length === 0) socket.pause()
    chunks.push(Buffer.from(chunk))
  })
  const closed = new Promise(resolve => socket.on("close", resolve))
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.once("data", () => resolve())
  socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  await promise
  return {
    socket,
    rest: async () => {
      socket.resume()
      await closed
      const all = Buffer.concat(chunks)
      return all.subarray(all.indexOf("\r\n\r\n") + 4)
    },
  }
}

test("a file replaced while a slow client reads: the old one to its end", async () => {
  const file = join(served.dir, "public", "moved.bin")
  writeFileSync(file, Buffer.alloc(6_000_000, "a"))
  const client = await slow("/static/moved.bin")
  writeFileSync(`${file}.new`, Buffer.alloc(6_000_000, "b"))
  renameSync(`${file}.new`, file)
  expect((await client.rest()).equals(Buffer.alloc(6_000_000, "a"))).toBe(true)
  const after = await fetch(served.url("/static/moved.bin"))
  expect(Buffer.from(await after.arrayBuffer()).equals(Buffer.alloc(6_000_000, "b"))).toBe(true)
})

test("a file cut while a slow client reads: the answer does not look complete", async () => {
  const file = join(served.dir, "public", "cut.bin")
  writeFileSync(file, Buffer.alloc(20_000_000, "a"))
  const client = await slow("/static/cut.bin")
  truncateSync(file, 1000)
  expect((await client.rest()).length).toBeLessThan(20_000_000)
})

test("no descriptor stays open: sent, left early, HEAD, ranges", async () => {
  const openFiles = () => readdirSync("/proc/self/fd").length
  await get("/static/big.bin")
  const before = openFiles()
  for (let i = 0; i < 20; i++) {
    await get("/static/big.bin")
    await get("/static/big.bin", "Range: bytes=0-9\r\n")
    await get("/static/big.bin", "Range: bytes=0-9,100-200\r\n")
    await raw("HEAD /static/big.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    await get("/static/big.bin", 'If-Match: "no"\r\n')
    const { socket } = await slow("/static/big.bin")
    socket.destroy()
  }
  // The last ones may still be on their way out.
  for (let i = 0; i < 200 && openFiles() > before; i++) await Bun.sleep(10)
  expect(openFiles()).toBeLessThanOrEqual(before)
})
