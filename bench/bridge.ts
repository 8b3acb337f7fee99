/**
 * What it costs an app to speak standard Request and Response: ns for each conversion, against the plain road (an Exchange
 * in, a Reply out) and against native classes. Usage: bun bench/bridge.ts
 */
import { Hono } from "hono"
import { patchGlobals, toReply } from "../src/http/bridge/bridge.ts"
import { Exchange } from "../src/http/message/exchange.ts"
import { HeaderList } from "../src/http/message/headers.ts"
import { Reply } from "../src/http/message/reply.ts"

const native = { Request, Response }
patchGlobals()

const lines = [
  ["Host", "localhost:8080"],
  ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"],
  ["Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
  ["Accept-Language", "en-US,en;q=0.5"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Cookie", "session=0123456789abcdef; theme=dark"],
]
const flat = lines.flat()
const record = Object.fromEntries(lines) as Record<string, string>
const conn = { peer: "192.0.2.1", peerPort: 50_000, local: "127.0.0.1:8080", secure: false, trusted: false, tls: undefined }
const carrier = { upgrade: () => null, early() {}, onAbort() {} }
const headers = HeaderList.shared(flat)
const url = "http://localhost:8080/items/7?q=x"

function exchange(): Exchange {
  return new Exchange("GET", "/items/7?q=x", "/items/7", "q=x", "localhost", headers, "1.1", conn, carrier, null, 0)
}

const app = new Hono()
app.get("/items/:id", c => c.text("hello"))
app.get("/header", c => c.text(c.req.header("accept-language") ?? ""))
app.get("/json", c => c.json({ a: 1 }))

const cases: Record<string, Record<string, () => unknown>> = {
  "request in": {
    "Exchange alone": exchange,
    "x.request, method and url read": () => {
      const { request } = exchange()
      return request.method.length + request.url.length
    },
    "x.request, one header read": () => exchange().request.headers.get("accept-language"),
    "native Request": () => new native.Request(url, { method: "GET", headers: record }),
  },
  "response out": {
    "Reply alone": () => new Reply(200, new HeaderList(["content-type", "text/plain;charset=utf-8"]), "hello"),
    "Response of text, as Reply": () => toReply(new Response("hello")),
    "Response of text with headers, as Reply": () => toReply(new Response("hello", { headers: { "content-type": "text/html" } })),
    "Response.json, as Reply": () => toReply(Response.json({ a: 1 })),
    "native Response of text": () => new native.Response("hello"),
    "native Response of text with headers": () => new native.Response("hello", { headers: { "content-type": "text/html" } }),
  },
  "Hono between": {
    "Exchange -> Hono -> Reply": () => toReply(app.fetch(exchange().request) as Response),
    "native Request -> Hono": () => app.fetch(new native.Request(url, { method: "GET", headers: record })),
  },
}

/** Median of five runs, in ns. */
function measure(f: () => unknown): number {
  const runs: number[] = []
  for (let run = 0; run < 6; run++) {
    const count = run === 0 ? 20_000 : 100_000
    const start = Bun.nanoseconds()
    for (let i = 0; i < count; i++) sink = f()
    if (run > 0) runs.push((Bun.nanoseconds() - start) / count)
  }
  return runs.toSorted((a, b) => a - b)[2]!
}

let sink: unknown
for (const [title, group] of Object.entries(cases)) {
  console.log(title)
  for (const [name, f] of Object.entries(group)) console.log(`  ${name.padEnd(44)} ${measure(f).toFixed(0).padStart(6)} ns`)
}
void sink
