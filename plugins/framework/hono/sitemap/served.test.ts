/** Feeds and sitemaps through the executable, from 60,000 rows, on SQLite and PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import type { Edge } from "../../../../test/kit/edge.ts"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { peakMemory, serveApp } from "../testdata/served-app.ts"
import { faultsOf, faultsOfJson, HOSTILE } from "../testdata/validate.ts"

const source = `
import { App } from "edge/app"
import { datetime, markdown, model, ne, text } from "edge/db"
import { FeedLinks } from "edge/feeds"
import type { SitemapUrl } from "edge/sitemap"

const Post = model(
  "post",
  { title: text(), body: markdown({ default: "" }), publishedAt: datetime({ optional: true, filter: true }) },
  { url: row => "/posts/" + row.id, order: ["-publishedAt"], scopes: { published: q => q.where({ publishedAt: ne(null) }) } },
)
const about: SitemapUrl = { url: "/about", alternates: { en: "/about", pl: "/o-nas" } }
const app = new App({ models: [Post], url: "https://news.example" })
app.get("/", c => c.render(<FeedLinks />))
app.feed("/feed.xml", { title: "News ]]>", items: () => Post.published.limit(${HOSTILE.length}) })
app.sitemap("/sitemap.xml", { posts: Post.published, pages: ["/", about] }).robots()
app.command({ name: "seed", help: "makes posts", async run() {
  const hostile = ${JSON.stringify(HOSTILE.map(words => words.replaceAll("\0", "").toWellFormed()))}
  await Post.createMany(Array.from({ length: 60_000 }, (_, i) => ({ title: "Post " + i, publishedAt: new Date(i * 1000) })))
  await Post.createMany(hostile.map((title, i) => ({ title, body: title + " [x](/y) ![z](z.png)", publishedAt: new Date(Date.UTC(2026, 0, 1, 0, i)) })))
  await Post.create({ title: "Draft" })
} })
export default app
`

function suite(databaseUrl: () => Promise<string | undefined>): void {
  let edge: Edge
  beforeAll(async () => {
    const url = await databaseUrl()
    edge = await serveApp({ source, commands: ["seed"], ...(url !== undefined && { databaseUrl: url }) })
  }, 120_000)
  afterAll(() => edge?.[Symbol.asyncDispose]())
  const text = async (path: string) => (await fetch(edge.url(path))).text()

  test("each format is valid, and not sent twice", async () => {
    for (const [path, format] of [["/feed.xml", "rss"], ["/feed.atom", "atom"], ["/feed.json", "json"]] as const) {
      const answer = await fetch(edge.url(path))
      const body = await answer.text()
      expect(format === "json" ? faultsOfJson(body) : await faultsOf(format, body)).toBe("")
      expect(body).toContain("https://news.example/posts/")
      expect(body.match(/<item>|<entry>|"id":/g)).toHaveLength(HOSTILE.length)
      expect(answer.headers.get("last-modified")).toBe("Thu, 01 Jan 2026 00:12:00 GMT")
      const again = await fetch(edge.url(path), { headers: { "if-none-match": answer.headers.get("etag")! } })
      expect([again.status, await again.text()]).toEqual([304, ""])
    }
    expect(await text("/")).toContain('type="application/atom+xml"')
  })

  test("60,000 rows: an index and its files, compressed on the way, in flat memory", async () => {
    const [worker] = (await edge.status()).apps[0]!.workers
    const before = await peakMemory(worker!.pid)
    expect(await text("/robots.txt")).toContain("Sitemap: https://news.example/sitemap.xml")
    const index = await text("/sitemap.xml")
    expect(await faultsOf("sitemap", index)).toBe("")
    const files = [...index.matchAll(/<loc>https:\/\/news\.example([^<]+)</g)].map(match => match[1]!)
    expect(files).toEqual(["/sitemap-posts-1.xml", "/sitemap-posts-2.xml", "/sitemap-pages-1.xml"])
    let all = 0
    for (const file of files) {
      const xml = await text(file)
      expect(await faultsOf("sitemap", xml)).toBe("")
      all += xml.match(/<url>/g)!.length
      const raw = await fetch(edge.url(file), { headers: { "accept-encoding": "gzip" }, decompress: false } as RequestInit)
      expect([raw.headers.get("content-encoding"), new TextDecoder().decode(Bun.gunzipSync(await raw.bytes()))]).toEqual(["gzip", xml])
      const plain = await fetch(edge.url(file), { headers: { "accept-encoding": "identity" } })
      expect([plain.headers.get("content-encoding"), await plain.text()]).toEqual([null, xml])
      const packed = await (await fetch(edge.url(`${file}.gz`))).bytes()
      expect(new TextDecoder().decode(Bun.gunzipSync(packed))).toBe(xml)
    }
    expect(all).toBe(60_000 + HOSTILE.length + 2)
    expect((await peakMemory(worker!.pid)) - before).toBeLessThan(120_000_000)
  }, 60_000)
}

describeWith(["xmllint"], "SQLite", () => suite(async () => undefined))

describeWith(["xmllint", "postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  suite(async () => {
    postgres = await Postgres.start()
    return postgres.database("feeds")
  })
  afterAll(async () => postgres?.[Symbol.asyncDispose]())
})
