import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, lstatSync } from "node:fs"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, inlineApp, pong, python, pythonApp } from "./site.ts"
import { storm } from "./storm.ts"

setDefaultTimeout(30_000)
const files = { "app/app.ts": app, "app/hello.py": python() }
const unix = pong().replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:x.sock"')

/** The successor is no child of ours: it is stopped over its control socket. */
async function stopSuccessor(edge: Edge): Promise<void> {
  const { pid } = await edge.status()
  expect((await edge.command("stop")).code).toBe(0)
  await until(() => !alive(pid))
}

test("USR2: a new executable takes over; no connection is lost, a request in flight and the sockets stay", async () => {
  await using edge = await Edge.start({ config: unix + inlineApp, files })
  const { pid: oldPid, fronts } = await edge.status()
  const slow = edge.get("/app/wait?gate=go")
  await until(() => existsSync(join(edge.dir, "app/go.seen")))
  const storming = storm({ port: edge.port(), requests: 4000, concurrency: 8, body: /^pong$/ })
  edge.signal("SIGUSR2")
  await edge.heard("a new edge serves in our place")
  expect(await storming).toEqual({ answered: 4000, failures: {} })
  edge.write("app/go", "")
  expect(await slow).toBe("waited")
  expect(await edge.exited).toBe(0)

  expect(Number(edge.read("edge.pid"))).not.toBe(oldPid)
  expect(fronts.filter(({ pid }) => alive(pid))).toEqual([])
  expect(lstatSync(join(edge.dir, "edge.sock")).mode & 0o777).toBe(0o600)
  expect(await edge.get("/ping")).toBe("pong")
  expect(await (await fetch("http://x/ping", { unix: join(edge.dir, "x.sock") })).text()).toBe("pong")
  const { pid } = await edge.status()
  expect(pid).toBe(Number(edge.read("edge.pid")))
  expect((await edge.command("reload")).code).toBe(0)
  await stopSuccessor(edge)
  for (const name of ["edge.pid", "edge.sock", "x.sock"]) expect(existsSync(join(edge.dir, name))).toBe(false)
})

test("USR2 when the new one cannot start: the old one goes on and says why", async () => {
  await using edge = await Edge.start({ config: unix + inlineApp, files })
  edge.write("site.toml", unix.replace("respond =", "respnd =") + inlineApp)
  edge.signal("SIGUSR2")
  await edge.heard("not replaced, we go on: the new executable ended with exit code 1")
  expect(edge.output).toContain("respnd")
  expect(await edge.get("/ping")).toBe("pong")
  expect(await (await fetch("http://x/ping", { unix: join(edge.dir, "x.sock") })).text()).toBe("pong")
  edge.write("site.toml", unix + inlineApp)
  expect((await edge.command("reload")).code).toBe(0)
  expect((await edge.status()).pid).toBe(edge.pid)
})

test("socket_mode: who may connect to a unix socket; changed by a reload, kept by USR2", async () => {
  await using edge = await Edge.start({ config: unix + inlineApp, files })
  const mode = () => lstatSync(join(edge.dir, "x.sock")).mode & 0o777
  expect(mode()).toBe(0o660)
  edge.write("site.toml", unix.replace("[server]", '[server]\nsocket_mode = "0606"') + inlineApp)
  expect((await edge.command("reload")).code).toBe(0)
  expect(mode()).toBe(0o606)
  edge.signal("SIGUSR2")
  expect(await edge.exited).toBe(0)
  expect(mode()).toBe(0o606)
  edge.write("site.toml", unix.replace("[server]", '[server]\nsocket_mode = "600"') + inlineApp)
  expect((await edge.command("reload")).code).toBe(0)
  expect(mode()).toBe(0o600)
  edge.write("site.toml", unix.replace("[server]", '[server]\nsocket_mode = "0999"') + inlineApp)
  expect((await edge.command("check")).err).toMatch(/socket_mode: must be a mode such as "0660"/)
  await stopSuccessor(edge)
})

test("USR2: the apps' workers are new, and the old ones end", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(2), files })
  const before = (await edge.status()).apps[0]!.workers
  edge.signal("SIGUSR2")
  expect(await edge.exited).toBe(0)
  expect(before.filter(({ pid }) => alive(pid))).toEqual([])
  expect(await edge.get("/app/")).toContain("hello")
  await stopSuccessor(edge)
})
