import { afterEach, expect, test } from "bun:test"
import { type Handler, HttpError, Reply } from "edge"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask } from "../../../test/kit/exchange.ts"
import plugin from "./plugin.ts"

const inside: Handler = () => Reply.text(200, "inside")
const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true })
})
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "edge-maintenance-"))
  dirs.push(dir)
  return dir
}
async function status(handler: Handler, target = "/", ip = "192.0.2.1"): Promise<number | string> {
  try {
    return (await ask(handler, target, { conn: { peer: ip } })).text
  } catch (error) {
    return (error as HttpError).status
  }
}

test("on: 503 with Retry-After, but not for those on the list", async () => {
  const handler = (await setUp(plugin, { retry_after: "90s", allow: ["10.0.0.0/8"], except: ["/up", "/assets/*"] }))(inside)
  const error = await Promise.resolve()
    .then(() => ask(handler, "/"))
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(HttpError)
  expect((error as HttpError).options.headers).toContainEqual(["Retry-After", "90"])
  expect(await status(handler)).toBe(503)
  expect(await status(handler, "/", "10.1.2.3")).toBe("inside")
  expect([await status(handler, "/up"), await status(handler, "/upper"), await status(handler, "/assets/a")]).toEqual(["inside", 503, "inside"])
})

test("off costs nothing", async () => {
  expect((await setUp(plugin, { on: false }))(inside)).toBe(inside)
})

test("by a file, seen within about a second", async () => {
  const dir = folder()
  const handler = (await setUp(plugin, { on: false, file: "down" }, new TestContext({ dir })))(inside)
  expect(await status(handler)).toBe("inside")
  writeFileSync(join(dir, "down"), "")
  while ((await status(handler)) !== 503) await Bun.sleep(20)
  rmSync(join(dir, "down"))
  while ((await status(handler)) !== "inside") await Bun.sleep(20)
})

test("a page of its own; one that cannot be read is told", async () => {
  const dir = folder()
  writeFileSync(join(dir, "down.html"), "<h1>soon</h1>")
  const got = await ask((await setUp(plugin, { page: "down.html" }, new TestContext({ dir })))(inside), "/")
  expect([got.status, got.text, got.headers.get("retry-after"), got.headers.get("content-type")]).toEqual([503, "<h1>soon</h1>", "120", "text/html; charset=utf-8"])
  await expect(setUp(plugin, { page: "none.html" }, new TestContext({ dir }))).rejects.toThrow("cannot be read")
})
