/** For bench/http1.ts: the engine with one answer of 1 kB prepared in memory, as the static handler makes it. */
import { defaultLimits } from "../src/http/server/limits.ts"
import { listen } from "../src/http/server/listener.ts"
import { Reply } from "../src/http/message/reply.ts"
import type { Wire } from "../src/http/message/reply.ts"
import type { Logger } from "../src/log/logger.ts"

const log: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error, with: () => log }
const body = Buffer.alloc(1024, "a")
const flat = ["Content-Type", "text/html", "Last-Modified", "Mon, 23 Nov 2026 00:00:00 GMT", "ETag", '"6563d2a0-400"', "Accept-Ranges", "bytes"]
let head = "HTTP/1.1 200 OK\r\n"
for (let i = 0; i < flat.length; i += 2) head += `${flat[i]}: ${flat[i + 1]}\r\n`
head += "Date: "
const dateAt = head.length
head += "Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 1024\r\n\r\n"
const wire: Wire = { bytes: Buffer.concat([Buffer.from(head), body]), dateAt, bodyAt: head.length, dateSec: 0 }
const files = new Map([["/1k.html", () => Reply.prepared(200, flat, body, wire)]])

listen({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  address: "bench",
  handler: x => files.get(x.path)?.() ?? Reply.text(404, "404 Not Found\n"),
  limits: defaultLimits,
  trusted: () => false,
  log,
})
