/** What an operator does to a running server, also in bad times, while clients come: every request is answered. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { alive, Edge, edgeArgv, type EdgeOptions, until } from "../kit/edge.ts"
import { app, inlineApp, pong, python, pythonApp } from "./site.ts"
import { flow } from "./storm.ts"

setDefaultTimeout(60_000)
const files = { "app/app.ts": app, "app/hello.py": python() }
const source = process.env.EDGE_SOURCE === "1"

/** Edge by a path of the test's own, which can be upgraded and removed. */
async function startCopy(options: EdgeOptions & { start?: string }): Promise<Edge> {
  const [executable] = (await edgeArgv()) as [string]
  const start = options.start ?? "bin/edge"
  const edge = await Edge.launch({
    ...options,
    prepare: dir => {
      mkdirSync(join(dir, "bin"))
      put(executable, join(dir, "bin/edge"))
      options.prepare?.(dir)
    },
    wrap: () => ["/bin/sh", "-c", `exec "$@"`, "sh", start.includes("/") ? `./${start}` : start],
  })
  await edge.heard(/INFO {2}serving generation=1/)
  return edge
}

/** As installers do: a file beside it, renamed into place. */
function put(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, `${to}.new`)
  } catch {
    copyFileSync(from, `${to}.new`)
  }
  renameSync(`${to}.new`, to)
}

/** What runs now in place of `edge`, which has left. */
async function stopSuccessor(edge: Edge): Promise<void> {
  const { pid } = await edge.status()
  expect(pid).not.toBe(edge.pid)
  expect((await edge.command("stop")).code).toBe(0)
  await until(() => !alive(pid))
}

/** It still is the one that was started, it answers commands, and a reload works. */
async function goesOn(edge: Edge): Promise<void> {
  expect((await edge.status()).pid).toBe(edge.pid)
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("pong")
}

test.skipIf(source)("USR2 after an upgrade by rename: the file at the path is run, every request is answered", async () => {
  const [executable] = (await edgeArgv()) as [string]
  await using edge = await startCopy({ config: pong() + pythonApp(2), files })
  const traffic = flow(edge.port())
  // Another inode of the same name: /proc/self/exe of the running one is "(deleted)" from here on.
  copyFileSync(executable, join(edge.dir, "bin/edge.new"))
  chmodSync(join(edge.dir, "bin/edge.new"), 0o755)
  renameSync(join(edge.dir, "bin/edge.new"), join(edge.dir, "bin/edge"))
  edge.signal("SIGUSR2")
  expect(await edge.exited).toBe(0)
  expect(edge.output).toContain("a new edge serves in our place")
  expect(await edge.get("/app/")).toContain("hello")
  const { answered, failures } = await traffic.stop()
  expect(failures).toEqual({})
  expect(answered).toBeGreaterThan(0)
  await stopSuccessor(edge)
})

test.skipIf(source)("USR2 twice in a row, and edge was started by a link that leads elsewhere now", async () => {
  const [executable] = (await edgeArgv()) as [string]
  await using edge = await startCopy({
    config: pong() + inlineApp,
    files,
    start: "current/edge",
    prepare: dir => {
      put(executable, join(dir, "v1/edge"))
      put("/bin/sh", join(dir, "v2/sh"))
      symlinkSync("v1", join(dir, "current"))
    },
  })
  const traffic = flow(edge.port())
  // v1 is gone altogether: only what the link names now can be run.
  put(executable, join(edge.dir, "v2/edge"))
  symlinkSync("v2", join(edge.dir, "current.new"))
  renameSync(join(edge.dir, "current.new"), join(edge.dir, "current"))
  rmSync(join(edge.dir, "v1"), { recursive: true })
  edge.signal("SIGUSR2")
  expect(await edge.exited).toBe(0)
  const { pid } = await edge.status()
  process.kill(pid, "SIGUSR2")
  await until(() => !alive(pid))
  expect((await traffic.stop()).failures).toEqual({})
  await stopSuccessor(edge)
})

const bad: Readonly<Record<string, (path: string) => void>> = {
  removed: path => unlinkSync(path),
  "a file that is no program": path => {
    writeFileSync(`${path}.new`, "not a program\n")
    renameSync(`${path}.new`, path)
  },
  "a file that may not be run": path => {
    writeFileSync(`${path}.new`, "", { mode: 0o755 })
    renameSync(`${path}.new`, path)
    chmodSync(path, 0o600)
  },
  "a folder": path => {
    unlinkSync(path)
    mkdirSync(path)
  },
  "a program that fails": path => {
    writeFileSync(`${path}.new`, "#!/bin/sh\nexit 3\n", { mode: 0o755 })
    renameSync(`${path}.new`, path)
  },
  "half an executable": path => {
    writeFileSync(`${path}.new`, Buffer.alloc(1000, "\u007fELF"), { mode: 0o755 })
    renameSync(`${path}.new`, path)
  },
}

for (const [what, spoil] of Object.entries(bad))
  test.skipIf(source)(`USR2 when what stands at the path is ${what}: the old one goes on and says why`, async () => {
    await using edge = await startCopy({ config: pong() + inlineApp, files })
    const traffic = flow(edge.port())
    spoil(join(edge.dir, "bin/edge"))
    edge.signal("SIGUSR2")
    await edge.heard(/not replaced, we go on: .*(edge|executable)/)
    // All it starts from now on is what it is itself, whatever stands at the path.
    expect((await control(edge, "reload")).ok).toBe(true)
    expect((await control(edge, "status")).status.pid).toBe(edge.pid)
    expect((await traffic.stop()).failures).toEqual({})
  })

/** Without a command line: the test has taken the executable away. */
async function control(edge: Edge, what: string): Promise<{ ok: boolean; status: { pid: number } }> {
  return (await (await fetch("http://edge/", { unix: join(edge.dir, "edge.sock"), method: "POST", body: JSON.stringify({ do: what }) })).json()) as never
}

test.skipIf(source)("stop while a successor starts: both go", async () => {
  await using edge = await startCopy({ config: pong() + pythonApp(1), files })
  // The new one waits for its app.
  edge.write("app/hello.py", `import time\ntime.sleep(600)\n`)
  edge.signal("SIGUSR2")
  await until(() => touching(edge.dir).some(argv => argv[0] === join(edge.dir, "bin/edge")))
  edge.signal("SIGTERM")
  await edge.exited
  await until(() => touching(edge.dir).length === 0)
})

/** Command lines of the processes that run in the folder. */
function touching(dir: string): string[][] {
  return readdirSync("/proc").flatMap(pid => {
    if (!/^\d+$/.test(pid) || !alive(Number(pid))) return []
    try {
      return readlinkSync(`/proc/${pid}/cwd`).startsWith(dir) ? [readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")] : []
    } catch {
      return []
    }
  })
}

test("USR2 when an app of the new one cannot boot: the old one goes on, its workers too", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const traffic = flow(edge.port())
  edge.write("app/hello.py", "import no_such_module\n")
  edge.signal("SIGUSR2")
  await edge.heard(/not replaced, we go on: the new executable ended with exit code 1/)
  expect(edge.output).toContain("no_such_module")
  expect(await edge.get("/app/")).toContain("hello")
  edge.write("app/hello.py", python())
  await goesOn(edge)
  expect((await traffic.stop()).failures).toEqual({})
})

test("HUP, USR1, TTIN, TTOU, scale, status, workers and reloads without a pause while clients come: nothing is lost", async () => {
  await using edge = await Edge.start({ config: pong().replace('format = "off"', 'format = "json", path = "access.log"') + pythonApp(1), files })
  const traffic = flow(edge.port())
  const apps = flow(edge.port())
  for (let i = 0; i < 3; i++) {
    edge.signal("SIGHUP")
    edge.signal("SIGUSR1")
    edge.signal("SIGTTIN")
    edge.signal("SIGTTOU")
    const results = await Promise.all([
      edge.command("reload"),
      edge.command("reload", "--apps"),
      edge.command("scale", "app", String(1 + (i % 2))),
      edge.command("status"),
      edge.command("workers", "--stack"),
    ])
    expect(results.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
  }
  expect((await apps.stop()).failures).toEqual({})
  expect((await traffic.stop()).failures).toEqual({})
  expect(edge.output).not.toContain("defect")
})

test("the control socket is there before the first connection is accepted", async () => {
  const listening = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listening
  listening.stop()
  for (let i = 0; i < 5; i++) {
    await using edge = await Edge.launch({ config: pong().replace("127.0.0.1:0", `127.0.0.1:${port}`) + inlineApp, files })
    await until(() => fetch(`http://127.0.0.1:${port}/ping`, { keepalive: false }).then(() => true, () => false))
    expect((await control(edge, "reload")).ok).toBe(true)
  }
})

test("commands while the apps still boot: status answers, a reload waits for the start, stop does not wait", async () => {
  const gated = `import os, time\nwhile not os.path.exists("go"): time.sleep(0.01)\n${python()}`
  await using edge = await Edge.launch({ config: pong() + pythonApp(1), files: { "app/hello.py": gated } })
  await until(() => existsSync(join(edge.dir, "edge.sock")))
  expect((await edge.status()).pid).toBe(edge.pid)
  const reload = edge.command("reload")
  expect((await edge.command("workers")).code).toBe(0)
  expect((await edge.command("scale", "app", "2")).err).toContain('the app "app" still boots')
  edge.write("app/go", "")
  expect((await reload).out).toContain("generation 2 serves")
  expect(await edge.get("/app/")).toContain("hello")

  await using other = await Edge.launch({ config: pong() + pythonApp(1), files: { "app/hello.py": gated } })
  await until(() => existsSync(join(other.dir, "edge.sock")))
  expect((await other.command("stop")).code).toBe(0)
  expect(await other.exited).toBe(0)
  expect(existsSync(join(other.dir, "edge.sock"))).toBe(false)
})

test("a reload that names another control socket and fails leaves the old one, and no new one", async () => {
  await using edge = await Edge.start({ config: pong() + inlineApp, files })
  edge.write("site.toml", pong("pong", 'control = "other.sock"') + inlineApp)
  edge.write("app/app.ts", "throw new Error('broken')")
  expect((await edge.command("reload", "--control", "edge.sock")).err).toContain("broken")
  expect(existsSync(join(edge.dir, "other.sock"))).toBe(false)
  edge.write("app/app.ts", app)
  expect((await edge.command("reload", "--control", "edge.sock")).code).toBe(0)
  expect(existsSync(join(edge.dir, "edge.sock"))).toBe(false)
  await goesOn(edge)
})

test("signals before it serves are no harm", async () => {
  await using edge = await Edge.launch({ config: pong() + pythonApp(1), files })
  await until(() => existsSync(`/proc/${edge.pid}/status`) && /SigCgt:\s+[0-9a-f]*[1-9a-f]/.test(Bun.spawnSync(["cat", `/proc/${edge.pid}/status`]).stdout.toString()))
  await edge.heard(/^serving /m)
  for (const signal of ["SIGUSR1", "SIGTTIN", "SIGTTOU", "SIGUSR2", "SIGHUP"] as const) edge.signal(signal)
  await until(async () => (await edge.status()).fronts.some(({ state, generation }) => state === "serving" && generation >= 1))
  expect(await edge.get("/ping")).toBe("pong")
})

test("the control socket's file is swept away: HUP makes it anew", async () => {
  await using edge = await Edge.start({ config: pong() + inlineApp, files })
  unlinkSync(join(edge.dir, "edge.sock"))
  expect((await edge.command("status")).code).toBe(1)
  edge.signal("SIGHUP")
  await edge.heard("serving generation=2")
  await goesOn(edge)
})

test("nobody reads what it prints any more: it goes on", async () => {
  const config = pong() + inlineApp
  await using edge = await Edge.launch({ config, files, wrap: argv => ["/bin/sh", "-c", '"$@" 2>edge.log | head -n 1', "sh", ...argv] })
  await edge.heard(/^serving /m)
  const log = () => (existsSync(join(edge.dir, "edge.log")) ? edge.read("edge.log") : "")
  await until(() => log().includes("serving generation=1"))
  edge.write("site.toml", config.replace('"127.0.0.1:0"', '"127.0.0.1:0", "127.0.0.2:0"'))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("pong")
  expect((await edge.command("stop")).code).toBe(0)
  await until(() => log().includes("stopped"))
  expect(log()).not.toContain("defect")
})

/** A /run of its own with so much room, which the test reaches through /proc. */
const smallRun = (argv: string[]) => ["unshare", "-rm", "/bin/sh", "-c", 'mount -t tmpfs -o size=512k tmpfs /run && exec "$@"', "sh", ...argv]
const canMount = process.platform === "linux" && Bun.spawnSync(smallRun(["true"]), { stderr: "ignore" }).exitCode === 0

test.skipIf(!canMount)("the disk of the run folder is full: what cannot be done is told, all else goes on, and it heals", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files, wrap: smallRun })
  const traffic = flow(edge.port())
  const fill = `/proc/${edge.pid}/root/run/fill`
  expect(existsSync(dirname(fill))).toBe(true)
  Bun.spawnSync(["dd", "if=/dev/zero", `of=${fill}`, "bs=1k"], { stderr: "ignore" })
  const other = pong() + pythonApp(2).replaceAll("[app.app]", "[app.app]\nconcurrency = 500")
  edge.write("site.toml", other)
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toMatch(/no space left|ENOSPC/i)
  edge.signal("SIGUSR2")
  await edge.heard("not replaced, we go on")
  edge.signal("SIGUSR1")
  edge.signal("SIGTTIN")
  edge.signal("SIGTTOU")
  expect((await edge.command("status")).code).toBe(0)
  expect(await edge.get("/app/")).toContain("hello")
  unlinkSync(fill)
  await goesOn(edge)
  expect(await edge.get("/app/")).toContain("hello")
  expect((await traffic.stop()).failures).toEqual({})
  expect(edge.output).not.toContain("defect")
})

const prlimit = Bun.which("prlimit")

test.skipIf(prlimit === null)("no descriptors for a new process: reloads and USR2 are refused, workers come back when there are some", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(2), files })
  const traffic = flow(edge.port())
  const limit = (count: number | string) => expect(Bun.spawnSync([prlimit!, `--pid=${edge.pid}`, `--nofile=${count}:`]).exitCode).toBe(0)
  const before = /Max open files\s+(\d+)/.exec(readFileSync(`/proc/${edge.pid}/limits`, "utf8"))![1]!
  const used = readdirSync(`/proc/${edge.pid}/fd`).map(Number)
  // One for the command that comes, none for what it asks for.
  limit(Math.max(...used) + 2)
  expect((await edge.command("reload")).err).toMatch(/EMFILE|descriptors|Too many open files/i)
  edge.signal("SIGUSR2")
  await edge.heard("not replaced, we go on")
  const [worker] = (await edge.status()).apps[0]!.workers
  process.kill(worker!.pid, "SIGKILL")
  await until(() => !alive(worker!.pid))
  edge.signal("SIGHUP")
  await edge.heard(/reload failed, the old config goes on/, 2)
  limit(before)
  await until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === 2)
  await goesOn(edge)
  expect((await traffic.stop()).failures).toEqual({})
  expect(edge.output).not.toContain("defect")
})
