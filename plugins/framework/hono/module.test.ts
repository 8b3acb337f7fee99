import { describe, expect, test } from "bun:test"
import type { RequestFacts } from "edge"
import { Hono } from "hono"
import { toAppModule } from "./module.ts"

const facts: RequestFacts = { ip: "192.0.2.1", scheme: "https", prefix: "/p", waitUntil() {} }
const request = (): Request => new Request("http://example.com/x")

async function answer(module: Record<string, unknown>): Promise<string> {
  return (await toAppModule(module).fetch(request(), facts)).text()
}

describe("what an app may export", () => {
  const hono = new Hono().get("/x", c => {
    c.executionCtx.waitUntil(Promise.resolve())
    return c.text(`hono ${(c.env as RequestFacts).ip}`)
  })
  class App {
    name = "class"
    fetch(): Response {
      return new Response(this.name)
    }
  }

  test.each<[string, Record<string, unknown>, string]>([
    ["a Hono app", { default: hono }, "hono 192.0.2.1"],
    ["{ fetch }", { default: { fetch: (r: Request, i: RequestFacts) => new Response(`${r.method} ${i.scheme}`) } }, "GET https"],
    ["{ fetch } with this", { default: new App() }, "class"],
    ["a function", { default: (_r: Request, i: RequestFacts) => new Response(i.prefix) }, "/p"],
    ["an async function", { default: async () => new Response("later") }, "later"],
    ["named fetch", { fetch: () => new Response("named"), other: 1 }, "named"],
    ["default before named", { default: () => new Response("default"), fetch: () => new Response("named") }, "default"],
    ["a class with a static fetch", { default: class { static fetch = () => new Response("static") } }, "static"],
    ["default without fetch beside a named fetch", { default: { port: 3000 }, fetch: () => new Response("named") }, "named"],
  ])("%s", async (_, module, want) => {
    expect(await answer(module)).toBe(want)
  })

  test("WebSocket handlers beside fetch, in the default or by name", () => {
    const websocket = { message() {} }
    expect(toAppModule({ default: { fetch() {}, websocket } }).websocket).toBe(websocket)
    expect(toAppModule({ default: hono, websocket }).websocket).toBe(websocket)
    expect(toAppModule({ default: hono })).not.toHaveProperty("websocket")
  })

  test("start and stop are called on their object", async () => {
    const calls: string[] = []
    const app = {
      name: "me",
      fetch: () => new Response(),
      start(): void {
        calls.push(`start ${this.name}`)
      },
      stop(): void {
        calls.push(`stop ${this.name}`)
      },
    }
    const module = toAppModule({ default: app })
    await module.start?.()
    await module.stop?.()
    expect(calls).toEqual(["start me", "stop me"])
  })
})

describe("what it may not, and how it is told", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["nothing", {}, "the module exports nothing; an app exports a fetch handler"],
    ["a number", { default: 1 }, "its default export is a number"],
    ["undefined", { default: undefined }, "its default export is undefined"],
    ["null", { default: null }, "its default export is null"],
    ["an object", { default: { port: 1, routes: {} } }, "its default export is an object with port, routes but no fetch"],
    ["an empty object", { default: {} }, "an object without a fetch"],
    ["a class", { default: class Blog {} }, "its default export is the class Blog"],
    ["a Hono app by name", { app: new Hono(), x: 1 }, 'it exports "app", "x" but no default and no fetch'],
    ["a Hono app by name, with the cure", { app: new Hono() }, "did you mean `export default app`?"],
  ])("%s", (_, module, words) => {
    expect(() => toAppModule(module)).toThrow(words)
  })
})
