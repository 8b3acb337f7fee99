/** What somebody wrote by hand into a table of SQLite lives through a new table, until a migration takes it away by name. */
import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Database } from "../database.ts"
import { boolean, integer, many, references, text } from "../fields.ts"
import { type AnyModel, model } from "../model.ts"
import { withHandmade } from "./rebuild.ts"
import { normal, readTable } from "./table-text.ts"
import { Bench, rename } from "./testdata/bench.ts"

const bench = () => new Bench(new Database("sqlite::memory:"))
const item = (x: ReturnType<typeof text>, more: Record<string, any> = {}): any => model("item", { x, n: integer(), ...more })
const before = item(text())
const after = item(text({ optional: true }))

/** The first migration with what a person added to it. */
async function handmade(change: (up: string) => string): Promise<Bench> {
  const b = bench()
  const name = (await b.make([before]))!
  const file = join(b.dir, name, "up.sql")
  writeFileSync(file, change(readFileSync(file, "utf8")))
  await b.migrate()
  return b
}

test("CHECKs, collation, default, UNIQUE: forwards and back", async () => {
  const b = await handmade(up =>
    up
      .replace("`n` integer NOT NULL", "`n` integer NOT NULL DEFAULT (1 + 2) CONSTRAINT positive CHECK (n >= 0 AND ')' <> '('), -- a comment, with a comma\n CHECK (\"x\" <> 'it''s, no'), UNIQUE (x, n)")
      .replace("`x` text NOT NULL", "`x` text NOT NULL COLLATE NOCASE"),
  )
  for (const step of ["there", "forwards", "back"]) {
    if (step === "forwards") await b.to([after])
    if (step === "back") await b.back()
    await b.run(async () => {
      await before.all.delete()
      await before.create({ x: "Q", n: 1 })
      await expect(before.create({ x: "q", n: -1 })).rejects.toThrow()
      await expect(before.create({ x: "it's, no", n: 1 })).rejects.toThrow()
      await expect(before.create({ x: "q", n: 1 })).rejects.toThrow("There is one")
      expect(await before.where({ x: "q" }).count()).toBe(1)
      b.db.client.run("INSERT INTO item (x) VALUES ('d')")
      expect((await before.where({ x: "D" }).first())!.n).toBe(3)
    })
  }
  await b.end()
})

test("triggers, partial indexes and indexes on expressions, of this table and of others that name it; views", async () => {
  const b = bench()
  const Log = model("log", { text: text() })
  await b.to([before, Log])
  for (const sql of [
    "CREATE TRIGGER item_made AFTER INSERT ON item BEGIN INSERT INTO log (text) VALUES ('made ' || new.x); END",
    "CREATE TRIGGER log_made AFTER INSERT ON log BEGIN UPDATE item SET n = n + 1; END",
    "CREATE UNIQUE INDEX one_zero ON item (x) WHERE n = 0",
    "CREATE INDEX by_length ON item (length(x))",
    "CREATE VIEW items AS SELECT x FROM item",
  ]) b.db.client.run(sql)
  await b.run(() => before.create({ x: "a", n: 0 }))
  const objects = () => b.sql("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name IN ('item_made', 'log_made', 'one_zero', 'by_length', 'items') ORDER BY name")
  const had = await objects()
  expect(had.length).toBe(5)
  await b.to([after, Log])
  expect(await objects()).toEqual(had)
  expect(await b.run(() => Log.all.count())).toBe(1)
  await b.run(async () => {
    await after.create({ x: "b", n: 5 })
    expect(await Log.all.pluck("text")).toEqual(["made a", "made b"])
    expect(await after.order("id").pluck("n")).toEqual([2, 6])
  })
  expect(await b.sql("SELECT count(*) AS n FROM items")).toEqual([{ n: 2 }])
  await b.back()
  expect(await objects()).toEqual(had)
  await b.end()
})

test("a renamed column and table take what is attached to them along", async () => {
  const b = await handmade(up => up.replace("`n` integer NOT NULL", "`n` integer NOT NULL CHECK (n >= 0)"))
  b.db.client.run("CREATE UNIQUE INDEX one_zero ON item (x) WHERE n = 0")
  await b.run(() => before.create({ x: "a", n: 0 }))
  const Thing = model("thing", { x: text({ optional: true }), count: integer() })
  await b.to([Thing], { ask: rename })
  await b.run(async () => {
    await expect(Thing.create({ x: "b", count: -1 })).rejects.toThrow()
    await expect(Thing.create({ x: "a", count: 0 })).rejects.toThrow("There is one")
  })
  await b.back()
  await b.run(async () => {
    await expect(before.create({ x: "b", n: -1 })).rejects.toThrow()
  })
  await b.end()
})

test("what does not fit the new table stops it, with what to write; then it goes by name", async () => {
  const b = await handmade(up => up.replace("`n` integer NOT NULL", "`n` integer NOT NULL CHECK (n >= 0)"))
  b.db.client.run("CREATE INDEX by_n ON item (n + 1)")
  await b.run(() => before.create({ x: "a", n: 0 }))
  const name = (await b.make([model("item", { x: text({ optional: true }) })]))!
  await expect(b.migrate()).rejects.toThrow('"-- drop check (...)"')
  const file = join(b.dir, name, "up.sql")
  const up = readFileSync(file, "utf8")
  writeFileSync(file, `-- drop check (n >= 0)\n${up}`)
  await expect(b.migrate()).rejects.toThrow("DROP INDEX by_n")
  expect(await b.run(() => before.all.count())).toBe(1)
  writeFileSync(file, `DROP INDEX by_n;\n-- next\n-- drop check (n >= 0)\n${up}`)
  await b.migrate()
  expect(await b.sql("SELECT * FROM item")).toEqual([{ id: 1, x: "a" }])
  await b.end()
})

test("a view or trigger that would be broken stops it", async () => {
  for (const sql of ["CREATE VIEW v AS SELECT n FROM item", "CREATE TRIGGER v AFTER INSERT ON item BEGIN UPDATE item SET n = new.n; END"]) {
    const b = bench()
    await b.to([before])
    b.db.client.run(sql)
    await b.run(() => before.create({ x: "a", n: 0 }))
    const name = (await b.make([model("item", { x: text({ optional: true }) })]))!
    await expect(b.migrate()).rejects.toThrow("drop it by name")
    expect(await b.run(() => before.all.count())).toBe(1)
    const file = join(b.dir, name, "up.sql")
    writeFileSync(file, `DROP ${sql.split(" ")[1]!} v;\n-- next\n${readFileSync(file, "utf8")}`)
    await b.migrate()
    expect(await b.sql("SELECT * FROM item")).toEqual([{ id: 1, x: "a" }])
    await b.end()
  }
})

test("a table of any name", async () => {
  const b = bench()
  const of = (x: any): any => model("item", { x, n: integer() }, { table: "my-items 2" })
  await b.to([of(text())])
  b.db.client.run("CREATE UNIQUE INDEX one_zero ON \"my-items 2\" (x) WHERE n = 0")
  await b.run(() => of(text()).create({ x: "a", n: 0 }))
  await b.to([of(text({ optional: true }))])
  await b.run(async () => {
    await expect(of(text()).create({ x: "a", n: 0 })).rejects.toThrow("There is one")
  })
  await b.end()
})

test("ids of deleted rows are not given again", async () => {
  const b = bench()
  await b.to([before])
  await b.run(async () => {
    await before.createMany([{ x: "a", n: 1 }, { x: "b", n: 1 }])
    await before.delete(2)
  })
  await b.to([after])
  expect((await b.run<any>(() => after.create({ n: 1 }))).id).toBe(3)
  await b.run(() => after.all.delete())
  await b.to([before])
  expect((await b.run<any>(() => before.create({ x: "c", n: 1 }))).id).toBe(4)
  await b.end()
})

test("children with ON DELETE CASCADE, references to itself, pairs: a new parent takes no row away", async () => {
  const b = bench()
  const [Old, New] = [text(), text({ optional: true })].map(x => {
    const Item: any = model("item", { x, boss: references("self", { optional: true, onDelete: "cascade" }), friends: many((): AnyModel => Item as AnyModel) })
    const Child = model("child", { item: references(Item, { onDelete: "cascade" }) })
    return [Item, Child] as const
  }) as [readonly [any, any], readonly [any, any]]
  await b.to([...Old])
  await b.run(async () => {
    await Old[0].create({ x: "a" })
    await Old[0].create({ x: "b", boss: 1, friends: [1, 2] })
    await Old[1].create({ item: 1 })
  })
  const all = async () => [await b.sql("SELECT * FROM item"), await b.sql("SELECT * FROM child"), await b.sql("SELECT * FROM item_friends")]
  const had = await all()
  await b.to([...New])
  expect(await all()).toEqual(had)
  await b.back()
  expect(await all()).toEqual(had)
  await b.end()
})

test("a table is taken apart as SQLite reads it", () => {
  const sql = 'CREATE TABLE "a b" (id integer PRIMARY KEY, [x y] text COLLATE "NOCASE" DEFAULT \'a,)\' UNIQUE CHECK (length([x y]) > (1)), n DEFAULT -5, g AS (n * 2) STORED, b integer DEFAULT CURRENT_TIMESTAMP /* CHECK (0) */, CONSTRAINT c CHECK (n > 0 -- not )\n), UNIQUE (n, b)) STRICT'
  expect(readTable(sql)).toEqual({
    columns: [
      { name: "id", type: "INTEGER", collate: undefined, default: undefined },
      { name: "x y", type: "TEXT", collate: '"NOCASE"', default: "'a,)'" },
      { name: "n", type: "", collate: undefined, default: "-5" },
      { name: "g", type: "", collate: undefined, default: undefined },
      { name: "b", type: "INTEGER", collate: undefined, default: "CURRENT_TIMESTAMP" },
    ],
    checks: ["CHECK (length([x y]) > (1))", "CONSTRAINT c CHECK (n > 0  \n)"],
    uniques: ["UNIQUE (`x y`)", "UNIQUE (n, b)"],
    generated: ["g"],
    tail: "STRICT",
  })
  expect(normal('("N" >=0)')).toBe(normal("( n >= 0 )"))
  expect(() => withHandmade("CREATE TABLE `__new_a` (\n\t`g` integer\n);", "CREATE TABLE a (n, g AS (n))", { table: "a", dropped: new Set() })).toThrow("GENERATED")
})

test("a new field with a default beside hand-written ones", async () => {
  const b = await handmade(up => up.replace("`n` integer NOT NULL", "`n` integer NOT NULL CHECK (n >= 0)"))
  await b.run(() => before.create({ x: "a", n: 0 }))
  const More = item(text({ optional: true }), { hot: boolean({ default: true }) })
  await b.to([More])
  await b.run(async () => {
    expect(await More.all.pluck("hot" as never)).toEqual([true] as never)
    await expect(More.create({ n: -1 } as never)).rejects.toThrow()
  })
  await b.end()
})
