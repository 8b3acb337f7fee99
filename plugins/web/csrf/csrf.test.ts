import { expect, test } from "bun:test"
import { type Handler, HttpError, Reply } from "edge"
import { setUp } from "../../../test/kit/context.ts"
import { exchange, type ExchangeOptions } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

async function lets(options: unknown, request: ExchangeOptions & { path?: string }): Promise<boolean> {
  const handler = ((await setUp(plugin, options)) as (next: Handler) => Handler)(() => new Reply(200))
  try {
    await handler(exchange(request.path ?? "/", { method: "POST", host: "app.example", ...request }))
    return true
  } catch (error) {
    expect((error as HttpError).status).toBe(403)
    return false
  }
}

test.each([
  // What Sec-Fetch-Site says goes before Origin.
  [{ "Sec-Fetch-Site": "same-origin", Origin: "https://evil.example" }, true],
  [{ "Sec-Fetch-Site": "none" }, true],
  [{ "Sec-Fetch-Site": "cross-site" }, false],
  [{ "Sec-Fetch-Site": "same-site", Origin: "https://other.app.example" }, false],
  [{ "Sec-Fetch-Site": "same-site, same-origin" }, false],
  [{ "Sec-Fetch-Site": "cross-site", Origin: "https://good.example" }, true],
  // Older browsers.
  [{ Origin: "http://app.example" }, true],
  [{ Origin: "https://app.example" }, true],
  [{ Origin: "http://app.example.evil" }, false],
  [{ Origin: "http://app.example:8080" }, false],
  [{ Origin: "null" }, false],
  [{ Origin: "" }, false],
  [{ Origin: "https://good.example" }, true],
  [{ Origin: "https://good.example:444" }, false],
  // No browser.
  [{}, true],
] as [Record<string, string>, boolean][])("POST with %p", async (headers, expected) => {
  expect(await lets({ trusted: ["https://good.example"] }, { headers })).toBe(expected)
})

test("methods that change nothing pass, WebSockets of other sites do not", async () => {
  const headers = { "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" }
  for (const method of ["GET", "HEAD", "OPTIONS"]) expect(await lets({}, { method, headers })).toBe(true)
  for (const method of ["PUT", "PATCH", "DELETE", "PROPFIND", "get"]) expect(await lets({}, { method, headers })).toBe(false)
  const upgrade = { ...headers, Upgrade: "WebSocket", Connection: "Upgrade" }
  expect(await lets({}, { method: "GET", headers: upgrade })).toBe(false)
  expect(await lets({ websockets: false }, { method: "GET", headers: upgrade })).toBe(true)
  expect(await lets({}, { method: "GET", headers: { Upgrade: "websocket", Origin: "http://app.example" } })).toBe(true)
})

test("scheme and port", async () => {
  const over = (secure: boolean, host: string, Origin: string) => lets({}, { conn: { secure }, host, headers: { Origin, Host: host } })
  expect(await over(true, "app.example", "http://app.example")).toBe(false)
  expect(await over(true, "app.example:443", "https://app.example")).toBe(true)
  expect(await over(false, "app.example:8080", "http://app.example:8080")).toBe(true)
  expect(await over(false, "APP.example", "http://app.example")).toBe(true)
})

test("exceptions by path", async () => {
  const headers = { "Sec-Fetch-Site": "cross-site" }
  const options = { except: ["/hooks/*", "/saml"] }
  const found = await Promise.all(["/hooks/a", "/saml", "/saml/x", "/hook", "/hooks/a%2Fb", "/hooks/..%2Fadmin", "/hooks/..;/admin", "/x/../hooks/a"].map(path => lets(options, { path, headers })))
  expect(found).toEqual([true, true, false, false, true, false, false, false])
})

test.each([{ trusted: ["good.example"] }, { trusted: ["https://Good.example"] }, { trusted: ["https://a/b"] }, { except: ["hooks"] }])("%p is refused", async options => {
  await expect(setUp(plugin, options)).rejects.toThrow()
})
