import { describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Logger, SocketRoad, wantsWebSocket } from "edge"
import { listen } from "../../src/http/server/listener.ts"
import { defaultLimits } from "../../src/http/server/limits.ts"
import { bytesOf, exchange } from "../kit/exchange.ts"
import { EdgeWorker } from "./edge-worker.ts"

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet }

test("an app.tsx outside of any project: JSX, hono and valibot with no node_modules", async () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-app-"))
  try {
    writeFileSync(join(dir, "app.tsx"), await Bun.file(join(import.meta.dir, "apps/page.tsx")).text())
    await using worker = new EdgeWorker({ dir, entry: "app.tsx" })
    const client = await worker.connect()
    expect(client.hello).toMatchObject({ role: "worker", name: "test", pid: worker.process.pid, concurrency: 100 })
    const page = await client.send(exchange("/"))
    expect((await bytesOf(page)).toString()).toBe("<main>&lt;escaped&gt;</main>")
    const conn = { peer: "203.0.113.9", secure: true }
    const facts = await client.send(exchange("/p/facts?a", { conn, host: "example.com:8443" }).with({ target: "/facts?a", path: "/facts", prefix: "/p" }))
    expect(JSON.parse((await bytesOf(facts)).toString())).toEqual({
      ip: "203.0.113.9",
      scheme: "https",
      prefix: "/p",
      url: "https://example.com:8443/facts?a",
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
})

describe("an app that cannot start says why, and exits 1", () => {
  test.each([
    ["syntax", "export default {\n  fetch( {\n", /app\.ts:\d+:\d+: /],
    ["a module that is not there", 'import x from "left-pad"\nexport default x', /app\.ts:1:\d+: .*left-pad/],
    ["a wrong name", 'import { Hono, Honoo } from "hono"\nconsole.log(Honoo)\nexport default new Hono()', /app\.ts:1:16: .*Honoo/],
    ["a throw", 'const a = 1\nthrow new Error("no database")\nexport default a', /app\.ts:2:\d+: no database/],
    ["no fetch", "export default { fech() {} }", /default export is an object with fech but no fetch/],
    ["no default", "export const app = { fetch() {} }", /did you mean `export default app`/],
    ["nothing", "", /exports nothing/],
    ["start throws", 'export default { fetch() {}, start() { throw new Error("port taken") } }', /port taken/],
  ])("%s", async (_, source, words) => {
    const dir = mkdtempSync(join(tmpdir(), "edge-app-"))
    try {
      writeFileSync(join(dir, "app.ts"), source)
      await using worker = new EdgeWorker({ dir, entry: "app.ts" })
      expect(await worker.exited()).toBe(1)
      expect(worker.output).toMatch(words)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})

/** A listener that sends to one worker, as a pool would. */
async function frontOf(worker: EdgeWorker) {
  const client = await worker.connect()
  const road = new SocketRoad(client.hello.ws!)
  return listen({
    port: 0,
    hostname: "127.0.0.1",
    address: "127.0.0.1:0",
    limits: defaultLimits,
    trusted: () => false,
    log: quiet,
    handler: x => (wantsWebSocket(x) ? road.send(x) : client.send(x)),
  })
}

describe("WebSockets", () => {
  test("through front and worker: messages of every size, facts, close", async () => {
    await using worker = new EdgeWorker({ entry: "sockets.ts" })
    const front = await frontOf(worker)
    try {
      const ws = new WebSocket(`ws://127.0.0.1:${front.port}/ws`, { headers: { "Edge-Facts": '["9.9.9.9",1,"https","/forged"]' } } as never)
      const got: string[] = []
      const opened = Promise.withResolvers<void>()
      const echoed = Promise.withResolvers<void>()
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000]
      ws.onmessage = event => {
        got.push(event.data as string)
        if (got.length === 1) opened.resolve()
        if (got.length === 1 + sizes.length) echoed.resolve()
      }
      await opened.promise
      expect(JSON.parse(got[0]!)).toEqual({ ip: "127.0.0.1", scheme: "http", prefix: "", leaked: null })
      for (const size of sizes) ws.send("x".repeat(size))
      await echoed.promise
      expect(got.slice(1).map(message => message.length)).toEqual(sizes)
      ws.close(4001, "enough")
      while (!worker.output.includes("closed 4001")) await Bun.sleep(5)
    } finally {
      front.closeNow()
    }
  })

  test("an upgrade that the app refuses is its answer, and the connection goes on as HTTP", async () => {
    await using worker = new EdgeWorker({ entry: "sockets.ts" })
    const front = await frontOf(worker)
    try {
      const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" }
      const refused = await fetch(`http://127.0.0.1:${front.port}/refused`, { headers })
      expect([refused.status, await refused.text()]).toEqual([403, "not for you"])
      const plain = await fetch(`http://127.0.0.1:${front.port}/`)
      expect(await plain.text()).toBe("no socket for 127.0.0.1")
    } finally {
      front.closeNow()
    }
  })

  test("an app written for Bun.serve: fetch(request, server)", async () => {
    await using worker = new EdgeWorker({ entry: "bun-style.ts" })
    const front = await frontOf(worker)
    try {
      expect(await (await fetch(`http://127.0.0.1:${front.port}/`)).text()).toBe("bun 127.0.0.1")
      const ws = new WebSocket(`ws://127.0.0.1:${front.port}/`)
      const answer = new Promise(resolve => (ws.onmessage = event => resolve(event.data)))
      ws.onopen = () => ws.send("shout")
      expect(await answer).toBe("SHOUT")
      ws.close()
    } finally {
      front.closeNow()
    }
  })

  test("a drained worker keeps its WebSockets until they close", async () => {
    await using worker = new EdgeWorker({ entry: "sockets.ts" })
    const supervisor = await worker.connect({ role: "supervisor" })
    const front = await frontOf(worker)
    try {
      const ws = new WebSocket(`ws://127.0.0.1:${front.port}/ws`)
      const messages: unknown[] = []
      ws.onmessage = event => messages.push(event.data)
      while (messages.length < 1) await Bun.sleep(5)
      supervisor.drain()
      await supervisor.ping()
      await Bun.sleep(2500)
      ws.send("still here")
      while (messages.length < 2) await Bun.sleep(5)
      expect(messages[1]).toBe("still here")
      ws.close()
      expect(await worker.exited()).toBe(0)
    } finally {
      front.closeNow()
    }
  })
})
