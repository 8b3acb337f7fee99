import { afterAll, expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask } from "../../../test/kit/exchange.ts"
import { folder } from "../../../test/kit/served.ts"
import plugin from "./plugin.ts"

const dir = folder({ "down.html": "<h1>down</h1>" })
afterAll(() => rmSync(dir, { recursive: true }))

async function answer(options: unknown) {
  const got = await ask(await setUp(plugin, options, new TestContext({ dir })), "/")
  return [got.status, got.headers.get("content-type"), got.text]
}

test.each([
  ["pong", [200, "text/plain; charset=utf-8", "pong"]],
  [{ body: "ü" }, [200, "text/plain; charset=utf-8", "ü"]],
  [{ status: 204 }, [204, null, ""]],
  [{ status: 503, file: "down.html" }, [503, "text/html; charset=utf-8", "<h1>down</h1>"]],
  [{ json: { ok: true } }, [200, "application/json", '{"ok":true}']],
  [{ body: "<p>", type: "text/html" }, [200, "text/html", "<p>"]],
  [{ body: "<p>", headers: { "content-type": "text/html" } }, [200, "text/html", "<p>"]],
])("%p", async (options, want) => {
  expect(await answer(options)).toEqual(want as never)
})

test("is on the wire as prepared, header lines in order, a list one line each", async () => {
  const got = await ask(await setUp(plugin, { status: 404, body: "no", headers: { "X-A": ["1", "2"], "X-B": "3" } }), "/")
  expect(got.wire!.replace(/Date: [^\r]*/, "Date")).toBe(
    "HTTP/1.1 404 Not Found\r\nDate\r\nContent-Type: text/plain; charset=utf-8\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\nContent-Length: 2\r\n\r\nno",
  )
})

test("an error without a body gets the site's page", async () => {
  const handler = await setUp(plugin, { status: 410, headers: { "Retry-After": "5" } })
  await expect(ask(handler, "/")).rejects.toMatchObject({ status: 410, options: { headers: [["Retry-After", "5"]] } })
})

test.each([
  { status: 100 },
  { status: 600 },
  { body: "x", json: {} },
  { headers: { "X-A": "a\r\nX-B: b" } },
  { headers: { "X A": "a" } },
  { headers: { "Content-Length": "5" } },
  { headers: { "Transfer-Encoding": "chunked" } },
  { file: "none.html" },
  { stauts: 200 },
])("%p is refused", async options => {
  await expect(answer(options)).rejects.toThrow()
})
