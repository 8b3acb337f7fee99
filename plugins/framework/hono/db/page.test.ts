import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { Database, withDatabase } from "./database.ts"
import { boolean, choice, datetime, decimal, integer, text } from "./fields.ts"
import { createTables } from "./migrate/create.ts"
import { model } from "./model.ts"
import { sortKeys, toCursor } from "./page.ts"

const Item = model("item", {
  name: text({ search: true }),
  rank: integer({ optional: true, index: true }),
  price: decimal({ optional: true }),
  hot: boolean({ default: false }),
  state: choice(["draft", "live"], { optional: true }),
  at: datetime({ optional: true, index: true }),
})

const orders: string[][] = [[], ["name"], ["-rank"], ["rank"], ["-hot", "rank"], ["rank", "-at"], ["-rank", "price", "-state"], ["price"], ["-at"], ["-id"], ["id"]]

let postgres: Postgres
let databases: Record<string, Database>

async function filled(database: Database): Promise<Database> {
  await createTables(database, [Item])
  await withDatabase(database, () =>
    Item.createMany(
      Array.from({ length: 97 }, (_, i) => ({
        name: `n${(i * 37) % 23}`,
        rank: i % 3 === 0 ? null : (i * 7) % 11,
        price: i % 4 === 0 ? null : `${((i * 13) % 9) - 4}.50`,
        hot: i % 5 === 0,
        state: i % 6 === 0 ? null : i % 2 === 0 ? ("draft" as const) : ("live" as const),
        at: i % 7 === 0 ? null : new Date(Date.UTC(2026, 0, 1 + (i % 10))),
      })),
    ),
  )
  return database
}

beforeAll(async () => {
  postgres = await Postgres.start()
  databases = {
    sqlite: await filled(new Database("sqlite::memory:")),
    postgres: await filled(new Database(await postgres.database("pages"))),
  }
}, 60_000)
afterAll(async () => {
  for (const database of Object.values(databases)) await database.close()
  await postgres[Symbol.asyncDispose]()
})

/** The order that pages promise, worked out by hand: nulls last, the id last and in the direction of the first key. */
function sorted<R extends Record<string, any>>(rows: readonly R[], order: readonly string[]): number[] {
  const keys = sortKeys(Item, order)
  const value = (row: R, name: string) => (name === "price" && row.price !== null ? Number(row.price) : row[name])
  const compare = (a: R, b: R): number => {
    for (const { name, descending } of keys) {
      const [x, y] = [value(a, name), value(b, name)]
      if (x === null && y === null) continue
      if (x === null || y === null) return x === null ? 1 : -1
      if (String(x) !== String(y)) return x < y === descending ? 1 : -1
    }
    return 0
  }
  return rows.toSorted(compare).map(row => row.id)
}

for (const name of ["sqlite", "postgres"]) {
  describe(name, () => {
    const on = <T>(f: () => Promise<T>) => withDatabase(databases[name]!, f)

    for (const order of orders) {
      test(`pages by ${order.join(", ") || "id"} forwards and backwards give every row once, in order`, () =>
        on(async () => {
          const wanted = sorted(await Item.all, order)
          const query = Item.order(...(order as never[]))
          const forwards: number[][] = []
          let cursor: string | undefined
          do {
            const page = await query.page({ size: 10, after: cursor })
            expect(page.previous === undefined).toBe(forwards.length === 0)
            forwards.push(page.rows.map(row => row.id))
            cursor = page.next
          } while (cursor !== undefined)
          expect(forwards.flat()).toEqual(wanted)
          expect(forwards.map(page => page.length)).toEqual([10, 10, 10, 10, 10, 10, 10, 10, 10, 7])

          let back = (await query.page({ size: 10, after: toCursor(sortKeys(Item, order), (await Item.get(wanted[79]!)) as never) })).previous
          const seen: number[][] = []
          while (back !== undefined) {
            const page = await query.page({ size: 10, before: back })
            seen.unshift(page.rows.map(row => row.id))
            back = page.previous
          }
          expect(seen.flat()).toEqual(wanted.slice(0, 80))
          const each: number[] = []
          for await (const row of query.each(9)) each.push(row.id)
          expect(each).toEqual(wanted)
        }))
    }

    test("a page that begins less than a page from the start is the first page", () =>
      on(async () => {
        const first = await Item.order("id").page({ size: 10 })
        const third = await Item.order("id").page({ size: 3, after: first.next })
        const page = await Item.order("id").page({ size: 20, before: third.previous })
        expect(page.rows.length).toBe(20)
        expect(page.rows[0]!.id).toBe(first.rows[0]!.id)
      }))

    test("a cursor for another order, cut, forged or of wrong types gives the first page", () =>
      on(async () => {
        const first = await Item.order("rank").page({ size: 5 })
        const other = (await Item.order("name").page({ size: 5 })).next!
        const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
        const bad = ["", "x", "%00", other, first.next!.slice(0, 9), made(["rank,id"]), made(["rank,id", "1; drop table item", 1]), made(["rank,id", { gt: 0 }, 1]), made(["rank,id", 1, null]), made(null)]
        for (const after of bad) expect((await Item.order("rank").page({ size: 5, after })).rows).toEqual(first.rows)
      }))

    test("a condition and loaded order hold on every page; counting stops where it is told", () =>
      on(async () => {
        const hot = Item.where({ hot: true }).order("-at")
        const ids: number[] = []
        for (let after: string | undefined, n = 0; n === 0 || after !== undefined; n++) {
          const page = await hot.page({ size: 4, after })
          expect(page.rows.every(row => row.hot)).toBe(true)
          ids.push(...page.rows.map(row => row.id))
          after = page.next
        }
        expect(new Set(ids).size).toBe(20)
        expect(await Item.all.countUpTo(50)).toBe(50)
        expect(await hot.countUpTo(50)).toBe(20)
        expect(await Item.all.countUpTo(97)).toBe(97)
        if (name === "postgres") await databases.postgres!.client.unsafe("ANALYZE item")
        expect(await Item.all.estimate()).toBe(97)
      }))

    test("rows locked for an update are written by their transaction first", () =>
      on(async () => {
        const db = databases[name]!
        const [row] = await Item.order("id").limit(1)
        const seen: string[] = []
        let locked!: () => void
        const isLocked = new Promise<void>(resolve => (locked = resolve))
        const first = db.transaction(async () => {
          await Item.where({ id: row!.id }).forUpdate().first()
          locked()
          await Bun.sleep(50)
          seen.push("first")
          await Item.update(row!, { name: "first" })
        })
        await isLocked
        const second = db.transaction(async () => {
          await Item.where({ id: row!.id }).forUpdate().first()
          seen.push("second")
        })
        await Promise.all([first, second])
        expect(seen).toEqual(["first", "second"])
      }))
  })
}

test("a large table of SQLite is estimated from samples, holes and all", async () => {
  const database = await filled(new Database("sqlite::memory:"))
  const add = (from: number, to: number) =>
    database.client.run(`WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) INSERT INTO item (id, name, hot) SELECT i, 'x', 0 FROM n`)
  add(1000, 400_000)
  await withDatabase(database, async () => {
    const near = async (rows: number) => {
      const estimate = (await Item.all.estimate())!
      expect([Math.abs(estimate - rows) < rows * 0.1, estimate]).toEqual([true, estimate])
    }
    await near(399_098)
    database.client.run("DELETE FROM item WHERE id % 4 <> 0")
    await near(99_800)
    database.client.run("DELETE FROM item WHERE id < 200000")
    await near(50_000)
    database.client.run("DELETE FROM item")
    expect(await Item.all.estimate()).toBe(0)
  })
  await database.close()
})
