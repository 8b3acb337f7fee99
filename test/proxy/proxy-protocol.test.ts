/** The PROXY protocol, in and out, through the executable; where HAProxy is installed, spoken with it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import http2 from "node:http2"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { Edge, until } from "../kit/edge.ts"
import { describeWith, found } from "../kit/needs.ts"
import { listenRaw, type FakeUpstream } from "../upstream/harness.ts"
import { certificate } from "../wire/certificate.ts"
import { RawClient } from "./raw-client.ts"

let dir: string
let seen: FakeUpstream
let edge: Edge
const answer = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "edge-proxy-protocol-"))
  const { cert, key } = await certificate(dir)
  // Shows what came on its connection, the PROXY header first.
  seen = listenRaw(c => {
    if (c.text.includes("\r\n\r\nGET") || c.text.endsWith("\r\n\r\n")) c.write(answer(c.text))
  })
  edge = await Edge.start({
    config: `
[server]
fronts = 1
trusted_proxies = ["127.0.0.1"]
[log]
access = { path = "-", format = "{ip} {port} {target}" }

[[site]]
listen = ["127.0.0.1:0"]
proxy_protocol = true
[[site.route]]
path = "/v1"
proxy = { to = "http://127.0.0.1:${seen.port}", proxy_protocol = "v1" }
[[site.route]]
path = "/v2"
proxy = { to = "http://127.0.0.1:${seen.port}", proxy_protocol = "v2" }
[[site.route]]
proxy = "http://127.0.0.1:${seen.port}"

[[site]]
listen = ["localhost:0"]
proxy_protocol = true
tls = { cert = "cert.pem", key = "key.pem" }
[[site.route]]
path = "/large"
static = { root = "public" }
[[site.route]]
proxy = "http://127.0.0.1:${seen.port}"
`,
    files: { "cert.pem": cert, "key.pem": key, "public/large": "x".repeat(3_000_000) },
  })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  seen.stop()
  rmSync(dir, { recursive: true })
})

/** Sends a header and a request, and gives all that comes back. */
async function ask(header: string | Buffer, path = "/a", more = ""): Promise<string> {
  const client = await RawClient.to(edge.port())
  client.socket.write(Buffer.concat([Buffer.from(header as string, "latin1"), Buffer.from(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`)]))
  await client.until(c => c.ended || c.closed)
  return client.text
}
const v1 = "PROXY TCP4 192.0.2.9 127.0.0.1 4711 80\r\n"
const v2 = Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"), Buffer.from([0x21, 0x11, 0, 12, 192, 0, 2, 10, 127, 0, 0, 1, 0x12, 0x67, 0, 80])])

describe("in", () => {
  test("version 1 and 2: the client of the log, of X-Forwarded-For and of what it may not claim", async () => {
    expect(await ask(v1, "/one")).toContain("\r\nX-Forwarded-For: 192.0.2.9\r\n")
    await edge.heard("192.0.2.9 4711 /one")
    expect(await ask(v2, "/two")).toContain("\r\nX-Forwarded-For: 192.0.2.10\r\n")
    await edge.heard("192.0.2.10 4711 /two")
    // The balancer is trusted, its client is not.
    expect(await ask(v1, "/three", "X-Forwarded-For: 6.6.6.6\r\n")).not.toContain("6.6.6.6")
  })
  test("in pieces, and the balancer for itself", async () => {
    const client = await RawClient.to(edge.port())
    for (const piece of [v1.slice(0, 3), v1.slice(3, 20), `${v1.slice(20)}GET /pieces HT`, "TP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"]) {
      client.send(piece)
      await Bun.sleep(20)
    }
    await client.until(c => c.ended || c.closed)
    expect(client.text).toContain("X-Forwarded-For: 192.0.2.9")
    expect(await ask("PROXY UNKNOWN\r\n")).toContain("X-Forwarded-For: 127.0.0.1")
  })
  test("a trusted peer without it, or with a broken one, is cut", async () => {
    expect(await ask("")).toBe("")
    expect(await ask("PROXY TCP4 192.0.2.256 127.0.0.1 1 80\r\n")).toBe("")
    await edge.heard("a trusted peer was refused")
  })
  test("before TLS too, with HTTP/1.1 and a large answer", async () => {
    for (const [header, client] of [
      [v1, "192.0.2.9"],
      [v2, "192.0.2.10"],
    ] as const) {
      expect(await askTls(header, "/tls")).toContain(`\r\nX-Forwarded-For: ${client}\r\nX-Forwarded-Proto: https\r\n`)
    }
    expect((await askTls(v1, "/large")).length).toBeGreaterThan(3_000_000)
    expect(await askTls("PROXY UNKNOWN\r\n", "/tls")).toContain("X-Forwarded-For: 127.0.0.1")
  })
})

test("before TLS and HTTP/2", async () => {
  const plain = connect(edge.port(1), "127.0.0.1")
  plain.write(v1)
  const socket = connectTls({ socket: plain, servername: "localhost", rejectUnauthorized: false, ALPNProtocols: ["h2"] })
  const session = http2.connect(`https://localhost:${edge.port(1)}`, { createConnection: () => socket })
  const stream = session.request({ ":path": "/h2" })
  let text = ""
  for await (const chunk of stream) text += String(chunk)
  session.close()
  expect(text).toContain("\r\nX-Forwarded-For: 192.0.2.9\r\n")
  await edge.heard("192.0.2.9 4711 /h2")
})

async function askTls(header: string | Buffer, path: string): Promise<string> {
  const plain = connect(edge.port(1), "127.0.0.1")
  plain.write(header)
  const socket = connectTls({ socket: plain, servername: "localhost", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  let text = ""
  for await (const chunk of socket) text += (chunk as Buffer).toString("latin1")
  return text
}

describe("out", () => {
  test("a header that names the client, on a connection of each request", async () => {
    expect(await ask(v1, "/v1")).toContain(`\r\n\r\nPROXY TCP4 192.0.2.9 127.0.0.1 4711 ${seen.port}\r\nGET /v1 HTTP/1.1\r\n`)
    expect(await ask(v2, "/v2")).toContain("\r\n\r\n\r\n\r\n\0\r\nQUIT\n!\x11\0\f\xc0\0\x02\n\x7f\0\0\x01\x12g")
    const before = seen.accepted.length
    await ask(v1, "/v1")
    await ask(v1, "/v1")
    expect(seen.accepted.length).toBe(before + 2)
  })
})

describeWith(["haproxy"], "with HAProxy", () => {
  test.each(["send-proxy", "send-proxy-v2"])("%s in front, and accept-proxy behind", async word => {
    const ports = [freePort(), freePort()]
    const file = join(dir, "haproxy.cfg")
    writeFileSync(
      file,
      `defaults
  mode tcp
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend in
  bind 127.0.0.1:${ports[0]}
  default_backend edge
backend edge
  server edge 127.0.0.1:${edge.port()} ${word}
frontend behind
  mode http
  bind 127.0.0.1:${ports[1]} accept-proxy
  http-request return status 200 content-type text/plain lf-string "from %[src]"
`,
    )
    const haproxy = Bun.spawn([found("haproxy")!, "-db", "-f", file], { stdout: "ignore", stderr: "ignore" })
    await using behind = await Edge.start({
      config: `
[server]
fronts = 1
trusted_proxies = ["127.0.0.1"]
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { to = "http://127.0.0.1:${ports[1]}", proxy_protocol = "${word === "send-proxy" ? "v1" : "v2"}" }
`,
    })
    try {
      await until(async () => (await fetch(`http://127.0.0.1:${ports[0]}/`).then(r => r.status, () => 0)) === 200)
      expect(await (await fetch(`http://127.0.0.1:${ports[0]}/in`)).text()).toContain("\r\nX-Forwarded-For: 127.0.0.1\r\n")
      await until(async () => (await behind.get("/")) === "from 127.0.0.1")
      expect(await behind.get("/", { headers: { "X-Forwarded-For": "203.0.113.7" } })).toBe("from 203.0.113.7")
    } finally {
      haproxy.kill("SIGKILL")
      await haproxy.exited
    }
  }, 30_000)
})

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = probe
  probe.stop(true)
  return port
}
