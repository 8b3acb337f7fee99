import { expect, test } from "bun:test"
import { HttpUpstream } from "../../src/http/upstream/upstream.ts"
import { parseTarget } from "../../src/http/upstream/target.ts"
import { listen } from "../../src/http/server/listener.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import { listenRaw } from "../upstream/harness.ts"
import { RawClient } from "./raw-client.ts"

const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }

test("clients that go away at any moment leave nothing behind, and spoil nobody's answer", async () => {
  let n = 0
  const server = listenRaw((c, chunk) => {
    const text = chunk.latin1Slice()
    if (!text.includes("HTTP/1.1\r\n")) return
    const id = /\/(\d+) /.exec(text)![1]!
    const body = `<${id}>`.repeat(2000)
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`
    // At once, in halves, or late.
    const way = n++ % 3
    if (way === 0) c.write(head + body)
    else {
      c.write(head + (way === 1 ? body.slice(0, 50) : ""))
      setTimeout(() => c.closed || c.write(way === 1 ? body.slice(50) : body), 5)
    }
  })
  const upstream = new HttpUpstream({ target: parseTarget(`http://127.0.0.1:${server.port}`), keepIdle: 8 })
  const listener = listen({
    hostname: "127.0.0.1",
    port: 0,
    address: "127.0.0.1:0",
    handler: x => upstream.send(x),
    limits: defaultLimits,
    trusted: () => false,
    log,
  })
  let whole = 0
  const one = async (id: number) => {
    const client = await RawClient.to(listener.port)
    client.send(`GET /${id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    if (id % 2 === 0) {
      await Bun.sleep(id % 12)
      client.socket.terminate()
      return
    }
    await client.until(c => c.closed || c.ended)
    client.socket.end()
    expect(client.text.slice(client.text.indexOf("\r\n\r\n") + 4)).toBe(`<${id}>`.repeat(2000))
    whole++
  }
  for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 60 }, (_, i) => one(round * 60 + i)))
  expect(whole).toBe(300)
  while (listener.connections > 0 || upstream.active > 0) await Bun.sleep(10)
  while (server.accepted.filter(c => !c.closed && !c.ended).length > upstream.idle) await Bun.sleep(10)
  expect(upstream.idle).toBeLessThanOrEqual(8)
  listener.stop()
  listener.closeNow()
  upstream.close()
  server.stop()
}, 20_000)
