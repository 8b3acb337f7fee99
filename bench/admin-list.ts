/**
 * The admin's list over 1,000,000 rows: first page, a page far down, search, filter, drill-down, sort; time and memory, on
 * SQLite and, when it is installed, on PostgreSQL; and django.contrib.admin over the same SQLite file (admin-django.py).
 * `bun bench/admin-list.ts [rows]`
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { admin } from "../plugins/framework/hono/admin/admin.ts"
import { modelAdmin } from "../plugins/framework/hono/admin/model/settings.ts"
import { App } from "../plugins/framework/hono/app/app.ts"
import { createUser } from "../plugins/framework/hono/auth/auth.ts"
import { User } from "../plugins/framework/hono/auth/models.ts"
import { users } from "../plugins/framework/hono/auth/users.ts"
import { lt } from "../plugins/framework/hono/db/compare.ts"
import { Database, withDatabase } from "../plugins/framework/hono/db/database.ts"
import { boolean, choice, datetime, references, slug, text } from "../plugins/framework/hono/db/fields.ts"
import { model } from "../plugins/framework/hono/db/model.ts"
import { open, type TestSite } from "../plugins/framework/hono/test/site.ts"
import { found } from "../test/kit/needs.ts"
import { Postgres } from "../test/kit/postgres.ts"

const rows = Number(process.argv[2] ?? 1_000_000)
const RUNS = 15

const Post = model(
  "post",
  {
    title: text({ max: 120, search: true }),
    slug: slug({ from: "title", unique: true }),
    state: choice(["draft", "review", "live"], { default: "draft", filter: true }),
    author: references(User, { filter: true }),
    featured: boolean({ default: false }),
    publishedAt: datetime({ optional: true, filter: true }),
  },
  { order: ["-publishedAt"] },
)

const app = () => new App({ name: "bench", models: [Post], parts: [users(), admin({ models: { post: modelAdmin(Post, {}), user: {} } })] })

async function fill(database: Database): Promise<void> {
  await withDatabase(database, async () => {
    const boss = await createUser({ email: "boss@x.org", name: "Boss", password: "correct horse battery" })
    await User.update(boss, { isStaff: true, isSuperuser: true })
    const start = Date.UTC(2016, 0, 1)
    const step = Math.floor((10 * 365 * 86_400_000) / rows)
    for (let i = 0; i < rows; i += 10_000) {
      const part = Array.from({ length: Math.min(10_000, rows - i) }, (_, n) => i + n + 1)
      await Post.createMany(
        part.map(n => ({
          title: `Story ${n} about ${WORDS[n % WORDS.length]} and ${WORDS[(n * 7 + 3) % WORDS.length]}`,
          slug: `story-${n}`,
          state: (["draft", "review", "live", "live", "live"] as const)[n % 5]!,
          author: boss,
          featured: n % 50 === 0,
          publishedAt: n % 10 === 0 ? null : new Date(start + n * step),
        })),
      )
    }
    if (database.dialect === "postgres") await database.client.unsafe("ANALYZE")
    else database.client.run("ANALYZE")
  })
}
const WORDS = ["night trains", "birds", "a tram", "the cinema", "batteries", "a museum", "recipes", "chess", "benches", "wind", "an orchestra", "bridges", "bees"]

async function measure(site: TestSite, name: string, path: string): Promise<void> {
  const times: number[] = []
  let size = 0
  for (let i = 0; i < RUNS; i++) {
    const at = performance.now()
    const page = await site.get(path)
    times.push(performance.now() - at)
    if (page.status !== 200) throw new Error(`${path}: ${page.status}`)
    size = page.text.length
  }
  times.sort((a, b) => a - b)
  console.log(`${name.padEnd(44)} median ${times[RUNS >> 1]!.toFixed(1).padStart(7)} ms   worst ${times.at(-1)!.toFixed(1).padStart(7)} ms   ${(size / 1024).toFixed(0).padStart(4)} kB`)
}

async function run(url: string): Promise<void> {
  const site = await open(app(), { database: url })
  try {
    const { database } = site.app
    const at = performance.now()
    await fill(database)
    console.log(`\n${database.dialect}: ${rows.toLocaleString("en-GB")} rows made in ${((performance.now() - at) / 1000).toFixed(0)} s`)
    await site.login((await User.where({ email: "boss@x.org" }).first())!)
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    await measure(site, "first page", "/admin/post")
    let deep = await Post.order("-publishedAt").where({ publishedAt: lt(new Date(Date.UTC(2018, 0, 1))) }).page({ size: 50 })
    deep = await Post.order("-publishedAt").where({ publishedAt: lt(new Date(Date.UTC(2018, 0, 1))) }).page({ size: 50, after: deep.next })
    await measure(site, "deep page (about the 16,000th)", `/admin/post?after=${deep.next}`)
    await measure(site, "last page", `/admin/post?sort=publishedAt&f.publishedAt=-`)
    await measure(site, "search by index (slug of one row)", `/admin/post?q=story-${rows - 7}&f.state=live`)
    await measure(site, "search for a common word", "/admin/post?q=orchestra")
    await measure(site, "search for a word that is nowhere", "/admin/post?q=zzzz")
    await measure(site, "filter by state", "/admin/post?f.state=review")
    await measure(site, "drill-down to a month", "/admin/post?date=2020-05")
    await measure(site, "sort by an indexed column, descending", "/admin/post?sort=-slug")
    await measure(site, "sort by two columns", "/admin/post?sort=state,-publishedAt")
    await measure(site, "form of one row", `/admin/post/${rows >> 1}`)
    console.log(`memory: ${((process.memoryUsage.rss() - before) / 2 ** 20).toFixed(0)} MB more than before the requests`)
  } finally {
    await site[Symbol.asyncDispose]()
  }
}

const folder = mkdtempSync(join(tmpdir(), "edge-bench-"))
try {
  const file = join(folder, "bench.db")
  await run(`sqlite:${file}`)
  if (found("django") !== undefined) {
    console.log("\ndjango.contrib.admin, the same file")
    const { stdout, stderr } = Bun.spawnSync(["/usr/bin/python3", join(import.meta.dir, "admin-django.py"), file, "5"])
    console.log(stdout.toString().trimEnd() || stderr.toString())
  }
  if (found("postgresql") !== undefined) {
    await using postgres = await Postgres.start()
    await run(await postgres.database("bench"))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
