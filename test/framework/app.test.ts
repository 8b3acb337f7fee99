import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { executable } from "../build.ts"
import { Edge } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { Postgres } from "../kit/postgres.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const app = `import { App } from "edge/app"
import { model, text } from "edge/db"
const Post = model("post", { title: text({ max: 10 }) })
const app = new App({ models: [Post] })
app.get("/", async c => c.json(await Post.all.pluck("title")))
app.get("/boom", async c => { await Post.where({ title: "hidden" }).first(); throw new Error("boom here") })
app.get("/loop", async c => { for (let i = 0; i < 12; i++) await Post.where({ id: i }).first(); return c.text("ok") })
app.get("/count", async c => {
  const n = (await c.var.session.get("n") ?? 0) + 1
  c.var.session.set("n", n)
  return c.json({ n, pid: process.pid })
})
app.command({ name: "seed", help: "posts", run: async () => { await Post.createMany([{ title: "a" }, { title: "b" }]) } })
export default app
`

const config = (more: string): string => `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "blog"\n[app.blog]\nentry = "app.tsx"\n${more}`

/** The database is behind until it is migrated, so edge cannot start before. */
async function migrated(more: string): Promise<Edge> {
  await using first = await Edge.launch({ config: config(more), files: { "app.tsx": app }, args: ["manage", "blog", "makemigrations"] })
  expect(await first.exited).toBe(0)
  const files: Record<string, string> = { "app.tsx": app }
  for (const name of ["up.sql", "down.sql", "snapshot.json"]) files[`migrations/0001_initial/${name}`] = first.read(`migrations/0001_initial/${name}`)
  const edge = await Edge.launch({ config: config(more), files, args: ["manage", "blog", "migrate"] })
  expect(await edge.exited).toBe(0)
  await edge.command("manage", "blog", "seed")
  return edge
}

function cookieOf(response: Response): string {
  return response.headers.getSetCookie().map(line => line.split(";")[0]).join("; ")
}

/** Counts to ten with one cookie; gives the processes that counted. */
async function count(edge: Edge): Promise<Set<number>> {
  const first = await fetch(edge.url("/count"))
  const cookie = cookieOf(first)
  const pids = new Set([((await first.json()) as { pid: number }).pid])
  for (let n = 2; n <= 10; n++) {
    const answers = await Promise.all([fetch(edge.url("/count"), { headers: { cookie } }), fetch(edge.url("/")), fetch(edge.url("/"))])
    const { n: seen, pid } = (await answers[0].json()) as { n: number; pid: number }
    expect(seen).toBe(n)
    pids.add(pid)
  }
  return pids
}

describe("an app of edge/app, with nothing but the executable", () => {
  test("pooled: sessions are the same for every worker", async () => {
    await using made = await migrated("workers = 2\nconcurrency = 1")
    await using edge = await Edge.again(made.dir)
    await edge.heard(/INFO {2}serving generation=1/)
    expect(JSON.parse(await edge.get("/"))).toEqual(["a", "b"])
    expect((await count(edge)).size).toBe(2)
    const boom = await edge.get("/boom")
    expect(boom).not.toContain("here")
    await edge.heard("boom here")
    expect(edge.output).toContain("app.tsx:6:")
  })

  test("dev: a page that makes the tables, errors with their source and SQL, a word on loops of queries", async () => {
    await using edge = await Edge.start({ config: config(`gateway = "inline"`), files: { "app.tsx": app }, args: ["dev"] })
    const response = await fetch(edge.url("/"))
    const page = await response.text()
    expect([response.status, /<h1>(.*?)<\/h1>/.exec(page)?.[1]]).toEqual([503, "No tables yet"])
    const token = /name="_csrf" value="([^"]+)"/.exec(page)![1]!
    const press = (body: Record<string, string>) =>
      fetch(edge.url("/__edge/migrate"), { method: "POST", redirect: "manual", headers: { cookie: cookieOf(response), origin: edge.url("").replace(/\/$/, "") }, body: new URLSearchParams(body) })
    expect((await press({ back: "/" })).status).toBe(403)
    const done = await press({ back: "//evil.example", _csrf: token })
    expect([done.status, done.headers.get("location")]).toEqual([303, "/"])
    expect(JSON.parse(await edge.get("/"))).toEqual([])
    const boom = await edge.get("/boom")
    expect(boom).toContain("app.tsx:6")
    expect(boom).toContain("boom here")
    expect(boom).toMatch(/from &quot;post&quot; where[\s\S]*hidden/)
    await edge.get("/loop")
    await edge.heard("GET /loop asked the same 12 times")
    edge.write("app.tsx", app.replace("max: 10 })", "max: 10 }), body: text({ optional: true })"))
    while ((await edge.get("/")).startsWith("[")) await Bun.sleep(100)
    expect(await edge.get("/")).toContain("The models have changed")
  })
})

/** Migrations in a terminal beside `edge dev`, without a source file being saved. */
async function inTerminal(edge: Edge, env: Record<string, string> = {}): Promise<void> {
  const manage = async (...args: string[]) => {
    const ran = await Edge.again(edge.dir, { args: ["manage", "blog", ...args], env })
    expect([args, await ran.exited, ran.output]).toEqual([args, 0, ran.output])
  }
  const page = async () => {
    const response = await fetch(edge.url("/"))
    const text = await response.text()
    return response.status === 200 ? text : `${response.status} ${/<h1>(.*?)<\/h1>/.exec(text)?.[1] ?? text}`
  }
  const until = async (wanted: string) => {
    while ((await page()) !== wanted) await Bun.sleep(50)
  }
  await until("503 No tables yet")
  await manage("makemigrations")
  await manage("migrate")
  await until("[]")
  await manage("seed")
  await until('["a","b"]')
  // Taken back in the terminal: told, and not by a query that fails.
  await manage("rollback")
  await until("503 The database is behind")
  await manage("migrate")
  await until("[]")
}

test("dev notices migrations that are made, run and taken back in a terminal", async () => {
  await using edge = await Edge.start({ config: config(`gateway = "inline"`), files: { "app.tsx": app }, args: ["dev"] })
  await inTerminal(edge)
}, 120_000)

describeWith(["postgresql"], "the same on PostgreSQL", () => {
  test("dev notices migrations that are made, run and taken back in a terminal, in a pool too", async () => {
    await using postgres = await Postgres.start()
    const env = { DATABASE_URL: await postgres.database("dev") }
    await using edge = await Edge.start({ config: config("workers = 1"), files: { "app.tsx": app }, args: ["dev"], env })
    await inTerminal(edge, env)
  }, 120_000)

  test("by one line, inline", async () => {
    await using postgres = await Postgres.start()
    await using made = await migrated(`gateway = "inline"\nenv = { DATABASE_URL = "${await postgres.database("blog")}" }`)
    await using edge = await Edge.again(made.dir)
    await edge.heard(/INFO {2}serving generation=1/)
    expect(JSON.parse(await edge.get("/"))).toEqual(["a", "b"])
    await count(edge)
    expect(edge.read("migrations/0001_initial/up.sql")).toContain("timestamp(3) with time zone")
  })
})
