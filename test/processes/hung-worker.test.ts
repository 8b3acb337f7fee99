/** Requests that hang and whose client has left: the deadline is the worker's slot's, so the worker is replaced all the same. */
import { expect, test } from "bun:test"
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { fronts } from "../spool/spooled.ts"

const site = (app: string, fronts = 1) => `
[server]
fronts = ${fronts}
grace = "1s"
pid_file = "edge.pid"
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
app = "app"
[app.app]
workers = 1
timeout = "1s"
${app}
`
/** A hanging request leaves a file when it has begun, with its process's number. */
const begin = `
import asyncio, os, threading, time
def begin():
    open("begun." + str(os.getpid()), "w").close()
`
const wsgi = `${begin}
def hang():
    begin()
    time.sleep(3600)
def endless():
    yield b"first"
    begin()
    time.sleep(3600)
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep": hang()
    if path == "/brief":
        begin()
        time.sleep(0.8)
        open("ended", "w").close()
    if path == "/lock":
        begin()
        lock = threading.Lock(); lock.acquire(); lock.acquire()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return endless() if path == "/stream" else [b"pid %d" % os.getpid()]
`
const asgi = `${begin}
async def app(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError
    stream = scope["path"] == "/stream"
    if scope["path"] == "/sleep":
        begin()
        time.sleep(3600)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if stream:
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await asyncio.sleep(0.01)
        begin()
        time.sleep(3600)
    await send({"type": "http.response.body", "body": b"pid %d" % os.getpid()})
`
const ts = `
import { writeFileSync } from "node:fs"
const hang = () => { writeFileSync("begun." + process.pid, ""); for (;;) Bun.sleepSync(1000) }
export default {
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === "/sleep") hang()
    if (pathname === "/stream") return new Response(async function* () { yield "first"; await Bun.sleep(1); hang() })
    return new Response("pid " + process.pid)
  },
}
`
const python = `entry = "app:app"\npython = "/usr/bin/python3"`
const files = { "wsgi/app.py": wsgi, "asgi/app.py": asgi, "fetch/app.ts": ts }

/** Asks for the path, waits until the app has begun (and what it says first is here), and is gone with a reset. */
async function leave(edge: Edge, path: string, { body = "", dir, stays = false }: { body?: string; dir: string; stays?: boolean }): Promise<void> {
  let heard = ""
  const socket = await Bun.connect({ hostname: "127.0.0.1", port: edge.port(), socket: { data: (_, chunk) => void (heard += chunk.toString()) } })
  const length = body === "" ? "" : `Content-Length: ${body.length}\r\n`
  socket.write(`${body === "" ? "GET" : "POST"} ${path} HTTP/1.1\r\nHost: a\r\n${length}\r\n${body}`)
  await until(() => readdirSync(join(edge.dir, dir)).some(name => name.startsWith("begun.")))
  if (path === "/stream") await until(() => heard.includes("first"))
  if (!stays) socket.terminate()
}

async function serves(edge: Edge): Promise<string> {
  let text = ""
  await until(async () => /^pid \d+$/.test((text = await edge.get("/").catch(() => ""))))
  return text
}

const cases: [string, string, string, string[]][] = [
  ["wsgi", "wsgi", `runtime = "wsgi"\n${python}`, ["/sleep", "/lock", "/stream"]],
  ["wsgi with threads", "wsgi", `runtime = "wsgi"\nthreads = 2\n${python}`, ["/sleep", "/stream"]],
  ["asgi whose loop is blocked", "asgi", `runtime = "asgi"\n${python}`, ["/sleep", "/stream"]],
  ["fetch whose loop is blocked", "fetch", `entry = "app.ts"`, ["/sleep", "/stream"]],
]
for (const [name, dir, app, paths] of cases)
  for (const path of paths)
    test(`${name}: ${path}, the client leaves, the worker is replaced`, async () => {
      await using edge = await Edge.start({ config: site(`dir = "${dir}"\n${app}`), files })
      const before = await serves(edge)
      await leave(edge, path, { dir, body: path === "/sleep" ? "x" : "" })
      await edge.heard(/worker stuck: (GET|POST) \/(sleep|lock|stream) is past 1000 ms/)
      await until(async () => (await serves(edge)) !== before)
      expect(edge.output.match(/worker stuck/g)).toHaveLength(1)
    }, 60_000)

test("a hung worker whose front was replaced meanwhile is replaced too", async () => {
  await using edge = await Edge.start({ config: site(`dir = "wsgi"\nruntime = "wsgi"\n${python}`), files })
  const before = await serves(edge)
  await leave(edge, "/sleep", { dir: "wsgi" })
  // Fronts of the old generation end with their grace, before or after the deadline: somebody must know of it still.
  expect((await edge.command("reload")).code).toBe(0)
  await edge.heard("worker stuck")
  await until(async () => (await serves(edge)) !== before)
}, 60_000)

test("a hung worker whose front was killed is replaced, one whose request ends in time is not", async () => {
  await using edge = await Edge.start({ config: site(`dir = "wsgi"\nruntime = "wsgi"\nthreads = 2\n${python}`), files })
  const before = await serves(edge)
  for (const path of ["/brief", "/sleep"]) {
    await leave(edge, path, { dir: "wsgi", stays: true })
    const [front] = fronts(edge)
    process.kill(front!, "SIGKILL")
    await until(() => fronts(edge).some(pid => pid !== front))
    if (path === "/brief") {
      await until(() => existsSync(join(edge.dir, "wsgi/ended")))
      await Bun.sleep(3000)
      expect(await serves(edge)).toBe(before)
      for (const name of readdirSync(join(edge.dir, "wsgi"))) if (name.startsWith("begun.")) rmSync(join(edge.dir, "wsgi", name))
    } else await until(async () => (await serves(edge)) !== before)
  }
  expect(edge.output.match(/worker stuck: a request of a front that is gone is past 1000 ms/g)).toHaveLength(1)
}, 60_000)

test("nothing is replaced when the app lets go in time, or gives up what it is told to", async () => {
  const slow = `${begin}
async def app(scope, receive, send):
    if scope["type"] != "http": raise RuntimeError
    if scope["path"] == "/sleep":
        begin()
        while (await receive())["type"] != "http.disconnect": pass
        open("told", "w").close()
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"pid %d" % os.getpid()})
`
  await using edge = await Edge.start({ config: site(`dir = "asgi"\nruntime = "asgi"\n${python}`), files: { "asgi/app.py": slow } })
  const before = await serves(edge)
  for (let i = 0; i < 3; i++) {
    await leave(edge, "/sleep", { dir: "asgi" })
    await until(() => Bun.file(join(edge.dir, "asgi/told")).exists())
    await Bun.$`rm ${edge.dir}/asgi/told`
  }
  await Bun.sleep(2000)
  expect(await serves(edge)).toBe(before)
  expect(edge.output).not.toContain("stuck")
}, 60_000)

describeWith(["uwsgi"], "uWSGI that edge starts", () => {
  test("a request that hangs is ended by uWSGI's harakiri, also when its client left", async () => {
    const argv = ["/usr/bin/uwsgi", "--socket", "$SOCKET", "--plugins", "python3", "--wsgi-file", "app.py", "--callable", "app", "--processes", "1", "--master", "--die-on-term", "--need-app"]
    await using edge = await Edge.start({ config: site(`dir = "wsgi"\nruntime = "uwsgi"\nconcurrency = 1\ncommand = ${JSON.stringify(argv)}`), files })
    const before = await serves(edge)
    await leave(edge, "/sleep", { dir: "wsgi" })
    expect(await serves(edge)).not.toBe(before)
  }, 60_000)
})
describeWith(["php-fpm"], "PHP-FPM that edge starts", () => {
  test("a script that hangs is ended, also when its client left", async () => {
    const user = process.getuid!() === 0 ? `user = "www-data"` : ""
    const php = {
      "www/index.php": `<?php if ($_SERVER["REQUEST_URI"] === "/sleep") { touch("begun.x"); while (true) usleep(1000); } echo "pid ", getmypid();`,
    }
    await using edge = await Edge.start({
      config: site(`dir = "www"\nruntime = "fastcgi"\nconcurrency = 1\n${user}`),
      files: php,
      prepare: dir => void Bun.spawnSync(["chmod", "777", join(dir, "www")]),
    })
    const before = await serves(edge)
    await leave(edge, "/sleep", { dir: "www" })
    expect(await serves(edge)).not.toBe(before)
  }, 60_000)
})
