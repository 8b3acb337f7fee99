import { expect, test } from "bun:test"
import { type Handler, HeaderList, PASS, Prepared, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { ask, exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function around(options: unknown, handler: Handler = () => new Reply(200, new HeaderList(), "ok")): Promise<Handler> {
  return ((await setUp(plugin as never, options)) as (next: Handler) => Handler)(handler)
}

const get = async (handler: Handler, Origin?: string) =>
  Object.fromEntries((await ask(handler, "/", { headers: Origin === undefined ? {} : { Origin } })).headers) as Record<string, string>

const preflight = async (handler: Handler, headers: Record<string, string>) => {
  const got = await ask(handler, "/", { method: "OPTIONS", headers: { "Access-Control-Request-Method": "PUT", ...headers } })
  expect([got.status, got.text]).toEqual([204, ""])
  return Object.fromEntries(got.headers) as Record<string, string>
}

test("everybody: one line, the same for all, and no Vary", async () => {
  const handler = await around(["*"])
  for (const origin of [undefined, "https://a.example", "null"]) expect(await get(handler, origin)).toEqual({ "Access-Control-Allow-Origin": "*" })
  expect(await preflight(handler, { Origin: "https://a.example" })).toEqual({
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Max-Age": "600",
  })
})

test("named origins and wildcards get their own name back, with Vary for all", async () => {
  const handler = await around({ origins: ["https://a.example", "https://*.b.example", "http://localhost:3000"], credentials: true, expose: ["X-Total"] })
  const may = (origin: string) => ({ "Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Access-Control-Expose-Headers": "X-Total", Vary: "Origin" })
  for (const origin of ["https://a.example", "https://x.b.example", "https://x.y.b.example", "http://localhost:3000"]) expect(await get(handler, origin)).toEqual(may(origin))
  const not = ["http://a.example", "https://a.example:444", "https://b.example", "https://.b.example", "https://evilb.example", "https://evil.example/.b.example", "https://a.example.evil", "https://x.b.example.evil", "null", "", "http://x.b.example", "https://x.b.example:1", "HTTPS://A.EXAMPLE"]
  for (const origin of [undefined, ...not]) expect(await get(handler, origin)).toEqual({ Vary: "Origin" })
})

test("preflights are answered here, those who may not are told nothing", async () => {
  let asked = 0
  const handler = await around({ origins: ["https://a.example"], methods: ["PUT"], headers: ["X-A", "Content-Type"], max_age: "1h", credentials: true, private_network: true }, () => (asked++, new Reply(200)))
  const Vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
  const granted = {
    Vary,
    "Access-Control-Allow-Origin": "https://a.example",
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Methods": "PUT",
    "Access-Control-Allow-Headers": "X-A, Content-Type",
    "Access-Control-Max-Age": "3600",
  }
  expect(await preflight(handler, { Origin: "https://a.example", "Access-Control-Request-Headers": "x-b" })).toEqual(granted)
  expect(await preflight(handler, { Origin: "https://a.example", "Access-Control-Request-Private-Network": "true" })).toEqual({ ...granted, "Access-Control-Allow-Private-Network": "true" })
  expect(await preflight(handler, { Origin: "https://evil.example" })).toEqual({ Vary })
  expect(asked).toBe(0)
  // OPTIONS that is no preflight is the app's.
  await ask(handler, "/", { method: "OPTIONS", headers: { Origin: "https://a.example" } })
  await ask(handler, "/", { method: "OPTIONS", headers: { "Access-Control-Request-Method": "PUT" } })
  expect(asked).toBe(2)
})

test("headers that are asked for are given back, if they are names", async () => {
  const handler = await around(["https://a.example"])
  const allowed = async (asked: string) => (await preflight(handler, { Origin: "https://a.example", "Access-Control-Request-Headers": asked }))["Access-Control-Allow-Headers"]
  expect(await allowed("x-a, content-type")).toBe("x-a, content-type")
  expect(await allowed("x-a; evil")).toBe(undefined)
})

test("what the app says of its own gives way; its Vary stays", async () => {
  const own = new HeaderList(["access-control-allow-origin", "*", "Access-Control-Allow-Origin", "x", "Access-Control-Allow-Credentials", "true", "Vary", "Accept"])
  const handler = await around(["https://a.example"], () => new Reply(200, HeaderList.from(own)))
  expect([...(await ask(handler, "/", { headers: { Origin: "https://a.example" } })).headers]).toEqual([["Access-Control-Allow-Origin", "https://a.example"], ["Vary", "Accept, Origin"]])
  expect([...(await ask(handler, "/", { headers: { Origin: "https://b.example" } })).headers]).toEqual([["Vary", "Accept, Origin"]])
  const varied = await around(["https://a.example"], () => new Reply(200, new HeaderList(["Vary", "origin"])))
  expect((await ask(varied, "/")).headers.get("vary")).toBe("origin")
})

test("an answer from memory is made once for each named origin", async () => {
  const prepared = new Prepared(200, [], "body")
  const handler = await around(["https://a.example", "https://b.example"], () => prepared.reply())
  const wire = async (Origin: string) => ((await handler(exchange("/", { headers: { Origin } }))) as Reply).wire
  expect(await wire("https://a.example")).toBe((await wire("https://a.example"))!)
  expect((await wire("https://b.example"))!.bytes.toString()).toContain("Allow-Origin: https://b.example\r\n")
  expect((await wire("https://evil.example"))!.bytes.toString()).not.toContain("Allow-Origin")
})

test("passing goes through", async () => {
  expect(await seen(await around(["*"], () => PASS), exchange("/"))).toBe(null)
})

test.each([
  [{ origins: ["*"], credentials: true }],
  [["*", "https://a.example"]],
  [["null"]],
  [["a.example"]],
  [["https://a.example/"]],
  [["https://A.example"]],
  [["https://*"]],
  [[]],
  [{ origins: ["*"], methods: ["GE T"] }],
])("%p is refused", async options => {
  await expect(around(options)).rejects.toThrow()
})
