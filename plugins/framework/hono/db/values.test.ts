/**
 * Values at the edges, and beyond them, of every kind of field, in create, update and conditions: the same answers from
 * both databases, and what cannot be kept exactly is refused before it reaches either.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { sql } from "drizzle-orm"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { contains, endsWith, gt, gte, lt, lte, ne, between, oneOf, startsWith } from "./compare.ts"
import { Database, database, useDatabase } from "./database.ts"
import { ConditionError, NotFound, ValidationError } from "./errors.ts"
import { boolean, choice, date, datetime, decimal, email, file, image, integer, json, many, markdown, number, references, slug, text, url, uuid } from "./fields.ts"
import { createTables } from "./migrate/create.ts"
import { model } from "./model.ts"

const optional = { optional: true } as const
const Tag = model("tag", { name: text(optional) })
const Row: any = model("row", {
  text: text({ ...optional, search: true }),
  markdown: markdown(optional),
  slug: slug(optional),
  email: email(optional),
  url: url(optional),
  choice: choice(["a", "b"], optional),
  integer: integer(optional),
  number: number(optional),
  decimal: decimal(optional),
  whole: decimal({ ...optional, scale: 0 }),
  small: decimal({ ...optional, scale: 8 }),
  boolean: boolean(optional),
  date: date(optional),
  datetime: datetime(optional),
  json: json(optional),
  uuid: uuid(optional),
  file: file(optional),
  image: image(optional),
  unique: text({ ...optional, unique: true }),
  tag: references(Tag, optional),
  tags: many(Tag),
})

const UUID = "0a0b0c0d-1111-4222-8333-44445555abcd"
const at = (text: string) => new Date(text)
const long = "é😀".repeat(30_000)

/** What is given, and what is there afterwards when that is another thing. */
const KEPT: readonly (readonly [field: string, given: unknown, kept?: unknown])[] = [
  ...(["text", "markdown"] as const).flatMap(field => (["", " ", "a\nb\r\n\t", "\u0001\u202e\ufeff\uffff", "😀", long, "'\"\\%_$1?", "null", "0"] as const).map(value => [field, value] as const)),
  ["slug", "a-1"], ["slug", "x".repeat(120)],
  ["email", "ann+tag@example.com"], ["email", " ann@example.com ", "ann@example.com"],
  ["url", "https://example.com/ż?q=a%00b#x"], ["url", "HTTP://X.com"],
  ["choice", "b"],
  ...[0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER].map(value => ["integer", value] as const),
  ...[0, 0.1, 0.1 + 0.2, -1.5, 1e300, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53, 1 / 3].map(value => ["number", value] as const),
  ["decimal", "0", "0.00"], ["decimal", "-0", "0.00"], ["decimal", ".5", "0.50"], ["decimal", "5.", "5.00"], ["decimal", "+5", "5.00"], ["decimal", "-.05", "-0.05"], ["decimal", " 3.1 ", "3.10"],
  ["decimal", "1e2", "100.00"], ["decimal", "12E-1", "1.20"], ["decimal", "007.5", "7.50"], ["decimal", "1.500", "1.50"], ["decimal", "0e9999", "0.00"],
  ["decimal", "999999999999999.99"], ["decimal", "-999999999999999.99"], ["decimal", "90071992547409.93"], ["decimal", "0.01"],
  ["whole", "999999999999999"], ["whole", "-1"], ["whole", "1.0", "1"],
  ["small", "9999999999.99999999"], ["small", "-0.00000001"], ["small", "123456789.12345679"],
  ["boolean", true], ["boolean", false],
  ["date", "0001-01-01"], ["date", "9999-12-31"], ["date", "2024-02-29"], ["date", "2000-02-29"], ["date", "1582-10-10"],
  ["datetime", at("0001-01-01T00:00:00.000Z")], ["datetime", at("9999-12-31T23:59:59.999Z")], ["datetime", new Date(0)], ["datetime", new Date(-1)], ["datetime", at("2026-03-29T01:30:00.125Z")], ["datetime", at("0099-06-01T12:00:00Z")],
  ...(["text", "5", "null", "true", '"q"', "{}", "", 5, 0, -1.5, 1e300, true, false, [], [1], [{ a: 1 }], {}, { a: { b: [null, "x", 1.5, true] } }, { "": "é😀", "a.b": [] }, [null]] as const).map(value => ["json", value] as const),
  ["json", { a: undefined, b: 1 }, { b: 1 }], ["json", at("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00.000Z"],
  ["uuid", UUID], ["uuid", UUID.toUpperCase(), UUID], ["uuid", "00000000-0000-0000-0000-000000000000"],
  ["file", "a/b.txt"], ["image", "x".repeat(255)],
]

const REFUSED: readonly (readonly [field: string, given: unknown])[] = [
  ...["text", "markdown", "slug", "email", "url", "file", "image", "choice", "uuid", "date", "decimal"].flatMap(field => (["a\0b", "\0", "\ud800", "a\udc00b", 5, true, {}, [], ["a"], new Date(0), 5n, Number.NaN, () => "x", Symbol("x")] as const).map(value => [field, value] as const)),
  ["email", "a\0@example.com"], ["email", "a@b"], ["email", `${"x".repeat(250)}@example.com`], ["url", "https://x.com/\0"], ["url", "https://x.com/\ud800"], ["url", "javascript:alert(1)"], ["url", "//x.com"],
  ["slug", "A"], ["slug", "a--b"], ["slug", "x".repeat(121)], ["file", "x".repeat(256)],
  ["choice", ""], ["choice", "c"], ["choice", "toString"],
  ...([1.5, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e300, "1", "", "x", true, 1n, {}, [1], new Date(0)] as const).map(value => ["integer", value] as const),
  ...([Number.NaN, Infinity, -Infinity, "1", true, 1n, {}, []] as const).map(value => ["number", value] as const),
  ...["", " ", ".", "-", "+", "1.2.3", "1,5", "0x10", "NaN", "Infinity", "-Infinity", "١٢", "1 2", "1e", "e5", "--1", "1_000", "1.239", "0.001", "1000000000000000.00", "1e15", "1e9999", "-1e9999", "1e-3", "9".repeat(1200), "1e99999"].map(value => ["decimal", value] as const),
  ["whole", "1.5"], ["whole", "1000000000000000"], ["small", "10000000000"], ["small", "0.000000001"],
  ...([0, 1, "true", "on", "", null, {}] as const).filter(value => value !== null).map(value => ["boolean", value] as const),
  ...["2026-02-30", "2026-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-10", "2026-01-00", "2026-1-2", "0000-01-01", "10000-01-01", "-001-01-01", "26-01-01", "2026-01-01T00:00:00Z", "", "today", " 2026-01-01", "２０２６-01-01"].map(value => ["date", value] as const),
  ...([new Date(Number.NaN), at("+010000-01-01T00:00:00Z"), at("0000-12-31T23:59:59.999Z"), new Date(8.64e15), new Date(-8.64e15), "2026-01-01", 0] as const).map(value => ["datetime", value] as const),
  ...([Number.NaN, Infinity, [Number.NaN], { a: -Infinity }, 5n, { a: 5n }, () => 1, { a: () => 1 }, Symbol("x"), [undefined], "a\0b", "\ud800", { "a\0": 1 }, { a: ["\0"] }] as const).map(value => ["json", value] as const),
  ["json", circular()],
  ...["", "abc", UUID.slice(1), `${UUID}0`, `{${UUID}}`, UUID.replaceAll("-", ""), "g".repeat(36), "../../../../etc/passwd"].map(value => ["uuid", value] as const),
  ...([0, -1, 1.5, Number.NaN, 2 ** 53, "1", true, {}] as const).map(value => ["tag", value] as const),
  ...([[0], [1.5], ["1"], [Number.NaN], 1, "1", {}] as const).map(value => ["tags", value] as const),
]

function circular(): unknown {
  const value: Record<string, unknown> = {}
  value["self"] = value
  return value
}

const shown = (value: unknown) => {
  const words = typeof value === "string" ? JSON.stringify(value) : Bun.inspect(value).replaceAll(/\s+/g, " ")
  return words.length > 40 ? `${words.slice(0, 40)}...` : words
}

function suite(): void {
  test("every kind of field keeps what it takes, to the letter; update and conditions too", async () => {
    for (const [field, given, kept = given] of KEPT) {
      const made = await Row.create({ [field]: given })
      expect([field, shown(given), made[field]]).toEqual([field, shown(given), kept])
      expect((await Row.get(made.id))[field]).toEqual(kept)
      const other = await Row.create({})
      expect((await Row.update(other, { [field]: given }))[field]).toEqual(kept)
      expect(await Row.where({ id: other.id }).update({ [field]: given })).toBe(1)
      const found = await Row.where({ [field]: given }).order("id").pluck("id")
      // An email with spaces around it is kept without them, and no row has it with them.
      if (field !== "email" || given === kept) expect([field, shown(given), found]).toEqual([field, shown(given), [made.id, other.id]])
      if (field !== "json") {
        if (given === kept) expect(await Row.where({ [field]: oneOf([given as never]) }).count()).toBe(2)
        if (given === kept && field !== "boolean") expect([field, shown(given), await Row.where({ [field]: between(given as never, given as never) }).count()]).toEqual([field, shown(given), 2])
        expect(await Row.where({ [field]: ne(kept as never) }).count()).toBe(0)
      }
      await Row.all.delete()
    }
  }, 60_000)

  test("what a field cannot keep is a ValidationError at it, and nothing is written", async () => {
    const row = await Row.create({})
    for (const [field, given] of REFUSED) {
      for (const write of [() => Row.create({ [field]: given }), () => Row.update(row, { [field]: given }), () => Row.where({ id: row.id }).update({ [field]: given })]) {
        const error: unknown = await write().then(
          (made: unknown) => made,
          (refused: unknown) => refused,
        )
        if (field === "tags" && !(error instanceof ValidationError) && String(error).includes("relations")) continue
        expect([field, shown(given), error instanceof ValidationError ? Object.keys(error.issues) : error]).toEqual([field, shown(given), [field]])
      }
    }
    expect(await Row.all.count()).toBe(1)
    expect(await Row.get(row.id)).toEqual(row)
    await Row.all.delete()
  }, 60_000)

  test("a condition on a value that no row can have finds nothing, whatever it is", async () => {
    const row = await Row.create({ text: "x", integer: 3, number: 1, decimal: "1.00", date: "2026-01-01", datetime: new Date(0), json: { a: 1 }, uuid: UUID, slug: "x", choice: "a", email: "a@example.com", url: "https://x.com" })
    const never: [string, unknown[]][] = [
      ["id", [Number.NaN, 1.5, 2 ** 60, 1e300, Infinity, -Infinity, 10n ** 30n]],
      ["tagId", [Number.NaN, 1.5, 2 ** 60]],
      ["tag", [Number.NaN, 1.5, 2 ** 60, { id: 1.5 }]],
      ["tags", [Number.NaN, 1.5, 2 ** 60]],
      ["integer", [Number.NaN, 3.5, 2 ** 60, 1e300, Infinity]],
      ["number", [Number.NaN, Infinity]],
      ["decimal", ["", "abc", "1.001", "1e400", "NaN", "9".repeat(1200), "1000000000000000000000", "a\0"]],
      ["date", ["", "2026-02-30", "xx", "0000-01-01", "\0", "10000-01-01"]],
      ["datetime", [new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15)]],
      ["uuid", ["", "abc", "\0", `${UUID}x`, UUID.replaceAll("-", "")]],
      ["json", ["a\0b", "\ud800", Number.NaN, { a: "\0" }]],
      ...["text", "markdown", "slug", "email", "url", "choice", "file", "image"].map((field): [string, unknown[]] => [field, ["a\0b", "\0", "\ud800"]]),
    ]
    for (const [field, values] of never) {
      for (const value of values) {
        expect([field, shown(value), await Row.where({ [field]: value }).count()]).toEqual([field, shown(value), 0])
        if (field === "tags" || typeof (value as { id?: unknown }).id === "number") continue
        expect(await Row.where({ [field]: oneOf([value as never]) }).count()).toBe(0)
        expect([field, shown(value), await Row.where({ [field]: ne(value as never) }).count()]).toEqual([field, shown(value), 1])
        expect(await Row.where({ not: { [field]: value } }).count()).toBe(1)
        expect(await Row.where({ [field]: value }).delete()).toBe(0)
      }
    }
    for (const id of [Number.NaN, 1.5, 2 ** 60, -1, 0]) {
      await expect(Row.get(id)).rejects.toThrow(NotFound)
      await expect(Row.update(id, { text: "y" })).rejects.toThrow(NotFound)
      await expect(Row.delete(id)).rejects.toThrow(NotFound)
    }
    for (const match of [contains, startsWith, endsWith]) for (const field of ["text", "slug", "uuid", "date"]) for (const value of ["\0", "a\0b", "\ud800"]) expect(await Row.where({ [field]: match(value) }).count()).toBe(0)
    expect(await Row.all.search("a\0b").count()).toBe(0)
    expect(await Row.where({ uuid: startsWith("0A0B") }).count()).toBe(1)
    expect(await Row.where({ date: startsWith("2026-") }).count()).toBe(1)
    expect((await Row.get(row.id)).text).toBe("x")
    await Row.all.delete()
  })

  test("a bound between two values that can be is a bound between them", async () => {
    for (const [integer, decimal, small, datetime] of [[-2, "-10.51", "-0.00000001", at("0001-01-01T00:00:00Z")], [-1, "-10.50", "0", new Date(0)], [3, "10.50", "0.00000001", at("2026-01-01T00:00:00Z")], [4, "10.51", "9999999999.99999999", at("9999-12-31T23:59:59.999Z")]] as const) {
      await Row.create({ integer, decimal, small, datetime })
    }
    await Row.create({})
    const count = (field: string, comparison: unknown) => Row.where({ [field]: comparison }).count()
    const cases: [string, unknown, [lt: number, lte: number, gt: number, gte: number]][] = [
      ["integer", 3.5, [3, 3, 1, 1]], ["integer", -1.5, [1, 1, 3, 3]], ["integer", 1e300, [4, 4, 0, 0]], ["integer", -Infinity, [0, 0, 4, 4]], ["integer", 3, [2, 3, 1, 2]], ["integer", Number.NaN, [0, 0, 0, 0]],
      ["decimal", "10.505", [3, 3, 1, 1]], ["decimal", "-10.505", [1, 1, 3, 3]], ["decimal", "10.5", [2, 3, 1, 2]], ["decimal", "1e400", [4, 4, 0, 0]], ["decimal", "-1e400", [0, 0, 4, 4]], ["decimal", "999999999999999.999", [4, 4, 0, 0]], ["decimal", "-999999999999999.999", [0, 0, 4, 4]], ["decimal", "abc", [0, 0, 0, 0]],
      ["small", "0.000000005", [2, 2, 2, 2]], ["small", "-1e-30", [1, 1, 3, 3]], ["small", "123456789012345678901234567890", [4, 4, 0, 0]],
      ["datetime", new Date(8.64e15), [4, 4, 0, 0]], ["datetime", new Date(-8.64e15), [0, 0, 4, 4]], ["datetime", new Date(0), [1, 2, 2, 3]], ["datetime", new Date(Number.NaN), [0, 0, 0, 0]],
      ["date", "2026-02-30", [0, 0, 0, 0]], ["uuid", "abc", [0, 0, 0, 0]], ["text", "a\0", [0, 0, 0, 0]],
      ["id", 1e300, [5, 5, 0, 0]], ["number", Infinity, [0, 0, 0, 0]],
    ]
    for (const [field, value, wanted] of cases) {
      const got = await Promise.all([lt, lte, gt, gte].map(f => count(field, (f as (v: unknown) => unknown)(value))))
      expect([field, shown(value), got]).toEqual([field, shown(value), wanted])
    }
    expect(await count("decimal", between("10.495", "10.505"))).toBe(1)
    expect(await count("integer", between(-1.5, 3.9))).toBe(2)
    expect(await count("decimal", oneOf(["10.505", "10.5", "x"]))).toBe(1)
    await Row.all.delete()
  })

  test("a value of another type is an error that says which is meant", async () => {
    const wrong: [string, unknown[]][] = [
      ["id", ["1", true, new Date(0)]], ["tagId", ["1"]], ["integer", ["1", true]], ["number", ["1"]], ["decimal", [1, 1.5]], ["boolean", [0, 1, "true"]],
      ["date", [new Date(0), 5]], ["datetime", ["2026-01-01", 0]], ["uuid", [5]], ["text", [5, true, new Date(0)]], ["choice", [5]],
    ]
    for (const [field, values] of wrong) for (const value of values) for (const test of [value, ne(value as never), gt(value as never), oneOf([value as never])]) await expect(Row.where({ [field]: test }).count()).rejects.toThrow(ConditionError)
    for (const field of ["id", "integer", "number", "decimal", "boolean", "datetime", "json"]) await expect(Row.where({ [field]: contains("1") }).count()).rejects.toThrow(ConditionError)
  })

  test("search looks into texts, and for a number among numbers; a field of another kind has no words", async () => {
    const Found: any = model("row", { text: text({ ...optional, search: true }), integer: integer({ ...optional, search: true }), decimal: decimal({ ...optional, search: true }), uuid: uuid({ ...optional, search: true }), boolean: boolean({ ...optional, search: true }), datetime: datetime({ ...optional, search: true }), json: json({ ...optional, search: true }) })
    await Found.createMany([{ text: "room 97" }, { integer: 97 }, { decimal: "97" }, { uuid: UUID, boolean: true, datetime: new Date(97), json: "97" }, { integer: 971 }])
    const ids = (await Found.order("id").pluck("id")) as number[]
    const found = async (words: string) => ((await Found.all.search(words).order("id").pluck("id")) as number[]).map(id => ids.indexOf(id))
    expect(await found("97")).toEqual([0, 1, 2])
    expect(await found("room 97")).toEqual([0])
    expect(await found("0A0B")).toEqual([3])
    for (const words of ["true", "1e400", "97.5", "x\0", "\ud800", "+", "."]) expect([words, await found(words)]).toEqual([words, []])
    await Row.all.delete()
  })

  test("decimals sort, compare and add up exactly in the database", async () => {
    const amounts = ["999999999999999.98", "999999999999999.99", "-0.01", "0.01", "90071992547409.93", "90071992547409.92"]
    await Row.createMany(amounts.map(decimal => ({ decimal })))
    expect(await Row.order("decimal").pluck("decimal")).toEqual(["-0.01", "0.01", "90071992547409.92", "90071992547409.93", "999999999999999.98", "999999999999999.99"])
    expect(await Row.where({ decimal: gt("999999999999999.98") }).pluck("decimal")).toEqual(["999999999999999.99"])
    const page = await Row.order("-decimal").page({ size: 1 })
    expect((await Row.order("-decimal").page({ size: 1, after: page.next })).rows[0].decimal).toBe("999999999999999.98")
    await Row.where({ decimal: gt("99999999999999") }).delete()
    await Row.createMany(Array.from({ length: 10 }, () => ({ decimal: "0.10" })))
    const table = database().tables.of(Row)
    const sums = await database().read<{ total: string }[]>(handle => handle.select({ total: sql`sum(${table["decimal"]})`.mapWith(table["decimal"]) }).from(table))
    expect(sums[0]!.total).toBe("180143985094820.85")
    await Row.all.delete()
  })

  test("a value that is too long for an index is an error of the row", async () => {
    const noise = Array.from({ length: 400 }, (_, i) => Bun.hash(String(i)).toString(36)).join("")
    const error: unknown = await Row.create({ unique: noise }).catch((refused: unknown) => refused)
    // SQLite has no such limit.
    if (error instanceof Error) expect(error).toBeInstanceOf(ValidationError)
    await Row.all.delete()
  })
}

test("a decimal's size is looked at where it is written", () => {
  expect(() => decimal({ scale: 1.5 })).toThrow("scale: 1.5")
  expect(() => decimal({ scale: -1 })).toThrow("scale: -1")
  expect(() => decimal({ scale: 19 })).toThrow("decimal({ digits: 34, scale: 19 })")
  expect(() => decimal({ digits: 3, scale: 4 })).toThrow("more digits after the point")
  expect(() => decimal({ digits: 0 })).toThrow("digits: 0")
})

describe("SQLite", () => {
  let db: Database
  beforeAll(async () => {
    db = new Database("sqlite::memory:")
    await createTables(db, [Tag, Row])
    useDatabase(db)
  })
  afterAll(() => db.close())
  suite()

  test("rows of older edges: a uuid in large letters is found, an amount too large for an integer is read", async () => {
    db.client.run("INSERT INTO row (uuid, small) VALUES (?, ?)", [UUID.toUpperCase(), 1e20])
    expect(await Row.where({ uuid: UUID }).pluck("small")).toEqual(["1000000000000.00000000"])
    expect(await Row.where({ uuid: oneOf([UUID.toUpperCase()]) }).count()).toBe(1)
    expect(await Row.where({ uuid: ne(UUID) }).count()).toBe(0)
    db.client.run("UPDATE row SET small = 12.5")
    await expect(Row.all.pluck("small")).rejects.toThrow("holds 12.5")
    await Row.all.delete()
  })

  test("more digits than an integer has are PostgreSQL's", async () => {
    await expect(createTables(db, [model("wei", { amount: decimal({ digits: 40, scale: 18 }) })])).rejects.toThrow("SQLite keeps at most 18 digits")
  })
})

describeWith(["postgresql"], "PostgreSQL", () => {
  let db: Database
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
    db = new Database(await postgres.database("values"))
    await createTables(db, [Tag, Row])
    useDatabase(db)
  }, 60_000)
  afterAll(async () => {
    await db.close()
    await postgres[Symbol.asyncDispose]()
  })
  suite()

  test("as many digits as the field says", async () => {
    const Wei: any = model("wei", { amount: decimal({ digits: 40, scale: 18 }) })
    await createTables(db, [Wei])
    const most = `${"9".repeat(22)}.${"9".repeat(18)}`
    expect((await Wei.create({ amount: most })).amount).toBe(most)
    await expect(Wei.create({ amount: "1e22" })).rejects.toThrow("at most 22 digits before the point")
    expect(await Wei.where({ amount: gt("9999999999999999999999.9999999999999999985") }).count()).toBe(1)
  })
})
