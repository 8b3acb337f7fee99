/**
 * Changes of models, each forwards and back on tables with rows, on both databases: what rows hold is what they held, what
 * cannot be kept stops the migration and changes nothing, and the database ends as one that was made from the new models.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { Database } from "../database.ts"
import type { Field } from "../field.ts"
import { boolean, choice, date, datetime, decimal, email, file, image, integer, json, many, markdown, number, references, slug, text, url, uuid } from "../fields.ts"
import { type AnyModel, model } from "../model.ts"
import { createTables } from "./create.ts"
import { readMigrations } from "./files.ts"
import { makeMigration, type MakeOptions } from "./make.ts"
import { Bench, create, emptied, rename } from "./testdata/bench.ts"

interface Change {
  readonly name: string
  readonly from: AnyModel[]
  readonly to: AnyModel[]
  /** Rows of the first model of `from`. */
  readonly rows: readonly Record<string, unknown>[]
  /** The same rows of the first model of `to`, without ids. */
  readonly become: readonly Record<string, unknown>[]
  /** And taken back; the same as `rows` unless it says otherwise. */
  readonly return?: readonly Record<string, unknown>[]
  readonly options?: Partial<MakeOptions>
}

interface Refusal {
  readonly name: string
  readonly from: AnyModel[]
  readonly to: AnyModel[]
  readonly rows: readonly Record<string, unknown>[]
  readonly says: string
  /** PostgreSQL's column has room for it. */
  readonly only?: "sqlite"
  readonly options?: Partial<MakeOptions>
}

const item = (fields: Record<string, Field<any, any, any>>): AnyModel => model("item", { name: text({ default: "a" }), ...fields })
const one = (field: Field<any, any, any>) => [item({ x: field })]
const xs = (...values: unknown[]) => values.map(x => ({ name: "a", x }))
const fill = (sql: string): Partial<MakeOptions> => ({ fill: async () => sql })
const uuid1 = "0a0b0c0d-1111-4222-8333-444455556666"
const at = (iso: string) => new Date(iso)

const becomes = (name: string, from: Field<any, any, any>, to: Field<any, any, any>, o: { rows: unknown[]; become?: unknown[]; return?: unknown[]; options?: Partial<MakeOptions> }): Change => ({
  name,
  from: one(from),
  to: one(to),
  rows: xs(...o.rows),
  become: xs(...(o.become ?? o.rows)),
  ...(o.return !== undefined && { return: xs(...o.return) }),
  ...(o.options !== undefined && { options: o.options }),
})

const optional = { optional: true } as const
const CHANGES: readonly Change[] = [
  // How a value is kept ---------------------------------------------------------------------------------------------
  becomes("decimal: more digits after the point", decimal({ scale: 2 }), decimal({ scale: 4 }), { rows: ["1250.00", "-0.05"], become: ["1250.0000", "-0.0500"] }),
  becomes("decimal: fewer, where nothing is there", decimal({ scale: 3 }), decimal({ scale: 0 }), { rows: ["12.000", "-3.000"], become: ["12", "-3"] }),
  becomes("decimal, unique: more digits", decimal({ scale: 0, unique: true }), decimal({ scale: 1, unique: true }), { rows: ["1", "10", "100"], become: ["1.0", "10.0", "100.0"] }),
  becomes("decimal, above 2^53 units", decimal({ scale: 2 }), decimal({ scale: 3 }), { rows: ["999999999999999.99", "-90071992547409.93"], become: ["999999999999999.990", "-90071992547409.930"] }),
  becomes("integer to decimal", integer(), decimal(), { rows: [5, -7], become: ["5.00", "-7.00"] }),
  becomes("integer to number", integer(), number(), { rows: [5, -9007199254740991] }),
  becomes("integer to text", integer(), text(), { rows: [5, -9007199254740991], become: ["5", "-9007199254740991"] }),
  becomes("integer to boolean", integer(), boolean(), { rows: [0, 1], become: [false, true] }),
  becomes("text to integer", text(), integer(), { rows: ["0", "-12"], become: [0, -12] }),
  becomes("text to number", text(), number(), { rows: ["0.5", "-12", "1e3"], become: [0.5, -12, 1000], return: ["0.5", "-12", "1000"] }),
  becomes("text to decimal", text(), decimal(), { rows: ["0.5", "-12.25", "7", "-0.05"], become: ["0.50", "-12.25", "7.00", "-0.05"], return: ["0.50", "-12.25", "7.00", "-0.05"] }),
  becomes("text to boolean", text(), boolean(), { rows: ["true", "false"], become: [true, false] }),
  becomes("text to date", text(), date(), { rows: ["2024-02-29", "0001-01-01"] }),
  becomes("text to datetime", text(), datetime(), { rows: ["2026-03-29T02:30:00.125Z", "1969-12-31T23:59:59.999Z"], become: [at("2026-03-29T02:30:00.125Z"), at("1969-12-31T23:59:59.999Z")] }),
  becomes("text to uuid", text(), uuid(), { rows: [uuid1] }),
  becomes("text to json", text(), json(), { rows: ["5", 'say "hi"'] }),
  becomes("json to text", json(), text(), { rows: [["a"], "b"], become: ['["a"]', "b"], return: ['["a"]', "b"] }),
  becomes("number to text", number(), text(), { rows: [0.1, 1, 0.1 + 0.2, -1.5e300], become: ["0.1", "1", "0.30000000000000004", "-1.5e+300"] }),
  becomes("number to integer", number(), integer(), { rows: [3, -4] }),
  becomes("number to decimal", number(), decimal(), { rows: [0.1, -12.25], become: ["0.10", "-12.25"] }),
  becomes("decimal to number", decimal(), number(), { rows: ["0.10", "-12.25"], become: [0.1, -12.25] }),
  becomes("decimal to text", decimal(), text(), { rows: ["0.05", "-0.05", "999999999999999.99"] }),
  becomes("decimal to integer", decimal(), integer(), { rows: ["5.00", "-7.00"], become: [5, -7] }),
  becomes("boolean to integer", boolean(), integer(), { rows: [true, false], become: [1, 0] }),
  becomes("boolean to text", boolean(), text(), { rows: [true, false], become: ["true", "false"] }),
  becomes("date to text", date(), text(), { rows: ["2026-11-23"] }),
  becomes("date to datetime", date(), datetime(), { rows: ["2026-11-23", "1969-12-31"], become: [at("2026-11-23T00:00:00Z"), at("1969-12-31T00:00:00Z")] }),
  becomes("datetime to date", datetime(), date(), { rows: [at("2026-11-23T00:00:00Z")], become: ["2026-11-23"] }),
  becomes("datetime to text", datetime(), text(), { rows: [at("1969-12-31T23:59:59.999Z"), at("2026-01-01T00:00:00Z")], become: ["1969-12-31T23:59:59.999Z", "2026-01-01T00:00:00.000Z"] }),
  becomes("uuid to text", uuid(), text(), { rows: [uuid1] }),
  becomes("another form and optional at once", text(), integer(optional), { rows: ["4"], become: [4] }),
  becomes("another form and needed at once", text(optional), integer(), { rows: ["4", null], become: [4, 9], return: ["4", "9"], options: fill("9") }),
  // Needed or not ---------------------------------------------------------------------------------------------------
  becomes("needed with --fill", integer(optional), integer(), { rows: [3, null], become: [3, 5], return: [3, 5], options: fill("5") }),
  becomes("needed with a default", text(optional), text({ default: "it's ?" }), { rows: ["b", null], become: ["b", "it's ?"], return: ["b", "it's ?"] }),
  becomes("no longer needed", text(), text(optional), { rows: ["b"] }),
  { name: "needed where every row has one", from: one(text(optional)), to: one(text()), rows: xs("b", "c"), become: xs("b", "c") },
  // Fields that come and go -----------------------------------------------------------------------------------------
  ...([
    ["text", text({ default: "x" }), "x"],
    ["slug", slug({ default: "x" }), "x"],
    ["choice", choice(["a", "b"], { default: "b" }), "b"],
    ["integer", integer({ default: -1 }), -1],
    ["number", number({ default: 0.5 }), 0.5],
    ["decimal", decimal({ default: ".5" }), "0.50"],
    ["boolean", boolean({ default: true }), true],
    ["date", date({ default: "2026-11-23" }), "2026-11-23"],
    ["datetime", datetime({ default: at("2026-11-23T10:00:00Z") }), at("2026-11-23T10:00:00Z")],
    ["json, a text", json({ default: "abc" }), "abc"],
    ["json, a list", json({ default: ["it's"] }), ["it's"]],
    ["json, a number", json({ default: 5 }), 5],
    ["uuid", uuid({ default: uuid1 }), uuid1],
  ] as const).map(([name, field, value]): Change => ({
    name: `a needed field comes: ${name}`,
    from: [item({})],
    to: one(field as Field<any, any, any>),
    rows: [{ name: "a" }, { name: "b" }],
    become: [{ name: "a", x: value }, { name: "b", x: value }],
  })),
  { name: "a needed field beside a rebuild", from: [item({ n: integer(optional) })], to: [item({ n: text(optional), x: integer() })], rows: [{ name: "a", n: 1 }], become: [{ name: "a", n: "1", x: 7 }], options: fill("7") },
  {
    name: "a field goes: back it has an empty value",
    from: [item({ t: text(), c: choice(["l", "m"]), i: integer(), d: decimal(), b: boolean(), day: date(), at: datetime(), j: json(), o: text(optional), s: text({ default: "std" }) })],
    to: [item({})],
    rows: [{ name: "a", t: "t", c: "m", i: 5, d: "5.00", b: true, day: "2026-11-23", at: at("2026-11-23T10:00:00Z"), j: { a: 1 }, o: "o", s: "x" }],
    become: [{ name: "a" }],
    return: [{ name: "a", t: "", c: "l", i: 0, d: "0.00", b: false, day: "1970-01-01", at: new Date(0), j: null, o: null, s: "std" }],
  },
  { name: "a unique field goes: back each row has another value", from: [item({ t: text({ unique: true }), i: integer({ unique: true }), d: decimal({ unique: true }) })], to: [item({})], rows: [{ name: "a", t: "p", i: 8, d: "8.00" }, { name: "a", t: "q", i: 9, d: "9.00" }], become: [{ name: "a" }, { name: "a" }], return: [{ name: "a", t: "1", i: 1, d: "1.00" }, { name: "a", t: "2", i: 2, d: "2.00" }] },
  { name: "renamed and changed at once", from: one(text()), to: [item({ y: integer(optional) })], rows: xs("4"), become: [{ name: "a", y: 4 }], options: { ask: rename } },
  { name: "renamed, one more comes, one goes", from: [item({ x: text(), old: text() })], to: [item({ y: text(), more: integer({ default: 3 }) })], rows: [{ name: "a", x: "v", old: "gone" }], become: [{ name: "a", y: "v", more: 3 }], return: [{ name: "a", x: "v", old: "" }], options: { ask: async (question, from) => (question.entity[2] === "y" ? rename(question, ["x"].filter(x => from.includes(x))) : create(question, from)) } },
  // Indexes ---------------------------------------------------------------------------------------------------------
  becomes("unique comes", text(), text({ unique: true }), { rows: ["a", "b"] }),
  becomes("index comes", text(), text({ index: true }), { rows: ["a", "a"] }),
  becomes("unique goes", text({ unique: true }), text({ index: true }), { rows: ["a", "b"] }),
  { name: "an index over two fields, unique", from: one(text()), to: [model("item", { name: text({ default: "a" }), x: text() }, { indexes: [{ fields: ["name", "x"], unique: true }] })], rows: xs("a", "b"), become: xs("a", "b") },
]

const REFUSED: readonly Refusal[] = [
  { name: "text that is no integer", from: one(text()), to: one(integer()), rows: xs("SW1A 1AA", "12"), says: "SW1A 1AA" },
  { name: "text of an integer that is too large", from: one(text()), to: one(integer()), rows: xs("9007199254740993"), says: "9007199254740993" },
  { name: "text that is no number", from: one(text()), to: one(number()), rows: xs("12 apples"), says: "12 apples" },
  { name: "text that is no decimal", from: one(text()), to: one(decimal()), rows: xs("1.239"), says: "1.239" },
  { name: "text that is no day", from: one(text()), to: one(date()), rows: xs("2026-02-30"), says: "2026-02-30" },
  { name: "text that is no moment", from: one(text()), to: one(datetime()), rows: xs("2026-02-30T10:00:00.000Z"), says: "2026-02-30" },
  { name: "text that is no uuid", from: one(text()), to: one(uuid()), rows: xs("abc"), says: "abc" },
  { name: "text that is no yes or no", from: one(text()), to: one(boolean()), rows: xs("yes"), says: "yes" },
  { name: "decimal: digits that would be cut", from: one(decimal({ scale: 3 })), to: one(decimal({ scale: 2 })), rows: xs("1.239", "1.230"), says: "exactly" },
  { name: "decimal: too large for more digits", from: one(decimal({ scale: 2 })), to: one(decimal({ scale: 12 })), rows: xs("999999999999999.99"), says: "exactly", only: "sqlite" },
  { name: "decimal to integer with a part", from: one(decimal()), to: one(integer()), rows: xs("1.50"), says: "exactly" },
  { name: "number to integer with a part", from: one(number()), to: one(integer()), rows: xs(1.5), says: "1.5" },
  { name: "number with more digits than the decimal", from: one(number()), to: one(decimal()), rows: xs(0.125), says: "0.125" },
  { name: "integer that is no yes or no", from: one(integer()), to: one(boolean()), rows: xs(2), says: "exactly" },
  { name: "a moment that is no day", from: one(datetime()), to: one(date()), rows: xs(at("2026-11-23T10:00:00Z")), says: "exactly" },
  { name: "a boolean to a moment", from: one(boolean()), to: one(datetime()), rows: xs(true), says: "cannot become a datetime by itself" },
  { name: "json to a number", from: one(json()), to: one(number()), rows: xs(5), says: "cannot become a number by itself" },
  { name: "needed, and rows have none", from: one(integer(optional)), to: one(integer()), rows: xs(null), says: "--fill item.x=VALUE" },
  { name: "unique, and two are the same", from: one(text()), to: one(text({ unique: true })), rows: xs("a", "a"), says: "nothing was changed" },
]

const plainRows = (rows: readonly object[]) => rows.map(row => Object.fromEntries(Object.entries(row).filter(([key]) => key !== "id")))

function suite(open: (name: string) => Promise<Database>): void {
  const bench = async () => new Bench(await open("changed"))
  const fresh = async (models: AnyModel[]) => {
    const made = new Bench(await open("fresh"))
    await createTables(made.db, models)
    const shape = await made.shape()
    await made.end()
    return shape
  }
  const read = (b: Bench, [first]: AnyModel[]) => b.run(async () => plainRows(await first!.order("id")))

  test.each(CHANGES.map(change => [change.name, change] as const))("%s", async (_, { from, to, rows, become, return: back = rows, options }) => {
    const b = await bench()
    await b.to(from)
    await b.run(() => from[0]!.createMany(rows as never))
    const before = await b.shape()
    expect(await b.to(to, options)).toBeString()
    expect(await read(b, to)).toEqual(become as never)
    expect(await b.shape()).toEqual(await fresh(to))
    expect(await b.make(to)).toBeUndefined()
    // New rows can be made, and the ids go on.
    await b.run(async () => expect((await to[0]!.create({ ...become[0], ...freshUnique(to[0]!) } as never)).id).toBe(rows.length + 1))
    await b.run(() => to[0]!.where({ id: rows.length + 1 } as never).delete())
    await b.back()
    expect(await read(b, from)).toEqual(back as never)
    expect(await b.shape()).toEqual(before)
    await b.end()
  })

  test.each(REFUSED.map(change => [change.name, change] as const))("refused: %s", async (_, { from, to, rows, says, only, options }) => {
    const b = await bench()
    if (only !== undefined && only !== b.db.dialect) return b.end()
    await b.to(from)
    await b.run(() => from[0]!.createMany(rows as never))
    const before = [await read(b, from), await b.shape()]
    await expect(b.to(to, options)).rejects.toThrow(says)
    expect([await read(b, from), await b.shape()]).toEqual(before)
    await b.end()
  })

  const Other = model("other", { t: text() })
  const Third = model("third", { t: text() })

  test("a reference that is to lead to another model: its ids would be those of other rows", async () => {
    const b = await bench()
    await b.to([model("item", { o: references(Other) }), Other, Third])
    const Now = model("item", { o: references(Third) })
    await b.run(async () => {
      await Third.create({ t: "x" })
      await (model("item", { o: references(Other) }) as AnyModel).create({ o: await Other.create({ t: "y" }) } as never)
    })
    await expect(b.to([Now, Other, Third])).rejects.toThrow("holds ids of other, and is to refer to third")
    await b.run(() => Now.all.delete())
    await b.migrate()
    expect(await b.shape()).toEqual(await fresh([Now, Other, Third]))
    await b.back()
    await b.end()
  })

  test("what happens when its row goes is changed, and back", async () => {
    const b = await bench()
    const [Strict, Loose] = [model("item", { o: references(Other) }), model("item", { o: references(Other, { onDelete: "cascade" }) })]
    await b.to([Strict, Other])
    await b.run(async () => void (await Strict.create({ o: await Other.create({ t: "y" }) })))
    await expect(b.run(() => Other.delete(1))).rejects.toThrow("refers")
    await b.to([Loose, Other])
    expect(await b.shape()).toEqual(await fresh([Loose, Other]))
    await b.back()
    await expect(b.run(() => Other.delete(1))).rejects.toThrow("refers")
    await b.to([Loose, Other])
    await b.run(() => Other.delete(1))
    expect(await b.run(() => Loose.all.count())).toBe(0)
    await b.end()
  })

  test("a reference goes: it comes back only where there are no rows", async () => {
    const b = await bench()
    const With = model("item", { name: text(), o: references(Other) })
    const Without = model("item", { name: text() })
    await b.to([With, Other])
    const before = await b.shape()
    await b.run(async () => void (await With.create({ name: "a", o: await Other.create({ t: "y" }) })))
    await b.to([Without, Other])
    expect(await b.shape()).toEqual(await fresh([Without, Other]))
    await expect(b.back()).rejects.toThrow("item.o_id: is needed, and nothing is known")
    expect(await b.run(() => Without.all.count())).toBe(1)
    await b.run(() => Without.all.delete())
    await b.back()
    expect(await b.shape()).toEqual(before)
    await b.end()
  })

  test("a needed reference comes, and an optional one becomes needed, with --fill", async () => {
    const b = await bench()
    const [Without, Loose, Strict] = [{}, { o: references(Other, optional) }, { o: references(Other, { onDelete: "cascade" }) }].map(more => item(more as never)) as [any, any, any]
    await b.to([Without, Other])
    await b.run(async () => {
      await Without.create({})
      await Other.createMany([{ t: "y" }, { t: "z" }])
    })
    await expect(b.to([Strict, Other])).rejects.toThrow("--fill item.o_id=VALUE")
    await expect(b.to([Strict, Other], fill("9"))).rejects.toThrow(b.db.dialect === "sqlite" ? "refer to rows of other that are not there" : "nothing was changed")
    rmSync(join(b.dir, readMigrations(b.dir).at(-1)!.name), { recursive: true })
    await b.to([Strict, Other], fill("2"))
    expect(await b.run(async () => await Strict.all)).toEqual([{ id: 1, name: "a", oId: 2 }] as never)
    expect(await b.shape()).toEqual(await fresh([Strict, Other]))
    await b.back()
    await b.to([Loose, Other])
    await b.to([Strict, Other], fill("1"))
    expect(await b.run(async () => await Strict.all)).toEqual([{ id: 1, name: "a", oId: 1 }] as never)
    await b.back()
    await b.run(() => Loose.create({ o: null }))
    await b.back()
    expect(await b.run(() => Without.all.count())).toBe(2)
    await b.end()
  })

  test("models that would share a table, a column or an index are told so", async () => {
    const told = async (...models: AnyModel[]) => makeMigration({ models, dialect: "sqlite", existing: [], ask: create }).then(() => "", (error: Error) => error.message)
    expect(await told(model("post", { tags: many(Other) }), model("postTags", { t: text() }), Other)).toContain('two tables would be named "post_tags"')
    expect(await told(model("a", { userID: text(), userId: text() }))).toContain('"userID" and "userId" would both be the column "user_id"')
    expect(await told(model("a", { ownerId: integer(), owner: references(Other) }), Other)).toContain('would both be the column "owner_id"')
    expect(await told(model("a", { b: text(), c: text(), bC: text({ index: true }) }, { indexes: [{ fields: ["b", "c"] }] }))).toContain('would both be named "a_b_c"')
    expect(await told(model("a", { b: text({ index: true }) }), model("aB", { t: text() }))).toContain('"a_b" would be the name of the table of that name and of the index of a over b')
    expect(await told(model("a", { bC: text({ index: true }) }), model("aB", { c: text({ index: true }) }))).toContain('"a_b_c" would be the name of')
  })

  test("models and relations come and go, forwards and back", async () => {
    const b = await bench()
    const Plain = model("item", { name: text() })
    const Rich = model("item", { name: text(), o: references(Other, optional), self: references("self", optional), others: many(Other), friends: many((): AnyModel => Rich) })
    await b.to([Plain])
    await b.run(() => Plain.create({ name: "a" }))
    const before = await b.shape()
    await b.to([Rich, Other])
    await b.run(async () => void (await Rich.update(1, { o: await Other.create({ t: "y" }), self: 1, others: [1], friends: [1] })))
    expect(await b.shape()).toEqual(await fresh([Rich, Other]))
    await b.back()
    expect(await b.run(() => Plain.all.pluck("name"))).toEqual(["a"])
    expect(await b.shape()).toEqual(before)
    await b.to([Rich, Other])
    await b.to([], { ask: create })
    expect(await b.shape()).toEqual([])
    await b.back()
    expect(await b.shape()).toEqual(await fresh([Rich, Other]))
    await b.end()
  })

  test("what was made by hand over a column that goes and another one stops it, until it is dropped by name", async () => {
    for (const made of ["CREATE UNIQUE INDEX by_hand ON item (x) WHERE n > 0", "CREATE INDEX by_hand ON item (x, n)", "ALTER TABLE item ADD CONSTRAINT by_hand CHECK (x <> '' OR n > 0)"]) {
      const b = await bench()
      if (b.db.dialect === "sqlite" && made.startsWith("ALTER")) {
        await b.end()
        continue
      }
      await b.to([item({ x: text(), n: integer() })])
      await b.run(() => (item({ x: text(), n: integer() }) as any).create({ x: "a", n: 1 }))
      await b.sql(made)
      await b.make([item({ n: integer() })])
      await expect(b.migrate()).rejects.toThrow("by_hand")
      await b.sql(made.startsWith("ALTER") ? "ALTER TABLE item DROP CONSTRAINT by_hand" : "DROP INDEX by_hand")
      await b.migrate()
      expect(await b.shape()).toEqual(await fresh([item({ n: integer() })]))
      await b.end()
    }
  })

  // Every option of every field: which change how values are kept, and which are the model's alone ---------------------
  type Option = readonly [kind: string, option: string, before: Field<any, any, any>, after: Field<any, any, any>, value: unknown, migration: boolean]
  const same = (kind: string, make: (options?: any) => Field<any, any, any>, value: unknown): Option[] => [
    [kind, "label", make(), make({ label: "L" }), value, false],
    [kind, "help", make(), make({ help: "H" }), value, false],
    [kind, "search", make(), make({ search: true }), value, false],
    [kind, "editable", make(), make({ editable: false }), value, false],
    [kind, "default", make(), make({ default: value }), value, false],
    [kind, "filter", make(), make({ filter: true }), value, true],
    [kind, "index", make(), make({ index: true }), value, true],
    [kind, "unique", make(), make({ unique: true }), value, true],
    [kind, "optional", make(), make({ optional: true }), value, true],
  ]
  const OPTIONS: readonly Option[] = [
    ...same("text", text, "v"),
    ...same("markdown", markdown, "v"),
    ...same("slug", slug, "v"),
    ...same("email", email, "v@example.com"),
    ...same("url", url, "https://example.com/"),
    ...same("choice", options => choice(["v", "w"], options), "v"),
    ...same("integer", integer, 5),
    ...same("number", number, 0.5),
    ...same("decimal", decimal, "5.00"),
    ...same("boolean", boolean, true),
    ...same("date", date, "2026-11-23"),
    ...same("datetime", datetime, at("2026-11-23T10:00:00.001Z")),
    ...same("json", json, { a: [1] }).filter(([, option]) => !["filter", "index", "unique"].includes(option)),
    ...same("uuid", uuid, uuid1),
    ...same("file", file, "k/v"),
    ...same("image", image, "k/v"),
    ["text", "max", text({ max: 9 }), text({ max: 1 }), "long", false],
    ["text", "min", text(), text({ min: 9 }), "v", false],
    ["markdown", "max", markdown(), markdown({ max: 1 }), "long", false],
    ["slug", "max", slug(), slug({ max: 1 }), "long", false],
    ["slug", "from", slug(), slug({ from: "name" }), "v", false],
    ["choice", "choices", choice(["v", "w"]), choice({ w: "W" }), "v", false],
    ["integer", "min, max", integer(), integer({ min: 9, max: 10 }), 5, false],
    ["number", "min, max", number(), number({ min: 9, max: 10 }), 5, false],
    ["file", "accept, maxBytes", file(), file({ accept: ["image/png"], maxBytes: 1 }), "k/v", false],
    ["image", "maxBytes", image(), image({ maxBytes: 1 }), "k/v", false],
    ["text as markdown", "kind", text(), markdown(), "v", false],
    ["text as choice", "kind", text(), choice(["a"]), "v", false],
  ]
  const kinds = [...new Set(OPTIONS.map(([kind]) => kind))]
  test.each(kinds)("an option changes what is kept only with a migration: %s", async kind => {
    const b = await bench()
    const options = OPTIONS.filter(option => option[0] === kind)
    const before = options.map((option, i) => model(`o${i}`, { x: option[2] }))
    const after = options.map((option, i) => model(`o${i}`, { x: option[3] }))
    await b.to(before)
    for (const [i, option] of options.entries()) await b.run(() => before[i]!.create({ x: option[4] } as never))
    const existing = readMigrations(b.dir)
    for (const [i, [, option, , , , migration]] of options.entries()) {
      const made = await makeMigration({ models: before.map((one, n) => (n === i ? after[i]! : one)), dialect: b.db.dialect, existing, ask: create })
      expect([option, made !== undefined]).toEqual([option, migration])
    }
    await b.to(after, { ask: create })
    for (const [i, option] of options.entries()) expect(await b.run(async () => plainRows(await after[i]!.all))).toEqual([{ x: option[4] }] as never)
    await b.end()
  })
}

/** Other values for the fields that must differ from row to row. */
function freshUnique(of: AnyModel): Record<string, unknown> {
  return Object.fromEntries(Object.entries(of.fields as Record<string, Field>).filter(([key, field]) => field.options.unique === true || key === "x").flatMap(([key, field]) => (field.kind === "decimal" ? [[key, "77"]] : field.kind === "text" ? [[key, "fresh"]] : [])))
}

describe("SQLite", () => suite(async () => new Database("sqlite::memory:")))

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
  }, 60_000)
  afterAll(() => postgres[Symbol.asyncDispose]())
  suite(name => emptied(postgres, name))
})
