import { afterAll, afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import http from "../../plugins/gateway/http/plugin.ts"
import type { Runtime } from "../../src/contract/runtime.ts"
import { Rig, until } from "./rig.ts"

const folder = mkdtempSync(join(tmpdir(), "edge-http-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
writeFileSync(
  join(folder, "server.ts"),
  `const where = process.argv[2] === "socket" ? { unix: process.env.SOCKET } : { port: process.env.PORT, hostname: "127.0.0.1" }
  Bun.serve({ ...where, async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === "/sleep") await Bun.sleep(1500)
    if (pathname === "/exit") process.exit(1)
    if (pathname === "/echo") return new Response(request.body)
    if (pathname === "/head") return Response.json([...request.headers])
    return new Response(String(process.pid))
  } })`,
)
writeFileSync(join(folder, "deaf.ts"), `console.error("I listen nowhere"); setTimeout(() => process.exit(3), 300)`)

let rig: Rig | undefined
afterEach(async () => {
  await rig?.stop()
  rig = undefined
})

async function start(command: [string, ...string[]], options: ConstructorParameters<typeof Rig>[0] = {}): Promise<Rig> {
  const runtime = (await http.setup({ command }, undefined as never)).part as Runtime
  rig = new Rig({ concurrency: 100, ...options, launch: app => runtime.launch({ ...app, dir: folder }) })
  return rig.start()
}

for (const where of ["port", "socket"]) {
  test(`a program that listens on its ${where}`, async () => {
    const { fronts, pids } = await start([process.execPath, "server.ts", where], { gateway: { workers: 2 } })
    const seen = new Set<number>()
    for (let i = 0; i < 6; i++) seen.add(Number((await fronts[0]!.get("/")).text))
    expect([...seen].toSorted()).toEqual(pids().toSorted())
    expect((await fronts[0]!.get("/echo", { method: "POST", body: "x".repeat(100_000) })).text).toHaveLength(100_000)
    const head = JSON.parse((await fronts[0]!.get("/head")).text) as [string, string][]
    expect(Object.fromEntries(head)).toMatchObject({ host: "example.com", "x-forwarded-for": "192.0.2.1" })
  })
}

test("$PORT is replaced in arguments", async () => {
  writeFileSync(join(folder, "index.html"), "from python")
  const { fronts } = await start(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "$PORT"])
  expect((await fronts[0]!.get("/index.html")).text).toBe("from python")
})

test("a program that ends before it listens is a boot error with its words", async () => {
  const error = await start([process.execPath, "deaf.ts"]).then(() => undefined, (e: unknown) => e as Error)
  expect(error?.message).toContain("it ended with exit code 3")
  expect(error?.message).toContain("I listen nowhere")
})

test("a command that does not exist is named", async () => {
  const error = await start(["/nowhere/program"]).then(() => undefined, (e: unknown) => e as Error)
  expect(error?.message).toContain("/nowhere/program")
})

describe("when it fails", () => {
  test("killed with -9 under load: only what ran in it is lost", async () => {
    const { fronts, pids } = await start([process.execPath, "server.ts"], { gateway: { workers: 2 } })
    let going = true
    const statuses: number[] = []
    const client = async () => {
      while (going) statuses.push(await fronts[0]!.status("/"))
    }
    const clients = [client(), client(), client(), client()]
    for (let i = 0; i < 3; i++) {
      await Bun.sleep(150)
      const [victim] = pids()
      process.kill(victim!, "SIGKILL")
      await until(() => !pids().includes(victim!) && pids().length === 2, "the pool is whole")
    }
    going = false
    await Promise.all(clients)
    // Each kill ends what four clients had there at most.
    expect(statuses.filter(status => status === 502).length).toBeLessThanOrEqual(3 * 4)
    expect(statuses.every(status => status === 200 || status === 502)).toBe(true)
  }, 20_000)

  test("past its deadline 504, and it keeps its worker: it cannot be asked whether it is stuck", async () => {
    const { fronts, pids } = await start([process.execPath, "server.ts"], { timeoutMs: 300 })
    const before = pids()
    expect(await fronts[0]!.status("/sleep")).toBe(504)
    expect(await fronts[0]!.status("/")).toBe(200)
    expect(pids()).toEqual(before)
  })
})

test("a roll under load", async () => {
  const one = await start([process.execPath, "server.ts"], { gateway: { workers: 2 } })
  const before = one.pids()
  const slow = [1, 2, 3, 4].map(() => one.fronts[0]!.status("/sleep"))
  await Bun.sleep(30)
  await one.roll()
  expect(await Promise.all(slow)).toEqual([200, 200, 200, 200])
  for (const pid of before) expect(one.pids()).not.toContain(pid)
  expect(await one.fronts[0]!.status("/")).toBe(200)
}, 20_000)
