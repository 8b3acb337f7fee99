import { expect, test } from "bun:test"
import { type Handler, HeaderList, PASS, Prepared, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { ask, exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function around(options: unknown, handler: Handler): Promise<Handler> {
  return (await setUp(plugin, options))(handler)
}
const fresh: Handler = () => new Reply(200, new HeaderList(["X-A", "old", "x-a", "older", "Server", "s"]), "body")

test("set, add, default and remove", async () => {
  const options = { set: { "X-A": "new", "X-B": ["1", "2"] }, add: { "X-C": "c" }, default: { "X-A": "no", "X-D": "d" }, remove: ["server", "X-None"] }
  const got = await ask(await around(options, fresh), "/")
  expect([...got.headers]).toEqual([
    ["X-A", "new"],
    ["X-B", "1"],
    ["X-B", "2"],
    ["X-D", "d"],
    ["X-C", "c"],
  ])
})

test("an answer from memory is changed once, and the one it was made from never", async () => {
  const prepared = new Prepared(200, ["X-A", "old"], "body")
  const handler = await around({ set: { "X-A": "new" } }, () => prepared.reply())
  const first = (await handler(exchange("/"))) as Reply
  const second = (await handler(exchange("/"))) as Reply
  expect(first.wire).not.toBe(null)
  expect(second.wire).toBe(first.wire!)
  expect(first.wire!.bytes.toString()).toContain("X-A: new\r\nContent-Length: 4\r\n\r\nbody")
  expect(prepared.wire!.bytes.toString()).toContain("X-A: old")
  expect(prepared.flat).toEqual(["X-A", "old"])
})

test("one that another middleware has touched is changed for itself", async () => {
  const prepared = new Prepared(200, [], "body")
  let n = 0
  const handler = await around({ set: { "X-A": "new" } }, () => {
    const reply = prepared.reply()
    reply.headers.set("X-N", String(n++))
    return reply
  })
  expect((await ask(handler, "/")).headers.get("x-n")).toBe("0")
  expect((await ask(handler, "/")).headers.get("x-n")).toBe("1")
})

test("the request is changed for what comes behind, and for nobody else", async () => {
  const handler = await around({ request: { set: { "X-A": "in" }, remove: ["Cookie"] } }, x => Reply.text(200, `${x.headers.get("x-a")} ${x.headers.get("cookie")}`))
  const x = exchange("/", { headers: { Cookie: "c", "X-A": "client" } })
  expect((await seen(handler, x))!.text).toBe("in null")
  expect([x.headers.get("x-a"), x.headers.get("cookie")]).toEqual(["client", "c"])
})

test("passing goes through, errors too, and nothing to do costs nothing", async () => {
  expect(await seen(await around({ set: { "X-A": "1" } }, () => PASS), exchange("/"))).toBe(null)
  expect(await around({}, fresh)).toBe(fresh)
})

test.each([
  { set: { "Content-Length": "1" } },
  { set: { "Transfer-Encoding": "x" } },
  { add: { Connection: "close" } },
  { remove: ["Date"] },
  { set: { "X-A": "a\nb" } },
  { set: { "X-A": " a" } },
  { set: { "X:A": "a" } },
  { request: { st: {} } },
])("%p is refused", async options => {
  await expect(setUp(plugin, options)).rejects.toThrow()
})
