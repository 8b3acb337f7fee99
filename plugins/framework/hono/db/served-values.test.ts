/** Values that come over the wire, at and beyond the edges, through the executable, on SQLite and PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import type { Edge } from "../../../../test/kit/edge.ts"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { serveApp } from "../testdata/served-app.ts"

const source = `
import { App } from "edge/app"
import { date, datetime, decimal, gt, integer, json, model, text, uuid } from "edge/db"
import { form, FormView } from "edge/forms"
const Row = model("row", {
  name: text({ search: true }), ref: uuid({ optional: true }), day: date({ optional: true }), n: integer({ optional: true }),
  price: decimal({ optional: true }), j: json({ optional: true }), at: datetime({ optional: true }),
})
const Form = form(Row, { only: ["name", "day", "price", "at"] })
const app = new App({ models: [Row] })
app.csrfExempt("/rows")
app.use(async (c, next) => { c.set("timeZone", "Europe/Warsaw"); await next() })
app.post("/rows", async c => c.json(await Row.create(await c.req.json())))
app.csrfExempt("/second")
app.post("/second", async c => c.json(await Row.create({ name: "s", at: new Date("2026-10-25T01:30:00Z") })))
app.get("/r/:ref", async c => c.json(await Row.all.get({ ref: c.req.param("ref") })))
app.get("/d", async c => c.json(await Row.where({ day: c.req.query("day") ?? "" }).pluck("id")))
app.get("/s", async c => c.json(await Row.all.search(c.req.query("q") ?? "").pluck("id")))
app.get("/n", async c => c.json(await Row.where({ n: Number(c.req.query("n")) }).pluck("id")))
app.get("/above", async c => c.json(await Row.where({ price: gt(c.req.query("price") ?? "") }).pluck("price")))
app.get("/id/:id", async c => c.json(await Row.get(Number(c.req.param("id")))))
app.all("/form", async c => {
  const bound = await Form.handle(c)
  const row = await bound.save()
  if (row) return c.json(row)
  c.status(bound.status)
  return c.render(<FormView form={bound} />)
})
app.all("/form/:id", async c => {
  const row = await Row.get(Number(c.req.param("id")))
  const bound = await Form.handle(c, { row })
  const saved = await bound.save()
  if (saved) return c.json(saved)
  c.status(bound.status)
  return c.render(<FormView form={bound} />)
})
export default app
`

function suite(databaseUrl: () => Promise<string | undefined>): void {
  let edge: Edge
  let made = 0
  beforeAll(async () => {
    edge = await serveApp({ source, databaseUrl: await databaseUrl() })
  }, 90_000)
  afterAll(() => edge[Symbol.asyncDispose]())
  const create = async (row: Record<string, unknown>): Promise<[number, Record<string, unknown>]> => {
    const answer = await fetch(edge.url("/rows"), { method: "POST", body: JSON.stringify(row), headers: { accept: "application/json" } })
    if (answer.status === 200) made++
    return [answer.status, (await answer.json()) as Record<string, unknown>]
  }
  const status = async (path: string) => (await fetch(edge.url(path))).status

  /** Sends the page's own form, with its token. */
  const submit = async (path: string, fields: Record<string, string>) => {
    const page = await fetch(edge.url(path))
    const cookie = page.headers.getSetCookie()[0]!.split(";")[0]!
    const token = /name="_csrf" value="([^"]+)"/.exec(await page.text())![1]!
    const answer = await fetch(edge.url(path), { method: "POST", body: new URLSearchParams({ _csrf: token, ...fields }), headers: { cookie } })
    if (answer.status === 200 && path === "/form") made++
    const said = await answer.text()
    return answer.status === 200 ? (JSON.parse(said) as Record<string, unknown>) : [answer.status, /class="field-error"[^>]*>([^<]*)/.exec(said)?.[1]]
  }

  test("what no row can have is not found, and no error", async () => {
    await create({ name: "x", n: 1, day: "2026-01-01" })
    for (const ref of ["abc", "a%20b", "0a0b0c0d-1111-4222-8333-44445555abcd"]) expect([ref, await status(`/r/${ref}`)]).toEqual([ref, 404])
    for (const id of ["abc", "1.5", "99999999999999999999", "-1", "1e400"]) expect([id, await status(`/id/${id}`)]).toEqual([id, 404])
    for (const path of ["/d?day=xx", "/d?day=2026-02-30", "/d?day=%00", "/s?q=%00", "/s?q=a%00b", "/n?n=abc", "/n?n=1.5", "/n?n=99999999999999999999", "/above?price=abc"]) expect([path, await (await fetch(edge.url(path))).json()]).toEqual([path, []])
  })

  test("JSON that is a number, a truth value or a text comes back as it was", async () => {
    for (const j of [5, true, false, 0, -1.5, "text", "5", "null", '"q"', [], [1, "a"], {}, { a: [null] }]) expect((await create({ name: "x", j }))[1]).toMatchObject({ j } as never)
  })

  test("what a field cannot keep is 422 with its name", async () => {
    for (const [field, value] of [["day", "2026-02-30"], ["day", "0000-01-01"], ["n", 1.5], ["n", 1e300], ["n", "1"], ["price", "1.239"], ["price", "1e16"], ["price", "NaN"], ["ref", "abc"], ["name", "a\0b"], ["j", "a\0b"], ["name", "\ud800"]] as const) {
      const [code, body] = await create({ name: "x", [field]: value })
      expect([field, value, code, Object.keys((body["issues"] ?? {}) as object)]).toEqual([field, value, 422, [field]])
    }
    expect(await (await fetch(edge.url("/s"))).json()).toHaveLength(made)
  })

  test("decimals: as people write them, and compared with more digits than they have", async () => {
    for (const [given, kept] of [[".5", "0.50"], ["5.", "5.00"], ["20.00", "20.00"], ["999999999999999.99", "999999999999999.99"]]) expect((await create({ name: "p", price: given }))[1]).toMatchObject({ price: kept! })
    expect(await (await fetch(edge.url("/above?price=10.505"))).json()).toEqual(["20.00", "999999999999999.99"])
    expect(await (await fetch(edge.url("/above?price=999999999999999.985"))).json()).toEqual(["999999999999999.99"])
  })

  test("forms: the same values, and a time that the clocks leave out", async () => {
    expect(await submit("/form", { name: "f", price: ".5", day: "2024-02-29", at: "2026-06-01T10:00" })).toMatchObject({ price: "0.50", day: "2024-02-29", at: "2026-06-01T08:00:00.000Z" })
    expect(await submit("/form", { name: "f", price: "1.239" })).toEqual([422, "Please give a number with at most 2 digits after the point."])
    expect(await submit("/form", { name: "f", price: "1e16" })).toEqual([422, "Please give 999999999999999 or less."])
    expect(await submit("/form", { name: "f", price: "x" })).toEqual([422, "Please give a number."])
    expect(await submit("/form", { name: "f", day: "2026-02-30" })).toEqual([422, "Please give a valid date."])
    expect(await submit("/form", { name: "a\0b" })).toEqual([422, "Has a character that cannot be stored."])
    expect(await submit("/form", { name: "f", at: "2026-02-30T10:00" })).toEqual([422, "Please give a valid date and time."])
    expect(await submit("/form", { name: "f", at: "2026-03-29T02:30" })).toEqual([422, "The clocks go forward on this day: there is no 02:00–03:00."])
    // Twice there: the first; a row that has the second keeps it.
    expect(await submit("/form", { name: "f", at: "2026-10-25T02:30" })).toMatchObject({ at: "2026-10-25T00:30:00.000Z" })
  })

  test("an hour that is there twice: what a row has stays when its form is sent again", async () => {
    const { id } = (await (await fetch(edge.url("/second"), { method: "POST" })).json()) as { id: number }
    expect(await submit(`/form/${id}`, { name: "g", at: "2026-10-25T02:30" })).toMatchObject({ name: "g", at: "2026-10-25T01:30:00.000Z" })
    expect(await submit(`/form/${id}`, { name: "g", at: "2026-10-25T02:31" })).toMatchObject({ at: "2026-10-25T00:31:00.000Z" })
  })
}

describeWith([], "SQLite", () => suite(async () => undefined))

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  suite(async () => {
    postgres = await Postgres.start()
    return postgres.database("servedvalues")
  })
  afterAll(() => postgres[Symbol.asyncDispose]())
})
