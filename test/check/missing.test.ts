/** What a config names and is not there: `edge check` says it at its place, a start says it and serves the rest. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { executable } from "../build.ts"
import { Folder } from "../commands/kit.ts"
import { Edge } from "../kit/edge.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const site = `[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\npath = "/ping"\nrespond = "pong"\n[[site.route]]\napp = "a"\n[app.a]\n`
const python = "/usr/bin/python3"

const missing: readonly (readonly [what: string, config: string, says: RegExp])[] = [
  ["a dir", `dir = "no/such"\n`, /^site\.toml:9:7: app\.a\.dir: there is no folder \S+\/no\/such\n$/],
  ["a dir of Python", `runtime = "wsgi"\nentry = "shop:app"\ndir = "no"\n`, /^site\.toml:11:7: app\.a\.dir: there is no folder \S+\/no\n$/],
  ["an entry of TypeScript", `entry = "none.ts"\n`, /^site\.toml:9:9: app\.a\.entry: there is no file \S+\/none\.ts\n$/],
  ["an entry nobody wrote down", ``, /^site\.toml:8:6: app\.a\.entry: there is no file \S+\/app\.ts\n$/],
  ["an entry of an inline app", `gateway = "inline"\nentry = "none.ts"\n`, /app\.a\.entry: there is no file/],
  ["an entry of WSGI", `runtime = "wsgi"\nentry = "shp:app"\npython = "${python}"\n`, /^site\.toml:10:9: app\.a\.entry: there is no module shp, neither in \S+ nor where \S+ looks\n$/],
  ["a module below a package", `runtime = "asgi"\nentry = "pkg.none:app"\npython = "${python}"\n`, /app\.a\.entry: there is no module pkg\.none below \S+: nothing is named \S+\/pkg\/none\n$/],
  ["a python in a path", `runtime = "wsgi"\nentry = "shop:app"\npython = "venv/bin/python"\n`, /^site\.toml:11:10: app\.a\.python: there is no file \S+\/venv\/bin\/python\n$/],
  ["a python in PATH", `runtime = "wsgi"\nentry = "shop:app"\npython = "python9"\n`, /app\.a\.python: there is no program python9 in /],
  ["a command", `runtime = "http"\ncommand = ["no-such-program"]\n`, /^site\.toml:10:11: app\.a\.command: there is no program no-such-program in /],
  ["a command that may not be run", `runtime = "http"\ncommand = ["./shop.py"]\n`, /app\.a\.command: \S+\/shop\.py may not be run \(chmod \+x\)/],
  ["a daemon's command", `entry = "good.ts"\ndaemons = { tasks = { command = ["no-such-program"] } }\n`, /app\.a\.daemons\.tasks\.command: there is no program/],
  ["a cron job's command", `entry = "good.ts"\ncron = [{ at = "@daily", command = ["./none"] }]\n`, /app\.a\.cron\[0\]\.command: there is no file/],
  ["the folder of an app's log", `entry = "good.ts"\nlog = "logs/a.log"\n`, /app\.a\.log: there is no folder \S+\/logs\n$/],
  ["the folder of the pid file", `entry = "good.ts"\n[server]\npid_file = "run/edge.pid"\n`, /server\.pid_file: there is no folder/],
  ["the folder of the control socket", `entry = "good.ts"\n[server]\ncontrol = "run/edge.sock"\n`, /server\.control: there is no folder/],
  ["the folder of a site's access log", `entry = "good.ts"\n[[site]]\nlisten = ["127.0.0.1:1"]\nlog = "logs/a.log"\n[[site.route]]\nrespond = ""\n`, /there is no folder \S+\/logs for an access log/],
  ["a site that asks the authority", `entry = "good.ts"\n[tls]\nacme = { email = "me@example.com" }\n`, /^site\.toml:11:8: tls\.acme: no site has tls = "auto": nothing is asked of this authority\n$/],
  ["the folder of the access log", `entry = "good.ts"\n[log]\naccess = { path = "logs/access.log" }\n`, /log\.access\.path: there is no folder/],
]

const files = { "shop.py": "def app(e, s): ...\n", "pkg/wsgi.py": "app = None\n", "good.ts": "export default { fetch: () => new Response('') }\n" }

describe("edge check", () => {
  for (const [what, config, says] of missing)
    test(what, async () => {
      using folder = new Folder()
      folder.write({ ...files, "site.toml": site + config })
      const { code, stdout, stderr } = await folder.edge(["check"])
      expect(stderr).toMatch(says)
      expect(stdout).toBe("")
      expect(code).toBe(1)
      // What is printed may be of another machine.
      expect((await folder.edge(["check", "--dump"])).code).toBe(0)
    })

  test("a root of static files that is missing, and one that is a file", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": `[[site]]\n[[site.route]]\npath = "/a/*"\nstatic = { root = "none" }\n[[site.route]]\nstatic = { root = "site.toml" }\n` })
    const { code, stderr } = await folder.edge(["check"])
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/^site\.toml:4:19: site\[0\]\.route\[0\]\.static\.root: there is no folder \S+\/none$/),
      expect.stringMatching(/^site\.toml:6:19: site\[0\]\.route\[1\]\.static\.root: \S+\/site\.toml is no folder$/),
    ])
    expect(code).toBe(1)
  })

  for (const [what, config] of [
    ["a module in the dir", `runtime = "wsgi"\nentry = "shop:app"\n`],
    ["a module in a package", `runtime = "wsgi"\nentry = "pkg.wsgi:app"\n`],
    ["a module that is installed", `runtime = "wsgi"\nentry = "wsgiref.simple_server:demo_app"\n`],
    ["a module on PYTHONPATH", `runtime = "wsgi"\nentry = "wsgi:app"\nenv = { PYTHONPATH = "pkg" }\n`],
    ["a program in the dir", `runtime = "http"\ncommand = ["bin/serve"]\n`],
    ["a TypeScript app", `entry = "good.ts"\n`],
  ] as const)
    test(`nothing is missing: ${what}`, async () => {
      using folder = new Folder()
      folder.write({ ...files, "bin/serve": "#!/bin/sh\n", "site.toml": site + config })
      Bun.spawnSync(["chmod", "+x", "bin/serve"], { cwd: folder.path })
      const { code, stderr } = await folder.edge(["check"])
      expect(stderr).toBe("")
      expect(code).toBe(0)
    })
})

test.each([
  ["wsgi", `runtime = "wsgi"\nentry = "shop:app"\ndir = "no"\n`],
  ["fetch", `entry = "good.ts"\ndir = "no"\n`],
  ["fetch by the detour that sets limits", `entry = "good.ts"\ndir = "no"\nnice = 1\n`],
  ["http", `runtime = "http"\ncommand = ["sh", "-c", "true"]\ndir = "no"\n`],
])("a start says that the folder is missing, not the program: %s", async (_, config) => {
  await using edge = await Edge.start({ config: site + config, files })
  await edge.heard(/the app cannot start, next try in 1 s: app a: there is no folder \S+\/no app=a/)
  expect(edge.output).not.toMatch(/python3|proc\/self\/exe|ENOENT/)
  expect(await edge.get("/ping")).toBe("pong")
})
