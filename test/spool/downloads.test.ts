/** Answers that a slow client takes its time over: the worker that made them is free meanwhile. */
import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { certificate } from "../wire/certificate.ts"
import { spooled } from "./spooled.ts"

const site = (app: string, use = "") => `
[server]
fronts = 1
pid_file = "edge.pid"
limits = { send_timeout = "60s" }
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
${use}
[[site.route]]
app = "app"
[app.app]
dir = "app"
queue = { wait = "1s" }
${app}
`
/** A piece of 8 kB names its number: what comes in the wrong order, twice or not at all is seen. */
const python = `
import os, time
def piece(i): return (b"%015d " % i) * 512
def endless():
    i = 0
    try:
        while True:
            yield piece(i); i += 1
            if i % 16 == 0: open("made", "w").write(str(i * 8192))
    finally:
        open("closed", "w").close()
def gated():
    yield b"first\\n"
    while not os.path.exists("go"): time.sleep(0.005)
    yield b"last\\n"
def app(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    kind = "text/event-stream" if path == "/events" else "multipart/x-mixed-replace; boundary=x" if path == "/camera" else "text/plain"
    headers = [("Content-Type", kind)]
    if path == "/unbuffered": headers.append(("X-Accel-Buffering", "no"))
    if path == "/q": body = [b"q %d" % os.getpid()]
    elif path == "/one":
        body = [b"".join(map(piece, range(int(query))))]
        headers.append(("Content-Length", str(len(body[0]))))
    elif path == "/gen": body = map(piece, range(int(query)))
    elif path == "/write":
        write = start_response("200 OK", headers)
        for i in range(int(query)): write(piece(i))
        return []
    elif path == "/short":
        headers.append(("Content-Length", "99999999")); body = map(piece, range(int(query)))
    elif path == "/raises":
        def body_():
            yield from map(piece, range(int(query)))
            raise ValueError("in the middle")
        body = body_()
    elif path == "/gated": body = gated()
    else: body = endless()
    start_response("200 OK", headers)
    return body
`
const wsgi = `runtime = "wsgi"\nentry = "app:app"\npython = "/usr/bin/python3"`
const uwsgi = ["/usr/bin/uwsgi", "--socket", "$SOCKET", "--plugins", "python3", "--wsgi-file", "app.py", "--callable", "app", "--processes", "1", "--master", "--die-on-term", "--need-app"]
const php = `<?php
function piece($i) { return str_repeat(sprintf("%015d ", $i), 512); }
if (strpos($_SERVER["REQUEST_URI"], "/q") === 0) { echo "q ", getmypid(); exit; }
for ($i = 0; $i < (int)$_SERVER["QUERY_STRING"]; $i++) echo piece($i);`
const files = { "app/app.py": python, "app/index.php": php }
const sha = (pieces: number) => {
  const hash = createHash("sha256")
  for (let i = 0; i < pieces; i++) hash.update(`${String(i).padStart(15, "0")} `.repeat(512))
  return hash.digest("hex")
}

class SlowClient {
  head = ""
  readonly hash = createHash("sha256")
  bytes = 0
  ended = false
  readonly #socket
  #first = true

  private constructor(socket: Bun.Socket<SlowClient>) {
    this.#socket = socket
  }

  /** Asks, and reads nothing but what came with the first look. */
  static async ask(edge: Edge, target: string): Promise<SlowClient> {
    const socket = await Bun.connect<SlowClient>({
      hostname: "127.0.0.1",
      port: edge.port(),
      socket: {
        data: (s, chunk) => s.data.#take(chunk),
        end: s => void (s.data.ended = true),
        close: s => void (s.data !== undefined && (s.data.ended = true)),
      },
    })
    const client = (socket.data = new SlowClient(socket))
    socket.write(`GET ${target} HTTP/1.0\r\nHost: a\r\n\r\n`)
    await until(() => client.head !== "")
    socket.pause()
    return client
  }

  #take(chunk: Buffer): void {
    const end = this.#first ? chunk.indexOf("\r\n\r\n") + 4 : 0
    if (this.#first) this.head = chunk.toString("latin1", 0, end)
    this.#first = false
    this.hash.update(chunk.subarray(end))
    this.bytes += chunk.length - end
  }

  read(): void {
    this.#socket.resume()
  }
  wait(): void {
    this.#socket.pause()
  }
  gone(): void {
    this.#socket.terminate()
  }
}

const quick = async (edge: Edge) => (await fetch(edge.url("/q"), { keepalive: false })).status

function downloads(name: string, app: string, paths: readonly string[]): void {
  test(`${name}: the worker is free while slow clients read, and they get every byte in order`, async () => {
    await using edge = await Edge.start({ config: site(app), files })
    for (const path of paths) {
      const clients = [await SlowClient.ask(edge, `${path}?3000`)]
      // The worker has one slot: the next is served once it has ended the answer that nobody reads.
      await until(async () => (await quick(edge)) === 200)
      clients.push(await SlowClient.ask(edge, `${path}?3000`))
      await until(async () => (await quick(edge)) === 200)
      expect(spooled(edge).length).toBe(2)
      // Now and then, so that reading and writing of the file alternate.
      for (let i = 0; i < 5; i++) {
        for (const client of clients) client.read()
        await Bun.sleep(5)
        for (const client of clients) client.wait()
        await Bun.sleep(5)
      }
      for (const client of clients) client.read()
      await until(() => clients.every(client => client.ended))
      for (const client of clients) expect([client.bytes, client.hash.copy().digest("hex")]).toEqual([3000 * 8192, sha(3000)])
      expect(spooled(edge)).toEqual([])
    }
  }, 60_000)
}
downloads("wsgi", wsgi, ["/one", "/gen", "/write"])
describeWith(["php-fpm"], "PHP", () => downloads("fastcgi", `runtime = "fastcgi"\nconcurrency = 1\n${process.getuid!() === 0 ? `user = "www-data"` : ""}`, ["/one"]))
describeWith(["uwsgi"], "uWSGI", () => downloads("uwsgi", `runtime = "uwsgi"\nconcurrency = 1\ncommand = ${JSON.stringify(uwsgi)}`, ["/one", "/gen"]))
describeWith(["gunicorn"], "gunicorn", () =>
  downloads("http, told to", `runtime = "http"\nconcurrency = 1\ncommand = ["/usr/bin/gunicorn", "-b", "127.0.0.1:$PORT", "app:app"]\nbuffer = { answers = true }`, ["/one", "/gen"]),
)

const held: [string, string, string][] = [
  ["with buffer = false", `${wsgi}\nbuffer = false`, "/gen?3000"],
  ["with answers = false", `${wsgi}\nbuffer = { answers = false }`, "/one?3000"],
  ["events", wsgi, "/events"],
  ["a camera", wsgi, "/camera"],
  ["X-Accel-Buffering: no", wsgi, "/unbuffered"],
]
for (const [name, app, target] of held)
  test(`${name}: nothing is kept, the app is as fast as its client`, async () => {
    await using edge = await Edge.start({ config: site(app), files })
    const client = await SlowClient.ask(edge, target)
    expect(await quick(edge)).toBe(503)
    expect(spooled(edge)).toEqual([])
    if (existsSync(join(edge.dir, "app/made"))) expect(Number(edge.read("app/made"))).toBeLessThan(64_000_000)
    client.gone()
    await until(async () => (await quick(edge)) === 200)
  }, 60_000)

test("an endless answer is bounded by `memory` and `disk`; its client leaves: the app is told and the room is free", async () => {
  const config = site(`${wsgi}\nbuffer = { memory = "64kb", disk = "4mb" }`)
  await using edge = await Edge.start({ config, files })
  for (let i = 0; i < 2; i++) {
    const client = await SlowClient.ask(edge, "/endless")
    expect(await quick(edge)).toBe(503)
    // What the sockets of this machine hold comes on top.
    expect(Number(edge.read("app/made"))).toBeWithin(4_000_000, 64_000_000)
    expect(spooled(edge)).toHaveLength(1)
    client.gone()
    await until(() => existsSync(join(edge.dir, "app/closed")))
    await until(() => spooled(edge).length === 0)
    await until(async () => (await quick(edge)) === 200)
  }
}, 60_000)

test("what is made slowly reaches a client that reads at once", async () => {
  await using edge = await Edge.start({ config: site(wsgi), files })
  const reader = (await fetch(edge.url("/gated"))).body!.getReader()
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("first\n")
  edge.write("app/go", "")
  expect(Buffer.from((await reader.read()).value!).toString()).toBe("last\n")
}, 60_000)

for (const path of ["/short", "/raises"])
  test(`${path}: an answer that broke off does not look complete to a slow client`, async () => {
    await using edge = await Edge.start({ config: site(wsgi), files })
    const client = await SlowClient.ask(edge, `${path}?2000`)
    await until(async () => (await quick(edge)) === 200)
    client.read()
    await until(() => client.ended)
    // Where only the close ends a body it must not look like one: a reset, which takes what was under way with it.
    if (path === "/raises") expect(client.bytes).toBeWithin(1, 2000 * 8192 + 1)
    else expect([client.bytes, client.head.includes("Content-Length: 99999999")]).toEqual([2000 * 8192, true])
  }, 60_000)

test("a full disk: nothing is lost, the worker waits for its client, the log says so", async () => {
  const wrap = (argv: string[]) => ["sh", "-c", `trap '' XFSZ; ulimit -f 4096; exec "$@"`, "sh", ...argv]
  await using edge = await Edge.start({ config: site(wsgi), files, wrap })
  const client = await SlowClient.ask(edge, "/one?3000")
  await edge.heard(/WARN.*answers cannot be kept on the disk/)
  expect(await quick(edge)).toBe(503)
  client.read()
  await until(() => client.ended)
  expect([client.bytes, client.hash.digest("hex")]).toEqual([3000 * 8192, sha(3000)])
  expect(await quick(edge)).toBe(200)
}, 60_000)

test("compress in front of it, and a reload in the middle", async () => {
  await using edge = await Edge.start({ config: site(wsgi, `use = ["compress"]`), files })
  const client = await SlowClient.ask(edge, "/gen?3000")
  await until(async () => (await quick(edge)) === 200)
  expect((await edge.command("reload")).code).toBe(0)
  client.read()
  await until(() => client.ended)
  expect([client.bytes, client.hash.digest("hex")]).toEqual([3000 * 8192, sha(3000)])
  const zipped = await fetch(edge.url("/gen?3000"), { headers: { "Accept-Encoding": "gzip" } })
  expect([zipped.headers.get("content-encoding"), createHash("sha256").update(await zipped.bytes()).digest("hex")]).toEqual(["gzip", sha(3000)])
}, 60_000)

describeWith(["curl"], "HTTP/2", () => {
  test("the worker is free while a slow client reads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "edge-certificate-"))
    const tls = await certificate(folder)
    rmSync(folder, { recursive: true })
    const config = site(wsgi, `tls = { cert = "cert.pem", key = "key.pem" }`)
    await using edge = await Edge.start({ config, files: { ...files, "cert.pem": tls.cert, "key.pem": tls.key } })
    const url = `https://127.0.0.1:${edge.port()}`
    const slow = Bun.spawn(["curl", "-sk", "--http2", "--limit-rate", "200k", "-D", "head", "-o", "body", `${url}/gen?3000`], { cwd: edge.dir })
    await until(() => existsSync(join(edge.dir, "head")) && edge.read("head").endsWith("\r\n\r\n"))
    const status = () => Bun.$`curl -sk -o /dev/null -w %{http_code} ${url}/q`.nothrow().text()
    await until(async () => (await status()) === "200")
    expect(slow.exitCode).toBeNull()
    expect(spooled(edge)).toHaveLength(1)
    slow.kill()
    await slow.exited
    await until(() => spooled(edge).length === 0)
    const whole = await Bun.$`curl -sk --http2 ${url}/gen?3000`.quiet()
    expect(createHash("sha256").update(whole.stdout).digest("hex")).toBe(sha(3000))
  }, 60_000)
})
