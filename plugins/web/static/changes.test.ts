/** Files that change while they are served. Time is handed in by the exchange, so nothing here waits. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { appendFileSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import type { Handler } from "edge"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask, exchange, seen } from "../../../test/kit/exchange.ts"
import { folder } from "../../../test/kit/served.ts"
import { FileCache } from "./file-cache.ts"
import type { CachedFile } from "./files.ts"
import { NegativeCache } from "./negative-cache.ts"
import plugin from "./plugin.ts"

let dir = ""
let now = 1000
let handler: Handler
beforeEach(async () => {
  dir = folder({ "a.txt": "first", "index.htm": "htm", "big.bin": Buffer.alloc(2_000_000, "a") })
  now = 1000
  handler = await setUp(plugin, { root: ".", index: ["index.html", "index.htm"], precompressed: true }, new TestContext({ dir }))
})
afterEach(() => rmSync(dir, { recursive: true }))

const get = (path: string, headers: Record<string, string> = {}) => ask(handler, path, { startMs: now, headers })
const path = (name: string) => join(dir, name)
/** A file that was not touched for a while, so that its times can be trusted. */
function settle(name: string): Date {
  const { mtime } = statSync(path(name))
  Bun.sleepSync(60)
  return mtime
}

describe("within a second from memory, then as it is on disk", () => {
  test("rewritten", async () => {
    settle("a.txt")
    const before = await get("/a.txt")
    writeFileSync(path("a.txt"), "other")
    now += 900
    expect((await get("/a.txt")).text).toBe("first")
    now += 100
    const after = await get("/a.txt", { "If-None-Match": before.headers.get("etag")! })
    expect([after.status, after.text]).toEqual([200, "other"])
    expect(after.headers.get("etag")).not.toBe(before.headers.get("etag"))
  })

  test("replaced by rename, with the same size and the same date", async () => {
    const mtime = settle("a.txt")
    const before = await get("/a.txt")
    writeFileSync(path("b.txt"), "again")
    utimesSync(path("b.txt"), mtime, mtime)
    renameSync(path("b.txt"), path("a.txt"))
    now += 1000
    const after = await get("/a.txt", { "If-None-Match": before.headers.get("etag")! })
    expect([after.status, after.text]).toEqual([200, "again"])
  })

  test("changed in place, with the same size, and its date set back", async () => {
    const mtime = settle("a.txt")
    await get("/a.txt")
    writeFileSync(path("a.txt"), "FIRST")
    utimesSync(path("a.txt"), mtime, mtime)
    now += 1000
    expect((await get("/a.txt")).text).toBe("FIRST")
  })

  test("truncated, and longer", async () => {
    settle("a.txt")
    await get("/a.txt")
    truncateSync(path("a.txt"), 2)
    now += 1000
    expect((await get("/a.txt")).text).toBe("fi")
    appendFileSync(path("a.txt"), "ve hundred")
    now += 1000
    expect((await get("/a.txt")).text).toBe("five hundred")
  })

  test("removed, and there again", async () => {
    settle("a.txt")
    await get("/a.txt")
    rmSync(path("a.txt"))
    now += 1000
    expect(await seen(handler, exchange("/a.txt", { startMs: now }))).toBe(null)
    writeFileSync(path("a.txt"), "back")
    now += 1000
    expect((await get("/a.txt")).text).toBe("back")
  })

  test("a file becomes a folder", async () => {
    settle("a.txt")
    await get("/a.txt")
    rmSync(path("a.txt"))
    mkdirSync(path("a.txt"))
    writeFileSync(path("a.txt/index.htm"), "inside")
    now += 1000
    expect((await get("/a.txt")).status).toBe(301)
    expect((await get("/a.txt/")).text).toBe("inside")
  })

  test("a better index, and a sidecar, that come later", async () => {
    settle("index.htm")
    expect((await get("/")).text).toBe("htm")
    writeFileSync(path("index.html"), "html")
    now += 1000
    expect((await get("/")).text).toBe("html")
    writeFileSync(path("index.html.gz"), gzipSync("html"))
    now += 1000
    expect((await get("/", { "Accept-Encoding": "gzip" })).headers.get("content-encoding")).toBe("gzip")
    rmSync(path("index.html.gz"))
    now += 1000
    expect((await get("/", { "Accept-Encoding": "gzip" })).text).toBe("html")
  })

  test("a file and its sidecar: the old bytes of one never with the new of the other", async () => {
    writeFileSync(path("a.txt.gz"), gzipSync("first"))
    settle("a.txt.gz")
    expect((await get("/a.txt", { "Accept-Encoding": "gzip" })).headers.get("content-encoding")).toBe("gzip")
    writeFileSync(path("a.txt"), "second")
    const past = new Date(Date.now() - 10_000)
    utimesSync(path("a.txt.gz"), past, past)
    now += 1000
    const got = await get("/a.txt", { "Accept-Encoding": "gzip" })
    expect([got.headers.get("content-encoding"), got.text]).toEqual([null, "second"])
  })
})

test("two changes within one tick of the kernel's clock are both seen", async () => {
  // Times cannot tell them apart: a file that was just written is read again at the next look.
  for (let i = 0; i < 50; i++) {
    writeFileSync(path("a.txt"), `v${i % 10}`)
    expect((await get("/a.txt")).text).toBe(`v${i % 10}`)
    now += 1000
  }
})

test("a large file that is replaced is never half of each", async () => {
  const before = await ask(handler, "/big.bin", { startMs: now })
  writeFileSync(path("new.bin"), Buffer.alloc(2_000_000, "b"))
  renameSync(path("new.bin"), path("big.bin"))
  // Not even within the second: it is opened anew for each answer.
  const after = await ask(handler, "/big.bin", { startMs: now })
  expect(before.body.equals(Buffer.alloc(2_000_000, "a"))).toBe(true)
  expect(after.body.equals(Buffer.alloc(2_000_000, "b"))).toBe(true)
  expect(after.headers.get("etag")).not.toBe(before.headers.get("etag"))
})

test("a missing path is looked for once a second", async () => {
  expect(await seen(handler, exchange("/new.txt", { startMs: now }))).toBe(null)
  writeFileSync(path("new.txt"), "new")
  now += 900
  expect(await seen(handler, exchange("/new.txt", { startMs: now }))).toBe(null)
  now += 100
  expect((await get("/new.txt")).text).toBe("new")
})

const entry = (bytes: number) => ({ bytes, used: false }) as CachedFile

test("more files than memory: all are answered, the used ones stay, the bounds hold", () => {
  const cache = new FileCache({ bytes: 100_000, files: 50 })
  cache.set("/hot", entry(1000))
  for (let i = 0; i < 1000; i++) {
    cache.set(`/f${i}`, entry(i % 7 === 0 ? 9000 : 100))
    cache.get("/hot")
    expect(cache.bytes).toBeLessThanOrEqual(100_000)
    expect(cache.size).toBeLessThanOrEqual(50)
  }
  expect(cache.get("/hot")).toBeDefined()
  expect(cache.get("/f0")).toBeUndefined()
  expect(cache.get("/f999")).toBeDefined()
  cache.set("/huge", entry(200_000))
  expect(cache.get("/huge")).toBeUndefined()
  cache.set("/f999", entry(100))
  for (const name of ["/hot", ...Array.from({ length: 1000 }, (_, i) => `/f${i}`)]) cache.delete(name)
  expect([cache.size, cache.bytes]).toEqual([0, 0])
})

test("made-up paths are forgotten in bulk", () => {
  const missing = new NegativeCache({ ttlMs: 1000, entries: 10 })
  for (let i = 0; i < 25; i++) missing.add(`/${i}`, 0)
  expect([missing.has("/24", 0), missing.has("/10", 0), missing.has("/9", 0)]).toEqual([true, true, false])
  expect(missing.has("/24", 1000)).toBe(false)
  missing.add(`/${"x".repeat(300)}`, 0)
  expect(missing.has(`/${"x".repeat(300)}`, 0)).toBe(false)
})
