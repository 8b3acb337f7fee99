import { afterAll, expect, test } from "bun:test"
import { rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { HeaderList, Reply } from "edge"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask, type ExchangeOptions } from "../../../test/kit/exchange.ts"
import { folder } from "../../../test/kit/served.ts"
import statics from "../static/plugin.ts"
import plugin from "./plugin.ts"

const dir = folder({ "private/x, y (1) #2 ?.txt": "reserved", "private/sub/a+b&c=d;e.txt": "more", "private/zażółć.pdf": "wide", "private/100%25.txt": "literal", "private/a b.pdf": "0123456789", "private/sub/100%.txt": "odd", "secret.txt": "SECRET", "private2/x": "SECRET", "deep/y.txt": "deep" })
symlinkSync("../secret.txt", join(dir, "private", "out"))
afterAll(() => rmSync(dir, { recursive: true }))

/** As an app's header line comes: UTF-8, one character a byte. */
function bytes(text: string): string {
  return Buffer.from(text).toString("latin1")
}

const ctx = () => new TestContext({ dir, plugins: [statics] as never })
const roots = { "/protected/": "private", "/protected/deep/": "deep" }

async function sent(lines: string[], options: ExchangeOptions = {}) {
  const middleware = await setUp(plugin, { roots }, ctx())
  const app = () => new Reply(200, new HeaderList(lines), "what the app said")
  return ask(middleware(app), "/download/7", options)
}

test.each([
  ["X-Accel-Redirect", "/protected/a%20b.pdf", "0123456789"],
  ["X-Accel-Redirect", "/protected/a b.pdf", "0123456789"],
  ["X-Accel-Redirect", "/protected/sub/100%25.txt?x", "odd"],
  ["x-accel-redirect", "/protected/deep/y.txt", "deep"],
  ["X-Accel-Redirect", "/protected/" + encodeURIComponent("x, y (1) #2 ?.txt"), "reserved"],
  ["X-Accel-Redirect", "/protected/sub%2F" + encodeURIComponent("a+b&c=d;e.txt"), "more"],
  ["X-Accel-Redirect", "/protected/sub/a+b&c=d;e.txt", "more"],
  ["X-Accel-Redirect", "/protected/" + encodeURIComponent("zażółć.pdf"), "wide"],
  ["X-Accel-Redirect", "/protected/" + bytes("zażółć.pdf"), "wide"],
  ["X-Accel-Redirect", "/protected/sub/100%.txt", "odd"],
  ["X-Sendfile", join(dir, "private/") + "x, y (1) #2 ?.txt", "reserved"],
  ["X-Sendfile", join(dir, "private/") + encodeURIComponent("x, y (1) #2 ?.txt"), "reserved"],
  ["X-Sendfile", join(dir, "private/") + bytes("zażółć.pdf"), "wide"],
  ["X-Sendfile", join(dir, "private/") + encodeURIComponent("zażółć.pdf"), "wide"],
  ["X-Sendfile", join(dir, "private/100%25.txt"), "literal"],
  ["X-Sendfile", join(dir, "private/a b.pdf"), "0123456789"],
  ["X-Sendfile", join(dir, "private/sub/100%.txt"), "odd"],
])("%s: %s", async (name, file, text) => {
  const got = await sent([name, file, "Content-Length", "17"])
  expect([got.status, got.text]).toEqual([200, text])
  expect([got.headers.has("x-accel-redirect"), got.headers.has("x-sendfile"), got.headers.has("content-length")]).toEqual([false, false, false])
})

test("the app's header lines stay, ranges and conditions work", async () => {
  const lines = ["X-Accel-Redirect", "/protected/a b.pdf", "Content-Type", "application/x-own", "Content-Disposition", "attachment", "Set-Cookie", "a=1", "Set-Cookie", "b=2", "ETag", '"app"']
  const got = await sent(lines, { method: "POST", headers: { Range: "bytes=2-3" } })
  expect([got.status, got.text, got.headers.get("content-range")]).toEqual([206, "23", "bytes 2-3/10"])
  expect([got.headers.get("content-type"), got.headers.get("content-disposition")]).toEqual(["application/x-own", "attachment"])
  expect(got.headers.getAll("set-cookie")).toEqual(["a=1", "b=2"])
  const again = await sent(lines, { headers: { "If-None-Match": got.headers.get("etag")! } })
  expect(again.status).toBe(304)
})

test.each([
  ["X-Accel-Redirect", "/other/a", 502],
  ["X-Accel-Redirect", "/protected/../secret.txt", 502],
  ["X-Accel-Redirect", "/protected/%2e%2e/secret.txt", 502],
  ["X-Accel-Redirect", "/protected/..%2fsecret.txt", 502],
  ["X-Accel-Redirect", "/protected/a%20b.pdf%00.txt", 502],
  ["X-Accel-Redirect", "/protected/sub%5C..%5Ca b.pdf", 404],
  ["X-Accel-Redirect", "/protected/%ff", 404],
  ["X-Sendfile", `${dir}/private/%2e%2e/secret.txt`, 404],
  ["X-Accel-Redirect", "/protected/out", 404],
  ["X-Accel-Redirect", "/protected/none", 404],
  ["X-Accel-Redirect", "relative", 502],
  ["X-Accel-Redirect", "", 502],
  ["X-Sendfile", "/etc/passwd", 502],
  ["X-Sendfile", join(dir, "private2/x"), 502],
  ["X-Sendfile", `${dir}/private/../secret.txt`, 502],
  ["X-Sendfile", join(dir, "private/out"), 404],
])("%s: %s is refused", async (name, file, status) => {
  await expect(sent([name, file])).rejects.toMatchObject({ status })
})

test("other answers go through as they are", async () => {
  const got = await sent(["X-Other", "1"])
  expect(got.text).toBe("what the app said")
})
