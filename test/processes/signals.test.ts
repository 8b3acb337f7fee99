import { describe, expect, test } from "bun:test"
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { close } from "../../src/system/libc.ts"
import { openSocket } from "../../src/supervisor/sockets/listening-socket.ts"
import { Edge, until } from "../kit/edge.ts"
import { pong, python, pythonApp } from "./site.ts"

const files = { "app/hello.py": python() }
const simple = pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")

test("USR1: after a rotation the fronts write to the new access log, and no line is lost", async () => {
  await using edge = await Edge.start({ config: simple.replace('format = "off"', 'format = "json", path = "access.log"') })
  const log = join(edge.dir, "access.log")
  const lines = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").filter(Boolean) : [])
  for (let i = 0; i < 20; i++) await edge.get(`/ping?before=${i}`)
  await until(() => lines(log).length === 20)
  renameSync(log, `${log}.1`)
  edge.signal("SIGUSR1")
  await until(() => existsSync(log))
  for (let i = 0; i < 20; i++) await edge.get(`/ping?after=${i}`)
  await until(() => lines(log).length + lines(`${log}.1`).length === 40)
  await until(async () => {
    await edge.get("/ping?more")
    return lines(log).length > 0
  })
})

test("TTIN and TTOU: one worker more, one less, never none", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const ready = async (count: number) =>
    until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === count)
  edge.signal("SIGTTIN")
  await ready(2)
  edge.signal("SIGTTOU")
  await ready(1)
  edge.signal("SIGTTOU")
  await edge.command("status")
  await ready(1)
  expect(await edge.get("/app/")).toContain("hello")
})

test("`edge scale` sets the number of workers; an unknown app gets the nearest name", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  expect((await edge.command("scale", "app", "3")).code).toBe(0)
  await until(async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").length === 3)
  const { code, err } = await edge.command("scale", "ap", "3")
  expect(code).toBe(1)
  expect(err).toContain('did you mean "app"')
})

test("`edge workers --stack` shows what a worker is doing", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const { out } = await edge.command("workers", "--stack")
  expect(out).toContain("app worker 0")
  expect(out).toContain("worker.py")
})

describe.skipIf(process.platform !== "linux")("socket activation", () => {
  /** As systemd does: the descriptor is 3, and LISTEN_PID is the pid that edge has. */
  const activate = (argv: string[]) => ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', "sh", ...argv]

  test("edge serves on the socket that it was given", async () => {
    const socket = await openSocket("127.0.0.1:0", { dir: "/" })
    const config = simple.replace("127.0.0.1:0", `127.0.0.1:${socket.port}`)
    await using edge = await Edge.start({ config, wrap: activate, fds: [socket.fd] })
    expect(await edge.get("/ping")).toBe("pong")
    expect((await edge.command("reload")).code).toBe(0)
    expect(await edge.get("/ping")).toBe("pong")
    close(socket.fd)
  })

  test("without its own pid in LISTEN_PID they are somebody else's", async () => {
    const socket = await openSocket("127.0.0.1:0", { dir: "/" })
    const config = simple.replace("127.0.0.1:0", `127.0.0.1:${socket.port}`)
    await using edge = await Edge.launch({ config, env: { LISTEN_PID: "1", LISTEN_FDS: "1" }, fds: [socket.fd] })
    expect(await edge.exited).toBe(1)
    expect(edge.output).toContain("address already in use")
    close(socket.fd)
  })

  test("a socket that the config does not name is closed, with a warning", async () => {
    const socket = await openSocket("127.0.0.1:0", { dir: "/" })
    await using edge = await Edge.start({ config: simple, wrap: activate, fds: [socket.fd] })
    await edge.heard(`127.0.0.1:${socket.port} is in no listen of the config`)
    close(socket.fd)
    await until(() => fetch(`http://127.0.0.1:${socket.port}/`).then(() => false, () => true))
  })
})

describe.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)("started as root", () => {
  const uids = (pid: number) => /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!.split("\t").map(Number)
  const groups = (pid: number) => /^Groups:(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!.trim()

  test("fronts and workers run as the user, for good; the supervisor stays root", async () => {
    const config = pong("pong", 'user = "www-data"').replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:x.sock"') + pythonApp(1)
    await using edge = await Edge.start({ config: config.replace('format = "off"', 'format = "json", path = "access.log"'), files })
    const { fronts, apps } = await edge.status()
    for (const { pid } of [...fronts, ...apps[0]!.workers]) {
      expect(uids(pid)).toEqual([33, 33, 33, 33])
      expect(["", "33"]).toContain(groups(pid))
    }
    expect(uids(edge.pid)).toEqual([0, 0, 0, 0])
    expect(await edge.get("/app/")).toContain("hello")
    expect(await (await fetch("http://x/ping", { unix: join(edge.dir, "x.sock") })).text()).toBe("pong")
    expect(statSync(join(edge.dir, "x.sock"))).toMatchObject({ uid: 33, gid: 33 })
    expect(statSync(join(edge.dir, "access.log"))).toMatchObject({ uid: 33 })
    expect(statSync(join(edge.dir, "edge.sock"))).toMatchObject({ uid: 0 })
    edge.write("site.toml", config)
    expect((await edge.command("reload")).code).toBe(0)
    expect(await edge.get("/app/")).toContain("hello")
  })

  test("an app has a user of its own", async () => {
    const config = `${pong("pong", 'user = "www-data"')}${pythonApp(1)}user = "nobody"\n`
    await using edge = await Edge.start({ config, files })
    const { apps } = await edge.status()
    expect(uids(apps[0]!.workers[0]!.pid)[0]).toBe(65534)
    expect(await edge.get("/app/")).toContain("hello")
  })

  test("a user's other groups come along", async () => {
    const member = readFileSync("/etc/group", "utf8").split("\n").map(line => line.split(":")).find(([name, , , users = ""]) => users !== "" && name !== users.split(",")[0])
    if (member === undefined) return
    const user = member[3]!.split(",")[0]!
    await using edge = await Edge.start({ config: `${pong()}${pythonApp(1)}user = "${user}"\n`, files })
    const { apps } = await edge.status()
    expect(groups(apps[0]!.workers[0]!.pid).split(" ")).toContain(member[2]!)
    expect(await edge.get("/app/")).toContain("hello")
  })

  test("root follows no link that the fronts' user put in place of the access log", async () => {
    const config = pong("pong", 'user = "www-data"') + pythonApp(1)
    const prepare = (dir: string) => {
      mkdirSync(join(dir, "logs"))
      chownSync(join(dir, "logs"), 33, 33)
      writeFileSync(join(dir, "secret"), "", { mode: 0o600 })
      symlinkSync(join(dir, "secret"), join(dir, "logs/access.log"))
    }
    await using edge = await Edge.launch({ config: config.replace('format = "off"', 'path = "logs/access.log"'), files, prepare })
    expect(await edge.exited).toBe(1)
    expect(edge.output).toMatch(/EACCES|permission denied/)
    expect(statSync(join(edge.dir, "secret"))).toMatchObject({ uid: 0, size: 0 })
  })

  test("root follows no link that a worker put into its folder", async () => {
    const plant = `import os\nfolder = os.path.dirname(os.path.abspath(__import__("sys").argv[0]))\n` +
      `os.unlink(folder + "/worker.py")\nos.symlink(os.path.realpath("../secret"), folder + "/worker.py")\n${python()}`
    const prepare = (dir: string) => writeFileSync(join(dir, "secret"), "untouched", { mode: 0o600 })
    const config = pong("pong", 'user = "www-data"') + pythonApp(1)
    await using edge = await Edge.start({ config, files: { "app/hello.py": plant }, prepare })
    expect(await edge.get("/app/")).toContain("hello")
    edge.write("app/hello.py", python("clean"))
    expect((await edge.command("reload", "--apps")).code).toBe(0)
    expect(await edge.get("/app/")).toContain("clean")
    expect(edge.read("secret")).toBe("untouched")
    expect(statSync(join(edge.dir, "secret")).uid).toBe(0)
  })

  test("a user that does not exist is an error", async () => {
    await using edge = await Edge.launch({ config: pong("pong", 'user = "nobdy-here"') + pythonApp(1), files })
    expect(await edge.exited).toBe(1)
    expect(edge.output).toContain('no user named "nobdy-here"')
  })
})
