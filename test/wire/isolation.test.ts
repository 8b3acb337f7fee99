import { afterAll, expect, test } from "bun:test"
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Exchange } from "../../src/http/message/exchange.ts"
import { HeaderList } from "../../src/http/message/headers.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import { listen } from "../../src/http/server/listener.ts"
import { Reply } from "../../src/http/message/reply.ts"
import { ByteStream } from "../../src/http/message/stream.ts"
import type { Logger } from "../../src/log/logger.ts"
import { certificate } from "./certificate.ts"
import { WireClient } from "./client.ts"

/**
 * Promise 1 of the threat list: no request is answered with another one's data, and no bytes of one connection reach
 * another. Many connections pipeline at random, handlers answer at random times with every kind of body, some clients go
 * away in the middle, and every byte of every answer must be what its own request asked for.
 */
const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
const folder = mkdtempSync(join(tmpdir(), "isolation-"))
const options = { hostname: "127.0.0.1", port: 0, address: "127.0.0.1:0", handler, limits: defaultLimits, trusted: () => false, log }
const plain = listen(options)
const secure = listen({ ...options, tls: { certificates: [await certificate(folder)] } })
afterAll(() => {
  plain.closeNow()
  secure.closeNow()
  rmSync(folder, { recursive: true })
})

/** The body that belongs to an id: told apart at every offset. */
function bodyOf(id: string, size: number): string {
  return `<${id}>`.repeat(Math.ceil(size / (id.length + 2))).slice(0, size)
}

async function handler(x: Exchange): Promise<Reply> {
  const [id, kind, size, delay] = x.query.split(".") as [string, string, string, string]
  const sent = x.body === null ? "" : Buffer.from(await x.body.bytes()).toString("latin1")
  if (Number(delay) > 0) await Bun.sleep(Number(delay))
  const headers = new HeaderList(["X-Id", id, "X-Sent", sent])
  return new Reply(200, headers, makeBody(kind, bodyOf(id, Number(size))))
}

/** Answers without a promise, so that the batch of one event is used too. */
const sync = listen({
  ...options,
  handler: x => {
    const [id, kind, size] = x.query.split(".") as [string, string, string]
    return new Reply(200, new HeaderList(["X-Id", id, "X-Sent", ""]), makeBody(kind, bodyOf(id, Number(size))))
  },
})
afterAll(() => sync.closeNow())

let files = 0

function makeBody(kind: string, text: string): Reply["body"] {
  if (kind === "string") return text
  if (kind === "bytes") return Buffer.from(text)
  if (kind === "stream") return ByteStream.from(new Blob([text.slice(0, 1000), text.slice(1000)]).stream())
  const path = join(folder, String(files++ % 200))
  writeFileSync(path, text)
  const fd = openSync(path, "r")
  rmSync(path)
  return { fd, start: 0, end: text.length, close: () => closeSync(fd) }
}

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!
const kinds = ["string", "bytes", "stream", "file"]
const sizes = [0, 1, 100, 5000, 40_000, 300_000]
let serial = 0

async function batch(client: WireClient, wait: boolean): Promise<void> {
  const wanted: { id: string; size: number; sent: string }[] = []
  let bytes = ""
  for (let n = 1 + Math.floor(Math.random() * 8); n > 0; n--) {
    const id = `r${serial++}`
    const size = pick(sizes)
    const sent = wait && Math.random() < 0.4 ? id.repeat(3) : ""
    const query = `${id}.${pick(kinds)}.${size}.${wait ? pick([0, 0, 1, 5]) : 0}`
    const framing = sent === "" ? "" : pick([`Content-Length: ${sent.length}\r\n\r\n${sent}`, `Transfer-Encoding: chunked\r\n\r\n${sent.length.toString(16)}\r\n${sent}\r\n0\r\n\r\n`])
    bytes += `${sent === "" ? "GET" : "POST"} /?${query} HTTP/1.1\r\nHost: a\r\n${framing === "" ? "\r\n" : framing}`
    wanted.push({ id, size, sent })
  }
  const cut = Math.floor(Math.random() * bytes.length)
  client.send(bytes.slice(0, cut))
  if (Math.random() < 0.5) await Bun.sleep(1)
  client.send(bytes.slice(cut))
  if (Math.random() < 0.05) return client.close()
  for (const { id, size, sent } of wanted) {
    const answer = await client.answer()
    const field = (name: string) => answer.fields.find(([have]) => have === name)?.[1]
    expect([answer.status, field("X-Id"), field("X-Sent"), answer.complete]).toEqual([200, id, sent, true])
    if (answer.body !== bodyOf(id, size)) throw new Error(`the body of ${id} is another one`)
  }
}

for (const [name, listener, wait, tls] of [
  ["plain, async", plain, true, false],
  ["plain, sync", sync, false, false],
  ["TLS, async", secure, true, true],
] as const) {
  test(`every answer is its own request's: ${name}`, async () => {
    const one = async () => {
      for (let round = 0; round < 4; round++) {
        const client = await WireClient.open({ host: "127.0.0.1", port: listener.port, tls })
        for (let n = 0; n < 6 && !client.ended; n++) await batch(client, wait)
        client.close()
      }
    }
    await Promise.all(Array.from({ length: 24 }, one))
  }, 60_000)
}
