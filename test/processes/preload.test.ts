import { expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { pong } from "./site.ts"

const python = (version: string) => `
import os, sys, random, threading, time
IMPORTED = os.getpid()
print("imported by", os.getpid())
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path.endswith("/print"):
        print("printed by", os.getpid())
        sys.stderr.write("no line end")
        sys.stderr.flush()
    if path.endswith("/die"):
        os._exit(7)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("${version} %d %d %d %s" % (IMPORTED, os.getpid(), random.getrandbits(60), os.environ.get("WHO"))).encode()]
`
const app = (more = "") => `
[app.app]
runtime = "wsgi"
dir = "app"
entry = "hello:app"
python = "/usr/bin/python3"
preload = true
workers = 3
env = { WHO = "number {index}" }
restart = { delay = "10ms" }
${more}
`
const files = { "app/hello.py": python("old") }

async function seen(edge: Edge, requests = 24): Promise<{ version: string; parent: number; pid: number; random: string; who: string }[]> {
  const texts = await Promise.all(Array.from({ length: requests }, () => edge.get("/app/")))
  return texts.map(text => {
    const [version, parent, pid, random, ...who] = text.split(" ")
    return { version: version!, parent: Number(parent), pid: Number(pid), random: random!, who: who.join(" ") }
  })
}

test("the app is imported once; workers are forks with output, randomness and environment of their own", async () => {
  await using edge = await Edge.start({ config: pong() + app(), files })
  const workers = (await edge.status()).apps[0]!.workers
  expect(workers.map(({ index }) => index)).toEqual([0, 1, 2])
  const answers = await seen(edge)
  expect(new Set(answers.map(({ parent }) => parent)).size).toBe(1)
  const parent = answers[0]!.parent
  expect(workers.map(({ pid }) => pid)).not.toContain(parent)
  expect(new Set(answers.map(({ random }) => random)).size).toBe(answers.length)
  for (const { pid, who } of answers) expect(who).toBe(`number ${workers.find(worker => worker.pid === pid)!.index}`)
  await edge.get("/app/print")
  await edge.heard(/INFO {2}printed by (\d+) app=app worker=\d pid=\1\n/)
  expect(edge.output.match(/imported by/g)).toHaveLength(1)

  // One that dies is forked anew, from the same parent.
  expect((await fetch(edge.url("/app/die"), { method: "POST" })).status).toBe(502)
  await edge.heard(/worker died.*code=7 signal=null/)
  await until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === 3)
  process.kill((await seen(edge, 1))[0]!.pid, "SIGKILL")
  await edge.heard(/worker died.*signal=SIGKILL/)
  await until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === 3)
  expect(new Set((await seen(edge)).map(one => one.parent))).toEqual(new Set([parent]))
  expect((await edge.command("workers", "--stack")).out).toMatch(/Thread .*: idle/)

  // The parent is not needed to serve, and comes back when it is.
  process.kill(parent, "SIGKILL")
  await until(() => !alive(parent))
  const [one] = await seen(edge, 1)
  expect(one!.parent).toBe(parent)
  process.kill(one!.pid, "SIGKILL")
  await until(async () => new Set((await seen(edge)).map(answer => answer.parent)).size === 2)
}, 30_000)

test("a roll brings a new parent with the new code; code that cannot be imported leaves the old", async () => {
  await using edge = await Edge.start({ config: pong() + app(), files })
  const before = (await seen(edge))[0]!.parent
  edge.write("app/hello.py", "import no_such_module\n")
  const refused = await edge.command("reload", "--apps")
  expect(refused.code).toBe(1)
  expect(refused.err + refused.out).toContain("No module named 'no_such_module'")
  expect(new Set((await seen(edge)).map(({ parent }) => parent))).toEqual(new Set([before]))
  edge.write("app/hello.py", python("new"))
  expect((await edge.command("reload", "--apps")).code).toBe(0)
  const after = await seen(edge)
  expect(new Set(after.map(({ version }) => version))).toEqual(new Set(["new"]))
  await until(() => !alive(before))
  edge.signal("SIGTERM")
  expect(await edge.exited).toBe(0)
  for (const { pid, parent } of after) expect([alive(pid), alive(parent)]).toEqual([false, false])
}, 30_000)

test("ASGI workers are forks too, each with a loop of its own", async () => {
  const asgi = `
import asyncio, os
IMPORTED = os.getpid()
state = {}
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            state["pid"] = os.getpid()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"asgi %d %d 0 %d" % (IMPORTED, os.getpid(), state["pid"])})
`
  const config = pong() + app().replace('"wsgi"', '"asgi"')
  await using edge = await Edge.start({ config, files: { "app/hello.py": asgi } })
  const answers = await seen(edge, 60)
  expect(new Set(answers.map(({ parent }) => parent)).size).toBe(1)
  expect(new Set(answers.map(({ pid }) => pid)).size).toBe(3)
  for (const { pid, who } of answers) expect(Number(who)).toBe(pid)
}, 20_000)

const flask = `
import os
from flask import Flask
app = Flask(__name__)
@app.route("/")
def index():
    return "hello %d" % os.getpid()
`

/** Proportional set size of a process and all below it, in bytes: shared pages are counted once. */
function memory(pid: number): number {
  const parents = new Map<number, number[]>()
  for (const entry of readdirSync("/proc").filter(name => /^\d+$/.test(name))) {
    try {
      const parent = Number(readFileSync(`/proc/${entry}/stat`, "utf8").split(") ").at(-1)!.split(" ")[1])
      parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended meanwhile.
    }
  }
  const below = (one: number): number[] => [one, ...(parents.get(one) ?? []).flatMap(below)]
  return below(pid).reduce((sum, one) => sum + Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, "utf8"))![1]) * 1024, 0)
}

describeWith(["nginx", "gunicorn", "flask"], "memory of four Flask workers", () => {
  test("at most 100 MB more in all than nginx and gunicorn --preload", async () => {
    const config = `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "f"\n
      [app.f]\nruntime = "wsgi"\nentry = "hello:app"\npython = "/usr/bin/python3"\npreload = true\nworkers = 4\n`
    await using edge = await Edge.start({ config, files: { "hello.py": flask } })
    const dir = mkdtempSync(join(tmpdir(), "edge-preload-"))
    writeFileSync(join(dir, "hello.py"), flask)
    const socket = join(dir, "g.sock")
    const listen = `unix:${join(dir, "n.sock")}`
    writeFileSync(
      join(dir, "nginx.conf"),
      `${process.getuid!() === 0 ? "user root;" : ""} daemon off; pid ${dir}/nginx.pid; error_log stderr error; worker_processes 1; events {}
       http { access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
       server { listen ${listen}; location / { proxy_pass http://unix:${socket}; } } }`,
    )
    const quiet = { stdio: ["ignore", "ignore", "ignore"] as ["ignore", "ignore", "ignore"], cwd: dir }
    const gunicorn = Bun.spawn(["/usr/bin/gunicorn", "--preload", "-w", "4", "-b", `unix:${socket}`, "hello:app"], quiet)
    const nginx = Bun.spawn(["/usr/sbin/nginx", "-p", dir, "-c", join(dir, "nginx.conf")], quiet)
    try {
      const ask = () => fetch("http://x/", { unix: listen.slice(5), keepalive: false }).then(answer => answer.text(), () => "")
      await until(async () => (await ask()).startsWith("hello "))
      for (let i = 0; i < 200; i++) await Promise.all([ask(), edge.get("/")])
      const theirs = memory(gunicorn.pid) + memory(nginx.pid)
      const ours = memory(edge.pid)
      const mb = (bytes: number) => Math.round(bytes / 2 ** 20)
      console.log(`memory (PSS): edge ${mb(ours)} MB, nginx and gunicorn ${mb(theirs)} MB`)
      expect(ours - theirs).toBeLessThan(100 * 2 ** 20)
    } finally {
      nginx.kill()
      gunicorn.kill()
      await Promise.all([nginx.exited, gunicorn.exited])
      rmSync(dir, { recursive: true, force: true })
    }
  }, 60_000)
})
