/** The disk tier: restarts, damage, bounds, a disk that fails, a front that is killed. */
import { afterEach, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const chapter = "a page ".repeat(1000)

interface Setup {
  readonly edge: Edge
  readonly origin: Origin
  readonly dir: string
  /** Another edge over the same folder and origin. */
  again(): Promise<Edge>
}

async function start(options: { size?: string; fronts?: number; headers?: [string, string][]; memory?: string } = {}): Promise<Setup> {
  const origin = new Origin(({ target, headers }) => ({
    status: 200,
    headers: options.headers ?? [["Cache-Control", "max-age=600"], ["Surrogate-Key", "all"], ["ETag", '"1"']],
    body: `${target} ${headers.get("x-kind") ?? ""} ${origin.got.length} ${chapter}`,
  }))
  closers.push(() => origin.stop())
  const dir = mkdtempSync(join(tmpdir(), "edge-cache-"))
  closers.push(() => rmSync(dir, { recursive: true, force: true }))
  const config = `[server]\nfronts = ${options.fronts ?? 1}\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nhosts = ["127.0.0.1"]\nlisten = ["127.0.0.1:0"]
use = [{ cache = { size = "${options.memory ?? "64mb"}", disk = { dir = "${dir}", size = "${options.size ?? "100mb"}" } } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`
  // Another port, the same Host: ports are part of the key.
  const again = async () => {
    const edge = await Edge.start({ config })
    closers.push(() => edge[Symbol.asyncDispose]())
    return edge
  }
  return { edge: await again(), origin, dir, again }
}

const get = (edge: Edge, path: string, headers: Record<string, string> = {}) => edge.get(path, { headers: { Host: "127.0.0.1", ...headers } })
const shards = (dir: string) => readdirSync(dir).filter(name => /^[0-9a-f]{2}$/.test(name))
const filesOf = (dir: string) => shards(dir).flatMap(shard => readdirSync(join(dir, shard)).map(name => join(dir, shard, name)))
const bytesOf = (dir: string) => filesOf(dir).reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)

async function stop(edge: Edge): Promise<void> {
  edge.signal("SIGTERM")
  await edge.exited
}

test("what was stored is there after a restart, each variant for itself", async () => {
  const { edge, origin, again } = await start({ headers: [["Cache-Control", "max-age=600"], ["Vary", "X-Kind"]] })
  const a = await get(edge, "/a", { "X-Kind": "a" })
  const b = await get(edge, "/a", { "X-Kind": "b" })
  await stop(edge)
  const second = await again()
  expect(await get(second, "/a", { "X-Kind": "b" })).toBe(b)
  expect(await get(second, "/a", { "X-Kind": "a" })).toBe(a)
  expect(origin.got).toHaveLength(2)
  expect(await get(second, "/a", { "X-Kind": "c" })).toContain("c 3 ")
  const answer = await fetch(second.url("/a"), { headers: { Host: "127.0.0.1", "X-Kind": "a" } })
  expect(answer.headers.get("cache-status")).toBe("edge; hit")
  expect(Number(answer.headers.get("age"))).toBeGreaterThanOrEqual(0)
}, 60_000)

test("a head and a range are answered from disk too", async () => {
  const { edge, origin, again } = await start()
  const whole = await get(edge, "/a")
  await stop(edge)
  const second = await again()
  const head = await fetch(second.url("/a"), { method: "HEAD", headers: { Host: "127.0.0.1" } })
  expect(head.headers.get("content-length")).toBe(String(whole.length))
  const range = await fetch(second.url("/a"), { headers: { Host: "127.0.0.1", Range: "bytes=5-9" } })
  expect([range.status, await range.text()]).toEqual([206, whole.slice(5, 10)])
  expect(origin.got).toHaveLength(1)
}, 60_000)

test("one front's answers are the others' too", async () => {
  const { edge, origin, dir } = await start({ fronts: 2 })
  const first = await get(edge, "/a")
  await until(() => filesOf(dir).length === 1)
  for (let i = 0; i < 60; i++) expect(await get(edge, "/a")).toBe(first)
  expect(origin.got).toHaveLength(1)
}, 60_000)

test("damaged files are never sent", async () => {
  const { edge, origin, dir, again } = await start()
  const paths = Array.from({ length: 8 }, (_, i) => `/${i}`)
  for (const path of paths) await get(edge, path)
  await stop(edge)
  for (const [i, file] of filesOf(dir).entries()) {
    const bytes = readFileSync(file)
    // A changed byte somewhere, one too many, a cut at any place, nothing at all, another file.
    if (i % 4 === 0) bytes[Math.floor((bytes.length * (i + 1)) / 10)]! ^= 1
    writeFileSync(file, [bytes, Buffer.concat([bytes, Buffer.from("x")]), bytes.subarray(0, bytes.length >> 1), Buffer.alloc(0)][i % 4]!)
  }
  const second = await again()
  for (const path of paths) expect((await get(second, path)).slice(0, 10).trim()).toBe(`${path}  ${origin.got.length} a pag`.slice(0, 10).trim())
  expect(origin.got).toHaveLength(16)
  await second.heard("damaged")
}, 60_000)

test("another URL's file under its name is not sent", async () => {
  const { edge, origin, dir, again } = await start()
  await get(edge, "/a")
  const [a] = filesOf(dir).length > 0 ? filesOf(dir) : (await until(() => filesOf(dir).length > 0), filesOf(dir))
  const before = new Set(filesOf(dir))
  await get(edge, "/b")
  await until(() => filesOf(dir).length === 2)
  const b = filesOf(dir).find(file => !before.has(file))!
  await stop(edge)
  writeFileSync(b, readFileSync(a!))
  expect(await get(await again(), "/b")).toStartWith("/b ")
  expect(origin.got).toHaveLength(3)
}, 60_000)

test("what was purged does not come back, although edge is killed at once", async () => {
  const { edge, origin, dir, again } = await start()
  for (const path of ["/a", "/b", "/c"]) await get(edge, path)
  await until(() => filesOf(dir).length === 3)
  await edge.command("purge", "--tag", "all")
  await until(() => readdirSync(dir).includes("purges.jsonl"))
  edge.signal("SIGKILL")
  await edge.exited
  const second = await again()
  for (const path of ["/a", "/b", "/c"]) await get(second, path)
  expect(origin.got).toHaveLength(6)
}, 60_000)

test("a purge removes the files, and is forgotten then", async () => {
  const { edge, dir } = await start()
  for (const path of ["/a", "/b/c"]) await get(edge, path)
  await until(() => filesOf(dir).length === 2)
  await edge.command("purge", "--prefix", "/b/")
  await until(() => filesOf(dir).length === 1)
  await until(() => readFileSync(join(dir, "purges.jsonl"), "utf8") === "")
}, 60_000)

test("an unsafe request removes the file", async () => {
  const { edge, dir } = await start()
  await get(edge, "/a")
  await until(() => filesOf(dir).length === 1)
  await edge.get("/a", { method: "DELETE", headers: { Host: "127.0.0.1" } })
  await until(() => filesOf(dir).length === 0)
}, 60_000)

test("the files stay within their bound", async () => {
  const { edge, dir } = await start({ size: "1mb" })
  for (let i = 0; i < 400; i++) await get(edge, `/${i}`)
  // 2.8 MB came.
  await until(() => bytesOf(dir) > 0 && bytesOf(dir) <= 1 << 20)
  expect(filesOf(dir).length).toBeLessThan(200)
}, 60_000)

test("a disk that fails is told of, and answers go on", async () => {
  const { edge, origin, dir } = await start()
  rmSync(join(dir, "tmp"), { recursive: true })
  writeFileSync(join(dir, "tmp"), "no folder")
  const first = await get(edge, "/a")
  await edge.heard("cannot be written to its disk")
  expect(await get(edge, "/a")).toBe(first)
  expect(origin.got).toHaveLength(1)
  rmSync(join(dir, "tmp"))
  mkdirSync(join(dir, "tmp"))
  await get(edge, "/b")
  await until(() => filesOf(dir).length === 1)
}, 60_000)

test("a folder that cannot be made keeps edge from starting, with its place", async () => {
  const edge = await Edge.launch({
    config: `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ cache = { disk = { dir = "site.toml/x" } } }]\n[[site.route]]\nrespond = { status = 204 }\n`,
  })
  expect(await edge.exited).toBe(1)
  expect(edge.output).toContain("site[0].use[0].cache")
  await edge[Symbol.asyncDispose]()
}, 60_000)

test("a front that is killed in the middle of an answer leaves nothing of it", async () => {
  const sockets: { end(): void }[] = []
  let asked = 0
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        asked++
        socket.write("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 10\r\n\r\n01234")
        sockets.push({ end: () => socket.write("56789") })
      },
    },
  })
  closers.push(() => server.stop(true))
  const dir = mkdtempSync(join(tmpdir(), "edge-cache-"))
  closers.push(() => rmSync(dir, { recursive: true, force: true }))
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ cache = { disk = { dir = "${dir}" } } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${server.port}"\n`,
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  const first = fetch(edge.url("/a")).then(r => r.text()).catch(() => "cut")
  await until(() => asked === 1)
  const [front] = (await edge.status()).fronts
  process.kill(front!.pid, "SIGKILL")
  expect(await first).not.toBe("0123456789")
  await until(async () => (await edge.status()).fronts.some(({ pid, state }) => pid !== front!.pid && state === "serving"))
  expect(filesOf(dir)).toEqual([])
  const second = fetch(edge.url("/a"))
  await until(() => asked >= 2)
  sockets.at(-1)!.end()
  expect(await (await second).text()).toBe("0123456789")
  await until(() => filesOf(dir).length === 1)
}, 60_000)
