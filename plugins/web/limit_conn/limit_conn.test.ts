import { expect, test } from "bun:test"
import { type Handler, HttpError, PASS, Reply } from "edge"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FrontPages } from "../../../src/generation/front-pages.ts"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { exchange, type TestExchange } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"
import { BusyTable, REFUSED, wordsFor } from "./table.ts"

async function around(options: unknown, { handler = () => Reply.text(200, "ok"), ctx = new TestContext() }: { handler?: Handler; ctx?: TestContext } = {}): Promise<Handler> {
  const part = (await setUp(plugin as never, options, ctx)) as (next: Handler) => Handler
  await ctx.start()
  return part(handler)
}

const from = (peer: string): TestExchange => exchange("/", { conn: { peer } })
const status = (handler: Handler, x: TestExchange): number => {
  try {
    return (handler(x) as Reply).status
  } catch (error) {
    return (error as HttpError).status
  }
}

test("counts until the answer has ended, each key for itself", async () => {
  const handler = await around(2)
  const [one, two, three] = [from("a"), from("a"), from("a")]
  expect([status(handler, one), status(handler, two), status(handler, three), status(handler, from("b"))]).toEqual([200, 200, 503, 200])
  one.finish()
  one.finish()
  expect([status(handler, from("a")), status(handler, from("a"))]).toEqual([200, 503])
  two.finish()
  expect(status(handler, from("a"))).toBe(200)
})

test("a route that passes is done with the request", async () => {
  let answer: ReturnType<Handler> = PASS
  const handler = await around(1, { handler: () => answer })
  expect(handler(from("a"))).toBe(PASS)
  answer = Promise.resolve(PASS) as never
  expect(await handler(from("a"))).toBe(PASS)
  answer = Reply.text(200, "ok")
  expect(status(handler, from("a"))).toBe(200)
  expect(status(handler, from("a"))).toBe(503)
})

test("per key and in all; a refused request leaves nothing behind", async () => {
  const handler = await around([{ limit: 2, key: "site" }, { limit: 1 }])
  expect(status(handler, from("a"))).toBe(200)
  for (let i = 0; i < 5; i++) {
    const refused = from("a")
    expect(status(handler, refused)).toBe(503)
    refused.finish({ status: 503 })
  }
  expect(status(handler, from("b"))).toBe(200)
  expect(status(handler, from("c"))).toBe(503)
})

test("exceptions, and a dry run", async () => {
  const ctx = new TestContext()
  const handler = await around({ limit: 1, except: ["10.0.0.0/8"], dry_run: true }, { ctx })
  for (const peer of ["10.0.0.1", "10.0.0.1", "a", "a", "a"]) expect(status(handler, from(peer))).toBe(200)
  expect(ctx.lines.map(({ message }) => message)).toEqual(["too many requests at once (dry run: nothing is refused)"])
})

test("fronts count together; what a dead one held ends with it", () => {
  const folder = mkdtempSync(join(tmpdir(), "edge-busy-"))
  const open = (front: number): BusyTable => {
    const table = new BusyTable(new FrontPages({ folder, front }).declare("t", wordsFor(64)), { limit: 3, keys: 64 })
    table.open()
    return table
  }
  const [one, two] = [open(0), open(40)]
  const places = [one.take("k"), two.take("k"), one.take("k")]
  expect(places.every(place => place >= 0)).toBe(true)
  expect([one.take("k"), two.take("k"), one.take("other") >= 0]).toEqual([REFUSED, REFUSED, true])
  one.release("k", places[0]!)
  expect(two.take("k")).toBeGreaterThanOrEqual(0)
  expect(one.take("k")).toBe(REFUSED)
  // Its successor has the number and nothing of what it held.
  const successor = open(40)
  expect([successor.take("k") >= 0, successor.take("k") >= 0, successor.take("k")]).toEqual([true, true, REFUSED])
  successor.close()
  expect([one.take("k") >= 0, one.take("k") >= 0, one.take("k")]).toEqual([true, true, REFUSED])
  rmSync(folder, { recursive: true })
})

test("more busy keys than places: each still has its limit, and what ended leaves nothing", () => {
  const table = new BusyTable(new FrontPages(undefined).declare("t", wordsFor(64)), { limit: 2, keys: 64 })
  table.open()
  for (let round = 0; round < 3; round++) {
    const held: [string, number][] = []
    for (let i = 0; i < 500; i++) {
      const key = `${round} ${i}`
      for (let n = 0; n < 2; n++) {
        const place = table.take(key)
        expect(place).not.toBe(REFUSED)
        held.push([key, place])
      }
      expect(table.take(key)).toBe(REFUSED)
    }
    for (const [key, place] of held) table.release(key, place)
  }
})

test.each([0, -1, "5", {}, { limit: 1, key: "peer" }, []])("%p is refused", async options => {
  await expect(around(options)).rejects.toThrow()
})
