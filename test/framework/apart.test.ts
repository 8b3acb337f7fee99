/** A test of the whole site (`start("site.toml")`) beside the server that runs with the same config: it touches nothing of it. */
import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { freePort, Postgres } from "../kit/postgres.ts"

const app = `
import { App } from "edge/app"
import { file, model, text } from "edge/db"
import { form } from "edge/forms"
import { mail } from "edge/mail"
export const Note = model("note", { body: text(), paper: file({ optional: true }) })
const NoteForm = form(Note)
const app = new App({ models: [Note] })
app.csrfExempt("/*")
app.get("/", async c => c.json(await Note.order("id").pluck("body")))
app.post("/", async c => {
  const bound = await NoteForm.handle(c)
  if (!(await bound.save())) return c.text("no", 422)
  await mail.send({ to: "ann@example.com", subject: "A note", body: "new" })
  return c.text("kept")
})
export default app
`
/** Counts in the shared state. */
const counter = `
import { definePlugin } from "edge"
import * as v from "valibot"
export default definePlugin({
  name: "counter",
  kind: "middleware",
  config: v.strictObject({}),
  setup: (_, { store }) => ({
    part: next => async x => {
      const n = await store.increment("asked", 1, 3_600_000)
      const reply = await next(x)
      if (typeof reply === "object") reply.headers.set("x-asked", String(n))
      return reply
    },
  }),
})
`
const config = (port: number) => `
[plugins]
counter = "counter.ts"
[server]
pid_file = "edge.pid"
control = "edge.sock"
[log]
access = { path = "access.log" }
[[site]]
listen = ["127.0.0.1:${port}"]
use = ["counter", { rate_limit = { rate = "6/1h", key = "route" } }, { cache = { disk = { dir = "cached" } } }]
[[site.route]]
app = "notes"
[[site]]
hosts = ["other.example"]
listen = ["127.0.0.1:${port}", "unix:other.sock"]
log = "other.log"
[[site.route]]
respond = { body = "other" }
[app.notes]
entry = "app.tsx"
workers = 1
log = "notes.log"
env = { DATABASE_URL = "sqlite:notes.db", MAIL_URL = "file:mails", SECRET_KEY = "only-for-this-test-0123" }
daemons = { worker = { command = ["sh", "-c", "echo $$ >> daemon.txt; sleep 1000"] } }
`
const siteTest = `
import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { start, test } from "edge/test"
test("writes, mails, uploads and uses up its limit", async () => {
  await using site = await start("site.toml")
  const first = await site.fetch("/")
  assert.equal(first.headers.get("x-asked"), "1")
  assert.deepEqual(await first.json(), [])
  const body = new FormData()
  body.set("body", "of the test")
  body.set("paper", new File(["hello"], "a.txt", { type: "text/plain" }))
  assert.equal(await (await site.fetch("/", { method: "POST", body })).text(), "kept")
  assert.deepEqual(await (await site.fetch("/")).json(), ["of the test"])
  assert.equal(readdirSync(site.folder + "/mails").length, 1)
  const seen = []
  for (let i = 0; i < 8; i++) seen.push((await site.fetch("/")).status)
  assert.deepEqual(seen, [200, 200, 200, 429, 429, 429, 429, 429])
  assert.equal(await (await site.fetch("/", { headers: { host: "other.example" } })).text(), "other")
  for (const name of ["edge.db", "edge.pid", "notes.db", "access.log", "other.log", "notes.log", "1.sock", "control.sock"]) assert.ok(existsSync(site.folder + "/" + name), name)
})
test("its own database is empty again", async () => {
  await using site = await start("site.toml", { env: { GREETING: "hi" } })
  assert.deepEqual(await (await site.fetch("/")).json(), [])
})
test("an option that nobody knows", async () => {
  await assert.rejects(start("site.toml", { envs: {} }), /unknown option "envs"; did you mean "env"/)
})
`

/** Every file below with a digest of what is in it; of databases and logs that the server itself goes on writing, only that they are there. */
function look(dir: string): Record<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return Object.fromEntries(entries.map(entry => {
    const path = join(entry.parentPath, entry.name)
    return [path.slice(dir.length + 1), /\.db-(?:wal|shm)$/.test(path) ? "" : createHash("sha256").update(readFileSync(path)).digest("hex")]
  }))
}

test("start() of edge/test leaves the running server's data, state, files, logs, ports and sockets alone", async () => {
  const port = await freePort()
  const files = { "app.tsx": app, "counter.ts": counter, "site.test.ts": siteTest }
  await using made = await Edge.launch({ config: config(port), files, args: ["manage", "notes", "makemigrations"] })
  await made.exited
  await using migrated = await Edge.again(made.dir, { args: ["manage", "notes", "migrate"] })
  await migrated.exited
  await using edge = await Edge.again(made.dir)
  await edge.heard(/INFO {2}serving generation=1/)
  const url = `http://127.0.0.1:${port}/`
  const body = new FormData()
  body.set("body", "of the server")
  expect(await (await fetch(url, { method: "POST", body })).text()).toBe("kept")
  expect(await (await fetch(url)).json()).toEqual(["of the server"])
  while (!existsSync(join(made.dir, "daemon.txt"))) await Bun.sleep(20)
  // Its access lines are written in their own time.
  while (!existsSync(join(made.dir, "access.log")) || readFileSync(join(made.dir, "access.log"), "utf8").split("\n").length < 3) await Bun.sleep(20)

  const before = look(made.dir)
  const tested = await edge.command("test")
  expect(tested.out).toContain("3 passed, 0 failed")
  expect(look(made.dir)).toEqual(before)
  // The server has given two of its six; the test had six of its own.
  const third = await fetch(url)
  expect([third.status, third.headers.get("x-asked")]).toEqual([200, "3"])
  expect(await (await fetch(url)).json()).toEqual(["of the server"])
  expect((await edge.status()).pid).toBe(edge.pid)
  expect(edge.read("edge.pid").trim()).toBe(String(edge.pid))
}, 120_000)

describeWith(["postgresql"], "an app on PostgreSQL", () => {
  test("is not tested on the data it has: it is said what to give, and that is then used", async () => {
    await using postgres = await Postgres.start()
    const [real, empty] = [await postgres.database("real"), await postgres.database("empty")]
    const files = {
      "app.tsx": app,
      "counter.ts": counter,
      "site.test.ts": `
import assert from "node:assert/strict"
import { start, test } from "edge/test"
test("refused", async () => {
  await assert.rejects(start("site.toml"), /app "notes" has its data in PostgreSQL.*DATABASE_URL/s)
})
test("given", async () => {
  await using site = await start("site.toml", { env: { DATABASE_URL: ${JSON.stringify(empty)} } })
  assert.deepEqual(await (await site.fetch("/")).json(), [])
  const body = new FormData()
  body.set("body", "of the test")
  assert.equal(await (await site.fetch("/", { method: "POST", body })).text(), "kept")
})
`,
    }
    await using made = await Edge.launch({ config: config(await freePort()).replace("sqlite:notes.db", real), files, args: ["manage", "notes", "makemigrations"] })
    await made.exited
    await using migrated = await Edge.again(made.dir, { args: ["manage", "notes", "migrate"] })
    await migrated.exited
    expect(await made.command("test")).toMatchObject({ out: expect.stringContaining("2 passed, 0 failed") })
    const count = async (url: string) => {
      const sql = new Bun.SQL(url, { max: 1 })
      const [row] = await sql`SELECT count(*)::int AS n FROM note`
      await sql.close()
      return row.n
    }
    expect([await count(real), await count(empty)]).toEqual([0, 1])
  }, 120_000)
})
