/** What one request costs inside an app of edge/app, without any network: microseconds of one core. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Logger } from "edge"
import { App } from "../plugins/framework/hono/app/app.ts"
import { Flash } from "../plugins/framework/hono/app/elements.tsx"
import { ne } from "../plugins/framework/hono/db/compare.ts"
import { Database } from "../plugins/framework/hono/db/database.ts"
import { datetime, markdown, text } from "../plugins/framework/hono/db/fields.ts"
import { createTables } from "../plugins/framework/hono/db/migrate/create.ts"
import { model } from "../plugins/framework/hono/db/model.ts"
import { patchGlobals } from "../src/http/bridge/bridge.ts"

patchGlobals()

const Post = model(
  "post",
  { title: text({ max: 100 }), summary: text(), body: markdown(), publishedAt: datetime({ optional: true, filter: true }) },
  { order: ["-publishedAt"], scopes: { published: q => q.where({ publishedAt: ne(null) }) } },
)
const app = new App({
  models: [Post],
  layout: ({ title, children }) => (
    <html>
      <head>
        <title>{title}</title>
      </head>
      <body>
        <Flash />
        {children}
      </body>
    </html>
  ),
})
interface Shown {
  readonly id: number
  readonly title: string
  readonly summary: string
}
function List({ posts }: { posts: readonly Shown[] }) {
  return (
    <ul>
      {posts.map(post => (
        <li class="post">
          <a href={`/${post.id}`}>{post.title}</a>
          <p>{post.summary}</p>
        </li>
      ))}
    </ul>
  )
}
const fixed: Shown[] = Array.from({ length: 20 }, (_, id) => ({ id, title: `Post ${id}`, summary: "A summary of some words." }))
app.get("/text", c => c.text("x"))
app.get("/rows", async c => c.text(String((await Post.published.limit(20)).length)))
app.get("/page", c => c.render(<List posts={fixed} />, { title: "Posts" }))
app.get("/list", async c => c.render(<List posts={await Post.published.limit(20)} />, { title: "Posts" }))

const log: Logger = { debug() {}, info() {}, warn() {}, error: (message, fields) => console.error(message, fields), with: () => log }
const dir = mkdtempSync(join(tmpdir(), "edge-bench-"))
const database = new Database("sqlite:data.db", { dir })
await createTables(database, app.models)
await app.boot({ dir, name: "bench", env: {}, dev: false, log, database })
await Post.createMany(
  Array.from({ length: 2000 }, (_, i) => ({ title: `Post ${i}`, summary: "A summary of some words.", body: "Words. ".repeat(300), publishedAt: new Date(1.7e12 + i * 1e6) })),
)
for (const path of ["/text", "/rows", "/page", "/list"]) {
  const run = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const response = await app.fetch(new Request(`http://x${path}`), { ip: "192.0.2.1", scheme: "http", prefix: "" })
      if (response.status !== 200) throw new Error(await response.text())
      await response.text()
    }
  }
  await run(3000)
  const start = performance.now()
  await run(6000)
  console.log(path.padEnd(8), ((performance.now() - start) / 6).toFixed(1), "us")
}
await app.shutdown()
await database.close()
rmSync(dir, { recursive: true })
