/** A stream that has begun and says nothing yet: its head reaches the client, and no deadline of the head ends it. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { certificate } from "../wire/certificate.ts"

/** Paths end in the name of the file that lets the first event out. */
const asgi = `
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    gate = scope["path"].rpartition("/")[2]
    while not os.path.exists(gate): await asyncio.sleep(0.005)
    await send({"type": "http.response.body", "body": b"data: first\\n\\n", "more_body": True})
    await send({"type": "http.response.body", "body": b"x" * 3000000 if "large" in gate else b"data: last\\n\\n"})
`
const wsgi = `
import os, time
def events(gate):
    yield b""
    while not os.path.exists(gate): time.sleep(0.005)
    yield b"data: first\\n\\n"
    yield b"data: last\\n\\n"
def app(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/event-stream")])
    gate = environ["PATH_INFO"].rpartition("/")[2]
    if "write" not in gate: return events(gate)
    write(b"")
    while not os.path.exists(gate): time.sleep(0.005)
    write(b"data: first\\n\\n")
    return [b"data: last\\n\\n"]
`
const ts = `
import { existsSync } from "node:fs"
export default {
  fetch(request) {
    const gate = new URL(request.url).pathname.split("/").at(-1)
    const events = async function* () {
      while (!existsSync(gate)) await Bun.sleep(5)
      yield "data: first\\n\\n"
      yield "data: last\\n\\n"
    }
    return new Response(events(), { headers: { "content-type": "text/event-stream" } })
  },
}
`
const program = `
import http.server, os, socketserver, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        gate = self.path.rpartition("/")[2]
        while not os.path.exists(gate): time.sleep(0.005)
        self.wfile.write(b"data: first\\n\\ndata: last\\n\\n")
    def log_message(self, *a): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
`
const python = `python = "/usr/bin/python3"`
const apps: Record<string, string> = {
  asgi: `runtime = "asgi"\nentry = "asgi:app"\n${python}`,
  wsgi: `runtime = "wsgi"\nentry = "app:app"\n${python}`,
  threads: `runtime = "wsgi"\nthreads = 2\nentry = "app:app"\n${python}`,
  fetch: `entry = "app.ts"`,
  inline: `entry = "inline.ts"\ngateway = "inline"`,
  http: `runtime = "http"\ncommand = ["/usr/bin/python3", "program.py"]`,
}
const names = [...Object.keys(apps), "proxy"]
const config = `
[server]
fronts = 1
[log]
access = { format = "off" }
[[site]]
listen = ["http://127.0.0.1:0", "127.0.0.2:0"]
tls = { cert = "cert.pem", key = "key.pem" }
https_redirect = false
${Object.keys(apps).flatMap(name => ["", "compress"].map(use => `
[[site.route]]
path = "/${name}${use}/*"
${use === "" ? "" : `use = ["${use}"]`}
app = "${name}"
`)).join("")}
${["", "compress", "cache"].map(use => `
[[site.route]]
path = "/proxy${use}/*"
${use === "" ? "" : `use = ["${use}"]`}
proxy = { to = ["http://127.0.0.1:UPSTREAM"], timeout = "1s" }
`).join("")}
${Object.entries(apps).map(([name, app]) => `
[app.${name}]
dir = "app"
timeout = "1s"
${app}
`).join("")}
`
let edge: Edge
let upstream: Bun.TCPSocketListener
const files = { "app/app.py": wsgi, "app/asgi.py": asgi, "app/app.ts": ts, "app/inline.ts": ts.replace("existsSync(gate)", "existsSync(import.meta.dir + '/' + gate)"), "app/program.py": program }

beforeAll(async () => {
  // Its head, and then nothing until the file is there.
  upstream = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, chunk) {
        const gate = /\/([\w-]+) HTTP/.exec(chunk.toString())![1]!
        const length = gate.includes("length") ? "Content-Length: 25\r\n" : ""
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${length}Connection: close\r\n\r\n`)
        void until(() => existsSync(join(edge.dir, "app", gate))).then(() => socket.end("data: first\n\ndata: last\n\n"))
      },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), "edge-certificate-"))
  const tls = await certificate(folder)
  rmSync(folder, { recursive: true })
  edge = await Edge.start({ config: config.replaceAll("UPSTREAM", String(upstream.port)), files: { ...files, "cert.pem": tls.cert, "key.pem": tls.key } })
}, 60_000)
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  upstream?.stop(true)
})

const forms: Record<string, readonly string[]> = { wsgi: ["yield", "write"], threads: ["yield", "write"], asgi: ["", "large"], proxy: ["", "length"] }

/** curl writes the head to its file as soon as it has it. */
function listen(path: string, options: readonly string[], n: number) {
  const head = join(edge.dir, `${path.replaceAll("/", "-")}.head`)
  const scheme = n === 0 ? "http" : "https"
  const argv = ["curl", "-skN", ...options, "-D", head, "-m", "60", `${scheme}://127.0.0.${n + 1}:${edge.port(n)}${path}`]
  const curl = Bun.spawn(argv, { stdout: "pipe" })
  return { head: () => (existsSync(head) ? readFileSync(head, "latin1") : ""), text: new Response(curl.stdout).text() }
}

describeWith(["curl"], "the head of a quiet stream leaves, and the stream lasts longer than the timeout", () => {
  for (const [version, options, n] of [["HTTP/1.1", [], 0], ["HTTP/2", ["--http2"], 1]] as const)
    for (const name of names)
      for (const use of name === "proxy" ? ["", "compress", "cache"] : ["", "compress"])
        for (const form of forms[name] ?? [""])
          test.concurrent(`${version} ${name} ${use} ${form}`, async () => {
            const gate = `gate-${version.replaceAll(/\W/g, "")}-${name}${use}-${form}`
            const accept = use === "compress" ? ["-H", "Accept-Encoding: gzip", "--compressed"] : []
            const { head, text } = listen(`/${name}${use}/${gate}`, [...options, ...accept], n)
            let early = true
            void text.then(() => (early = false))
            await until(() => head().endsWith("\r\n\r\n"))
            expect(head()).toMatch(/^HTTP\/[12.]+ 200/)
            await Bun.sleep(1500)
            expect(early).toBe(true)
            edge.write(`app/${gate}`, "")
            expect(await text).toBe(`data: first\n\n${form === "large" ? "x".repeat(3_000_000) : "data: last\n\n"}`)
          }, 30_000)
})
