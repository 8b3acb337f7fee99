/** A real uWSGI behind the uwsgi protocol: one that runs already, and one that edge starts. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const python = `
import hashlib, json, os, time
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/environ":
        start_response("200 OK", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [json.dumps({k: v for k, v in environ.items() if isinstance(v, str)}).encode()]
    if path == "/hash":
        h = hashlib.sha256(); n = 0
        while True:
            part = environ["wsgi.input"].read(65536)
            if not part: break
            h.update(part); n += len(part)
        start_response("200 OK", [])
        return [json.dumps([n, h.hexdigest()]).encode()]
    if path == "/stream":
        start_response("200 OK", [])
        def parts():
            yield b"first\\n"
            while not os.path.exists(environ["QUERY_STRING"]): time.sleep(0.005)
            yield b"last\\n"
        return parts()
    if path == "/large":
        start_response("200 OK", [])
        return (b"x" * 100000 for _ in range(100))
    if path == "/status":
        start_response("418 I am a teapot", [("Content-Length", "3")])
        return [b"tea"]
    if path == "/broken":
        start_response("200 OK", [("Content-Length", "100")])
        return [b"short"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"pid %d" % os.getpid()]
`
const config = (app: string) => `
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/mounted/*"
strip = "/mounted"
app = "u"
[[site.route]]
app = "u"
[app.u]
runtime = "uwsgi"
concurrency = 2
timeout = "3s"
${app}
`
const options = ["--plugins", "python3", "--wsgi-file", "app.py", "--processes", "2", "--master", "--die-on-term", "--need-app", "--buffer-size", "32768"]
const command = (at: string) => `command = ${JSON.stringify(["/usr/bin/uwsgi", "--socket", at, ...options])}`
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

describeWith(["uwsgi"], "uWSGI that edge starts", () => {
  let edge: Edge
  beforeAll(async () => {
    edge = await Edge.start({ config: config(command("$SOCKET")), files: { "app.py": python } })
  }, 60_000)
  afterAll(() => edge?.[Symbol.asyncDispose]())

  test("the variables of a request, below a prefix too", async () => {
    const answer = await fetch(edge.url("/mounted/environ?a=%20b"), { headers: { "X-A": "1", Cookie: "k=v" } })
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"])
    expect(await answer.json()).toMatchObject({
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "/mounted",
      PATH_INFO: "/environ",
      QUERY_STRING: "a=%20b",
      REQUEST_URI: "/mounted/environ?a=%20b",
      SERVER_PROTOCOL: "HTTP/1.1",
      REMOTE_ADDR: "127.0.0.1",
      HTTP_X_A: "1",
      HTTP_COOKIE: "k=v",
      "wsgi.url_scheme": "http",
    })
  })

  test("bodies in and out, statuses, streams, HEAD", async () => {
    const body = randomBytes(5_000_000)
    expect(JSON.parse(await edge.get("/hash", { method: "POST", body }))).toEqual([body.length, hash(body)])
    const chunked = new ReadableStream({
      start(c) {
        for (let at = 0; at < body.length; at += 500_000) c.enqueue(body.subarray(at, at + 500_000))
        c.close()
      },
    })
    expect(JSON.parse(await edge.get("/hash", { method: "POST", body: chunked }))).toEqual([body.length, hash(body)])
    expect((await edge.get("/large")).length).toBe(10_000_000)
    const tea = await fetch(edge.url("/status"))
    expect([tea.status, tea.statusText, await tea.text()]).toEqual([418, "I am a teapot", "tea"])
    const gate = join(edge.dir, "gate")
    const reader = (await fetch(edge.url(`/stream?${gate}`))).body!.getReader()
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("first\n")
    await Bun.write(gate, "")
    expect(Buffer.from((await reader.read()).value!).toString()).toBe("last\n")
    expect((await fetch(edge.url("/large"), { method: "HEAD" })).status).toBe(200)
  })

  test("an answer shorter than it said does not look complete; a head that no packet holds is refused", async () => {
    expect(await edge.get("/broken").catch(() => "broken off")).toBe("broken off")
    const large = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`X-${i}`, "y".repeat(1000)]))
    expect((await fetch(edge.url("/"), { headers: large })).status).toBe(200)
  })

  test("a killed uWSGI is started again", async () => {
    const [worker] = (await edge.status()).apps[0]!.workers
    process.kill(worker!.pid, "SIGKILL")
    await edge.heard("worker died")
    for (;;) if ((await edge.get("/")).startsWith("pid ")) break
  })
})

describeWith(["uwsgi"], "uWSGI that runs already", () => {
  test("over TCP", async () => {
    const dir = mkdtempSync(join(tmpdir(), "edge-uwsgi-"))
    writeFileSync(join(dir, "app.py"), python)
    const log = join(dir, "log")
    const argv = ["/usr/bin/uwsgi", "--socket", "127.0.0.1:0", "--logto", log, ...options]
    const uwsgi = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"], cwd: dir })
    try {
      const said = () => (existsSync(log) ? readFileSync(log, "utf8") : "")
      await until(() => said().includes("spawned uWSGI worker 2"))
      const port = /bound to TCP address 127\.0\.0\.1:(\d+)/.exec(said())![1]
      await using edge = await Edge.start({ config: config(`to = "127.0.0.1:${port}"`) })
      expect(await edge.get("/")).toMatch(/^pid \d+$/)
      const pids = new Set(await Promise.all(Array.from({ length: 20 }, () => edge.get("/"))))
      expect([...pids].join(" ")).toMatch(/^pid \d+( pid \d+)?$/)
    } finally {
      uwsgi.kill("SIGTERM")
      await uwsgi.exited
      rmSync(dir, { recursive: true, force: true })
    }
  }, 20_000)
})
