import { expect, test } from "bun:test"
import { type Handler, HeaderList, PASS, Prepared, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { ask, exchange, seen } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function around(options: unknown, handler: Handler = () => new Reply(200)): Promise<Handler> {
  return ((await setUp(plugin, options)) as (next: Handler) => Handler)(handler)
}

test("what is sent when nothing is said", async () => {
  const handler = await around({})
  const plain = [
    ["X-Content-Type-Options", "nosniff"],
    ["X-Frame-Options", "SAMEORIGIN"],
    ["Referrer-Policy", "strict-origin-when-cross-origin"],
    ["Cross-Origin-Opener-Policy", "same-origin-allow-popups"],
  ]
  expect([...(await ask(handler, "/")).headers]).toEqual(plain as never)
  const secure = await ask(handler, "/", { conn: { secure: true } })
  expect([...secure.headers]).toEqual([...plain, ["Strict-Transport-Security", "max-age=31536000"]] as never)
})

test("everything can be said, and left out", async () => {
  const handler = await around({
    hsts: { max_age: "2y", subdomains: true, preload: true },
    nosniff: false,
    frame: "deny",
    referrer: false,
    opener: false,
    resource: "same-site",
    embedder: "require-corp",
    csp: { "default-src": ["'self'"], "img-src": "'self' data:", "upgrade-insecure-requests": [] },
    csp_report_only: "default-src 'none'",
    permissions: { camera: [], geolocation: ["self", "https://maps.example"] },
  })
  expect([...(await ask(handler, "/", { conn: { secure: true } })).headers]).toEqual([
    ["X-Frame-Options", "DENY"],
    ["Cross-Origin-Resource-Policy", "same-site"],
    ["Cross-Origin-Embedder-Policy", "require-corp"],
    ["Content-Security-Policy", "default-src 'self'; img-src 'self' data:; upgrade-insecure-requests"],
    ["Content-Security-Policy-Report-Only", "default-src 'none'"],
    ["Permissions-Policy", 'camera=(), geolocation=(self "https://maps.example")'],
    ["Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"],
  ])
})

test("the app's own lines stay, unless they are overridden", async () => {
  const own: Handler = () => new Reply(200, new HeaderList(["x-frame-options", "DENY"]))
  expect((await ask(await around({}, own), "/")).headers.getAll("X-Frame-Options")).toEqual(["DENY"])
  expect((await ask(await around({ override: true }, own), "/")).headers.getAll("X-Frame-Options")).toEqual(["SAMEORIGIN"])
})

test("an answer from memory is made once for http and once for https", async () => {
  const prepared = new Prepared(200, ["Content-Type", "text/plain"], "body")
  const handler = await around({}, () => prepared.reply())
  const wire = async (secure: boolean) => ((await handler(exchange("/", { conn: { secure } }))) as Reply).wire
  expect(await wire(false)).toBe((await wire(false))!)
  expect((await wire(true))!.bytes.toString()).toContain("Strict-Transport-Security")
  expect((await wire(false))!.bytes.toString()).not.toContain("Strict-Transport-Security")
})

test("passing goes through", async () => {
  expect(await seen(await around({}, () => PASS), exchange("/"))).toBe(null)
})

test.each([{ frame: "allow" }, { hsts: "forever" }, { csp: "a\nb" }, { csp: { "bad directive": [] } }, { hst: "1y" }])("%p is refused", async options => {
  await expect(around(options)).rejects.toThrow()
})
