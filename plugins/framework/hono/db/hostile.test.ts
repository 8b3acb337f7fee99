import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { contains, endsWith, has, oneOf, startsWith } from "./compare.ts"
import { Database, useDatabase } from "./database.ts"
import { datetime, integer, json, many, references, text } from "./fields.ts"
import { createTables } from "./migrate/create.ts"
import { model } from "./model.ts"
import type { Where } from "./where.ts"

const Tag = model("tag", { name: text({ search: true }) })
const Note = model("note", {
  title: text({ search: true }),
  count: integer({ default: 0 }),
  at: datetime({ optional: true }),
  data: json({ default: () => ({}) }),
  tag: references(Tag, { optional: true }),
  tags: many(Tag),
})

const HOSTILE = [
  `'; DROP TABLE note; --`,
  `" OR 1=1 --`,
  `\\'; DELETE FROM note; --`,
  "`) OR 1=1; --",
  "1) UNION SELECT id, name FROM tag --",
  "%' OR '1'='1",
  "${title}",
  "$1",
  "?",
  ":title",
  "_%_%",
  "\u2018 OR 1=1",
]

function attacks(): void {
  test.each(HOSTILE)("%j is a value, wherever it goes", async hostile => {
    await Note.all.delete()
    const tag = await Tag.create({ name: hostile })
    await Note.create({ title: "plain" })
    const note = await Note.create({ title: hostile, data: { [hostile]: hostile }, tag, tags: [tag] })
    expect((await Note.get(note.id)).title).toBe(hostile)
    expect((await Note.get(note.id)).data).toEqual({ [hostile]: hostile })
    const one: Where<typeof Note.fields>[] = [{ title: hostile }, { title: contains(hostile) }, { title: startsWith(hostile) }, { title: oneOf([hostile]) }, { tag: has({ name: hostile }) }, { tags: has({ name: endsWith(hostile) }) }, { or: [{ title: hostile }] }]
    for (const where of one) expect([where, await Note.where(where).pluck("id")]).toEqual([where, [note.id]])
    expect(await Note.where({ not: { title: hostile } }).count()).toBe(1)
    expect(await Note.all.search(hostile).count()).toBeLessThanOrEqual(1)
    expect(await Note.where({ title: "plain" }).update({ title: hostile })).toBe(1)
    expect(await Note.where({ title: hostile }).delete()).toBe(2)
    expect(await Tag.where({ name: hostile }).delete()).toBe(1)
  })

  test.each(HOSTILE)("%j is no name of a field, an order or a comparison", async hostile => {
    await expect(Promise.resolve(Note.where({ [hostile]: 1 } as never))).rejects.toThrow("has no field")
    expect(() => Note.order(hostile as never)).toThrow("cannot be sorted")
    expect(() => Note.with(hostile as never)).toThrow("no relation")
    expect(() => Note.all.without(hostile as never)).toThrow("no column")
    await expect(Note.all.pluck(hostile as never)).rejects.toThrow("no column")
    await expect(Promise.resolve(Note.where({ title: { [hostile]: 1 } } as never))).rejects.toThrow("cannot be compared with a plain object")
    await expect(Note.all.page({ size: 5, after: hostile })).resolves.toMatchObject({ rows: [] })
    await expect(Note.create({ title: "x", [hostile]: 1 } as never)).rejects.toThrow("No such field")
    expect(await Note.all.count()).toBe(0)
  })

  test("numbers and ids from the outside are checked before they are a query", async () => {
    await expect(Note.create({ title: "x", count: "1; DROP TABLE note" as never })).rejects.toThrow("count")
    await expect(Note.create({ title: "x", tag: "1 OR 1=1" as never })).rejects.toThrow("tag")
    await expect(Note.create({ title: { contains: "x" } as never })).rejects.toThrow("title")
  })
}

describe("SQL injection, SQLite", () => {
  let db: Database
  beforeAll(async () => {
    db = new Database("sqlite::memory:")
    await createTables(db, [Tag, Note])
    useDatabase(db)
  })
  afterAll(() => db.close())
  attacks()
})

describeWith(["postgresql"], "SQL injection, PostgreSQL", () => {
  let db: Database
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
    db = new Database(await postgres.database("hostile"))
    await createTables(db, [Tag, Note])
    useDatabase(db)
  }, 60_000)
  afterAll(async () => {
    await db.close()
    await postgres[Symbol.asyncDispose]()
  })
  attacks()
})
