/** What apps print: kept whatever `[log] level` says, with the app's own level, as entries and not as lines. */
import { expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { systemPython } from "../kit/python-worker.ts"

const py = `
import logging, sys, traceback
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s:%(name)s:%(message)s")
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise ValueError("uncaught")
    start_response("200 OK", [("TE", "x")] if path == "/warns" else [])
    if path == "/logs":
        logging.info("quiet words"); logging.warning("loud words"); print("printed words"); print("error words", file=sys.stderr)
        try:
            int("z")
        except ValueError:
            logging.exception("caught")
    if path == "/trace":
        try:
            int("z")
        except ValueError:
            traceback.print_exc()
    return [b"ok"]
`
const ts = `
export default {
  fetch: (request: Request) => {
    if (request.url.endsWith("/throws")) throw new Error("thrown")
    console.log("console words")
    return new Response("ok")
  },
}
`
const config = (level: string, format = "text") => `[server]\nfronts = 1\n[log]\nlevel = "${level}"\nformat = "${format}"\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]
[[site.route]]\npath = "/ts/*"\napp = "t"\n[[site.route]]\napp = "w"\n[app.w]\ndir = "app"\nruntime = "wsgi"\nentry = "a:app"\nworkers = 1\npython = "${systemPython}"\n[app.t]\ndir = "app"\nentry = "app.ts"\nworkers = 1\n`

/** Its config leaves out the line that Edge.start waits for. */
async function start(level: string, files: Record<string, string> = {}, format = "text"): Promise<Edge> {
  const edge = await Edge.launch({ config: config(level, format), files: { "app/a.py": py, "app/app.ts": ts, ...files } })
  await edge.heard(/^serving /m)
  return edge
}
const count = (edge: Edge, what: RegExp) => [...edge.output.matchAll(what)].length

test.each(["warn", "error"])("level %s: what apps print is there all the same, each with its own level, and edge's own chatter is not", async level => {
  await using edge = await start(level)
  await edge.get("/logs")
  await edge.get("/trace")
  await edge.get("/fails")
  await edge.get("/ts/")
  await edge.get("/ts/throws")
  await edge.heard(/INFO {2}INFO:root:quiet words app=w worker=0 pid=\d+\n/)
  await edge.heard(/WARN {2}WARNING:root:loud words app=w /)
  await edge.heard(/INFO {2}printed words app=w /)
  await edge.heard(/INFO {2}error words app=w /)
  await edge.heard(/INFO {2}console words app=t /)
  // One entry each: the first line, then the rest without stamps.
  await edge.heard(/ERROR ERROR:root:caught app=w worker=0 pid=\d+\n {4}Traceback \(most recent call last\):\n(?: {5,}.*\n)+ {4}ValueError: invalid literal.*\n\d{4}-/)
  await edge.heard(/ERROR Traceback \(most recent call last\): app=w worker=0 pid=\d+\n(?: {5,}.*\n)+ {4}ValueError: invalid literal.*\n/)
  await edge.heard(/ERROR edge wsgi: error in GET \/fails app=w worker=0 pid=\d+\n {4}Traceback \(most recent call last\):\n(?: {5,}.*\n)+ {4}ValueError: uncaught\n/)
  await edge.heard(/ERROR .*app=t.*\n {4}Error: thrown\n {4} +at /)
  expect(edge.output).not.toContain("serving generation")
  // A warning of edge's is left out at "error" only.
  await edge.get("/warns")
  if (level === "warn") await edge.heard(/WARN {2}edge wsgi: the app sets TE/)
  await edge.get("/logs")
  await edge.heard("printed words", 2)
  expect(count(edge, /the app sets TE/g)).toBe(level === "warn" ? 1 : 0)
}, 60_000)

test("a reload changes the level, up and down, for workers that go on", async () => {
  await using edge = await start("error")
  await edge.get("/")
  const before = (await edge.status()).apps.map(({ workers }) => workers.map(({ pid }) => pid))
  edge.write("site.toml", config("info"))
  expect((await edge.command("reload")).code).toBe(0)
  await edge.heard(/INFO {2}serving generation=2/)
  await edge.get("/warns")
  await edge.heard(/WARN {2}edge wsgi: the app sets TE/)
  edge.write("site.toml", config("error"))
  expect((await edge.command("reload")).code).toBe(0)
  expect((await edge.status()).generation).toBe(3)
  expect(edge.output).not.toContain("generation=3")
  edge.write("site.toml", config("info", "json"))
  expect((await edge.command("reload")).code).toBe(0)
  await edge.get("/fails")
  await edge.heard('"message":"edge wsgi: error in GET /fails"')
  const line = edge.output.split("\n").find(text => text.includes("error in GET /fails"))!
  expect(JSON.parse(line)).toMatchObject({ level: "error", message: "edge wsgi: error in GET /fails", app: "w", worker: 0, detail: expect.stringMatching(/^Traceback .*\n[^]*ValueError: uncaught\n?$/) })
  expect((await edge.status()).apps.map(({ workers }) => workers.map(({ pid }) => pid))).toEqual(before)
  // A config that is refused changes nothing.
  edge.write("site.toml", config("error").replace("workers = 1", "workers = 0"))
  expect((await edge.command("reload")).code).toBe(1)
  await edge.heard('"level":"error","message":"reload failed')
}, 60_000)

test("an app that cannot be imported is one entry, at the start and at a reload, and the answer to the command has it too", async () => {
  const bad = "def f():\n    return 1 / 0\nf()\n"
  await using edge = await start("warn", { "app/a.py": bad })
  await edge.heard(/ERROR cannot load a:app: app=w worker=0 pid=\d+\n {4}Traceback \(most recent call last\):\n {4} {2}File ".*a\.py", line 3, in <module>\n(?: {5,}.*\n)+ {4}ZeroDivisionError: division by zero\n/)
  await edge.heard(/ERROR the app cannot start, next try in 1 s: worker 0 of app w cannot start: it ended with exit code 3 app=w\n/)
  edge.write("app/a.py", py)
  await (async () => {
    while ((await fetch(edge.url("/"), { keepalive: false })).status !== 200) await Bun.sleep(50)
  })()
  edge.write("app/a.py", bad)
  const seen = count(edge, /ZeroDivisionError/g)
  const { code, err } = await edge.command("reload", "--apps")
  expect(code).toBe(1)
  expect(err).toContain("ZeroDivisionError: division by zero")
  await edge.heard(/ERROR reload failed, the old config goes on: worker \d of app w cannot start: it ended with exit code 3\n/)
  expect(count(edge, /ZeroDivisionError/g)).toBe(seen + 1)
  expect(await edge.get("/")).toBe("ok")
}, 60_000)
