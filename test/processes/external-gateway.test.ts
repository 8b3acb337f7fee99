import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { pong } from "./site.ts"

const example = join(import.meta.dir, "..", "..", "examples", "plugins", "gateway")
const files = Object.fromEntries(["fixed.ts", "hello.ts"].map(name => [name, readFileSync(join(example, name), "utf8")]))
const config = `
[server]
fronts = 1
pid_file = "edge.pid"
[plugins]
fixed = "./fixed.ts"
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
app = "hello"
[app.hello]
entry = "hello.ts"
gateway = "fixed"
`

const workers = async (edge: Edge) => (await edge.status()).apps[0]!.workers
/** Our child that runs the third party's half. */
const gatewayPid = (edge: Edge): number => {
  const children = readFileSync(`/proc/${edge.pid}/task/${edge.pid}/children`, "utf8").trim().split(" ").map(Number)
  return children.find(pid => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("__gateway"))!
}

test("a third party's gateway supervises from a process of its own", async () => {
  await using edge = await Edge.start({ config, files })
  expect((await fetch(edge.url("/"), { keepalive: false })).status).toBe(200)
  expect(alive(gatewayPid(edge))).toBe(true)
  await until(async () => (await workers(edge)).length > 0)
  const before = await workers(edge)
  expect((await edge.command("reload", "--apps")).code).toBe(0)
  await until(async () => (await workers(edge)).every(({ pid }) => !before.some(worker => worker.pid === pid)))
  expect((await fetch(edge.url("/"), { keepalive: false })).status).toBe(200)
})

test("when its process dies, its workers go with it and all is started again", async () => {
  await using edge = await Edge.start({ config, files })
  await until(async () => (await workers(edge)).length > 0)
  const before = await workers(edge)
  process.kill(gatewayPid(edge), "SIGKILL")
  await edge.heard("the app serves now")
  expect(before.filter(({ pid }) => alive(pid))).toEqual([])
  expect((await fetch(edge.url("/"), { keepalive: false })).status).toBe(200)
})

test("a stop ends its process and its workers", async () => {
  await using edge = await Edge.start({ config, files })
  await until(async () => (await workers(edge)).length > 0)
  const pids = [gatewayPid(edge), ...(await workers(edge)).map(({ pid }) => pid)]
  expect((await edge.command("stop")).code).toBe(0)
  expect(pids.filter(alive)).toEqual([])
})

test("one that cannot supervise is said; the rest serves", async () => {
  const broken = files["fixed.ts"]!.replace("await workers.scale(size)", 'throw new Error("no workers today")')
  expect(broken).not.toBe(files["fixed.ts"]!)
  await using edge = await Edge.start({ config, files: { ...files, "fixed.ts": broken } })
  expect(edge.output).toContain("no workers today")
  edge.write("site.toml", pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, ""))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("pong")
})
