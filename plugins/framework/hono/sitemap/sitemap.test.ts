/** Sitemaps against the protocol: one file, many files, what is in them, and how they are served. */
import { afterAll, afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeWith } from "../../../../test/kit/needs.ts"
import { App } from "../app-module.ts"
import { ne } from "../db/compare.ts"
import { Database } from "../db/database.ts"
import { datetime, image, text } from "../db/fields.ts"
import { createTables } from "../db/migrate/create.ts"
import { model } from "../db/model.ts"
import { faultsOf, HOSTILE } from "../testdata/validate.ts"
import { indexXml } from "./build.ts"
import type { SitemapUrl } from "./url.ts"
import type { Section } from "./section.ts"
import type { SitemapSettings } from "./sitemap.ts"

const Post = model("post", { title: text(), cover: image({ optional: true }), publishedAt: datetime({ optional: true }) }, {
  url: row => `/posts/${row.id}/${encodeURIComponent(row.title.toWellFormed())}`,
  scopes: { published: q => q.where({ publishedAt: ne(null) }) },
})

const warned: string[] = []
const log = { debug() {}, info() {}, warn: (text: string) => void warned.push(text), error() {}, with: () => log }
const dir = mkdtempSync(join(tmpdir(), "edge-sitemap-test-"))
afterAll(() => rmSync(dir, { recursive: true }))
const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const f of undo.splice(0)) await f()
  warned.length = 0
})

async function started(sections: Record<string, Section>, settings?: SitemapSettings & { url?: string }): Promise<App> {
  const app = new App({ models: [Post], url: settings?.url ?? "https://site.example" })
  app.sitemap("/sitemap.xml", sections, settings).robots({ disallow: ["/admin"] })
  const database = new Database("sqlite::memory:")
  await createTables(database, app.models)
  await app.boot({ dir, name: "site", env: { SECRET_KEY: "only-for-tests-0123456789" }, dev: false, log, database })
  undo.push(() => app.shutdown())
  return app
}

const locs = (xml: string) => [...xml.matchAll(/<loc>([^<]*)<\/loc>/g)].map(match => match[1])
const numbered = (n: number, prefix = "/p/") => Array.from({ length: n }, (_, i) => `${prefix}${i}`)

describeWith(["xmllint"], "valid", () => {
  test("the validator finds faults", async () => {
    expect(await faultsOf("sitemap", '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>x</loc></url></urlset>')).not.toBe("")
    expect(await faultsOf("sitemap", '<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"/>')).not.toBe("")
  })

  test("every piece, with hostile texts", async () => {
    const pages: SitemapUrl[] = HOSTILE.map((words, i) => ({
      url: `/x/${words}?a=1&b=2`,
      lastModified: new Date(Date.UTC(2026, 0, i + 1)),
      changes: "daily",
      priority: i,
      alternates: { en: `/en/${words}`, "pt-BR": "/pt", "x-default": "/", "<bad>": "/bad", pl: "javascript:alert(1)" },
      images: [`/i/${words}.png`, "https://cdn.example/x.png", "javascript:alert(1)"],
    }))
    const app = await started({ pages })
    const xml = await (await app.request("/sitemap.xml")).text()
    expect(await faultsOf("sitemap", xml)).toBe("")
    expect(locs(xml)).toHaveLength(HOSTILE.length)
    expect(xml).toContain('<xhtml:link rel="alternate" hreflang="pt-BR" href="https://site.example/pt"/>')
    expect(xml).toContain("<image:image><image:loc>https://cdn.example/x.png</image:loc></image:image>")
    expect(xml).not.toMatch(/javascript|bad/)
  })

  test("rows of a model, with their pictures; those of a query only", async () => {
    const app = await started({ posts: Post.published, pages: ["/", "/about"] })
    await app.run(() => Post.createMany(HOSTILE.map(words => words.replaceAll("\0", "").toWellFormed()).map(title => ({ title, cover: "2026/11/a-b.png", publishedAt: new Date(Date.UTC(2026, 1, 2)) }))))
    await app.run(() => Post.create({ title: "Draft" }))
    const answer = await app.request("/sitemap.xml")
    const xml = await answer.text()
    expect(await faultsOf("sitemap", xml)).toBe("")
    expect(locs(xml)).toHaveLength(HOSTILE.length + 2)
    expect(xml).not.toContain("Draft")
    expect(xml).toContain("<lastmod>2026-02-02T00:00:00.000Z</lastmod><image:image><image:loc>https://site.example/media/2026/11/a-b.png</image:loc>")
    expect(answer.headers.get("last-modified")).toBe("Mon, 02 Feb 2026 00:00:00 GMT")
  })

  test("an empty site, an empty section", async () => {
    const app = await started({ posts: Post.published, pages: [] })
    expect(await faultsOf("sitemap", await (await app.request("/sitemap.xml")).text())).toBe("")
  })

  test("100,000 addresses: an index, files of at most 50,000 for each section, all served", async () => {
    const sections = { pages: numbered(30_000), posts: { items: () => numbered(70_000).values(), page: (path: string) => ({ url: path, lastModified: new Date(86_400_000) }) } }
    const app = await started(sections)
    const index = await (await app.request("/sitemap.xml")).text()
    expect(await faultsOf("sitemap", index)).toBe("")
    expect(locs(index)).toEqual(["https://site.example/sitemap-pages-1.xml", "https://site.example/sitemap-posts-1.xml", "https://site.example/sitemap-posts-2.xml"])
    expect(index).toContain("<loc>https://site.example/sitemap-posts-2.xml</loc><lastmod>1970-01-02T00:00:00.000Z</lastmod>")
    const counts: number[] = []
    for (const loc of locs(index)) {
      const xml = await (await app.request(loc!)).text()
      expect(await faultsOf("sitemap", xml)).toBe("")
      counts.push(locs(xml).length)
    }
    expect(counts).toEqual([30_000, 50_000, 20_000])
    for (const none of ["/sitemap-posts-3.xml", "/sitemap-pages-0.xml", "/sitemap-x-1.xml", "/sitemap-posts-1.xmlx", "/sitemap-.xml"]) expect((await app.request(none)).status).toBe(404)
  }, 60_000)

  test("exactly 50,000 are one file, one more is an index", async () => {
    expect(locs(await (await (await started({ a: numbered(50_000) })).request("/sitemap.xml")).text())).toHaveLength(50_000)
    expect(locs(await (await (await started({ a: numbered(50_001) })).request("/sitemap.xml")).text())).toHaveLength(2)
  }, 60_000)

  test("files are split by their size too", async () => {
    const app = await started({ a: numbered(1000) }, { limits: { bytes: 10_000 } })
    const index = await (await app.request("/sitemap.xml")).text()
    expect(locs(index).length).toBeGreaterThan(3)
    let all = 0
    for (const loc of locs(index)) {
      const xml = await (await app.request(loc!)).text()
      expect(xml.length).toBeLessThanOrEqual(10_000)
      expect(await faultsOf("sitemap", xml)).toBe("")
      all += locs(xml).length
    }
    expect(all).toBe(1000)
  })
})

describe("served", () => {
  test("compressed for who takes it, as text for others, and as a file", async () => {
    for (const sections of [{ a: numbered(10) }, { a: numbered(600) }]) {
      const app = await started(sections, { limits: { urls: 500 } })
      const text = await (await app.request("/sitemap.xml")).text()
      const packed = await app.request("/sitemap.xml", { headers: { "accept-encoding": "br, gzip;q=0.5" } })
      expect([packed.headers.get("content-encoding"), packed.headers.get("content-type"), packed.headers.get("vary")]).toEqual(["gzip", "application/xml; charset=utf-8", "Accept-Encoding"])
      expect(new TextDecoder().decode(Bun.gunzipSync(await packed.bytes()))).toBe(text)
      const file = await app.request("/sitemap.xml.gz")
      expect([file.headers.get("content-encoding"), file.headers.get("content-type")]).toEqual([null, "application/gzip"])
      expect(new TextDecoder().decode(Bun.gunzipSync(await file.bytes()))).toBe(text)
      for (const refused of ["gzip;q=0", "gzip; q=0.000", "br", ""]) expect((await app.request("/sitemap.xml", { headers: { "accept-encoding": refused } })).headers.get("content-encoding")).toBeNull()
    }
  })

  test("304 by ETag; the compressed one has another", async () => {
    const app = await started({ a: ["/"] })
    const etag = (await app.request("/sitemap.xml")).headers.get("etag")!
    expect((await app.request("/sitemap.xml", { headers: { "if-none-match": etag } })).status).toBe(304)
    expect((await app.request("/sitemap.xml", { headers: { "if-none-match": etag, "accept-encoding": "gzip" } })).status).toBe(200)
  })

  test("what was built is served until it is too old; at the end its folder is gone", async () => {
    const pages = ["/a"]
    const folders = () => readdirSync(dir).filter(name => name.startsWith("edge-sitemap-")).length
    const { TMPDIR } = process.env
    process.env.TMPDIR = dir
    undo.push(() => (TMPDIR === undefined ? delete process.env.TMPDIR : (process.env.TMPDIR = TMPDIR)))
    const app = await started({ a: pages })
    const count = async (which: App) => locs(await (await which.request("/sitemap.xml")).text()).length
    expect(await count(app)).toBe(1)
    pages.push("/b")
    expect(await count(app)).toBe(1)
    const eager = await started({ a: pages }, { maxAge: 0 })
    expect(await count(eager)).toBe(2)
    pages.push("/c")
    expect(await count(eager)).toBe(3)
    expect(folders()).toBe(2)
    for (const f of undo.splice(0)) await f()
    expect(folders()).toBe(0)
  })

  test("many at once build once", async () => {
    let built = 0
    const app = await started({ a: () => (built++, ["/a"]) })
    await Promise.all(Array.from({ length: 20 }, () => app.request("/sitemap.xml")))
    expect(built).toBe(1)
  })

  test("a section that fails is a 500, and is tried again", async () => {
    let fails = true
    const app = await started({
      a: async function* () {
        yield "/a"
        if (fails) throw new Error("the database is gone")
      },
    })
    expect((await app.request("/sitemap.xml")).status).toBe(500)
    fails = false
    expect((await app.request("/sitemap.xml")).status).toBe(200)
  })

  test("pages of other sites and endless addresses are left out, and the log says so once", async () => {
    const app = await started({ a: ["/a", "https://other.example/x", `/${"x".repeat(2100)}`, "https://site.example.evil.example/", "javascript:alert(1)"] })
    expect(locs(await (await app.request("/sitemap.xml")).text())).toEqual(["https://site.example/a"])
    expect(warned).toHaveLength(1)
  })

  test("robots.txt names the sitemaps", async () => {
    const app = await started({ a: [] })
    expect(await (await app.request("/robots.txt")).text()).toBe("User-agent: *\nDisallow: /admin\n\nSitemap: https://site.example/sitemap.xml\n")
  })

  test("check --deploy asks for the site's address, once", async () => {
    const findings = async (app: App) => (await Promise.all(app.deployChecks.map(check => check()))).flat().filter(({ text }) => text.includes("sitemap"))
    expect(await findings(new App().sitemap("/sitemap.xml", {}).sitemap("/news.xml", {}))).toHaveLength(1)
    expect(await findings(new App({ url: "https://site.example" }).sitemap("/sitemap.xml", {}))).toEqual([])
  })

  test("names that would not make an address are refused", () => {
    expect(() => new App().sitemap("/sitemap", {})).toThrow('ends in a name and .xml, as "/sitemap.xml"')
    expect(() => new App().sitemap("/sitemap.xml", { "a/b": [] })).toThrow('section "a/b": a name has only letters and digits')
  })
})

test("memory does not grow with the number of addresses", async () => {
  const folder = mkdtempSync(join(dir, "build-"))
  // A process of its own: in that of all tests the collector has other things to do.
  const script = `
    import { mkdirSync } from "node:fs"
    import { build } from ${JSON.stringify(join(import.meta.dir, "build.ts"))}
    const endless = function* (n) { for (let i = 0; i < n; i++) yield "/page/" + i }
    const built = async n => {
      const dir = ${JSON.stringify(folder)} + "/" + n
      mkdirSync(dir)
      return (await build({ a: () => endless(n) }, { base: "https://site.example/", dir })).length
    }
    await built(100_000)
    Bun.gc(true)
    const before = process.memoryUsage().rss
    let peak = before
    setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 5).unref()
    const parts = await built(400_000)
    console.log(JSON.stringify({ parts, grew: peak - before }))`
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" })
  const { parts, grew } = (await new Response(child.stdout).json()) as { parts: number; grew: number }
  expect(parts).toBe(8)
  expect(grew).toBeLessThan(150_000_000)
}, 120_000)

test("an index says when each file changed", () => {
  expect(indexXml([{ url: "https://x.example/a.xml", modified: 0 }, { url: "https://x.example/b.xml", modified: undefined }])).toContain("<sitemap><loc>https://x.example/a.xml</loc><lastmod>1970-01-01T00:00:00.000Z</lastmod></sitemap><sitemap><loc>https://x.example/b.xml</loc></sitemap>")
})
