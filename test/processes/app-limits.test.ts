import { expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Cgroups } from "../../src/supervisor/workers/cgroup.ts"
import { Edge, until } from "../kit/edge.ts"
import { pong } from "./site.ts"

const python = `
import json, os, pwd, resource, sys
print("booted as", pwd.getpwuid(os.getuid()).pw_name, flush=True)
def app(environ, start_response):
    if environ["PATH_INFO"].endswith("/open"):
        files = []
        try:
            while True: files.append(open("/dev/null"))
        except OSError as error:
            text = "%d files, then %s" % (len(files), error.strerror)
        files.clear()
    else:
        print("asked for", environ["PATH_INFO"], file=sys.stderr, flush=True)
        text = json.dumps({
            "nice": os.nice(0), "uid": os.getuid(), "groups": os.getgroups(), "cwd": os.getcwd(), "home": os.environ.get("HOME"),
            "limits": {n: resource.getrlimit(getattr(resource, "RLIMIT_" + n.upper())) for n in ("nofile", "core", "cpu", "as", "fsize")},
        })
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]
`
const app = (more: string) => `
[app.app]
runtime = "wsgi"
dir = "app"
entry = "hello:app"
python = "/usr/bin/python3"
${more}
`
const root = process.getuid!() === 0

test("nice, rlimits, user and log file of an app; what cannot be had is said", async () => {
  const more = `
nice = 7
rlimits = { nofile = 64, core = "0", cpu = "90s", as = "2gb", fsize = "10mb" }
cgroup = { memory = "256mb", cpu = 0.5, pids = 64 }
log = "app.log"
max_requests = 3
${root ? 'user = "www-data"' : ""}`
  await using edge = await Edge.start({ config: pong() + app(more), files: { "app/hello.py": python } })
  const facts = JSON.parse(await edge.get("/app/")) as Record<string, unknown>
  expect(facts).toMatchObject({
    nice: 7,
    cwd: join(edge.dir, "app"),
    limits: { nofile: [64, 64], core: [0, 0], cpu: [90, 90], as: [2 ** 31, 2 ** 31], fsize: [10 * 2 ** 20, 10 * 2 ** 20] },
  })
  if (root) {
    const uid = Number(Bun.spawnSync(["id", "-u", "www-data"]).stdout.toString())
    expect(facts).toMatchObject({ uid, groups: [uid], home: "/var/www" })
  }
  expect(await edge.get("/app/open")).toMatch(/^\d\d files, then Too many open files$/)
  // Either it is in force or the log says why not.
  const { use } = (await edge.status()).apps[0]!
  if (use.cgroup === undefined) await edge.heard(/WARN.*the limits of `cgroup` are not in force: .+ app=app/)

  // What the workers print is in the app's file, and not in the event log.
  await until(() => edge.read("app.log").includes("asked for /app/"))
  expect(edge.read("app.log")).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z \[0\/\d+\] booted as /)
  expect(edge.output).not.toContain("asked for")
  renameSync(join(edge.dir, "app.log"), join(edge.dir, "app.log.1"))
  edge.signal("SIGUSR1")
  await until(async () => {
    await edge.get("/app/again")
    return Bun.file(join(edge.dir, "app.log")).size > 0
  })

  // Accounting goes on over the workers that were replaced (max_requests).
  const status = (await edge.status()).apps[0]!.use
  expect(status.requests).toBeGreaterThanOrEqual(3)
  await until(async () => (await edge.status()).apps[0]!.use.starts! > 1)
  expect((await edge.command("status")).out).toMatch(/APP +RUNTIME +GATEWAY +WORKERS +REQUESTS +STARTS +MEMORY\napp +wsgi +pool +\d/)
}, 30_000)

test("a limit that nobody may give is an error that names it", async () => {
  await using edge = await Edge.start({ config: pong() + app("rlimits = { nofile = 2000000000 }"), files: { "app/hello.py": python } })
  await edge.heard(/rlimits\.nofile = 2000000000: operation not permitted/)
})

test("a log that is somebody's link is not written to", async () => {
  const config = pong() + app('log = "app/app.log"')
  await using edge = await Edge.launch({
    config,
    files: { "app/hello.py": python, "victim": "" },
    prepare: dir => symlinkSync("../victim", join(dir, "app/app.log")),
  })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toMatch(/ELOOP|symbolic link/)
  expect(edge.read("victim")).toBe("")
})

test("bad limits are refused with their place", async () => {
  await using edge = await Edge.launch({ config: pong() + app('rlimits = { nofiles = 3 }\nnice = 20'), args: ["check"] })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toMatch(/site\.toml:\d+:\d+: app\.app\.rlimits.*nofiles.*did you mean "nofile"/)
  expect(edge.output).toMatch(/app\.app\.nice/)
})

/** The files of a delegated group, without a kernel behind them. */
test("cgroup: what is written where", () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-cgroup-"))
  try {
    const base = join(dir, "system.slice/edge.service")
    mkdirSync(join(base, "edge-main"), { recursive: true })
    writeFileSync(join(dir, "self"), "1:name=systemd:/x\n0::/system.slice/edge.service\n")
    writeFileSync(join(base, "cgroup.controllers"), "cpu memory pids\n")
    writeFileSync(join(base, "cgroup.procs"), "4242\n")
    const cgroups = new Cgroups({ root: dir, self: join(dir, "self") })
    const folder = cgroups.group("shop", { memory: 1000, cpu: 1.5, pids: 20 })
    expect(folder).toBe(join(base, "edge-shop"))
    const files = (at: string, ...names: string[]) => names.map(name => readFileSync(join(at, name), "utf8"))
    expect(files(base, "cgroup.subtree_control", "edge-main/cgroup.procs")).toEqual(["+memory +cpu +pids", "4242"])
    expect(files(folder, "memory.max", "cpu.max", "pids.max")).toEqual(["1000", "150000 100000", "20"])
    writeFileSync(join(folder, "cpu.stat"), "usage_usec 2500\nuser_usec 1\n")
    writeFileSync(join(folder, "memory.current"), "4096\n")
    expect(cgroups.use(folder)).toEqual({ memory: 4096, cpuMs: 2.5 })
    writeFileSync(join(base, "cgroup.controllers"), "pids\n")
    expect(() => cgroups.group("blog", { memory: 1 })).toThrow("the controllers memory are not delegated")
    expect(() => new Cgroups({ root: join(dir, "none"), self: join(dir, "self") }).group("x", {})).toThrow("not mounted")
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
