/** Conditions: what matches what, and that nothing from outside becomes one. */
import { expect, test } from "bun:test"
import { onBoth } from "../testdata/databases.ts"
import { allOf, between, contains, endsWith, gt, gte, has, lt, lte, ne, oneOf, startsWith } from "./compare.ts"
import { ConditionError, MultipleFound, NotFound } from "./errors.ts"
import { boolean, choice, datetime, integer, json, many, references, text } from "./fields.ts"
import { type AnyModel, model } from "./model.ts"
import type { Where } from "./where.ts"

const Owner = model("owner", { name: text({ search: true }), boss: references("self", { optional: true }) })
const Tag = model("tag", { name: text() })
const Key = model("key", {
  secret: text({ search: true }),
  uses: integer({ optional: true }),
  state: choice(["on", "off"], { default: "on" }),
  live: boolean({ default: true }),
  at: datetime({ optional: true }),
  data: json({ optional: true }),
  owner: references(Owner, { optional: true }),
  tags: many(Tag),
})
type Condition = Where<typeof Key.fields>
const maybe = (): string | undefined => undefined

/** What a JSON body can hold, where the app expects a text or a number. */
const FROM_JSON = ['{"ne":""}', '{"contains":""}', '{"operator":"ne","operand":""}', '{"#mark":true,"operator":"ne","operand":""}', '{"condition":{}}', '{"null":false}', '{"in":["a"]}', "{}", "[]", '["a"]', '{"__proto__":{"operator":"ne","operand":""}}', '{"id":{"ne":0}}', '{"or":[{}]}', '{"name":"Ann"}']

onBoth("conditions", [Owner, Tag, Key], () => {
  const three = async () => {
    const ann = await Owner.create({ name: "Ann" })
    const tag = await Tag.create({ name: "x" })
    await Key.create({ secret: "a", uses: 1, owner: ann, tags: [tag], data: { b: 1, a: [true, null, "x"] } })
    await Key.create({ secret: "b", uses: 5, state: "off", at: new Date(1e12), data: [1, 2] })
    await Key.create({ secret: "Café", live: false })
  }
  const found = (condition: Condition) => Key.where(condition).order("id").pluck("secret")

  test("undefined is an error that names the field, and nothing is read, changed or deleted", async () => {
    await three()
    // @ts-expect-error the type refuses it, without exactOptionalPropertyTypes
    await expect(Key.all.get({ secret: maybe() })).rejects.toThrow("key.secret is undefined in a condition")
    // @ts-expect-error
    await expect(Key.get({ secret: maybe() })).rejects.toThrow(ConditionError)
    // @ts-expect-error
    await expect(Key.where({ secret: maybe() }).delete()).rejects.toThrow(ConditionError)
    // @ts-expect-error
    await expect(Key.where({ live: true, secret: maybe() }).update({ uses: 9 })).rejects.toThrow(ConditionError)
    // @ts-expect-error
    await expect(Promise.resolve(Key.where({ or: [{ secret: maybe() }, { live: true }] }))).rejects.toThrow(ConditionError)
    // @ts-expect-error
    await expect(Promise.resolve(Key.where({ not: { secret: maybe() } }))).rejects.toThrow(ConditionError)
    // @ts-expect-error
    await expect(Promise.resolve(Key.where({ owner: has({ name: maybe() }) }))).rejects.toThrow("owner.name is undefined")
    // @ts-expect-error
    await expect(Promise.resolve(Key.where({ owner: maybe() }))).rejects.toThrow(ConditionError)
    // A key that may be absent passes the type: with undefined in it, it does not pass at run time.
    const given: { secret?: string } = { secret: undefined }
    await expect(Key.where(given).count()).rejects.toThrow(ConditionError)
    for (const wrong of [undefined, null, "a", 5n, [], new Date(), ne("a"), has({})]) await expect(Key.where(wrong as never).count()).rejects.toThrow("a condition is an object")
    for (const row of [{}, { id: undefined }]) {
      await expect(Key.delete(row as never)).rejects.toThrow(ConditionError)
      await expect(Key.update(row as never, { uses: 9 })).rejects.toThrow(ConditionError)
      await expect(Key.get(row.id as never)).rejects.toThrow(ConditionError)
    }
    expect([await Key.all.count(), await Key.where({ uses: 9 }).count()]).toEqual([3, 0])
  })

  test("comparisons with nothing are errors where they are made", () => {
    for (const f of [lt, lte, gt, gte]) for (const none of [undefined, null]) expect(() => f(none as never)).toThrow("nothing to compare with")
    expect(() => ne(undefined as never)).toThrow("ne(undefined)")
    expect(() => oneOf([undefined as never])).toThrow("oneOf(undefined)")
    expect(() => oneOf([null as never])).toThrow("null by itself")
    expect(() => oneOf("ab" as never)).toThrow("takes a list")
    expect(() => between(1, undefined as never)).toThrow("between(undefined)")
    expect(() => allOf({ gte: 1 } as never)).toThrow("takes comparisons")
    for (const f of [contains, startsWith, endsWith]) for (const wrong of [undefined, null, 5, {}, ["a"]]) expect(() => f(wrong as never)).toThrow("takes a text")
  })

  test.each(FROM_JSON)("%s of a JSON body is no comparison and no condition", async text => {
    await three()
    const value = JSON.parse(text) as never
    const copied = Object.assign({}, value) as never
    for (const from of [value, copied, [value] as never]) {
      for (const condition of [{ secret: from }, { uses: from }, { live: from }, { at: from }, { id: from }, { owner: from }, { ownerId: from }, { tags: from }, { secret: "a", owner: from }]) {
        const query = Key.where(condition)
        await expect(query.count()).rejects.toThrow(/cannot be compared with|is a relation/)
        await expect(query.delete()).rejects.toThrow(ConditionError)
        await expect(query.update({ uses: 9 })).rejects.toThrow(ConditionError)
        await expect(Key.get(condition)).rejects.toThrow(ConditionError)
      }
      // Between what a function takes, too.
      for (const test of [() => ne(from), () => gt(from), () => oneOf([from]), () => between(from, from)]) await expect((async () => Key.where({ secret: test() as never }).count())()).rejects.toThrow(ConditionError)
      expect(() => contains(from)).toThrow("takes a text")
    }
    expect([await Key.all.count(), await Key.where({ uses: 9 }).count()]).toEqual([3, 0])
  })

  test("errors name the words to say", async () => {
    const told = (condition: unknown) => Key.where(condition as never).count().catch((error: Error) => error.message)
    expect(await told({ secret: { contains: "x" } })).toContain('say contains(...) of "edge/db"')
    expect(await told({ uses: { in: [1] } })).toContain("say oneOf([...])")
    expect(await told({ at: { null: false } })).toContain("say null or ne(null)")
    expect(await told({ secret: ["a"] })).toContain("say oneOf([...])")
    expect(await told({ owner: { name: "Ann" } })).toContain("has({ ... })")
    expect(await told({ or: { secret: "a" } })).toContain('"or" takes a list')
    expect(await told({ and: undefined })).toContain("undefined in a condition")
    expect(await told({ constructor: 1 })).toContain('has no field "constructor"')
    expect(await told({ toString: 1 })).toContain("has no field")
    expect(await told(JSON.parse('{"__proto__":1}'))).toContain('has no field "__proto__"')
    expect(await told({ data: gt(1) })).toContain("compared as a whole")
  })

  test("what each comparison finds", async () => {
    await three()
    const wanted: [Condition, string[]][] = [
      [{}, ["a", "b", "Café"]],
      [{ secret: ne("a") }, ["b", "Café"]],
      [{ uses: ne(1) }, ["b", "Café"]],
      [{ uses: null }, ["Café"]],
      [{ uses: ne(null) }, ["a", "b"]],
      [{ uses: gt(1) }, ["b"]],
      [{ uses: gte(1) }, ["a", "b"]],
      [{ uses: lt(5) }, ["a"]],
      [{ uses: lte(5) }, ["a", "b"]],
      [{ uses: between(1, 4) }, ["a"]],
      [{ uses: allOf(gt(1), lt(9), ne(7)) }, ["b"]],
      [{ uses: allOf() }, ["a", "b", "Café"]],
      [{ uses: oneOf([1, 7]) }, ["a"]],
      [{ uses: oneOf([]) }, []],
      [{ secret: contains("AF") }, ["Café"]],
      [{ secret: startsWith("ca") }, ["Café"]],
      [{ secret: endsWith("é") }, ["Café"]],
      [{ secret: contains("") }, ["a", "b", "Café"]],
      [{ state: oneOf(["off"]) }, ["b"]],
      [{ at: lt(new Date()) }, ["b"]],
      [{ live: false }, ["Café"]],
      [{ owner: null }, ["b", "Café"]],
      [{ owner: ne(null) }, ["a"]],
      [{ owner: has({ name: startsWith("an") }) }, ["a"]],
      [{ owner: has({ boss: has({ name: "x" }) }) }, []],
      [{ tags: has({}) }, ["a"]],
      [{ not: { tags: has({ name: "x" }) } }, ["b", "Café"]],
      // What SQL answers with "unknown" is not so.
      [{ not: { uses: 5 } }, ["a", "Café"]],
      [{ not: { uses: gt(0) } }, ["Café"]],
      [{ not: {} }, []],
      [{ not: { not: {} } }, ["a", "b", "Café"]],
      [{ or: [] }, []],
      [{ or: [{}] }, ["a", "b", "Café"]],
      [{ or: [{ uses: 1 }, {}] }, ["a", "b", "Café"]],
      [{ or: [{ uses: 1 }, { or: [] }] }, ["a"]],
      [{ or: [{ uses: 1 }, { live: false }], secret: ne("a") }, ["Café"]],
      [{ and: [] }, ["a", "b", "Café"]],
      [{ and: [{ uses: 1 }, { live: true }] }, ["a"]],
      [{ and: [{ or: [] }, {}] }, []],
    ]
    for (const [condition, secrets] of wanted) expect([condition, await found(condition)]).toEqual([condition, secrets])
  })

  test("JSON is compared as a whole, whatever the order of its keys", async () => {
    await three()
    expect(await found({ data: { a: [true, null, "x"], b: 1 } })).toEqual(["a"])
    expect(await found({ data: JSON.parse('{"b":1,"a":[true,null,"x"]}') })).toEqual(["a"])
    expect(await found({ data: [1, 2] })).toEqual(["b"])
    for (const other of [{ a: [true, null, "x"], b: "1" }, { a: [null, true, "x"], b: 1 }, { b: 1 }, [2, 1], [1], {}, { ne: "" }]) expect([other, await found({ data: other })]).toEqual([other, []])
    expect(await found({ data: ne([1, 2]) })).toEqual(["a", "Café"])
    expect(await found({ data: oneOf([[1, 2], { z: 1 }]) })).toEqual(["b"])
    expect(await found({ data: null })).toEqual(["Café"])
    await expect(found({ data: (() => 1) as never })).rejects.toThrow("no JSON")
  })

  test("get() is for one: more are an error that says how to take the first", async () => {
    await Owner.createMany([{ name: "a" }, { name: "a" }, { name: "b" }])
    await expect(Owner.get({ name: "a" })).rejects.toThrow(MultipleFound)
    await expect(Owner.where({ name: "a" }).get({})).rejects.toThrow(".first()")
    await expect(Owner.get({ name: "c" })).rejects.toThrow(NotFound)
    expect((await Owner.get({ name: "b" })).name).toBe("b")
    expect((await Owner.where({ name: "a" }).order("-id").first())!.name).toBe("a")
    // Who says which one, has one.
    expect((await Owner.order("-id").limit(1).get({ name: "a" })).name).toBe("a")
  })

  test("words of an order, a relation or a column are the model's own", async () => {
    for (const word of ["constructor", "enableRLS", "_", "getSQL", "--id", "", "owner", "tags", "id; drop table key", undefined, null, 5, {}]) {
      expect(() => Key.order(word as never)).toThrow("cannot be sorted")
      expect(() => Key.all.without(word as never)).toThrow("no column")
      await expect(Key.all.pluck(word as never)).rejects.toThrow("no column")
      if (word !== "owner" && word !== "tags") expect(() => Key.with(word as never)).toThrow("no relation")
    }
    expect(() => Key.all.without("id" as never)).toThrow("no column")
  })

  test("numbers of rows are whole and not below nought", async () => {
    await three()
    for (const wrong of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", undefined, null, {}]) {
      expect(() => Key.all.limit(wrong as never)).toThrow(ConditionError)
      expect(() => Key.all.offset(wrong as never)).toThrow(ConditionError)
      await expect(Key.all.page({ size: wrong as never })).rejects.toThrow(ConditionError)
      if (wrong !== undefined) await expect(Key.all.each(wrong as never).next()).rejects.toThrow(ConditionError)
      await expect(Key.all.countUpTo(wrong as never)).rejects.toThrow(ConditionError)
    }
    for (const wrong of [0, -1]) await expect(Key.all.each(wrong).next()).rejects.toThrow(ConditionError)
    expect(await Key.all.limit(0)).toEqual([])
  })
})

test("a field cannot have a name that conditions or objects have", () => {
  for (const key of ["or", "and", "not"]) expect(() => model("odd", { [key]: text() })).toThrow(`field "${key}": "or", "and" and "not" combine conditions`)
  for (const key of ["constructor", "toString", "hasOwnProperty"]) expect(() => model("odd", { [key]: text() })).toThrow("JavaScript objects have one of that name")
})

test("types: what a condition takes", () => {
  const check = () => {
    const where: Condition = { secret: contains("x"), state: ne("on") }
    void [Key.where(where), Key.where({ uses: gt(1), at: lt(new Date()), owner: 5, tags: { id: 1 } }), Key.where({ ...(maybe() !== undefined && { secret: "x" }) })]
    // Values that the compiler does not know are checked when it runs.
    void Key.where({ secret: JSON.parse("1") })
    // @ts-expect-error no such field
    void Key.where({ secrte: "x" })
    // @ts-expect-error no such field beside one that is there
    void Key.where({ secrte: "x", live: true })
    // @ts-expect-error a comparison of another type
    void Key.where({ uses: gt("1") })
    // @ts-expect-error a value that is no choice
    void Key.where({ state: ne("of") })
    // @ts-expect-error texts only
    void Key.where({ uses: contains("1") })
    // @ts-expect-error a plain object is no comparison
    void Key.where({ secret: { contains: "x" } })
    // @ts-expect-error a relation's condition has a mark
    void Key.where({ owner: { name: "x" } })
    // @ts-expect-error nothing below null
    void Key.where({ uses: lt(null) })
    const self: Where<(typeof Owner)["fields"]> = { boss: has({ name: "x" }) }
    return [self, (Key as AnyModel).where({ anything: 1 } as never)]
  }
  expect(check).toBeFunction()
})
