/** A request that kills the worker it runs in: it is answered 502, no other worker is given it, and the app goes on. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const python = `
import os
def kill():
    with open("kills", "a") as f: f.write("%d\\n" % os.getpid())
    os.kill(os.getpid(), 9)
def wsgi(environ, start_response):
    if environ["PATH_INFO"].endswith("/kill"): kill()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]
async def asgi(scope, receive, send):
    if scope["type"] != "http": return
    if scope["path"].endswith("/kill"): kill()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
`
const handler = `async fetch(request) {
  if (request.url.endsWith("/kill")) {
    require("node:fs").appendFileSync("kills", process.pid + "\\n")
    process.kill(process.pid, "SIGKILL")
    await new Promise(() => {})
  }
  return new Response("ok")
}`
const runs = 'python = "/usr/bin/python3"'
const apps: Record<string, string> = {
  wsgi: `runtime = "wsgi"\nentry = "p:wsgi"\n${runs}`,
  threads: `runtime = "wsgi"\nentry = "p:wsgi"\nthreads = 2\n${runs}`,
  asgi: `runtime = "asgi"\nentry = "p:asgi"\n${runs}`,
  fetch: `entry = "app.ts"`,
  http: `runtime = "http"\ncommand = [${JSON.stringify(process.execPath)}, "program.ts"]`,
}
const config = `
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
${Object.keys(apps).map(name => `[[site.route]]\npath = "/${name}/*"\napp = "${name}"`).join("\n")}
${Object.entries(apps).map(([name, text]) => `[app.${name}]\nworkers = 4\nrestart = { delay = "1h", max_delay = "1h" }\n${text}`).join("\n")}
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({
    config,
    files: {
      "p.py": python,
      "app.ts": `export default { ${handler} }`,
      "program.ts": `Bun.serve({ unix: process.env.SOCKET, ${handler} })`,
      kills: "",
    },
  })
}, 60_000)
afterAll(() => edge?.[Symbol.asyncDispose]())

const kills = () => readFileSync(join(edge.dir, "kills"), "utf8").split("\n").length - 1
const status = async (path: string, method = "GET") => (await fetch(edge.url(path), { method, keepalive: false })).status

describe.each(Object.keys(apps))("%s", app => {
  test.each(["GET", "PUT", "POST"])("%s", async method => {
    // So that there are kept connections to the workers.
    for (let i = 0; i < 4; i++) expect(await status(`/${app}/`)).toBe(200)
    const before = kills()
    expect(await status(`/${app}/kill`, method)).toBe(502)
    // What comes after it is answered, by those that are left or by the replacement.
    for (let i = 0; i < 8; i++) expect(await status(`/${app}/`)).toBe(200)
    expect(kills()).toBe(before + 1)
  })

  test("one after the other: the workers are replaced at once", async () => {
    const before = kills()
    for (let i = 0; i < 12; i++) {
      expect(await status(`/${app}/kill`)).toBe(502)
      expect(await status(`/${app}/`)).toBe(200)
    }
    expect(kills()).toBe(before + 12)
    await until(async () => (await edge.status()).apps.find(a => a.name === app)!.workers.filter(w => w.state === "ready").length === 4)
  }, 60_000)
})

describeWith(["php-fpm"], "a script of PHP-FPM on a kept connection", () => {
  test("kills one process", async () => {
    const root = process.getuid!() === 0
    await using php = await Edge.start({
      config: `
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
app = "php"
[app.php]
runtime = "fastcgi"
root = "www"
concurrency = 4
keep = 4
${root ? 'user = "www-data"' : ""}
`,
      files: {
        "www/ok.php": "<?php echo getmypid();",
        "www/kill.php": `<?php file_put_contents(__DIR__ . "/kills", getmypid() . "\n", FILE_APPEND); posix_kill(getmypid(), 9); sleep(10);`,
        "www/kills": "",
      },
      prepare: dir => chmodSync(join(dir, "www/kills"), 0o666),
    })
    for (let i = 1; i <= 5; i++) {
      expect((await fetch(php.url("/ok.php"), { keepalive: false })).status).toBe(200)
      expect((await fetch(php.url("/kill.php"), { keepalive: false })).status).toBe(502)
      expect(php.read("www/kills").split("\n").length - 1).toBe(i)
    }
  })
})
