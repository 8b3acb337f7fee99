/** What comes over the wire into conditions, through the executable, on SQLite and PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import type { Edge } from "../../../../test/kit/edge.ts"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { serveApp } from "../testdata/served-app.ts"

const source = `
import { App } from "edge/app"
import { database, model, references, text, transaction } from "edge/db"
const Owner = model("owner", { name: text() })
const Key = model("key", { secret: text(), owner: references(Owner) })
const app = new App({ models: [Owner, Key] })
app.csrfExempt("/*")
const say = async (c, f) => { try { return c.json(await f()) } catch (error) { return c.json(error.name, 500) } }
app.post("/fill", async c => { const owner = await Owner.create({ name: "Ann" }); await Key.createMany([1, 2, 3].map(n => ({ secret: "s" + n, owner }))); return c.json("ok") })
app.get("/key", c => say(c, () => Key.get({ secret: c.req.header("x-api-key") })))
app.post("/find", c => say(c, async () => Key.where({ secret: (await c.req.json()).secret })))
app.post("/of", c => say(c, async () => Key.where({ owner: (await c.req.json()).owner })))
app.post("/drop", c => say(c, async () => Key.where({ secret: (await c.req.json()).secret }).delete()))
app.get("/list", c => say(c, () => Key.order(c.req.query("order") ?? "id").limit(Number(c.req.query("n") ?? 10)).pluck("secret")))
app.post("/take", c => say(c, () => Key.order("-id").limit(1).delete()))
app.post("/inner", c => say(c, () => transaction(async () => {
  await Owner.create({ name: "outer" })
  await transaction(async () => { await Owner.create({ name: "inner" }); throw new Error("no") }).catch(() => {})
  const { client, dialect } = database()
  const sql = "UPDATE owner SET name = 'by the client' WHERE name = 'outer'"
  if (dialect === "sqlite") client.run(sql); else await client.unsafe(sql)
  return Owner.order("id").pluck("name")
})))
let late
app.post("/late", c => say(c, () => transaction(async () => { late = Bun.sleep(20).then(() => Owner.create({ name: "late" })).then(() => "made", error => error.name) })))
app.post("/stranger", async c => {
  await transaction(async () => { await Owner.create({ name: "stranger" }); await late; throw new Error("no") }).catch(() => {})
  return c.json([await late, await Owner.order("id").pluck("name")])
})
export default app
`

function suite(databaseUrl: () => Promise<string | undefined>): void {
  let edge: Edge
  beforeAll(async () => {
    edge = await serveApp({ source, databaseUrl: await databaseUrl() })
    expect(await edge.get("/fill", { method: "POST" })).toBe('"ok"')
  }, 90_000)
  afterAll(() => edge[Symbol.asyncDispose]())
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(edge.url(path), init)
    return [response.status, await response.json()]
  }
  const post = (path: string, body: unknown) => ask(path, { method: "POST", body: JSON.stringify(body) })
  const secrets = () => ask("/list").then(([, found]) => found)

  test("a header that was not sent lets nobody in", async () => {
    expect(await ask("/key")).toEqual([500, "ConditionError"])
    expect(await ask("/key", { headers: { "x-api-key": "" } })).toEqual([500, "NotFound"])
    expect(await ask("/key", { headers: { "x-api-key": "s2" } })).toMatchObject([200, { secret: "s2" }])
  })

  test("a JSON body chooses no comparison, and what it leaves out is not every row", async () => {
    for (const secret of [undefined, { ne: "" }, { contains: "" }, {}, ["s1"], { or: [{}] }]) {
      expect(await post("/find", { secret })).toEqual([500, "ConditionError"])
      expect(await post("/drop", { secret })).toEqual([500, "ConditionError"])
    }
    for (const owner of [undefined, {}, { name: "Ann" }, { id: { ne: 0 } }]) expect(await post("/of", { owner })).toEqual([500, "ConditionError"])
    expect(await post("/find", { secret: null })).toEqual([200, []])
    expect(await post("/of", { owner: { id: 1 } })).toMatchObject([200, [{}, {}, {}]])
    expect(await secrets()).toEqual(["s1", "s2", "s3"])
  })

  test("an order and a limit of a query string are words of the model and whole numbers", async () => {
    expect(await ask("/list?order=-id&n=2")).toEqual([200, ["s3", "s2"]])
    for (const query of ["order=constructor", "order=enableRLS", "order=id;drop", "n=-1", "n=x", "n=1.5"]) expect([query, await ask(`/list?${query}`)]).toEqual([query, [500, "ConditionError"]])
  })

  test("transactions: an inner one that failed, the driver's client, and a statement that comes too late", async () => {
    expect(await post("/inner", {})).toEqual([200, ["Ann", "by the client"]])
    expect((await post("/late", {}))[0]).toBe(200)
    expect(await post("/stranger", {})).toEqual([200, ["TransactionError", ["Ann", "by the client"]]])
  })

  test("a limited delete takes one row", async () => {
    expect(await post("/take", {})).toEqual([200, 1])
    expect(await secrets()).toEqual(["s1", "s2"])
  })
}

describeWith([], "over the wire, SQLite", () => suite(async () => undefined))

describeWith(["postgresql"], "over the wire, PostgreSQL", () => {
  let postgres: Postgres
  suite(async () => {
    postgres = await Postgres.start()
    return postgres.database("served")
  })
  afterAll(() => postgres[Symbol.asyncDispose]())
})
