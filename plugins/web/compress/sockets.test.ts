/** Compression over real sockets, with a handler of a third party that streams. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { connect } from "node:net"
import { createGunzip, gunzipSync } from "node:zlib"
import { serve, type Served } from "../../../test/kit/served.ts"

/** Server-sent events: the next one leaves when the client has said that it saw the last. */
const ticks = `
import { ByteStream, definePlugin, HeaderList, Reply } from "edge"
import * as v from "valibot"
class Ticks extends ByteStream {
  length = -1
  pipe(sink) { globalThis.tick = text => text === null ? sink.end() : sink.data(Buffer.from(text)) }
  pause() {}
  resume() {}
  cancel() { globalThis.tickCancelled = true }
}
export default definePlugin({
  name: "ticks", kind: "handler", config: v.boolean(),
  setup: () => ({ part: () => new Reply(200, new HeaderList(["Content-Type", "text/event-stream"]), new Ticks()) }),
})
`
const css = "body { color: red }\n".repeat(500)
const big = "a line of a log that is long\n".repeat(100_000)
const world = globalThis as unknown as { tick(text: string | null): void; tickCancelled?: boolean }

let served: Served
beforeAll(async () => {
  served = await serve(
    `
[plugins]
ticks = "ticks.ts"
[[site]]
use = ["compress", { headers = { set = { X-Outer = "1" } } }]
[[site.route]]
path = "/ticks"
ticks = true
[[site.route]]
static = { root = "public" }
`,
    { "ticks.ts": ticks, "public/a.css": css, "public/big.txt": big },
  )
})
afterAll(() => served.stop())

test.each(["gzip", "br", "zstd"])("%s of small and large files, twice", async encoding => {
  for (const [path, text] of [
    ["/a.css", css],
    ["/a.css", css],
    ["/big.txt", big],
    ["/a.css", css],
  ] as const) {
    const response = await fetch(served.url(path), { headers: { "Accept-Encoding": encoding } })
    expect([response.headers.get("content-encoding"), response.headers.get("x-outer")]).toEqual([encoding, "1"])
    expect(await response.text()).toBe(text)
  }
})

test("events leave one by one", async () => {
  const socket = connect(served.port(), "127.0.0.1")
  const gunzip = createGunzip()
  let head = ""
  let pending = Buffer.alloc(0)
  socket.on("data", chunk => {
    pending = Buffer.concat([pending, Buffer.from(chunk)])
    if (head === "") {
      const end = pending.indexOf("\r\n\r\n")
      if (end < 0) return
      head = pending.subarray(0, end).toString()
      pending = pending.subarray(end + 4)
    }
    // Undo the chunked framing as far as it has come.
    for (;;) {
      const line = pending.indexOf("\r\n")
      const size = line < 0 ? NaN : parseInt(pending.subarray(0, line).toString(), 16)
      if (!(pending.length >= line + 2 + size + 2)) return
      gunzip.write(pending.subarray(line + 2, line + 2 + size))
      pending = pending.subarray(line + 2 + size + 2)
    }
  })
  const next = () => new Promise<string>(resolve => gunzip.once("data", chunk => resolve(String(chunk))))
  socket.write("GET /ticks HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
  while (world.tick === undefined) await Bun.sleep(1)
  for (let n = 0; n < 5; n++) {
    const heard = next()
    world.tick(`data: ${n}\n\n`)
    expect(await heard).toBe(`data: ${n}\n\n`)
  }
  expect(head).toContain("Content-Encoding: gzip")
  expect(head).not.toContain("Content-Length")
  socket.destroy()
  // A half-closed connection may still be read from; the next bytes find out.
  while (world.tickCancelled !== true) {
    world.tick(`data: ${crypto.randomUUID()}\n\n`)
    await Bun.sleep(5)
  }
})

test("HTTP/1.0 gets a body that ends with the connection", async () => {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  const socket = connect(served.port(), "127.0.0.1", () => socket.write("GET /big.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"))
  socket.on("data", chunk => void chunks.push(Buffer.from(chunk)))
  socket.on("close", () => resolve(Buffer.concat(chunks)))
  const all = await promise
  const body = all.subarray(all.indexOf("\r\n\r\n") + 4)
  expect(gunzipSync(body).toString()).toBe(big)
})
