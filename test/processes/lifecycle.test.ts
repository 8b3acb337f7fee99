import { expect, test } from "bun:test"
import { existsSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, inlineApp, pong } from "./site.ts"

const simple = pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")
const withApp = pong() + inlineApp
const files = { "app/app.ts": app }

test("it serves, says where, writes its pid, and guards its control socket", async () => {
  await using edge = await Edge.start({ config: simple })
  expect(await edge.get("/ping")).toBe("pong")
  expect(Number(edge.read("edge.pid"))).toBe(edge.pid)
  expect(statSync(join(edge.dir, "edge.sock")).mode & 0o777).toBe(0o600)
  const { fronts, addresses } = await edge.status()
  expect(fronts.map(front => front.state)).toEqual(["serving", "serving"])
  expect(addresses.map(({ port }) => port)).toEqual([edge.port()])
})

test("`edge stop` returns when everything is gone", async () => {
  await using edge = await Edge.start({ config: simple })
  const { fronts } = await edge.status()
  expect(await edge.command("stop")).toMatchObject({ code: 0, out: "stopped\n" })
  expect(await edge.exited).toBe(0)
  expect(fronts.filter(({ pid }) => alive(pid))).toEqual([])
  for (const name of ["edge.pid", "edge.sock"]) expect(existsSync(join(edge.dir, name))).toBe(false)
})

test("TERM lets a request in flight finish and takes no new one", async () => {
  await using edge = await Edge.start({ config: withApp, files })
  const answer = edge.get("/app/wait?gate=go")
  await until(() => existsSync(join(edge.dir, "app/go.seen")))
  edge.signal("SIGTERM")
  await edge.heard("stopping")
  await until(() => edge.get("/ping").then(() => false, () => true))
  edge.write("app/go", "")
  expect(await answer).toBe("waited")
  expect(await edge.exited).toBe(0)
})

test("a second TERM ends it at once", async () => {
  await using edge = await Edge.start({ config: withApp, files })
  const { fronts } = await edge.status()
  const answer = edge.get("/app/wait?gate=never").then(() => "answered", () => "cut")
  await until(() => existsSync(join(edge.dir, "app/never.seen")))
  edge.signal("SIGTERM")
  await edge.heard("stopping")
  edge.signal("SIGTERM")
  expect(await answer).toBe("cut")
  expect(await edge.exited).toBe(0)
  expect(fronts.filter(({ pid }) => alive(pid))).toEqual([])
})

test("a config that is wrong is an error with its place, and exit code 1", async () => {
  await using edge = await Edge.launch({ config: simple.replace("respond", "respnd") })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toContain("site.toml:")
  expect(edge.output).toContain("respond")
})

test("a port in use names the address, who has it, and where the config says it", async () => {
  const other = createServer().listen(0, "127.0.0.1")
  const { port } = other.address() as { port: number }
  await using edge = await Edge.launch({ config: simple.replace("127.0.0.1:0", `127.0.0.1:${port}`) })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toContain(`cannot listen on 127.0.0.1:${port}: address already in use`)
  expect(edge.output).toMatch(/site\.toml:9:\d+: cannot listen/)
  if (process.platform === "linux") expect(edge.output).toContain(`pid ${process.pid}`)
  expect(existsSync(join(edge.dir, "edge.sock"))).toBe(false)
  other.close()
})

test("a second edge on the same control socket says so and leaves the first alone", async () => {
  await using edge = await Edge.start({ config: simple })
  const second = await Edge.again(edge.dir)
  expect(await second.exited).toBe(1)
  expect(second.output).toContain("another edge is running with it")
  expect(await edge.get("/ping")).toBe("pong")
  expect((await edge.status()).pid).toBe(edge.pid)
})

test("commands without a running edge say so", async () => {
  await using edge = await Edge.launch({ config: simple.replace("respond", "respnd") })
  await edge.exited
  for (const command of ["reload", "stop", "status", "workers"]) {
    const { code, err } = await edge.command(command)
    expect(code).toBe(1)
    expect(err).toContain("edge is not running there")
  }
})

test("only commands get an answer on the control socket", async () => {
  await using edge = await Edge.start({ config: simple })
  const unix = join(edge.dir, "edge.sock")
  const ask = async (body: string) => (await fetch("http://edge/", { unix, method: "POST", body })).status
  for (const body of ["", "[]", "null", '{"do":"eval"}', '{"do":"scale","app":"x","workers":-1}', '{"do":"scale","app":1,"workers":1}']) {
    expect(await ask(body)).toBe(400)
  }
  expect((await fetch("http://edge/", { unix })).status).toBe(400)
  expect(await ask("x".repeat(100_000))).toBe(413)
  expect(await ask('{"do":"status"}')).toBe(200)
})
