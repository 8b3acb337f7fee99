/** Every method of a query with every modifier: honoured, without bearing on the answer, or refused. */
import { expect, test } from "bun:test"
import { onBoth } from "../testdata/databases.ts"
import { gt } from "./compare.ts"
import { transaction } from "./database.ts"
import { ConditionError, NotFound } from "./errors.ts"
import { integer, many, references, text } from "./fields.ts"
import { model } from "./model.ts"
import type { Query } from "./query.ts"

const Owner = model("owner", { name: text() })
const Tag = model("tag", { name: text() })
const Job = model("job", { name: text({ search: true }), rank: integer(), note: text({ default: "" }), owner: references(Owner), tags: many(Tag) }, { order: ["rank"] })
type Jobs = Query<typeof Job.fields>

/** Five jobs: a 3, b 1, c 5, d 2, e 4. By rank: b d a e c. */
const RANKS = { a: 3, b: 1, c: 5, d: 2, e: 4 }
async function fill(): Promise<void> {
  const owner = await Owner.create({ name: "Ann" })
  await Job.createMany(Object.entries(RANKS).map(([name, rank]) => ({ name, rank, owner })))
}
const names = async (query: Jobs = Job.all) => (await query.order("rank").pluck("name")).join("")
const idOf = async (name: string) => (await Job.get({ name })).id

const MODIFIERS = {
  where: (q: Jobs) => q.where({ rank: gt(1) }),
  search: (q: Jobs) => q.search("c"),
  order: (q: Jobs) => q.order("-rank"),
  limit: (q: Jobs) => q.limit(2),
  offset: (q: Jobs) => q.offset(2),
  both: (q: Jobs) => q.order("-rank").offset(1).limit(2),
  nought: (q: Jobs) => q.limit(0),
  forUpdate: (q: Jobs) => q.forUpdate(),
  with: (q: Jobs) => q.with("owner") as unknown as Jobs,
  without: (q: Jobs) => q.without("note") as unknown as Jobs,
} satisfies Record<string, (q: Jobs) => Jobs>
type Modifier = keyof typeof MODIFIERS
type Wanted = Record<Modifier, unknown>

const ROWS: Wanted = { where: "daec", search: "c", order: "ceadb", limit: "bd", offset: "aec", both: "ea", nought: "", forUpdate: "bdaec", with: "bdaec", without: "bdaec" }
const HOW_MANY: Wanted = { where: 4, search: 1, order: 5, limit: 2, offset: 3, both: 2, nought: 0, forUpdate: "refused", with: 5, without: 5 }
/** What a write leaves untouched, by rank. */
const UNTOUCHED: Wanted = { where: "b", search: "bdae", order: "", limit: "aec", offset: "bd", both: "bdc", nought: "bdaec", forUpdate: "", with: "", without: "" }
const joined = (rows: readonly { name: string }[]) => rows.map(row => row.name).join("")
const all = <T>(wanted: T, others: Partial<Wanted> = {}): Wanted => ({ ...(Object.fromEntries(Object.keys(MODIFIERS).map(key => [key, wanted])) as Wanted), ...others })
const untouched = { order: "bdaec", with: "bdaec", without: "bdaec" }

/** What each method is to say, or to leave, in the cell of each modifier. */
const TABLE: Record<string, { run: (q: Jobs) => Promise<unknown>; wanted: Wanted }> = {
  await: { run: async q => joined(await q), wanted: ROWS },
  pluck: { run: async q => (await q.pluck("name")).join(""), wanted: ROWS },
  first: { run: async q => (await q.first())?.name, wanted: { where: "d", search: "c", order: "c", limit: "b", offset: "a", both: "e", nought: undefined, forUpdate: "b", with: "b", without: "b" } },
  // Of those that are left: more than one is an error, and so is none.
  get: { run: async q => (await q.where({ rank: gt(4) }).get({})).name, wanted: all("c", { offset: "none", both: "none", nought: "none" }) },
  "get, two": { run: async q => (await q.get({ rank: gt(3) })).name, wanted: all("more", { search: "c", offset: "none", both: "e", nought: "none" }) },
  count: { run: q => q.count(), wanted: HOW_MANY },
  countUpTo: { run: q => q.countUpTo(3), wanted: { ...HOW_MANY, where: 3, order: 3, with: 3, without: 3 } },
  exists: { run: q => q.exists(), wanted: all(true, { nought: false, forUpdate: "refused" }) },
  "exists, past the end": { run: q => q.offset(5).exists(), wanted: all(false, { forUpdate: "refused", offset: false }) },
  estimate: { run: async q => (await q.estimate()) !== null, wanted: all("refused", { order: true, with: true, without: true }) },
  page: { run: async q => joined((await q.page({ size: 9 })).rows), wanted: { ...ROWS, limit: "refused", offset: "refused", both: "refused", nought: "refused" } },
  each: { run: async q => joined(await Array.fromAsync(q.each(2))), wanted: { ...ROWS, offset: "refused", both: "refused" } },
  update: { run: async q => { await q.update({ note: "seen" }); return names(Job.where({ note: "" })) }, wanted: UNTOUCHED },
  delete: { run: async q => { await q.delete(); return names() }, wanted: UNTOUCHED },
  create: { run: async q => { await q.create({ name: "f", rank: 9, owner: (await Owner.all.first())! }); return names() }, wanted: all("refused", { order: "bdaecf", with: "bdaecf", without: "bdaecf" }) },
  createMany: { run: async q => { await q.createMany([{ name: "f", rank: 9, owner: (await Owner.all.first())! }]); return names() }, wanted: all("refused", { order: "bdaecf", with: "bdaecf", without: "bdaecf" }) },
  // Of b, which is not among the rows of where and search.
  updateOne: { run: async q => { await q.updateOne(await idOf("b"), { note: "seen" }); return names(Job.where({ note: "" })) }, wanted: all("refused", { where: "none", search: "none", order: "daec", forUpdate: "daec", with: "daec", without: "daec" }) },
  "updateOne, relations": { run: async q => { await q.updateOne(await idOf("b"), { tags: [await Tag.create({ name: "t" })] }); return names() }, wanted: all("refused", { where: "none", search: "none", forUpdate: "bdaec", ...untouched }) },
  deleteOne: { run: async q => { await q.deleteOne(await idOf("b")); return names() }, wanted: all("refused", { where: "none", search: "none", order: "daec", forUpdate: "daec", with: "daec", without: "daec" }) },
}

const said = (error: unknown) => (error instanceof ConditionError ? "refused" : error instanceof NotFound ? "none" : (error as Error).name === "MultipleFound" ? "more" : error)

onBoth("methods and modifiers", [Owner, Tag, Job], db => {
  for (const [method, { run, wanted }] of Object.entries(TABLE)) {
    test(method, async () => {
      const got: Record<string, unknown> = {}
      for (const [modifier, modify] of Object.entries(MODIFIERS)) {
        for (const each of [Job, Tag, Owner]) await each.all.delete()
        await fill()
        // forUpdate() is for transactions; the others are to be alike within one and without.
        const inside = () => transaction(() => run(modify(Job.all)))
        got[modifier] = await (modifier === "forUpdate" ? inside() : run(modify(Job.all))).catch(said)
      }
      expect(got).toEqual(wanted)
    })
  }

  test("every method is in the table", () => {
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(Job.all)).filter(name => !["constructor", "then", "limited", ...Object.keys(MODIFIERS)].includes(name))
    const tried = new Set(Object.keys(TABLE).map(name => name.split(",")[0]))
    expect(methods.filter(name => !tried.has(name))).toEqual([])
  })

  test("a limited write says how many, and takes the rows of its order", async () => {
    await fill()
    expect(await Job.order("-rank").limit(1).update({ note: "x" })).toBe(1)
    expect((await Job.where({ note: "x" }).pluck("name")).join("")).toBe("c")
    expect(await Job.all.limit(2).delete()).toBe(2)
    expect(await names()).toBe("aec")
    expect(await Job.all.limit(10).delete()).toBe(3)
    expect(await Job.all.limit(10).delete()).toBe(0)
  })

  test("eight workers that take one row each take eight rows", async () => {
    const owner = await Owner.create({ name: "Ann" })
    await Job.createMany(Array.from({ length: 10 }, (_, i) => ({ name: `n${i}`, rank: i, owner })))
    const take = () => transaction(async () => (await Job.where({ note: "" }).limit(1).forUpdate().update({ note: "taken" })))
    const taken = await Promise.all(Array.from({ length: 8 }, take))
    expect(await Job.where({ note: "taken" }).count()).toBe(taken.reduce((sum, n) => sum + n, 0))
    expect(taken.every(n => n <= 1)).toBe(true)
    if (db().dialect === "sqlite") expect(taken).toEqual([1, 1, 1, 1, 1, 1, 1, 1])
  })

  test("forUpdate() outside of a transaction is refused: it would lock nothing", async () => {
    await fill()
    await expect(Promise.resolve(Job.all.forUpdate())).rejects.toThrow("locks nothing")
    await expect(Job.all.forUpdate().update({ note: "x" })).rejects.toThrow("locks nothing")
  })
})
