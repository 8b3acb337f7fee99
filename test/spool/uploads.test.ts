/** Uploads that take longer than the app's `timeout`, and those that hold no worker while they come. */
import { expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { certificate } from "../wire/certificate.ts"
import { fronts, spooled } from "./spooled.ts"

const site = (app: string, { limits = "", listen = "" } = {}) => `
[server]
fronts = 1
pid_file = "edge.pid"
limits = { ${limits} }
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
${listen}
[[site.route]]
app = "app"
[app.app]
dir = "app"
timeout = "1s"
${app}
`
const wsgi = `
import hashlib, os
def app(environ, start_response):
    open("ran", "a").write(environ["PATH_INFO"] + "\\n")
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s %s %s" % (environ.get("CONTENT_LENGTH"), len(body), hashlib.sha256(body).hexdigest())).encode()]
`
const asgi = `
import hashlib
async def app(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError
    h = hashlib.sha256(); n = 0
    while True:
        m = await receive()
        h.update(m.get("body", b"")); n += len(m.get("body", b""))
        if not m.get("more_body"): break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ("None %s %s" % (n, h.hexdigest())).encode()})
`
const ts = `
import { createHash } from "node:crypto"
export default {
  async fetch(request) {
    const h = createHash("sha256"); let n = 0
    if (request.method === "POST") for await (const part of request.body) { h.update(part); n += part.length }
    return new Response("None " + n + " " + h.digest("hex"))
  },
}
`
const program = `
import hashlib, http.server, os
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        text = ("%s %s %s" % (self.headers["Content-Length"], len(body), hashlib.sha256(body).hexdigest())).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "4"); self.end_headers(); self.wfile.write(b"None")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), H).serve_forever()
`
const php = `<?php $b = file_get_contents("php://input"); echo $_SERVER["CONTENT_LENGTH"] ?? "None", " ", strlen($b), " ", hash("sha256", $b);`
const files = { "app/app.py": wsgi, "app/asgi.py": asgi, "app/app.ts": ts, "app/program.py": program, "app/index.php": php }
const python = `python = "/usr/bin/python3"`
const uwsgi = ["/usr/bin/uwsgi", "--socket", "$SOCKET", "--plugins", "python3", "--wsgi-file", "app.py", "--callable", "app", "--processes", "1", "--master", "--die-on-term", "--need-app"]
const runtimes: Record<string, string> = {
  wsgi: `runtime = "wsgi"\nentry = "app:app"\n${python}`,
  "wsgi with threads": `runtime = "wsgi"\nthreads = 2\nentry = "app:app"\n${python}`,
  asgi: `runtime = "asgi"\nentry = "asgi:app"\n${python}`,
  fetch: `entry = "app.ts"`,
  inline: `entry = "app.ts"\ngateway = "inline"`,
  http: `runtime = "http"\ncommand = ["/usr/bin/python3", "program.py"]`,
  "http, received first": `runtime = "http"\ncommand = ["/usr/bin/python3", "program.py"]\nconcurrency = 1\nbuffer = { requests = true }`,
}
/** They run one request at a time. */
const blocking = ["wsgi", "http, received first", "fastcgi", "uwsgi"]
const sha = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

interface Client {
  text: string
  write(bytes: Uint8Array | string): void
  gone(how?: "reset" | "end"): void
}

async function connect(port: number): Promise<Client> {
  let rest: Buffer[] = []
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: { data: (_, chunk) => void (client.text += chunk.toString()), drain: () => flush() },
  })
  function flush(): void {
    while (rest.length > 0) {
      const n = socket.write(rest[0]!)
      if (n < rest[0]!.length) return void (rest[0] = rest[0]!.subarray(Math.max(n, 0)))
      rest.shift()
    }
  }
  const client: Client = {
    text: "",
    write(bytes) {
      rest.push(Buffer.from(bytes))
      if (rest.length === 1) flush()
    },
    gone: (how = "reset") => {
      rest = []
      if (how === "end") socket.end()
      else socket.terminate()
    },
  }
  return client
}

/** In so many pieces, with a pause before each: longer than the app's timeout in all. */
async function slowly(client: Client, body: Buffer, { chunked = false, pieces = 8 } = {}): Promise<void> {
  client.write(`POST /slow HTTP/1.1\r\nHost: a\r\n${chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`}\r\n\r\n`)
  const size = Math.ceil(body.length / pieces)
  for (let at = 0; at < body.length; at += size) {
    await Bun.sleep(300)
    const piece = body.subarray(at, at + size)
    if (chunked) client.write(`${piece.length.toString(16)}\r\n`)
    client.write(piece)
    if (chunked) client.write("\r\n")
  }
  if (chunked) client.write("0\r\n\r\n")
}

function uploads(name: string, app: string): void {
  test(`${name}: an upload longer than the timeout is served, and others meanwhile`, async () => {
    await using edge = await Edge.start({ config: site(app), files })
    const body = randomBytes(1_200_000)
    const client = await connect(edge.port())
    const sent = slowly(client, body)
    let others = 0
    while (!(await Promise.race([sent.then(() => true), Bun.sleep(100)]))) {
      if (!blocking.includes(name)) continue
      expect((await fetch(edge.url("/quick"), { keepalive: false })).status).toBe(200)
      others++
    }
    await until(() => client.text.includes(sha(body)))
    expect(client.text).toStartWith("HTTP/1.1 200 OK")
    if (blocking.includes(name)) expect(others).toBeGreaterThan(1)
    if (!name.startsWith("http")) {
      const chunks = await connect(edge.port())
      await slowly(chunks, body, { chunked: true })
      await until(() => chunks.text.includes(sha(body)))
      // The length of a body that came in chunks is known by then.
      if (name === "wsgi" || name === "uwsgi" || name === "fastcgi") expect(chunks.text).toContain(`${body.length} ${body.length}`)
    }
    expect(edge.output).not.toContain("stuck")
    expect(spooled(edge)).toEqual([])
  }, 60_000)
}
for (const [name, app] of Object.entries(runtimes)) uploads(name, app)
describeWith(["php-fpm"], "PHP", () => {
  const user = process.getuid!() === 0 ? `user = "www-data"` : ""
  uploads("fastcgi", `runtime = "fastcgi"\nconcurrency = 1\n${user}\nini = { post_max_size = "100M" }`)
})
describeWith(["uwsgi"], "uWSGI", () => uploads("uwsgi", `runtime = "uwsgi"\nconcurrency = 1\ncommand = ${JSON.stringify(uwsgi)}`))

describeWith(["curl"], "HTTP/2", () => {
  for (const name of ["wsgi", "asgi", "inline"])
    test(`${name}: an upload longer than the timeout`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "edge-certificate-"))
      const tls = await certificate(folder)
      rmSync(folder, { recursive: true })
      const config = site(runtimes[name]!, { listen: `tls = { cert = "cert.pem", key = "key.pem" }` })
      await using edge = await Edge.start({ config, files: { ...files, "cert.pem": tls.cert, "key.pem": tls.key } })
      const body = randomBytes(300_000)
      await Bun.write(join(edge.dir, "body"), body)
      const url = `https://127.0.0.1:${edge.port()}/slow`
      const argv = ["curl", "-sk", "--http2", "--limit-rate", "100k", "--data-binary", "@body", "-w", " %{http_version} %{http_code}", url]
      const curl = Bun.spawn(argv, { cwd: edge.dir, stdout: "pipe" })
      const text = await new Response(curl.stdout).text()
      expect(text).toContain(sha(body))
      expect(text).toEndWith(" 2 200")
    }, 60_000)
})

test("a client that leaves in the middle: its file is gone, no worker saw it, the log says nothing", async () => {
  await using edge = await Edge.start({ config: site(runtimes["wsgi"]!), files })
  // Several times each, so that some leave while the file is written and nobody reads from them.
  for (let i = 0; i < 20; i++) {
    const chunked = i % 2 === 1
    const client = await connect(edge.port())
    client.write(`POST /left HTTP/1.1\r\nHost: a\r\n${chunked ? "Transfer-Encoding: chunked" : "Content-Length: 3000000"}\r\n\r\n`)
    if (chunked) client.write("2dc6c0\r\n")
    client.write(Buffer.alloc(2_000_000))
    await until(() => spooled(edge).length === 1)
    client.gone(i % 4 > 1 ? "reset" : "end")
    await until(() => spooled(edge).length === 0)
  }
  expect((await fetch(edge.url("/quick"))).status).toBe(200)
  expect(edge.read("app/ran")).toBe("/quick\n")
  expect(edge.output.match(/WARN|ERROR/g)).toBeNull()
}, 60_000)

test("what cannot be kept is refused, and only that: a full disk 507, no folder 503; then it works again", async () => {
  // A file may have 2 MB: what the system says past it is what it says of a full disk.
  const wrap = (argv: string[]) => ["sh", "-c", `trap '' XFSZ; ulimit -f 4096; exec "$@"`, "sh", ...argv]
  const tmp = join(tmpdir(), `edge-test-tmp-${process.pid}`)
  mkdirSync(tmp)
  try {
    await using edge = await Edge.start({ config: site(runtimes["wsgi"]!), files, wrap, env: { TMPDIR: tmp } })
    const post = async (size: number) => (await fetch(edge.url("/p"), { method: "POST", body: randomBytes(size), keepalive: false })).status
    // The answer comes while curl or fetch still send: they may see only that the connection ended.
    const refused = async (size: number) => {
      const client = await connect(edge.port())
      client.write(`POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
      client.write(randomBytes(size - 1))
      await until(() => client.text.includes("\r\n\r\n"))
      client.gone()
      return Number(client.text.slice(9, 12))
    }
    expect(await post(1_500_000)).toBe(200)
    expect(await refused(6_000_000)).toBe(507)
    expect(await post(1_500_000)).toBe(200)
    expect(spooled(edge)).toEqual([])
    await edge.heard(/ERROR.*a request's body cannot be kept: EFBIG/)
    rmSync(tmp, { recursive: true })
    expect(await refused(3_000_000)).toBe(503)
    expect(await post(500_000)).toBe(200)
    mkdirSync(tmp)
    expect(await post(1_500_000)).toBe(200)
    expect(spooled(edge)).toEqual([])
  } finally {
    rmSync(tmp, { recursive: true, force: true })
  }
}, 60_000)

test("many at once: what waits is on the disk, not in memory; all arrive", async () => {
  await using edge = await Edge.start({ config: site(`${runtimes["wsgi"]}\nqueue = { wait = "60s" }`), files })
  const [front] = fronts(edge)
  const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${front}/status`, "latin1"))![1]) / 1024
  const body = randomBytes(4_000_000)
  const before = rss()
  const clients = await Promise.all(Array.from({ length: 60 }, () => connect(edge.port())))
  for (const client of clients) {
    client.write(`POST /many HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`)
    client.write(body.subarray(0, -1))
  }
  await until(() => spooled(edge).length === clients.length)
  await Bun.sleep(300)
  // 240 MB came, of which 64 MB may be in memory; the rest of the room is the collector's.
  const grown = rss() - before
  expect(grown).toBeLessThan(180)
  for (const client of clients) client.write(body.subarray(-1))
  await until(() => clients.every(client => client.text.includes(sha(body))))
  await until(() => spooled(edge).length === 0)
  for (const client of clients) client.gone()
}, 60_000)

test("the server's limits hold: a body too slow is 408, one too long 413, and no worker saw it", async () => {
  const limits = `body = "1mb", body_rate = { bytes = 50000, over = "1s" }`
  await using edge = await Edge.start({ config: site(runtimes["wsgi"]!, { limits }), files })
  const slow = await connect(edge.port())
  slow.write("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n")
  while (slow.text === "") {
    slow.write("x")
    await Bun.sleep(100)
  }
  expect(slow.text).toStartWith("HTTP/1.1 408")
  for (const framing of ["Content-Length: 2000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1e8480\r\n"]) {
    const long = await connect(edge.port())
    long.write(`POST /long HTTP/1.1\r\nHost: a\r\n${framing}`)
    long.write(Buffer.alloc(1_500_000))
    await until(() => long.text !== "")
    expect(long.text).toStartWith("HTTP/1.1 413")
    long.gone()
  }
  expect((await fetch(edge.url("/quick"))).status).toBe(200)
  expect(edge.read("app/ran")).toBe("/quick\n")
  expect(spooled(edge)).toEqual([])
}, 60_000)

test("an upload goes on while fronts and workers are replaced, and is served by the new worker", async () => {
  await using edge = await Edge.start({ config: site(runtimes["wsgi"]!), files })
  const body = randomBytes(2_000_000)
  const client = await connect(edge.port())
  const sent = slowly(client, body)
  await until(() => spooled(edge).length === 1)
  expect((await edge.command("reload", "--apps")).code).toBe(0)
  await sent
  await until(() => client.text.includes(sha(body)))
  expect(client.text).toStartWith("HTTP/1.1 200")
  await until(() => spooled(edge).length === 0)
}, 60_000)
