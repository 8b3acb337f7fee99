import { expect, test } from "bun:test"
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, inlineApp, pong, python, pythonApp } from "./site.ts"

const files = { "app/app.ts": app, "app/hello.py": python() }

/** Processes that run in the folder or name it. */
function touching(dir: string): string[] {
  return readdirSync("/proc").filter(pid => {
    if (!/^\d+$/.test(pid) || !alive(Number(pid))) return false
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(dir) || readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(dir)
    } catch {
      return false
    }
  })
}

test("a front that is killed is replaced, and connections wait for it meanwhile", async () => {
  await using edge = await Edge.start({ config: pong().replace("fronts = 2", "fronts = 1") + inlineApp, files })
  for (let i = 0; i < 3; i++) {
    const [front] = (await edge.status()).fronts
    process.kill(front!.pid, "SIGKILL")
    await until(() => !alive(front!.pid))
    expect(await edge.get("/ping")).toBe("pong")
  }
  expect(edge.output).toContain("was killed by SIGKILL; starting another")
})

test("a front that dies while the new ones start does not hurt the reload", async () => {
  await using edge = await Edge.start({ config: pong() + inlineApp, files })
  const { fronts } = await edge.status()
  const reload = edge.command("reload")
  process.kill(fronts[0]!.pid, "SIGKILL")
  expect((await reload).code).toBe(0)
  expect((await edge.status()).fronts.filter(({ state }) => state === "serving").map(({ generation }) => generation)).toEqual([2, 2])
})

test("a front that dies before it is ready fails the reload, not the server", async () => {
  const poison = `process.exit(7)\n`
  await using edge = await Edge.start({ config: pong() + inlineApp, files })
  edge.write("app/app.ts", poison)
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toContain("ended with exit code 7 before it was ready")
  expect(await edge.get("/app/pid")).toContain("VERSION")
})

test("a worker that is killed is replaced", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const [worker] = (await edge.status()).apps[0]!.workers
  process.kill(worker!.pid, "SIGKILL")
  await until(() => !alive(worker!.pid))
  expect(await edge.get("/app/")).toContain("hello")
})

test("kill -9 of the supervisor leaves nothing behind: fronts, workers, what they started, their folder", async () => {
  const children = `import subprocess\nchild = subprocess.Popen(["sleep", "1000"])\nopen("child.pid", "w").write(str(child.pid))\n${python()}`
  const edge = await Edge.start({ config: pong() + pythonApp(2), files: { "app/hello.py": children } })
  const { fronts, apps } = await edge.status()
  const pids = [...fronts.map(({ pid }) => pid), ...apps[0]!.workers.map(({ pid }) => pid), Number(edge.read("app/child.pid"))]
  const folder = /(\S*edge-\w+)\/p1\//.exec(readFileSync(`/proc/${apps[0]!.workers[0]!.pid}/cmdline`, "utf8").replaceAll("\0", " "))![1]!
  expect(existsSync(folder)).toBe(true)
  edge.signal("SIGKILL")
  await until(() => !pids.some(alive))
  await until(() => !existsSync(folder))
  expect(touching(edge.dir)).toEqual([])

  // What it left in the config's folder is no obstacle.
  const next = await Edge.again(edge.dir)
  await next.heard("serving generation=1")
  expect(await next.get("/app/")).toContain("hello")
  await next[Symbol.asyncDispose]()
})

test("the guard is killed, then the supervisor: another guard has ended what was left", async () => {
  const edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const guards = () => Bun.spawnSync(["pgrep", "-P", String(edge.pid), "-f", "edge-guard"]).stdout.toString().trim().split("\n").filter(Boolean).map(Number)
  const [guard] = guards()
  process.kill(guard!, "SIGKILL")
  await until(() => guards().some(pid => pid !== guard))
  expect((await edge.command("scale", "app", "2")).code).toBe(0)
  await until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === 2)
  const workers = (await edge.status()).apps[0]!.workers.map(({ pid }) => pid)
  // Workers of edge's own see their connection close; any other program would stay.
  for (const pid of workers) process.kill(pid, "SIGSTOP")
  edge.signal("SIGKILL")
  await until(() => !workers.some(alive))
  expect(edge.output).not.toContain("defect")
  await edge[Symbol.asyncDispose]()
})

test("kill -9 of the supervisor: a request in flight still gets its answer", async () => {
  const edge = await Edge.start({ config: pong() + inlineApp, files })
  const answer = edge.get("/app/wait?gate=go")
  await until(() => existsSync(join(edge.dir, "app/go.seen")))
  edge.signal("SIGKILL")
  edge.write("app/go", "")
  expect(await answer).toBe("waited")
  await edge[Symbol.asyncDispose]()
})

test("an app that cannot boot at the start does not keep the others down, and is tried again", async () => {
  await using edge = await Edge.start({ config: `${pong()}${pythonApp(1)}queue = { wait = "200ms" }\n`, files: { "app/hello.py": "import no_such_module\n" } })
  expect(edge.output).toContain("the app cannot start")
  expect(edge.output).toContain("no_such_module")
  expect(await edge.get("/ping")).toBe("pong")
  const refused = await fetch(edge.url("/app/"), { keepalive: false, signal: AbortSignal.timeout(20_000) })
  expect(refused.status).toBe(503)
  edge.write("app/hello.py", python("late"))
  await edge.heard("the app serves now")
  expect(await edge.get("/app/")).toContain("late")
}, 60_000)

test("a front that hangs is found, killed and replaced; the other one serves meanwhile", async () => {
  const loop = app.replace('if (url.pathname.endsWith("/pid"))', 'if (url.pathname.endsWith("/hang")) for (;;) {}\n    if (url.pathname.endsWith("/pid"))')
  await using edge = await Edge.start({ config: pong() + inlineApp, files: { "app/app.ts": loop } })
  const hung = edge.get("/app/hang").catch(() => "cut")
  await edge.heard(/front \d+ has not answered for 15 s; killed/)
  expect(await hung).toBe("cut")
  await edge.heard("was killed by SIGKILL; starting another")
  await until(async () => (await edge.status()).fronts.filter(({ memory }) => memory !== undefined).length === 2)
  for (let i = 0; i < 10; i++) expect(await edge.get("/ping")).toBe("pong")
}, 60_000)

test("fronts that die again and again are started ever later, and it is said", async () => {
  const dying = 'import { existsSync } from "node:fs"\nif (existsSync(import.meta.dir + "/die")) setTimeout(() => process.exit(9), 1)\n' + app
  await using edge = await Edge.start({ config: pong().replace("fronts = 2", "fronts = 1") + inlineApp, files: { "app/app.ts": dying } })
  edge.write("app/die", "")
  const [front] = (await edge.status()).fronts
  process.kill(front!.pid, "SIGKILL")
  await edge.heard(/3 times in a row soon after its start; starting another in 800 ms/)
  edge.write("site.toml", pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, ""))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("pong")
}, 60_000)

test("a folder for the pid file or the access log that is not there", async () => {
  const simple = pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")
  await using edge = await Edge.start({ config: simple.replace("edge.pid", "no/such/edge.pid") })
  expect(edge.output).toContain("the pid file cannot be written")
  expect(await edge.get("/ping")).toBe("pong")
  edge.write("site.toml", simple.replace('format = "off"', 'path = "no/such/access.log"'))
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toContain("cannot open the access log")
  expect(await edge.get("/ping")).toBe("pong")
})

test("out of descriptors the supervisor goes on, and is well when there are some again", async () => {
  const limit = (argv: string[]) => ["/bin/sh", "-c", 'ulimit -n 40; exec "$@"', "sh", ...argv]
  const many = Array.from({ length: 60 }, () => '"127.0.0.1:0"').map((text, i) => text.replace("127.0.0.1", `127.0.1.${i + 1}`)).join(", ")
  const simple = pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")
  await using edge = await Edge.start({ config: simple, wrap: limit })
  edge.write("site.toml", simple.replace('"127.0.0.1:0"', many))
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toMatch(/out of file descriptors|EMFILE/)
  expect(await edge.get("/ping")).toBe("pong")
  edge.write("site.toml", simple.replace('body = "pong"', 'body = "well"'))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("well")
})
