import { afterAll, afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fetchRuntime from "../../plugins/gateway/fetch/plugin.ts"
import http from "../../plugins/gateway/http/plugin.ts"
import type { AppSpec } from "../../src/contract/gateway.ts"
import type { Launch, Runtime } from "../../src/contract/runtime.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import { type HttpListener, listen } from "../../src/http/server/listener.ts"
import { logTo } from "../kit/context.ts"
import { Rig, until } from "./rig.ts"

const folder = mkdtempSync(join(tmpdir(), "edge-ws-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const handlers = `websocket: { message(ws, text) { ws.send(process.pid + " " + text) } }`
writeFileSync(
  join(folder, "server.ts"),
  `Bun.serve({ unix: process.env.SOCKET, fetch: (r, server) => server.upgrade(r) ? undefined : new Response(String(process.pid)), ${handlers} })`,
)
writeFileSync(
  join(folder, "app.ts"),
  `export default { fetch: (r, info) => info.server.upgrade(r) ? new Response(null) : new Response(String(process.pid)), ${handlers} }`,
)

const runtimes: Record<string, (app: AppSpec) => Promise<Launch>> = {
  http: async app => ((await http.setup({ command: [process.execPath, "server.ts"] }, undefined as never)).part as Runtime).launch(app),
  fetch: async app => {
    const launch = ((await fetchRuntime.setup({ entry: "app.ts" }, { dev: false } as never)).part as Runtime).launch(app)
    return { ...launch, argv: [process.execPath, join(import.meta.dir, "../../src/main.ts"), ...launch.argv.slice(launch.argv.indexOf("__worker"))] }
  },
}

let rig: Rig
let front: HttpListener
afterEach(async () => {
  front.closeNow()
  await rig.stop()
})

async function start(runtime: string): Promise<void> {
  const spec = { name: "test", dir: folder, runtime, gateway: "pool", framework: "hono", env: {}, concurrency: 1, timeoutMs: 5000 }
  const app: AppSpec = { ...spec, options: { runtime: { entry: "app.ts" }, gateway: {}, framework: {} } }
  const launch = await runtimes[runtime]!(app)
  rig = await new Rig({ gateway: { workers: 1, queue: { wait: "2s" } }, launch: () => launch }).start()
  const { handler } = rig.fronts[0]!
  const log = logTo([])
  front = listen({ port: 0, hostname: "127.0.0.1", address: "127.0.0.1:0", limits: defaultLimits, trusted: () => false, log, handler })
}

async function open(): Promise<{ ask(text: string): Promise<string>; close(): void; readonly closed: Promise<unknown> }> {
  const ws = new WebSocket(`ws://127.0.0.1:${front.port}/`)
  const closed = new Promise(resolve => (ws.onclose = resolve))
  await new Promise((resolve, reject) => {
    ws.onopen = resolve
    ws.onerror = reject
  })
  return {
    closed,
    close: () => ws.close(),
    ask: text =>
      new Promise(resolve => {
        ws.onmessage = event => resolve(event.data as string)
        ws.send(text)
      }),
  }
}

for (const runtime of Object.keys(runtimes)) {
  test(`${runtime}: an open WebSocket holds no slot, and a worker that leaves waits for it`, async () => {
    await start(runtime)
    const get = async () => (await fetch(`http://127.0.0.1:${front.port}/`)).text()
    const sockets = await Promise.all([open(), open(), open()])
    const [pid] = rig.pids()
    expect(await sockets[0].ask("a")).toBe(`${pid} a`)
    // the only slot is free
    expect(await get()).toBe(String(pid))
    expect(rig.pool.status()[0]!.active).toBe(0)

    await rig.roll()
    expect(await get()).not.toBe(String(pid))
    expect(await sockets[1].ask("b")).toBe(`${pid} b`)
    expect(rig.pool.status().map(w => w.state).toSorted()).toEqual(["draining", "ready"])
    const fresh = await open()
    expect(await fresh.ask("c")).toBe(`${rig.pids()[0]} c`)

    for (const socket of sockets) socket.close()
    await until(() => rig.pool.status().length === 1, "the old worker is gone")
    expect(await fresh.ask("d")).toBe(`${rig.pids()[0]} d`)
    fresh.close()
    await fresh.closed
  }, 20_000)
}
