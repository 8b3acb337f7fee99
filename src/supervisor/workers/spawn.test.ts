import { afterAll, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { AppSpec } from "../../contract/gateway.ts"
import type { Launch } from "../../contract/runtime.ts"
import { Guard } from "../reaper.ts"
import { answers } from "../sockets/listening-socket.ts"
import { startWorker, type WorkerOptions } from "./spawn.ts"

const run = mkdtempSync(join(tmpdir(), "edge-worker-"))
afterAll(() => rmSync(run, { recursive: true }))

const lines: string[] = []
const log = { debug() {}, info: (line: string) => void lines.push(line), warn() {}, error() {}, with: () => log }
const app = { name: "demo", dir: run } as AppSpec
let serial = 0

const options = (launch: Partial<Launch>, more: Partial<WorkerOptions> = {}): WorkerOptions => ({
  app,
  launch: { argv: [], cwd: run, env: {}, transport: "http", socket: "bind", ...launch },
  index: 3,
  serial: ++serial,
  run,
  guard: new Guard(),
  log,
  ...more,
})

const script = (code: string): string[] => [process.execPath, "-e", code]
const onSocket = script('Bun.serve({ unix: process.env.SOCKET, fetch: () => new Response(JSON.stringify(process.env)) }); console.log("up", process.env.NUMBER)')

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
  } catch {
    return false
  }
}

test("a program on {socket}: it is ready when it accepts, its output is logged, placeholders are filled", async () => {
  const worker = await startWorker(options({ argv: onSocket, env: { SOCKET: "{socket}", NUMBER: "{app}-{index}" } }))
  expect(await answers(worker.address)).toBe(true)
  while (!lines.includes("up demo-3")) await Bun.sleep(5)
  expect(worker.memory()).toBeGreaterThan(1_000_000)
  expect(worker.ping).toBeUndefined()
  worker.kill("SIGTERM")
  await worker.exited
  expect(existsSync(worker.address)).toBe(false)
})

test("the look whether it accepts ends as a client does, not with a reset", async () => {
  const argv = script(`require("node:net").createServer(s => {
    s.on("error", e => console.log("look:", e.code)); s.on("end", () => console.log("look: end")); s.resume()
  }).listen(Number(process.env.PORT), "127.0.0.1")`)
  const worker = await startWorker(options({ argv, env: { PORT: "{port}" } }))
  while (!lines.some(line => line.startsWith("look:"))) await Bun.sleep(5)
  expect(lines.filter(line => line.startsWith("look:"))[0]).toBe("look: end")
  worker.kill("SIGKILL")
  await worker.exited
})

test("a program on {port}", async () => {
  const argv = script('Bun.serve({ hostname: "127.0.0.1", port: Number(process.env.PORT), fetch: () => new Response("here") })')
  const worker = await startWorker(options({ argv, env: { PORT: "{port}" } }))
  expect(worker.address).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(await (await fetch(`http://${worker.address}/`)).text()).toBe("here")
  worker.kill("SIGKILL")
  expect(await worker.exited).toMatchObject({ signal: "SIGKILL" })
})

test("variables that would change what bun or node runs do not reach a worker", async () => {
  const saved = { ...process.env }
  Object.assign(process.env, { BUN_OPTIONS: "--smol", NODE_OPTIONS: "--no-warnings", LISTEN_FDS: "1", KEPT: "yes" })
  const worker = await startWorker(options({ argv: onSocket, env: { SOCKET: "{socket}" } }))
  for (const name of ["BUN_OPTIONS", "NODE_OPTIONS", "LISTEN_FDS", "KEPT"]) {
    if (saved[name] === undefined) delete process.env[name]
    else process.env[name] = saved[name]
  }
  const env = (await (await fetch("http://x/", { unix: worker.address })).json()) as Record<string, string>
  expect([env["BUN_OPTIONS"], env["NODE_OPTIONS"], env["LISTEN_FDS"], env["KEPT"]]).toEqual([undefined, undefined, undefined, "yes"])
  worker.kill("SIGKILL")
  await worker.exited
})

test("one that ends before it is ready: its exit code and its last words", async () => {
  const argv = script('console.error("no database"); process.exit(4)')
  await expect(startWorker(options({ argv }))).rejects.toThrow(/worker 3 of app demo cannot start: it ended with exit code 4\nno database/)
})

test("a program that is not there", async () => {
  await expect(startWorker(options({ argv: ["/no/such/program"] }))).rejects.toThrow("app demo: cannot run /no/such/program")
})

test("one that is silent past its time is ended, with what it started", async () => {
  const argv = ["/bin/sh", "-c", "sleep 1000 & echo $!; wait"]
  await expect(startWorker(options({ argv }, { bootMs: 300 }))).rejects.toThrow("it was not ready within 0.3 s")
  const child = Number(lines.at(-1))
  expect(child).toBeGreaterThan(1)
  while (isAlive(child)) await Bun.sleep(5)
})

test("a start that is given up", async () => {
  const abort = new AbortController()
  const starting = startWorker(options({ argv: ["sleep", "1000"] }, { signal: abort.signal }))
  abort.abort()
  await expect(starting).rejects.toThrow("it was told to go")
})

test("what a worker started ends with it", async () => {
  const argv = ["/bin/sh", "-c", 'sleep 1000 & echo "child $!"; exec "$@"', "sh", ...onSocket]
  const worker = await startWorker(options({ argv, env: { SOCKET: "{socket}" } }))
  const child = Number(/child (\d+)/.exec(lines.findLast(line => line.startsWith("child"))!)![1])
  expect(isAlive(child)).toBe(true)
  process.kill(worker.pid, "SIGKILL")
  await worker.exited
  while (isAlive(child)) await Bun.sleep(5)
})

test("a frames worker that closes its connection without HELLO, and one that says nonsense", async () => {
  const serve = (open: string) => script(`Bun.listen({ fd: 3, socket: { open(s) { ${open} }, data() {} } }); setTimeout(() => {}, 60000)`)
  const frames = { transport: "frames", socket: "inherit" } as const
  await expect(startWorker(options({ ...frames, argv: serve("s.end()") }))).rejects.toThrow("cannot start")
  await expect(startWorker(options({ ...frames, argv: serve('s.write("HTTP/1.1 400 Bad Request\\\\r\\\\n\\\\r\\\\n")') }))).rejects.toThrow("cannot start")
})

test("nothing is left in the run folder", () => {
  expect(readdirSync(run)).toEqual([])
})
