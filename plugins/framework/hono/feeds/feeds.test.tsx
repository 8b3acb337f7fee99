/** Every format against what its specification asks, with the worst that visitors type. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeWith } from "../../../../test/kit/needs.ts"
import { App } from "../app-module.ts"
import { ne } from "../db/compare.ts"
import { Database } from "../db/database.ts"
import { datetime, image, markdown, slug, text } from "../db/fields.ts"
import { createTables } from "../db/migrate/create.ts"
import { model } from "../db/model.ts"
import { faultsOf, faultsOfJson, HOSTILE } from "../testdata/validate.ts"
import type { FeedItem } from "./item.ts"
import { FeedLinks } from "./links.tsx"

const Post = model(
  "post",
  { title: text(), slug: slug({ from: "title", optional: true }), cover: image({ optional: true }), body: markdown(), publishedAt: datetime({ optional: true }) },
  { url: row => `/posts/${row.id}`, scopes: { published: q => q.where({ publishedAt: ne(null) }).order("-publishedAt") } },
)

const log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }
const dir = mkdtempSync(join(tmpdir(), "edge-feeds-"))
let items: FeedItem[] = []
const app = new App({ models: [Post], url: "https://news.example" })
app.feed("/feed.xml", { title: "News & more ]]>", description: "d", language: "en-GB", image: "/logo.png", icon: "/i.png", copyright: "© x", authors: [{ name: "Ann", email: "ann@news.example", url: "/ann" }], items: () => items })
app.feed("/posts", { title: "Posts", items: () => Post.published.limit(20) })
app.feed("/only.json", { title: "One", items: () => items, formats: ["json"] })
app.get("/head", c => c.html(<FeedLinks />))

const feeds: [path: string, format: "rss" | "atom" | "json", type: string][] = [
  ["/feed.xml", "rss", "application/rss+xml; charset=utf-8"],
  ["/feed.atom", "atom", "application/atom+xml; charset=utf-8"],
  ["/feed.json", "json", "application/feed+json; charset=utf-8"],
]
const faults = (format: "rss" | "atom" | "json", body: string) => (format === "json" ? faultsOfJson(body) : faultsOf(format, body))
const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers })

beforeAll(async () => {
  const database = new Database("sqlite::memory:")
  await createTables(database, app.models)
  await app.boot({ dir, name: "news", env: { SECRET_KEY: "only-for-tests-0123456789" }, dev: false, log, database })
})
afterAll(async () => {
  await app.shutdown()
  rmSync(dir, { recursive: true })
})

const hostile = (): FeedItem[] =>
  HOSTILE.map((words, i) => ({
    title: words,
    url: `/posts/${i}?a=1&b=${encodeURIComponent(words.toWellFormed())}`,
    date: new Date(Date.UTC(2026, 0, i + 1, 12)),
    summary: words,
    html: `<p>${Bun.escapeHTML(words)} <a href="/x?a&b">x</a> <img src="y.png"> ]]></p><script>alert(1)</script>`,
    authors: [{ name: words, email: words, url: "javascript:alert(1)" }],
    tags: [words, "tag"],
    image: "/p.png",
    enclosures: [{ url: "/sound file.mp3?x=1&y=2", type: "audio/mpeg", bytes: 12, seconds: 3, title: words }],
  }))

describeWith(["xmllint"], "valid", () => {
  test("the validator finds faults", async () => {
    expect(await faultsOf("atom", '<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>')).not.toBe("")
    expect(await faultsOf("rss", '<rss version="2.0"><channel><title>x</title><link>https://x.example</link></channel></rss>')).not.toBe("")
    expect(await faultsOf("rss", "<rss>\u0001</rss>")).not.toBe("")
    expect(faultsOfJson('{"version":"https://jsonfeed.org/version/1.1","title":"x","items":[{"id":"1"}]}')).toContain("neither")
  })

  test.each(feeds)("%s with hostile texts", async (path, format, type) => {
    items = hostile()
    const answer = await get(path)
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type])
    const body = await answer.text()
    expect(await faults(format, body)).toBe("")
    expect(body).toContain("😀")
    expect(body).toContain("\u202e")
    expect(body).not.toContain("alert(1)</script></p>")
    expect(body).not.toContain("javascript:")
    expect(body).toContain(`https://news.example${path}`)
  })

  test.each(feeds)("%s with little, and with nothing", async (path, format) => {
    items = [{ title: "", url: "/a", date: new Date(0) }]
    expect(await faults(format, await (await get(path)).text())).toBe("")
    items = []
    const empty = await get(path)
    expect([await faults(format, await empty.text()), empty.headers.get("last-modified")]).toEqual(["", null])
  })

  test.each(feeds)("%s: of two items with one id the first is there; ids of one's own stay", async (path, format) => {
    const date = new Date(1000)
    items = [
      { title: "first", url: "/a", date },
      { title: "second", url: "/a", date },
      { title: "third", url: "/b", id: "tag:news.example,2026:3", date },
      { title: "fourth", url: "/c", id: "no uri", date },
    ]
    const body = await (await get(path)).text()
    expect(await faults(format, body)).toBe("")
    expect(body).not.toContain("second")
    expect(body).toContain("tag:news.example,2026:3")
  })

  test("rows of a model: title, address, date, Markdown, picture", async () => {
    await Post.create({ title: "Draft", body: "x" })
    await Post.create({ title: "Hello <b>", body: "**bold** [x](/y) <script>alert(1)</script>", cover: "2026/11/a-b.png", publishedAt: new Date("2026-05-06T07:08:09Z") })
    for (const [path, format] of [["/posts", "rss"], ["/posts.atom", "atom"], ["/posts.json", "json"]] as const) {
      const body = await (await get(path)).text()
      expect(await faults(format, body)).toBe("")
      expect(body).not.toContain("Draft")
      expect(body).not.toContain("<script>")
    }
    const [item] = ((await (await get("/posts.json")).json()) as { items: Record<string, string>[] }).items
    expect(item).toMatchObject({ title: "Hello <b>", url: "https://news.example/posts/2", date_published: "2026-05-06T07:08:09.000Z", image: "https://news.example/media/2026/11/a-b.png" })
    expect(item!.content_html).toStartWith('<p><strong>bold</strong> <a href="https://news.example/y">x</a>')
    const rss = Bun.XML.parse(await (await get("/posts")).text()) as { rss: { channel: { item: Record<string, string> } } }
    expect(rss.rss.channel.item).toMatchObject({ title: "Hello <b>", pubDate: "Wed, 06 May 2026 07:08:09 GMT", guid: "https://news.example/posts/2" })
  })
})

describe("asked again", () => {
  test("304 by the content, and by the newest date; never when something changed", async () => {
    items = [{ title: "a", url: "/a", date: new Date("2026-01-02T03:04:05.678Z") }]
    for (const [path] of feeds) {
      const first = await get(path)
      const etag = first.headers.get("etag")!
      const modified = first.headers.get("last-modified")!
      expect([modified, first.headers.get("cache-control")]).toEqual(["Fri, 02 Jan 2026 03:04:05 GMT", "public, max-age=300"])
      for (const headers of [{ "if-none-match": etag }, { "if-none-match": `"x", W/${etag}` }, { "if-none-match": "*" }, { "if-modified-since": modified }] as Record<string, string>[]) {
        const again = await get(path, headers)
        expect([again.status, await again.text(), again.headers.get("etag")]).toEqual([304, "", etag])
      }
      for (const headers of [{ "if-none-match": '"x"', "if-modified-since": modified }, { "if-modified-since": "Fri, 02 Jan 2026 03:04:04 GMT" }, { "if-modified-since": "nonsense" }] as Record<string, string>[]) {
        expect((await get(path, headers)).status).toBe(200)
      }
      items = [{ ...items[0]!, title: `changed ${path}` }]
      expect((await get(path, { "if-none-match": etag })).status).toBe(200)
    }
  })

  test("no session, no cookie", async () => {
    expect((await get("/feed.xml")).headers.get("set-cookie")).toBeNull()
  })
})

test("only the formats that are asked for; links for the head of pages", async () => {
  expect((await get("/only.json")).status).toBe(200)
  expect((await get("/only.atom")).status).toBe(404)
  const html = await (await get("/head")).text()
  expect(html).toContain('<link rel="alternate" type="application/rss+xml" title="News &amp; more ]]&gt;" href="/feed.xml"/>')
  expect(html.match(/<link/g)).toHaveLength(7)
})

test("a row without a date or an address, and an item without a page, are errors that say so", async () => {
  const Bare = model("bare", { name: text() })
  const { toItem } = await import("./item.ts")
  const { toChannel } = await import("./channel.ts")
  expect(() => toItem(Bare, { id: 1, name: "x" })).toThrow('a feed of "bare" needs to know where a row is seen')
  expect(() => toItem(Post, { id: 1, title: "x", publishedAt: null })).toThrow("needs a date: row 1 has none")
  const channel = (item: FeedItem) => toChannel({ title: "x" }, [item], { base: "https://x.example/", self: {} })
  expect(() => channel({ title: "x", url: "javascript:alert(1)", date: new Date() })).toThrow("no address of a page")
  expect(() => channel({ title: "x", url: "/", date: new Date(Number.NaN) })).toThrow("no valid date")
})
