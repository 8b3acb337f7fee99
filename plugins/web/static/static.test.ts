/** What a client sees of files: RFC 9110 answers, sidecars, folders, single-page apps. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Handler } from "edge"
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib"
import { setUp, TestContext } from "../../../test/kit/context.ts"
import { ask, exchange, type ExchangeOptions, seen } from "../../../test/kit/exchange.ts"
import { folder } from "../../../test/kit/served.ts"
import plugin from "./plugin.ts"

const script = "console.log('hello');\n".repeat(100)
const big = Buffer.alloc(3 * 1024 * 1024, "0123456789abcdef")
let dir = ""
const old = new Date("2020-01-02T03:04:05Z")

beforeAll(() => {
  dir = folder({
    "www/index.html": "<h1>home</h1>",
    "www/a.txt": "0123456789",
    "www/empty.txt": "",
    "www/app.js": script,
    "www/app.js.br": brotliCompressSync(script),
    "www/app.js.zst": zstdCompressSync(script),
    "www/app.js.gz": gzipSync(script),
    "www/stale.css": "new",
    "www/stale.css.gz": gzipSync("old"),
    "www/big.bin": big,
    "www/pic.SVG": "<svg/>",
    "www/noext": "?",
    "www/own.foo": "foo",
    "www/feed.xml": "<a/>",
    "www/docs/index.html": "docs",
    "www/docs/sp ace & 'quote' é.txt": "x",
    "www/folder/b.txt": "b",
    "www/folder/.hidden": "h",
    "www/folder/<script>.txt": "s",
    "www/folder/javascript:alert(1)": "j",
    "www/.env": "SECRET",
    "www/.git/config": "SECRET",
    "www/.well-known/security.txt": "mail",
    "secret.txt": "SECRET",
  })
  for (const name of ["a.txt", "big.bin", "stale.css.gz"]) utimesSync(join(dir, "www", name), old, old)
})
afterAll(() => rmSync(dir, { recursive: true }))

function make(options: Record<string, unknown> = {}, root = "www"): Promise<Handler> {
  return setUp(plugin, { root, ...options }, new TestContext({ dir }))
}
const lastModified = "Thu, 02 Jan 2020 03:04:05 GMT"

describe("whole files", () => {
  test("GET, with its validators, on the wire as RFC 9112 has it", async () => {
    const got = await ask(await make(), "/a.txt")
    expect([got.status, got.text]).toEqual([200, "0123456789"])
    expect(got.headers.get("content-type")).toBe("text/plain; charset=utf-8")
    expect(got.headers.get("last-modified")).toBe(lastModified)
    expect(got.headers.get("etag")).toMatch(/^"[\w-]+"$/)
    expect(got.headers.get("accept-ranges")).toBe("bytes")
    expect(got.headers.has("vary")).toBe(false)
    const [head, body] = got.wire!.split("\r\n\r\n")
    expect(body).toBe("0123456789")
    expect(head).toStartWith("HTTP/1.1 200 OK\r\nDate: ")
    expect(head).toEndWith("\r\nContent-Length: 10")
  })

  test.each([
    ["/pic.SVG", "image/svg+xml"],
    ["/app.js", "text/javascript; charset=utf-8"],
    ["/noext", "application/octet-stream"],
    ["/own.foo", "text/x-foo"],
    ["/feed.xml", "text/xml"],
    ["/", "text/html; charset=utf-8"],
  ])("type of %s is %s", async (path, type) => {
    const handler = await make({ types: { ".foo": "text/x-foo" } })
    expect((await ask(handler, path)).headers.get("content-type")).toBe(type)
  })

  test("a large file is sent from disk, all of it", async () => {
    const handler = await make()
    const got = await ask(handler, "/big.bin")
    expect(got.wire).toBe(null)
    expect(got.body.equals(big)).toBe(true)
    const head = await ask(handler, "/big.bin", { method: "HEAD" })
    expect([head.status, head.headers.get("etag")]).toEqual([200, got.headers.get("etag")!])
  })

  test("other methods pass, or are refused", async () => {
    expect(await seen(await make(), exchange("/a.txt", { method: "POST" }))).toBe(null)
    const strict = await make({ fallthrough: false })
    await expect(ask(strict, "/a.txt", { method: "POST" })).rejects.toMatchObject({ status: 405, options: { headers: [["Allow", "GET, HEAD"]] } })
    await expect(ask(strict, "/none")).rejects.toMatchObject({ status: 404 })
    expect(await seen(await make(), exchange("/none"))).toBe(null)
  })
})

describe.each(["/a.txt", "/big.bin"])("conditions (RFC 9110 13) of %s", path => {
  async function status(headers: (etag: string) => Record<string, string>, options: ExchangeOptions = {}): Promise<number> {
    const handler = await make()
    const etag = (await ask(handler, path)).headers.get("etag")!
    try {
      // Below 2 s of age a large file's tag is weak; its form without W/ is what strong comparison is about.
      return (await ask(handler, path, { ...options, headers: headers(etag) })).status
    } catch (error) {
      return (error as { status: number }).status
    }
  }
  const later = "Fri, 01 Jan 2100 00:00:00 GMT"
  const earlier = "Wed, 01 Jan 2020 00:00:00 GMT"

  test("If-None-Match compares weakly", async () => {
    expect(await status(etag => ({ "If-None-Match": etag }))).toBe(304)
    expect(await status(etag => ({ "If-None-Match": `"x", W/${etag.replace("W/", "")}` }))).toBe(304)
    expect(await status(() => ({ "If-None-Match": "*" }))).toBe(304)
    expect(await status(() => ({ "If-None-Match": '"other"' }))).toBe(200)
    expect(await status(etag => ({ "If-None-Match": etag.replaceAll('"', "") }))).toBe(200)
    expect(await status(etag => ({ "If-None-Match": etag }), { method: "HEAD" })).toBe(304)
  })
  test("If-None-Match goes before If-Modified-Since", async () => {
    expect(await status(() => ({ "If-None-Match": '"other"', "If-Modified-Since": later }))).toBe(200)
  })
  test("If-Modified-Since", async () => {
    expect(await status(() => ({ "If-Modified-Since": lastModified }))).toBe(304)
    expect(await status(() => ({ "If-Modified-Since": later }))).toBe(304)
    expect(await status(() => ({ "If-Modified-Since": earlier }))).toBe(200)
    expect(await status(() => ({ "If-Modified-Since": "yesterday" }))).toBe(200)
    expect(await status(() => ({ "If-Modified-Since": "Thursday, 02-Jan-20 03:04:05 GMT" }))).toBe(304)
    expect(await status(() => ({ "If-Modified-Since": "Thu Jan  2 03:04:05 2020" }))).toBe(304)
  })
  test("If-Modified-Since between the file's date and its last change says nothing", async () => {
    // The file was just written with a date of 2020: somebody may have seen another one in 2021.
    expect(await status(() => ({ "If-Modified-Since": "Fri, 01 Jan 2021 00:00:00 GMT" }))).toBe(200)
  })
  test("If-Unmodified-Since and If-Match", async () => {
    expect(await status(() => ({ "If-Unmodified-Since": earlier }))).toBe(412)
    expect(await status(() => ({ "If-Unmodified-Since": lastModified }))).toBe(200)
    expect(await status(() => ({ "If-Match": '"other"' }))).toBe(412)
    expect(await status(() => ({ "If-Match": "*" }))).toBe(200)
    expect(await status(() => ({ "If-Match": "*", "If-Unmodified-Since": earlier }))).toBe(200)
    expect(await status(etag => ({ "If-Match": `W/${etag.replace("W/", "")}` }))).toBe(412)
  })
  test("a 304 has the validators and no type", async () => {
    const handler = await make()
    const etag = (await ask(handler, path)).headers.get("etag")!
    const got = await ask(handler, path, { headers: { "If-None-Match": etag } })
    expect([...got.headers]).toEqual([
      ["ETag", etag],
      ["Last-Modified", lastModified],
    ])
    expect(got.wire).not.toContain("Content-Length")
  })
})

test("If-Match holds for a strong tag", async () => {
  const handler = await make()
  const etag = (await ask(handler, "/a.txt")).headers.get("etag")!
  expect((await ask(handler, "/a.txt", { headers: { "If-Match": `"x", ${etag}` } })).status).toBe(200)
})

describe("ranges (RFC 9110 14)", () => {
  test.each([
    ["bytes=0-0", "0", "bytes 0-0/10"],
    ["bytes=2-4", "234", "bytes 2-4/10"],
    ["bytes=8-", "89", "bytes 8-9/10"],
    ["bytes=-3", "789", "bytes 7-9/10"],
    ["bytes=-99", "0123456789", "bytes 0-9/10"],
    ["bytes=5-99999999999999999999", "56789", "bytes 5-9/10"],
    ["BYTES=2-4", "234", "bytes 2-4/10"],
    ["bytes=50-60,2-4", "234", "bytes 2-4/10"],
  ])("%s", async (range, text, contentRange) => {
    const got = await ask(await make(), "/a.txt", { headers: { Range: range } })
    expect([got.status, got.text, got.headers.get("content-range")]).toEqual([206, text, contentRange])
    expect(got.headers.get("content-type")).toBe("text/plain; charset=utf-8")
    expect(got.headers.has("etag")).toBe(true)
  })

  test.each(["bytes=4-2", "bytes=a-b", "bytes=", "bytes=-", "lines=1-2", "bytes 0-1", "bytes=0-1-2", "bytes=1,2"])("%s is ignored", async range => {
    const got = await ask(await make(), "/a.txt", { headers: { Range: range } })
    expect([got.status, got.text]).toEqual([200, "0123456789"])
  })

  test.each(["bytes=10-", "bytes=-0", "bytes=99-100,200-"])("%s cannot be had", async range => {
    await expect(ask(await make(), "/a.txt", { headers: { Range: range } })).rejects.toMatchObject({
      status: 416,
      options: { headers: [["Content-Range", "bytes */10"]] },
    })
  })

  test("no range of an empty file but its last bytes (RFC 9110 14.1.2)", async () => {
    const last = await ask(await make(), "/empty.txt", { headers: { Range: "bytes=-5" } })
    expect([last.status, last.text, last.headers.has("content-range")]).toEqual([200, "", false])
    await expect(ask(await make(), "/empty.txt", { headers: { Range: "bytes=-0" } })).rejects.toMatchObject({ status: 416 })
    await expect(ask(await make(), "/empty.txt", { headers: { Range: "bytes=0-" } })).rejects.toMatchObject({ status: 416 })
    expect((await ask(await make(), "/empty.txt")).text).toBe("")
  })

  test.each([
    ["/a.txt", "0123456789"],
    ["/big.bin", big.toString()],
  ])("several of %s", async (path, content) => {
    const got = await ask(await make(), path, { headers: { Range: "bytes=0-1, 3-3,-2" } })
    expect(got.status).toBe(206)
    const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(got.headers.get("content-type")!)![1]
    const size = content.length
    const type = path === "/a.txt" ? "text/plain; charset=utf-8" : "application/octet-stream"
    const part = (from: number, to: number) =>
      `--${boundary}\r\nContent-Type: ${type}\r\nContent-Range: bytes ${from}-${to - 1}/${size}\r\n\r\n${content.slice(from, to)}\r\n`
    expect(got.text).toBe(`${part(0, 2)}${part(3, 4)}${part(size - 2, size)}--${boundary}--\r\n`)
    expect(got.headers.has("content-range")).toBe(false)
  })

  test("a piece of a large file", async () => {
    const got = await ask(await make(), "/big.bin", { headers: { Range: "bytes=1000000-2500000" } })
    expect(got.body.equals(big.subarray(1_000_000, 2_500_001))).toBe(true)
  })

  test("many or overlapping ones get the whole", async () => {
    const many = `bytes=${Array.from({ length: 17 }, () => "0-0").join(",")}`
    for (const range of [many, "bytes=0-9,0-9"]) expect((await ask(await make(), "/a.txt", { headers: { Range: range } })).status).toBe(200)
  })

  test("If-Range", async () => {
    const handler = await make()
    const etag = (await ask(handler, "/a.txt")).headers.get("etag")!
    const status = async (ifRange: string) => (await ask(handler, "/a.txt", { headers: { Range: "bytes=0-0", "If-Range": ifRange } })).status
    expect(await status(etag)).toBe(206)
    expect(await status(`W/${etag}`)).toBe(200)
    expect(await status('"other"')).toBe(200)
    expect(await status("Wed, 01 Jan 2020 00:00:00 GMT")).toBe(200)
    // Its date was set back after it was written: not a strong validator.
    expect(await status(lastModified)).toBe(200)
  })

  test("HEAD and unmet conditions come before", async () => {
    const handler = await make()
    const etag = (await ask(handler, "/a.txt")).headers.get("etag")!
    expect((await ask(handler, "/a.txt", { method: "HEAD", headers: { Range: "bytes=0-0" } })).status).toBe(200)
    expect((await ask(handler, "/a.txt", { headers: { Range: "bytes=0-0", "If-None-Match": etag } })).status).toBe(304)
  })
})

const encodingOf = async (accept: string | undefined, options: Record<string, unknown> = {}, path = "/app.js") => {
  const handler = await make({ precompressed: true, ...options })
  const got = await ask(handler, path, accept === undefined ? {} : { headers: { "Accept-Encoding": accept } })
  return got.headers.get("content-encoding")
}

describe("precompressed", () => {
  test.each([
    [undefined, null],
    ["", null],
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["gzip, deflate, br, zstd", "br"],
    ["br;q=0.5, gzip;q=0.8", "gzip"],
    ["br;q=0, *", "zstd"],
    ["br;q=0, zstd;q=0, gzip;q=0", null],
    ["identity, br;q=0.2", null],
    ["*", "br"],
    ["deflate", null],
    ["GZIP", "gzip"],
  ])("Accept-Encoding %p gets %p", async (accept, want) => {
    expect(await encodingOf(accept)).toBe(want)
  })

  test("has a tag of its own and varies, 304 too", async () => {
    const handler = await make({ precompressed: true })
    const plain = await ask(handler, "/app.js")
    const br = await ask(handler, "/app.js", { headers: { "Accept-Encoding": "br" } })
    expect(br.body.equals(brotliCompressSync(script))).toBe(true)
    expect(br.headers.get("content-type")).toBe("text/javascript; charset=utf-8")
    expect([plain.headers.get("vary"), br.headers.get("vary")]).toEqual(["Accept-Encoding", "Accept-Encoding"])
    const etag = br.headers.get("etag")!
    expect(etag).not.toBe(plain.headers.get("etag")!)
    const again = await ask(handler, "/app.js", { headers: { "Accept-Encoding": "br", "If-None-Match": etag } })
    expect([again.status, again.headers.get("etag"), again.headers.get("vary")]).toEqual([304, etag, "Accept-Encoding"])
    expect((await ask(handler, "/app.js", { headers: { "If-None-Match": etag } })).status).toBe(200)
    const range = await ask(handler, "/app.js", { headers: { "Accept-Encoding": "br", Range: "bytes=0-3" } })
    expect([range.status, range.headers.get("content-encoding"), range.body.length]).toEqual([206, "br", 4])
  })

  test("a list is the order; a sidecar of an earlier version is not used; off by default", async () => {
    expect(await encodingOf("br, gzip, zstd", { precompressed: ["gzip", "br"] })).toBe("gzip")
    expect(await encodingOf("gzip", {}, "/stale.css")).toBe(null)
    expect(await encodingOf("br", { precompressed: false })).toBe(null)
  })
})

describe("folders", () => {
  test("index, and a redirect to the slash", async () => {
    const handler = await make()
    expect((await ask(handler, "/docs/")).text).toBe("docs")
    const got = await ask(handler, "/docs?x=1")
    expect([got.status, got.headers.get("location")]).toEqual([301, "/docs/?x=1"])
    expect(await seen(handler, exchange("/folder"))).toBe(null)
    expect(await seen(handler, exchange("/folder/"))).toBe(null)
    expect(await seen(handler, exchange("/a.txt/"))).toBe(null)
  })

  test("the first index that is there", async () => {
    expect((await ask(await make({ index: ["none.html", "a.txt", "index.html"] }), "/")).text).toBe("0123456789")
  })

  test("a listing has what may be had, escaped", async () => {
    const handler = await make({ browse: true })
    expect((await ask(handler, "/folder")).headers.get("location")).toBe("/folder/")
    const got = await ask(handler, "/folder/")
    expect(got.headers.get("content-type")).toBe("text/html; charset=utf-8")
    expect(got.text).toContain('<a href="./b.txt">b.txt</a>')
    expect(got.text).toContain('<a href="./%3Cscript%3E.txt">&lt;script&gt;.txt</a>')
    expect(got.text).toContain('<a href="./javascript%3Aalert(1)">')
    expect(got.text).not.toContain("<script")
    expect(got.text).not.toContain(".hidden")
    expect((await ask(handler, "/docs/")).text).toBe("docs")
  })

  test("a listing is read once a second, by one reader for all", async () => {
    const root = folder({ "x/a": "" })
    const handler = await setUp(plugin, { root, browse: true }, new TestContext({ dir: root }))
    const at = (startMs: number) => ask(handler, "/x/", { startMs })
    await Promise.all([at(0), at(0), at(1)])
    writeFileSync(join(root, "x/new"), "")
    expect((await at(999)).text).not.toContain("new")
    expect((await at(1000)).text).toContain("new")
    rmSync(root, { recursive: true })
  })
})

describe("single-page apps", () => {
  test("page views get the page, missing files do not", async () => {
    const handler = await make({ spa: true })
    const page = await ask(handler, "/users/7", { headers: { Accept: "text/html,*/*" } })
    expect([page.status, page.text]).toEqual([200, "<h1>home</h1>"])
    expect((await ask(handler, "/users/7")).text).toBe("<h1>home</h1>")
    expect((await ask(handler, "/v1.2/x", { headers: { Accept: "text/html" } })).text).toBe("<h1>home</h1>")
    expect(await seen(handler, exchange("/missing.js"))).toBe(null)
    expect((await ask(handler, "/a.txt")).text).toBe("0123456789")
    expect((await ask(await make({ spa: "docs/index.html" }), "/x")).text).toBe("docs")
  })
})

describe("what must not be served", () => {
  test.each([
    "/.env",
    "/.git/config",
    "/.well-known/../.env",
    "/docs/.env",
    "/folder/.hidden",
    "/%2e%65nv",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/docs/..%2f..%2f..%2fsecret.txt",
    "/..%5csecret.txt",
    "/%5c..%5csecret.txt",
    "/static../secret.txt",
    "/a.txt%2f",
    "/a.txt%20",
    "/a.txt.",
    "/A.TXT",
    "/a.txt;x",
    "/a.txt::$DATA",
    `/${"x".repeat(300)}`,
    `/${"x/".repeat(3000)}`,
  ])("%s", async path => {
    expect(await seen(await make(), exchange(path))).toBe(null)
  })

  test(".well-known is, and hidden files where the config says so", async () => {
    expect((await ask(await make(), "/.well-known/security.txt")).text).toBe("mail")
    expect((await ask(await make({ hidden: true }), "/.env")).text).toBe("SECRET")
  })

  test("a part of the path that begins like the route is not taken off it", async () => {
    const x = exchange("/static/a.txt")
    x.restAt = "/static".length
    expect((await seen(await make(), x))!.text).toBe("0123456789")
  })

  test("devices, pipes and folders are no files", async () => {
    const root = folder({ "x/y": "" })
    Bun.spawnSync(["mkfifo", join(root, "pipe")])
    const handler = await setUp(plugin, { root }, new TestContext({ dir: root }))
    for (const path of ["/pipe", "/x", "/x/"]) expect(await seen(handler, exchange(path))).toBe(null)
    rmSync(root, { recursive: true })
  })
})

const served = async (handler: Handler, paths: string[]) => {
  const found = await Promise.all(paths.map(async path => [path, await seen(handler, exchange(path))] as const))
  return found.filter(([, got]) => got?.status === 200).map(([path]) => path)
}

describe("symbolic links", () => {
  let root = ""
  beforeAll(() => {
    root = folder({ "www/real.txt": "real", "www/sub/x.txt": "x", "www/.git/config": "SECRET", "secret.txt": "SECRET", "other/o.txt": "SECRET", "www2/s.txt": "SECRET" })
    const link = (to: string, at: string) => symlinkSync(to, join(root, "www", at))
    link("real.txt", "in.txt")
    link("../secret.txt", "out.txt")
    link(join(root, "secret.txt"), "absolute.txt")
    link("../other", "outdir")
    link("../www2/s.txt", "prefix.txt")
    link("sub", "indir")
    link(".git", "pages")
    link("loop", "loop")
    link("in.txt", "twice.txt")
    link("nowhere", "dangling")
    symlinkSync("www", join(root, "current"))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  const at = (options: Record<string, unknown>, name = "www") => setUp(plugin, { root: name, ...options }, new TestContext({ dir: root }))
  const all = ["/real.txt", "/in.txt", "/twice.txt", "/indir/x.txt", "/out.txt", "/absolute.txt", "/outdir/o.txt", "/prefix.txt", "/pages/config", "/loop", "/dangling"]

  test("inside: those that stay in root and lead to nothing hidden", async () => {
    expect(await served(await at({}), all)).toEqual(["/real.txt", "/in.txt", "/twice.txt", "/indir/x.txt"])
  })
  test("root itself may be one, and may be moved", async () => {
    const handler = await at({ cache: false }, "current")
    expect(await served(handler, all)).toEqual(["/real.txt", "/in.txt", "/twice.txt", "/indir/x.txt"])
    rmSync(join(root, "current"))
    symlinkSync("other", join(root, "current"))
    expect(await served(handler, ["/o.txt"])).toEqual(["/o.txt"])
    rmSync(join(root, "current"))
    symlinkSync("www", join(root, "current"))
  })
  test("none", async () => {
    expect(await served(await at({ symlinks: "none" }), all)).toEqual(["/real.txt"])
  })
  test("all", async () => {
    expect(await served(await at({ symlinks: "all" }), all)).toEqual(all.filter(path => path !== "/loop" && path !== "/dangling"))
  })
  test("a listing does not name what leads out", async () => {
    const handler = await at({ browse: true })
    const { text } = await ask(handler, "/")
    expect(text).toContain("real.txt")
    expect(text).toContain("in.txt")
    for (const name of ["out.txt", "absolute", "outdir", "prefix", "pages", "dangling"]) expect(text).not.toContain(name)
    expect(await seen(handler, exchange("/outdir/"))).toBe(null)
    expect((await ask(handler, "/indir/")).text).toContain("x.txt")
  })
})

test("no folder is a warning at start, and everything passes", async () => {
  const ctx = new TestContext({ dir })
  const handler = await setUp(plugin, { root: "nowhere" }, ctx)
  await ctx.start()
  expect(ctx.lines.map(line => line.level)).toEqual(["warn"])
  expect(await seen(handler, exchange("/x"))).toBe(null)
  mkdirSync(join(dir, "nowhere"))
  writeFileSync(join(dir, "nowhere/y"), "y")
  expect((await ask(handler, "/y")).text).toBe("y")
})
