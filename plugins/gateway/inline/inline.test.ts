import { describe, expect, test } from "bun:test"
import type { AppLink, AppModule, AppSpec, Exchange, Handler, Logger, Reply } from "edge"
import { exchange, seen } from "../../../test/kit/exchange.ts"
import { listen } from "../../../src/http/server/listener.ts"
import { defaultLimits } from "../../../src/http/server/limits.ts"
import plugin from "./plugin.ts"

const logged: { message: string; fields: Record<string, unknown> | undefined }[] = []
const log: Logger = {
  debug() {},
  info() {},
  warn() {},
  error: (message, fields) => void logged.push({ message, fields }),
  with: () => log,
}

/** The app as a front connects it. */
async function connected(module: AppModule, timeoutMs = 0) {
  const live = await plugin.setup({}, {} as never)
  const app = { name: "live", timeoutMs, options: {} } as unknown as AppSpec
  const link = { log, front: 0, load: () => Promise.resolve(module) } as unknown as AppLink
  const connection = await live.part.connect(app, link)
  await connection.start?.()
  return connection
}

async function ask(handler: Handler, target: string): Promise<[number, string]> {
  const got = await seen(handler, exchange(target))
  return [got!.status, got!.text]
}

describe("inline", () => {
  test("runs the app in this process, sync when the app is", async () => {
    const app = await connected({ fetch: (request, facts) => new Response(`${process.pid} ${new URL(request.url).pathname} ${facts.ip}`) })
    expect(await ask(app.part, "/here")).toEqual([200, `${process.pid} /here 192.0.2.1`])
    const later = await connected({ fetch: async () => Response.json({ later: true }) })
    expect(await ask(later.part, "/")).toEqual([200, '{"later":true}'])
  })

  test("what the app throws is a 500 and in the log, once", async () => {
    logged.length = 0
    const boom = new Error("boom")
    const sync = await connected({
      fetch: () => {
        throw boom
      },
    })
    expect(await ask(sync.part, "/a?secret")).toEqual([500, "Internal Server Error\n"])
    expect(logged).toEqual([{ message: "the app failed", fields: { method: "GET", path: "/a", error: boom } }])
    const later = await connected({ fetch: () => Promise.reject(boom) })
    expect((await ask(later.part, "/"))[0]).toBe(500)
    const wrong = await connected({ fetch: () => "text" as never })
    expect((await ask(wrong.part, "/"))[0]).toBe(500)
    expect(String(logged.at(-1)!.fields!.error)).toContain("expected a Response, got a string")
    expect(logged.length).toBe(3)
  })

  test("one Response for two requests is an error, not another's data", async () => {
    const one = new Response(new Blob(["once"]).stream())
    const app = await connected({ fetch: () => one })
    expect(await ask(app.part, "/")).toEqual([200, "once"])
    expect((await ask(app.part, "/"))[0]).toBe(500)
  })

  test("the deadline: 504, and what comes later is given up", async () => {
    const cancelled = Promise.withResolvers<void>()
    const app = await connected(
      {
        fetch: async () => {
          await Bun.sleep(120)
          return new Response(new ReadableStream({ cancel: () => cancelled.resolve() }))
        },
      },
      30,
    )
    await expect(app.part(exchange("/")) as Promise<Reply>).rejects.toMatchObject({ status: 504 })
    await cancelled.promise
    await app.stop?.(AbortSignal.timeout(100))
  })

  test("stop waits for waitUntil, then stops the app", async () => {
    const calls: string[] = []
    const app = await connected({
      fetch: (_, facts) => {
        facts.waitUntil!(Bun.sleep(30).then(() => void calls.push("waited")))
        return new Response("x")
      },
      start: () => void calls.push("start"),
      stop: () => void calls.push("stop"),
    })
    await ask(app.part, "/")
    await app.stop?.(AbortSignal.timeout(1000))
    expect(calls).toEqual(["start", "waited", "stop"])
  })

  test("WebSockets, through a private socket", async () => {
    const app = await connected({
      fetch: (request, facts) =>
        (facts.server as { upgrade(r: Request): boolean }).upgrade(request) ? (undefined as never) : new Response("plain"),
      websocket: { message: (ws: { send(m: string): void }, message: string) => ws.send(`${message}!`) },
    })
    const front = listen({
      hostname: "127.0.0.1",
      port: 0,
      address: "127.0.0.1:0",
      handler: (x: Exchange) => app.part(x),
      limits: defaultLimits,
      trusted: () => false,
      log,
    })
    try {
      expect(await (await fetch(`http://127.0.0.1:${front.port}/`)).text()).toBe("plain")
      const ws = new WebSocket(`ws://127.0.0.1:${front.port}/`)
      const answer = new Promise(resolve => (ws.onmessage = event => resolve(event.data)))
      const closed = new Promise(resolve => (ws.onclose = resolve))
      ws.onopen = () => ws.send("hello")
      expect(await answer).toBe("hello!")
      ws.close()
      await closed
    } finally {
      front.closeNow()
      await app.stop?.(AbortSignal.timeout(100))
    }
  })
})
