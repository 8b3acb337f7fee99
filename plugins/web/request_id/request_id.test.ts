import { expect, test } from "bun:test"
import { type Handler, PASS, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

const show: Handler = x => Reply.text(200, `${x.headers.get("x-request-id")} ${String(x.vars?.get("request_id"))}`)
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

async function ids(options: unknown, of: { given?: string; trusted?: boolean } = {}) {
  const x = exchange("/", { headers: of.given === undefined ? {} : { "X-Request-Id": of.given }, conn: { trusted: of.trusted ?? false } })
  const got = (await seen((await setUp(plugin, options))(show), x))!
  const [inside, noted] = got.text.split(" ")
  expect(noted).toBe(inside!)
  expect(x.vars?.get("request_id")).toBe(inside!)
  return { inside: inside!, answer: got.headers.get("x-request-id") }
}

test("a new one each time, for the handler, the log and the client", async () => {
  const one = await ids({})
  expect(one.inside).toMatch(uuid)
  expect(one.answer).toBe(one.inside)
  expect((await ids({})).inside).not.toBe(one.inside)
  expect((await ids({ answer: false })).answer).toBe(null)
})

test("a given one is kept from a trusted proxy only, and only when it is harmless", async () => {
  expect((await ids({}, { given: "abc-1" })).inside).toMatch(uuid)
  expect((await ids({}, { given: "abc-1", trusted: true })).inside).toBe("abc-1")
  expect((await ids({}, { given: 'a" b', trusted: true })).inside).toMatch(uuid)
  expect((await ids({}, { given: "a".repeat(201), trusted: true })).inside).toMatch(uuid)
  expect((await ids({ accept: "always" }, { given: "abc-1" })).inside).toBe("abc-1")
  expect((await ids({ accept: "never" }, { given: "abc-1", trusted: true })).inside).toMatch(uuid)
})

test("another name; passing goes through", async () => {
  const handler = (await setUp(plugin, { header: "X-Trace" }))(x => Reply.text(200, x.headers.get("x-trace")!))
  const got = (await seen(handler, exchange("/")))!
  expect(got.headers.get("x-trace")).toBe(got.text)
  expect(await seen((await setUp(plugin, {}))(() => PASS), exchange("/"))).toBe(null)
})
