/** What is kept, under which name, and how it is served: nothing that a visitor uploads runs as the site. */
import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import { Hono } from "hono"
import { isKey, makeKey } from "./keys.ts"
import { LocalFiles } from "./local.ts"
import { lookAtPicture } from "./picture.ts"
import { S3Files } from "./s3.ts"
import { serveFile } from "./serve.ts"
import { sniff } from "./sniff.ts"
import { png } from "../testdata/png.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-files-"))
afterAll(() => rmSync(dir, { recursive: true }))
const storage = new LocalFiles({ dir: join(dir, "media") })
const app = new Hono().get("/media/*", async c => (await serveFile(c, storage, c.req.path.slice(7))) ?? c.notFound())
const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers })
const bytes = (text: string) => Buffer.from(text, "latin1")

describe("what the bytes show", () => {
  const cases: [bytes: Uint8Array, name: string, type: string][] = [
    [png(3, 2), "x.html", "image/png"],
    [bytes("\xff\xd8\xff\xe0rest"), "x.png", "image/jpeg"],
    [bytes("GIF89a<script>alert(1)</script>"), "x.html", "image/gif"],
    [bytes("<!DOCTYPE html><script>alert(1)</script>"), "photo.png", "text/html"],
    [bytes("  \n<!-- x --><ScRiPt>alert(1)</ScRiPt>"), "x.txt", "text/html"],
    [bytes("\xef\xbb\xbf<html>"), "x.txt", "text/html"],
    [bytes('<?xml version="1.0"?><!DOCTYPE svg><svg onload="alert(1)">'), "x.jpg", "image/svg+xml"],
    [bytes("<svg\nonload=alert(1)>"), "x.png", "image/svg+xml"],
    [bytes('<?xml version="1.0"?><x:script xmlns:x="http://www.w3.org/1999/xhtml">'), "x.txt", "application/xml"],
    [bytes("\xff\xfe<\0h\0t\0m\0l\0>\0"), "x.txt", "application/octet-stream"],
    [bytes("%PDF-1.7"), "x", "application/pdf"],
    [bytes("PK\x03\x04...."), "x.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
    [bytes("PK\x03\x04...."), "x.exe", "application/zip"],
    [bytes("a;b\n1;2\n"), "x.csv", "text/csv"],
    [bytes("just words"), "x.html", "text/plain"],
    [Buffer.from("zażółć gęślą"), "x.txt", "text/plain"],
    [bytes("\0\x01\x02"), "x.png", "application/octet-stream"],
    [bytes("\xc3\x28"), "x.txt", "application/octet-stream"],
    [bytes("\0\0\0\x20ftypavif"), "x", "image/avif"],
    [bytes("\0\0\0\x20ftypisom"), "x", "video/mp4"],
    [bytes(""), "x.html", "text/plain"],
  ]
  test.each(cases)("%p called %s is %s", (data, name, type) => {
    expect(sniff(data, name)).toBe(type)
  })
})

describe("names", () => {
  test("come from the bytes and a random part, whatever the client says", () => {
    for (const name of ["../../etc/passwd", "x.php\0.png", "C:\\x\\y.exe", "a/b/../c.html", "\u202egnp.exe", "....", "", "é".repeat(500), "con", '"><script>']) {
      const key = makeKey("image/png", name)
      expect(key).toMatch(/^\d{4}\/\d{2}\/[a-z0-9-]{1,80}\.png$/)
      expect(isKey(key)).toBe(true)
    }
    expect(makeKey("text/html", "Holiday Photo.JPG")).toMatch(/\/holiday-photo-[a-z0-9]{12}\.html$/)
    expect(makeKey("image/png", "a")).not.toBe(makeKey("image/png", "a"))
  })

  test("what is no key is not looked for", async () => {
    for (const key of ["../secret.txt", "2026/11/../../x.png", "2026/11/x.png/..", "/etc/passwd", ".uploads/x", "2026/11/X.png", "2026/11/.x.png", ""]) {
      expect(isKey(key)).toBe(false)
      expect(await storage.open(key)).toBeNull()
      await storage.delete(key)
    }
  })
})

describe("serving", () => {
  test("pictures are shown; HTML, SVG and XML are downloads that cannot run", async () => {
    const active = { html: "<!doctype html><script>alert(1)</script>", svg: "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", xml: "<?xml version='1.0'?><x/>" }
    for (const [ending, text] of Object.entries(active)) {
      const key = await storage.put(Buffer.from(text), { name: "holiday.png" })
      expect(key).toEndWith(`.${ending}`)
      const { status, headers } = await get(storage.url(key))
      expect([status, headers.get("content-type"), headers.get("x-content-type-options")]).toEqual([200, "application/octet-stream", "nosniff"])
      expect(headers.get("content-disposition")).toStartWith("attachment; filename=")
      expect(headers.get("content-security-policy")).toContain("sandbox")
    }
    const key = await storage.put(png(3, 2), { name: "x.svg" })
    const { headers } = await get(storage.url(key))
    expect([headers.get("content-type"), headers.get("content-disposition")]).toEqual(["image/png", "inline"])
    expect(headers.get("content-security-policy")).toContain("default-src 'none'")
  })

  test("ranges, 304, 404", async () => {
    const key = await storage.put(Buffer.from("0123456789"), { name: "x.txt" })
    const url = storage.url(key)
    const whole = await get(url)
    const etag = whole.headers.get("etag")!
    expect([await whole.text(), whole.headers.get("accept-ranges"), whole.headers.get("content-type")]).toEqual(["0123456789", "bytes", "text/plain; charset=utf-8"])
    const ranges: [string, number, string, string | null][] = [
      ["bytes=2-4", 206, "234", "bytes 2-4/10"],
      ["bytes=7-", 206, "789", "bytes 7-9/10"],
      ["bytes=-3", 206, "789", "bytes 7-9/10"],
      ["bytes=5-100", 206, "56789", "bytes 5-9/10"],
      ["bytes=10-", 416, "", "bytes */10"],
      ["bytes=-0", 416, "", "bytes */10"],
      ["bytes=4-2", 200, "0123456789", null],
      ["bytes=0-1,3-4", 200, "0123456789", null],
      ["lines=1-2", 200, "0123456789", null],
      ["bytes=-", 200, "0123456789", null],
    ]
    for (const [range, status, text, contentRange] of ranges) {
      const answer = await get(url, { range })
      expect([range, answer.status, await answer.text(), answer.headers.get("content-range")]).toEqual([range, status, text, contentRange])
    }
    expect((await get(url, { range: "bytes=2-4", "if-range": etag })).status).toBe(206)
    expect((await get(url, { range: "bytes=2-4", "if-range": '"other"' })).status).toBe(200)
    expect((await get(url, { "if-none-match": `"x", ${etag}` })).status).toBe(304)
    expect((await get(url, { "if-modified-since": whole.headers.get("last-modified")! })).status).toBe(304)
    expect((await get(url, { "if-none-match": '"x"', "if-modified-since": whole.headers.get("last-modified")! })).status).toBe(200)
    await storage.delete(key)
    expect((await get(url)).status).toBe(404)
    for (const path of ["/media/", "/media/.uploads/x", "/media/..%2f..%2fetc%2fpasswd", "/media/w320/../../x"]) expect((await get(path)).status).toBe(404)
  })

  test("small pictures are made once, in few widths, and go with the picture", async () => {
    const key = await storage.put(png(2000, 1000), { name: "wide.png" })
    const url = storage.url(key, { width: 300 })
    expect(url).toBe(`/media/w320/${key}`)
    const answers = await Promise.all([get(url), get(url), get(url)])
    const made = new Uint8Array(await answers[0]!.arrayBuffer())
    expect(answers.map(answer => answer.headers.get("content-type"))).toEqual(["image/webp", "image/webp", "image/webp"])
    expect(await new Bun.Image(made).metadata()).toEqual({ width: 320, height: 160, format: "webp" })
    const cached = join(dir, "media", ".thumbnails", "w320", `${key}.webp`)
    expect(existsSync(cached)).toBe(true)
    // Any other width gives the picture itself, and leaves nothing on the disk.
    expect((await get(`/media/w321/${key}`)).headers.get("content-type")).toBe("image/png")
    expect(readdirSync(join(dir, "media", ".thumbnails"))).toEqual(["w320"])
    await storage.delete(key)
    expect(existsSync(cached)).toBe(false)
  })

  test("what only says that it is a picture is served whole when a small one is asked for", async () => {
    const key = await storage.put(bytes("\x89PNG\r\n\x1a\nnothing"), { name: "x.png" })
    expect((await get(storage.url(key, { width: 80 }))).headers.get("content-length")).toBe("15")
  })
})

describe("image bombs", () => {
  test("a small file that claims many pixels is refused before it is decoded", async () => {
    const path = join(dir, "bomb.png")
    const bomb = png(60_000, 60_000, Buffer.from(deflateSync(Buffer.alloc(100_000))))
    await Bun.write(path, bomb)
    expect(bomb.byteLength).toBeLessThan(2000)
    const before = process.memoryUsage().rss
    expect(await lookAtPicture(path)).toBe("tooManyPixels")
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000)
  })

  test("small pictures of several large ones are made one after the other: memory is that of one", async () => {
    const large = mkdtempSync(join(dir, "large-"))
    const three = await Promise.all([1, 2, 3].map(() => new LocalFiles({ dir: large }).put(png(7000, 7000), { name: "x.png" })))
    // A process of its own: memory that was had once is not given back.
    const script = `
      import { LocalFiles } from ${JSON.stringify(join(import.meta.dir, "local.ts"))}
      import { thumbnail } from ${JSON.stringify(join(import.meta.dir, "thumbnails.ts"))}
      const files = new LocalFiles({ dir: ${JSON.stringify(large)} })
      const made = await Promise.all(${JSON.stringify(three)}.map(key => thumbnail(files, key, 320)))
      const peak = /^VmHWM:\\s+(\\d+) kB/m.exec(await Bun.file("/proc/self/status").text())[1]
      console.log(JSON.stringify([made.map(file => file.size > 0), Number(peak) * 1024]))`
    const child = Bun.spawn([process.execPath, "-e", script], { cwd: import.meta.dir, stdout: "pipe", stderr: "pipe" })
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect(err).toBe("")
    const [made, peak] = JSON.parse(out) as [boolean[], number]
    expect(made).toEqual([true, true, true])
    // One is 196 MB decoded.
    expect(peak).toBeLessThan(370_000_000)
  }, 60_000)

  test("what is no picture, or is cut off, is none", async () => {
    for (const data of [bytes("\x89PNG\r\n\x1a\n"), bytes("GIF89a"), bytes("hello"), bytes("")]) {
      const path = join(dir, "broken")
      await Bun.write(path, data)
      expect(await lookAtPicture(path)).toBe("notImage")
    }
    await Bun.write(join(dir, "fine"), png(30, 20))
    expect(await lookAtPicture(join(dir, "fine"))).toEqual({ width: 30, height: 20 })
  })
})

describe("S3", () => {
  test("put, open in parts, delete, links", async () => {
    const kept = new Map<string, { body: Uint8Array; type: string }>()
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { pathname, searchParams } = new URL(request.url)
        const have = kept.get(pathname)
        if (request.method === "PUT") {
          kept.set(pathname, { body: await request.bytes(), type: request.headers.get("content-type") ?? "" })
          return new Response(null, { headers: { etag: '"x"' } })
        }
        if (have === undefined) return new Response("<Error><Code>NoSuchKey</Code><Message>none</Message></Error>", { status: 404 })
        if (request.method === "DELETE") return new Response(null, { status: kept.delete(pathname) ? 204 : 404 })
        const headers = { "last-modified": new Date(0).toUTCString(), etag: '"x"', "content-type": have.type }
        if (request.method === "HEAD") return new Response(null, { headers: { ...headers, "content-length": String(have.body.length) } })
        const range = /bytes=(\d+)-(\d+)/.exec(request.headers.get("range") ?? "")
        if (searchParams.has("X-Amz-Signature") || range === null) return new Response(have.body as never, { headers })
        return new Response(have.body.slice(Number(range[1]), Number(range[2]) + 1) as never, { status: 206, headers })
      },
    })
    try {
      const options = { endpoint: `http://127.0.0.1:${server.port}`, bucket: "b", accessKeyId: "a", secretAccessKey: "s", prefix: "uploads" }
      const bucket = new S3Files(options)
      const key = await bucket.put(png(3, 2), { name: "Photo.html" })
      expect(key).toMatch(/^\d{4}\/\d{2}\/photo-[a-z0-9]{12}\.png$/)
      expect([...kept]).toMatchObject([[`/b/uploads/${key}`, { type: "image/png" }]])
      const file = (await bucket.open(key))!
      expect([file.size, file.type, file.modified]).toEqual([png(3, 2).length, "image/png", new Date(0)])
      expect(await file.slice(1, 4).text()).toBe("PNG")
      expect(await (await fetch(bucket.url(key))).bytes()).toEqual(new Uint8Array(png(3, 2)))
      expect(new S3Files({ ...options, publicUrl: "https://cdn.example.com/" }).url(key)).toBe(`https://cdn.example.com/uploads/${key}`)
      const page = await bucket.put(Buffer.from("<html>"), {})
      expect(kept.get(`/b/uploads/${page}`)!.type).toBe("application/octet-stream")
      await bucket.delete(key)
      expect(await bucket.open(key)).toBeNull()
    } finally {
      await server.stop(true)
    }
  })
})
