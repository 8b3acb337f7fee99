/** Upstreams in HTTP/2: a Bun.serve that speaks it, and one that does not. Through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { RawClient } from "./raw-client.ts"

let dir: string
let server: Bun.Server<undefined>
let old: Bun.Server<undefined>
let edge: Edge
let aborted = 0
let sent = 0
const ports = new Set<number>()
const asked = new Set<string>()

async function answer(request: Request, at: Bun.Server<undefined>): Promise<Response | undefined> {
  ports.add(at.requestIP(request)?.port ?? 0)
  const { pathname } = new URL(request.url)
  asked.add(pathname)
  if (pathname === "/ws") return at.upgrade(request) ? undefined : new Response("no", { status: 400 })
  if (pathname === "/large") return new Response(Buffer.alloc(3_000_000, "x"))
  if (pathname === "/gzip") return new Response(Bun.gzipSync(Buffer.from("hello")), { headers: { "Content-Encoding": "gzip" } })
  if (pathname === "/moved") return new Response(null, { status: 302, headers: { Location: "/else" } })
  if (pathname === "/never") {
    request.signal.addEventListener("abort", () => aborted++)
    await Bun.sleep(60_000)
  }
  if (pathname === "/endless") {
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      sent += 65_536
      controller.enqueue(new Uint8Array(65_536))
    }
    return new Response(new ReadableStream({ pull }))
  }
  const headers = [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-A", "b"]] as [string, string][]
  return new Response(JSON.stringify({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body: await request.text() }), { headers })
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "edge-http2-"))
  const made = Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], { cwd: dir })
  if (made.exitCode !== 0) throw new Error(made.stderr.toString())
  const tls = { cert: readFileSync(join(dir, "cert.pem"), "utf8"), key: readFileSync(join(dir, "key.pem"), "utf8") }
  const options = { hostname: "127.0.0.1", port: 0, tls, idleTimeout: 0, fetch: answer, websocket: { message: (socket: Bun.ServerWebSocket, message: string) => void socket.send(message) } }
  server = Bun.serve({ ...options, http2: true } as never)
  old = Bun.serve(options as never)
  const proxy = (more: string, port = server.port!) => `proxy = { to = "https://127.0.0.1:${port}", http2 = true, ${more} }`
  edge = await Edge.start({
    config: `
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/old/*"
${proxy('tls = { ca = "cert.pem" }', old.port!)}
[[site.route]]
path = "/unknown/*"
${proxy("retries = 0")}
[[site.route]]
path = "/never"
${proxy('tls = { ca = "cert.pem" }, timeout = "30s"')}
[[site.route]]
path = "/late/*"
strip = "/late"
${proxy('tls = { ca = "cert.pem" }, timeout = "200ms", connect_timeout = "100ms"')}
[[site.route]]
${proxy('tls = { ca = "cert.pem" }, headers = { set = { X-Set = "1" }, remove = ["X-Drop"] }, name = "main", health = { path = "/up", every = "100ms", fall = 1 }')}
`,
    files: { "cert.pem": tls.cert },
  })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  await Promise.all([server.stop(true), old.stop(true)])
  rmSync(dir, { recursive: true })
})

interface Seen {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}
async function ask(path: string, init: RequestInit = {}): Promise<{ response: Response; seen: Seen }> {
  const response = await fetch(edge.url(path), { redirect: "manual", ...init, headers: { Host: "example.com", ...(init.headers as object) } })
  return { response, seen: (await response.json()) as Seen }
}

test("target, Host, fields and forwarding as over HTTP/1.1; many requests on one connection", async () => {
  const { response, seen } = await ask("/a%2Fb//c?d=%20", { headers: { "X-B": "1", "X-Drop": "2", Connection: "X-Hop", "X-Hop": "3", "User-Agent": "t" } })
  expect(seen.url).toBe("https://example.com/a%2Fb//c?d=%20")
  expect(seen.headers).toMatchObject({ "x-b": "1", "x-set": "1", "user-agent": "t", "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "example.com", via: "1.1 edge" })
  expect(response.headers.get("via")).toBe("2 edge")
  for (const name of ["x-drop", "x-hop", "connection"]) expect(seen.headers[name]).toBeUndefined()
  expect([response.headers.getSetCookie(), response.headers.get("x-a")]).toEqual([["a=1", "b=2"], "b"])
  ports.clear()
  await Promise.all(Array.from({ length: 40 }, () => ask("/x")))
  expect(ports.size).toBe(1)
})

test("bodies both ways, HEAD, redirects and codings as they are", async () => {
  expect((await ask("/post", { method: "POST", body: "hello" })).seen).toMatchObject({ method: "POST", body: "hello", headers: { "content-length": "5" } })
  const upload = "x".repeat(2_000_000)
  expect((await ask("/post", { method: "PUT", body: new Blob([upload]).stream(), duplex: "half" } as RequestInit)).seen.body).toBe(upload)
  expect((await (await fetch(edge.url("/large"))).text()).length).toBe(3_000_000)
  const head = await fetch(edge.url("/large"), { method: "HEAD" })
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "3000000"])
  const gzip = await fetch(edge.url("/gzip"), { decompress: false } as RequestInit)
  expect([gzip.headers.get("content-encoding"), Buffer.from(Bun.gunzipSync(new Uint8Array(await gzip.arrayBuffer()))).toString()]).toEqual(["gzip", "hello"])
  const moved = await fetch(edge.url("/moved"), { redirect: "manual" })
  expect([moved.status, moved.headers.get("location")]).toEqual([302, "/else"])
})

test("what fetch cannot do goes over HTTP/1.1: upgrades, odd methods", async () => {
  const socket = new WebSocket(edge.url("/ws").replace("http", "ws"))
  const message = await new Promise((resolve, reject) => {
    socket.onopen = () => socket.send("hi")
    socket.onmessage = event => resolve(event.data)
    socket.onerror = reject
  })
  expect(message).toBe("hi")
  socket.close()
  const odd = await RawClient.ask(edge.port(), "PURGE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
  expect(odd).not.toContain('"method":"GET"')
})

test("a client that goes away ends the request there; one that is slow holds the upstream back", async () => {
  const client = await RawClient.to(edge.port())
  client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
  await Bun.sleep(200)
  client.socket.terminate()
  await until(() => aborted > 0)

  const slow = await RawClient.to(edge.port())
  slow.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
  await slow.until(c => c.text.length > 1000)
  slow.socket.pause()
  // The buffers on the way fill up, and then nothing more is taken.
  let before = -1
  while (sent !== before) {
    before = sent
    await Bun.sleep(500)
  }
  expect(sent).toBeLessThan(64_000_000)
  slow.socket.terminate()
})

test("a certificate nobody knows, no HTTP/2, and no answer: 502 and 504", async () => {
  expect((await fetch(edge.url("/unknown/x"))).status).toBe(502)
  await edge.heard(/no connection: DEPTH_ZERO_SELF_SIGNED_CERT/)
  expect((await fetch(edge.url("/old/x"))).status).toBe(502)
  await edge.heard("it does not speak HTTP/2")
  expect((await fetch(edge.url("/late/never"))).status).toBe(504)
})

test("its health is asked in HTTP/2 too", async () => {
  await Bun.sleep(300)
  expect((await edge.command("upstream", "--to", "main")).out).toMatch(/main +https:\/\/127\.0\.0\.1:\d+ +up /)
  expect(asked).toContain("/up")
})

test("only over TLS", async () => {
  edge.write("bad.toml", '[[site]]\n[[site.route]]\nproxy = { to = "http://127.0.0.1:9", http2 = true }\n')
  const { code, err } = await edge.command("check", "--config", "bad.toml")
  expect([code, err]).toEqual([1, expect.stringContaining("HTTP/2 upstreams are https")])
})
