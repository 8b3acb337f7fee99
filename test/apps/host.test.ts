/** What an app finds that its host process made: names, paths, descriptors, environment. docs/gateway.md, "What an app finds". */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { systemPython } from "../kit/python-worker.ts"

const facts = `
import json, os, signal, subprocess, sys
import __main__
def facts():
    umask = os.umask(0)
    os.umask(umask)
    child = subprocess.run(["/bin/sh", "-c", "ls /proc/self/fd; echo ENV; env; echo SIG; grep SigIgn /proc/self/status"], capture_output=True, text=True).stdout
    child, _, rest = child.partition("ENV\\n")
    env, _, ignored = rest.partition("SIG\\n")
    return {
        "main": [__main__.__name__, os.path.basename(__main__.__file__), __main__.__spec__, sorted(name for name in vars(__main__) if not name.startswith("__"))],
        "argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]], "path": sys.path[0], "cwd": os.getcwd(), "umask": umask, "edge_on_path": any("edge-" in entry for entry in sys.path[1:]),
        "inheritable": [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and os.path.exists("/proc/self/fd/%d" % fd) and os.get_inheritable(fd)],
        "child": child.split(), "ignored": int(ignored.split()[1], 16),
        "env": sorted(line.partition("=")[0] for line in env.splitlines() if line.startswith(("EDGE_WORKER", "EDGE_FORK", "EDGE_HANDOVER", "BUN", "LISTEN_", "NOTIFY_", "WHO", "LC_"))),
        "stdin": os.readlink("/proc/self/fd/0"), "read": sys.stdin.read(), "encoding": sys.stdout.encoding,
    }
`
const files = {
  "py/facts.py": facts,
  "py/w.py": `
import facts, json
def app(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps(facts.facts()).encode()]
`,
  "py/a.py": `
import facts, json
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(facts.facts()).encode()})
`,
  "ts/app.ts": `
const sh = () => Bun.spawnSync(["/bin/sh", "-c", "ls /proc/self/fd; echo ENV; env"]).stdout.toString()
export default { fetch: async () => {
  const [fds = "", env = ""] = sh().split("ENV\\n")
  return Response.json({ argv: process.argv.slice(1), exec: process.execPath !== "", cwd: process.cwd(), umask: process.umask(), child: fds.trim().split(/\\s+/),
    env: env.split("\\n").map(line => line.split("=")[0]!).filter(name => /^(EDGE_WORKER|EDGE_HANDOVER|BUN|LISTEN_|NOTIFY_|WHO|LC_)/.test(name)).sort(), own: Object.keys(process.env).filter(name => /^(EDGE_WORKER|BUN)/.test(name)), stdin: await Bun.stdin.text() })
} }
`,
}
const pythons = { inline: `runtime = "wsgi"\nentry = "w:app"`, threads: `runtime = "wsgi"\nentry = "w:app"\nthreads = 3`, forked: `runtime = "wsgi"\nentry = "w:app"\npreload = true`, asgi: `runtime = "asgi"\nentry = "a:app"`, asgi_forked: `runtime = "asgi"\nentry = "a:app"\npreload = true`, limited: `runtime = "wsgi"\nentry = "w:app"\nnice = 1`, safe: `runtime = "wsgi"\nentry = "w:app"` }
const config = `[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n${Object.entries(pythons)
  .map(([name, keys]) => `[[site.route]]\npath = "/${name}/*"\napp = "${name}"\n[app.${name}]\ndir = "py"\n${keys}\nworkers = 1\npython = "${systemPython}"\nenv = { WHO = "me"${name === "safe" ? ', PYTHONSAFEPATH = "1"' : ""} }\n`)
  .join("")}
[[site.route]]\napp = "ts"\n[app.ts]\ndir = "ts"\nworkers = 1\nenv = { WHO = "me" }\n`

let edge: Edge
beforeAll(async () => {
  const wrap = (argv: string[]): string[] => ["/bin/sh", "-c", 'umask 027 && exec "$@"', "sh", ...argv]
  // Descriptors and variables of whoever starts edge are not the app's.
  edge = await Edge.start({ config, files, wrap, env: { LC_ALL: "C", BUN_OPTIONS: "", LISTEN_FDNAMES: "x" } })
}, 60_000)
afterAll(() => edge[Symbol.asyncDispose]())

describe.each(Object.keys(pythons))("a Python app: %s", name => {
  test("finds what gunicorn gives", async () => {
    const found = JSON.parse(await edge.get(`/${name}/`)) as Record<string, unknown>
    expect(found).toEqual({
      main: ["__main__", "worker.py", null, ["main", "sys"]],
      argv: ["worker.py", name.startsWith("asgi") ? "a:app" : "w:app"],
      path: `${edge.dir}/py`,
      cwd: `${edge.dir}/py`,
      umask: 0o27,
      edge_on_path: false,
      inheritable: [],
      // And the one that ls itself opens.
      child: ["0", "1", "2", "3"],
      ignored: 0,
      env: ["LC_ALL", "WHO"],
      stdin: "/dev/null",
      read: "",
      encoding: "utf-8",
    })
  })
})

test("a TypeScript app finds the command line of a script, and its children nothing of edge", async () => {
  const found = JSON.parse(await edge.get("/")) as Record<string, unknown>
  expect(found).toEqual({
    argv: [`${edge.dir}/ts/app.ts`],
    exec: true,
    cwd: `${edge.dir}/ts`,
    umask: 0o27,
    child: ["0", "1", "2", "3"],
    // Bun.spawn hands on what the process was started with; the limit of fetches is read at start and cannot be taken back.
    env: ["BUN_CONFIG_MAX_HTTP_REQUESTS", "LC_ALL", "WHO"],
    own: [],
    stdin: "",
  })
})
