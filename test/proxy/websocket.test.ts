/**
 * WebSockets through the executable, plain and over TLS. Each case (in the manner of the Autobahn suite) is played against
 * an echo server directly and through edge; what comes back must be the same, byte for byte, to the end of the connection.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { Edge } from "../kit/edge.ts"
import { certificate } from "../wire/certificate.ts"

let dir: string
let echo: Bun.Server<undefined>
let edge: Edge

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "edge-websocket-"))
  const { cert, key } = await certificate(dir)
  echo = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("not a websocket", { status: 426 })),
    websocket: {
      maxPayloadLength: 64 * 1024 * 1024,
      backpressureLimit: 256 * 1024 * 1024,
      message: (socket, message) => void socket.send(message),
    },
  })
  edge = await Edge.start({
    config: `
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/idle"
proxy = { to = "http://127.0.0.1:${echo.port}", tunnel_timeout = "2s" }
[[site.route]]
proxy = "http://127.0.0.1:${echo.port}"
[[site]]
listen = ["localhost:0"]
tls = { cert = "cert.pem", key = "key.pem" }
[[site.route]]
proxy = "http://127.0.0.1:${echo.port}"
`,
    files: { "cert.pem": cert, "key.pem": key },
  })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  await echo.stop(true)
  rmSync(dir, { recursive: true })
})

const text = 1
const binary = 2
const mask = Buffer.from([1, 2, 3, 4])

/** A client's frame (RFC 6455, 5.2). `first` is the first byte when it is not FIN and the opcode. */
function frame(opcode: number, payload: Buffer | string = "", first = 0x80 | opcode): Buffer {
  const bytes = Buffer.from(payload as string)
  const size = bytes.length
  const head = size < 126 ? Buffer.from([first, 0x80 | size]) : size < 65_536 ? Buffer.from([first, 0xfe, size >> 8, size & 255]) : Buffer.alloc(10)
  if (size >= 65_536) {
    head[0] = first
    head[1] = 0xff
    head.writeBigUInt64BE(BigInt(size), 2)
  }
  const masked = Buffer.from(bytes)
  for (let i = 0; i < size; i++) masked[i]! ^= mask[i & 3]!
  return Buffer.concat([head, mask, masked])
}
const close = (code: number, reason = "") => {
  const body = Buffer.alloc(2 + Buffer.byteLength(reason))
  body.writeUInt16BE(code)
  body.write(reason, 2)
  return frame(8, body)
}
const bye = close(1000)
const part = (opcode: number, payload: string) => frame(opcode, payload, opcode)

type Where = "direct" | "plain" | "tls"

function open(where: Where): Socket {
  if (where === "direct") return connect(echo.port!, "127.0.0.1")
  if (where === "plain") return connect(edge.port(0), "127.0.0.1")
  return connectTls({ port: edge.port(1), host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
}

const asking = (more = "") =>
  `GET /chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`

/** Sends the pieces, each in a write of its own, and gives what came behind the head of the answer. */
async function play(where: Where, pieces: readonly Buffer[], more = ""): Promise<{ head: string; body: Buffer }> {
  const socket = open(where)
  const chunks: Buffer[] = []
  let started = false
  socket.on("error", () => {})
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk)
    if (started || !Buffer.concat(chunks).includes("\r\n\r\n")) return
    started = true
    void (async () => {
      for (const piece of pieces) {
        socket.write(piece)
        if (pieces.length > 1) await new Promise(resolve => setImmediate(resolve))
      }
    })()
  })
  socket.write(asking(more))
  await new Promise(resolve => socket.once("close", resolve))
  const all = Buffer.concat(chunks)
  const end = all.indexOf("\r\n\r\n") + 4
  return { head: all.subarray(0, end).toString("latin1"), body: all.subarray(end) }
}

const sizes = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 65_537, 1_000_000]
const octets = (bytes: Buffer) => [...bytes].map(byte => Buffer.from([byte]))
const cases: Record<string, readonly Buffer[]> = {
  ...Object.fromEntries(sizes.map(size => [`text of ${size}`, [frame(text, "*".repeat(size)), bye]])),
  ...Object.fromEntries(sizes.map(size => [`bytes of ${size}`, [frame(binary, Buffer.alloc(size, 0xfe)), bye]])),
  "one octet at a time": octets(Buffer.concat([frame(text, "hello"), bye])),
  "many in one write": [Buffer.concat([...Array.from({ length: 300 }, (_, i) => frame(text, `message ${i}`)), bye])],
  "ping, with and without payload": [frame(9), frame(9, "p".repeat(125)), bye],
  "pings in one write": [Buffer.concat([...Array.from({ length: 10 }, (_, i) => frame(9, `p${i}`)), bye])],
  "an unasked pong": [frame(10, "x"), frame(9, "y"), bye],
  "a ping that is too long": [frame(9, "p".repeat(126)), bye],
  "a reserved bit": [frame(text, "x", 0xc1), bye],
  "reserved opcodes": [frame(3, "x"), bye],
  "a reserved control opcode": [frame(11), bye],
  "fragments": [part(text, "frag"), frame(0, "ment"), bye],
  "fragments with a ping between": [part(text, "frag"), frame(9, "ping"), frame(0, "ment"), bye],
  "a fragment of nothing": [part(text, ""), frame(0, "", 0), frame(0, ""), bye],
  "many fragments": [part(binary, "a"), ...Array.from({ length: 200 }, () => frame(0, "b", 0)), frame(0, "c"), bye],
  "a continuation of nothing": [frame(0, "x"), bye],
  "a text within fragments": [part(text, "a"), frame(text, "b"), bye],
  "a fragmented ping": [part(9, "x"), frame(0, "y"), bye],
  "good UTF-8": [frame(text, "κόσμε \u{1f600}"), bye],
  "UTF-8 cut between fragments": [frame(text, Buffer.from([0xce]), 1), frame(0, Buffer.from([0xba])), bye],
  "bad UTF-8": [frame(text, Buffer.from([0xce, 0xba, 0xff])), bye],
  "a surrogate": [frame(text, Buffer.from([0xed, 0xa0, 0x80])), bye],
  ...Object.fromEntries([1000, 1001, 1003, 1007, 1011, 3000, 4999].map(code => [`close ${code}`, [close(code, "reason")]])),
  ...Object.fromEntries([0, 999, 1004, 1005, 1006, 1016, 2999].map(code => [`bad close ${code}`, [close(code)]])),
  "close without a code": [frame(8)],
  "close with half a code": [frame(8, "x")],
  "close with bad UTF-8": [frame(8, Buffer.from([3, 0xe8, 0xff]))],
  "data behind a close": [Buffer.concat([bye, frame(text, "late")])],
  "a frame without a mask": [Buffer.from([0x81, 1, 0x61]), bye],
}

describe("as from the server itself", () => {
  test.each(Object.entries(cases))("%s", async (name, pieces) => {
    const direct = await play("direct", pieces)
    expect(direct.head).toStartWith("HTTP/1.1 101 ")
    if (/^(?:text|bytes) of|octet|many|good/.test(name)) expect(direct.body.length).toBeGreaterThan(4)
    for (const where of ["plain", "tls"] as const) {
      const through = await play(where, pieces)
      expect(through.head).toStartWith("HTTP/1.1 101 ")
      expect(through.head.toLowerCase()).toContain("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n")
      expect(through.body.equals(direct.body)).toBe(true)
    }
  })
})

test.each(["plain", "tls"] as const)("a reader that waits gets all of it, in order (%s)", async where => {
  const socket = open(where)
  const message = Buffer.alloc(1_000_000)
  const count = 24
  let got = 0
  let right = true
  let messages = 0
  let held: Buffer = Buffer.alloc(0)
  const { promise, resolve } = Promise.withResolvers<void>()
  let greeted = false
  socket.on("data", (chunk: Buffer) => {
    got += chunk.length
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    if (!greeted) {
      const end = held.indexOf("\r\n\r\n")
      if (end < 0) return
      held = held.subarray(end + 4)
      greeted = true
      socket.pause()
      for (let i = 0; i < count; i++) socket.write(frame(binary, message.fill(i)))
      setTimeout(() => socket.resume(), 500)
    }
    while (held.length >= 10 + message.length) {
      right &&= held[0] === 0x82 && held[10] === messages && held[9 + message.length] === messages
      messages++
      held = held.subarray(10 + message.length)
    }
    if (messages === count) resolve()
  })
  socket.write(asking())
  await promise
  expect(right).toBe(true)
  expect(got).toBeGreaterThan(count * message.length)
  socket.destroy()
}, 30_000)

test("tunnel_timeout: one that speaks stays, one that is silent goes", async () => {
  const socket = new WebSocket(edge.url("/idle").replace("http", "ws"))
  let got = 0
  let closed = false
  socket.onmessage = () => got++
  socket.onclose = () => (closed = true)
  await new Promise(resolve => (socket.onopen = resolve))
  for (let i = 0; i < 30; i++) {
    socket.send("x")
    await Bun.sleep(100)
  }
  expect([got > 20, closed]).toEqual([true, false])
  await new Promise(resolve => socket.addEventListener("close", resolve))
}, 30_000)

test("what is no upgrade is an ordinary answer, and the connection goes on", async () => {
  const answer = await fetch(edge.url("/chat"))
  expect([answer.status, await answer.text()]).toEqual([426, "not a websocket"])
})
