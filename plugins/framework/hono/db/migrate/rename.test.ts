/** After a rename everything can still be changed and dropped: keys, indexes, pairs; and the old name is free again. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { Database } from "../database.ts"
import { integer, many, references, text } from "../fields.ts"
import { type AnyModel, model } from "../model.ts"
import { createTables } from "./create.ts"
import { Bench, create, emptied, rename } from "./testdata/bench.ts"

function suite(open: (name: string) => Promise<Database>): void {
  const bench = async () => new Bench(await open("changed"))
  const fresh = async (models: readonly AnyModel[]) => {
    const made = new Bench(await open("fresh"))
    await createTables(made.db, models)
    const shape = await made.shape()
    await made.end()
    return shape
  }

  /** A person, pets with a reference, pairs both ways. */
  const world = (person: string, pet: string, key: string, pairs: string, o: { optional?: true; gone?: boolean; name?: string } = {}) => {
    const Person = model(person, { name: text({ unique: true }), [pairs]: many((): AnyModel => Pet), friends: many((): AnyModel => Person) })
    const Pet: AnyModel = model(
      pet,
      { [o.name ?? "title"]: text({ index: true }), n: integer(), ...(o.gone !== true && { [key]: references(Person, { ...(o.optional && { optional: true as const }) }) }), boss: references("self", { optional: true }) },
      { indexes: [{ fields: [(o.name ?? "title") as "n", "n"], unique: true }] },
    )
    return [Person, Pet] as const
  }
  const seed = async (b: Bench, [Person, Pet]: readonly [AnyModel, AnyModel], key: string, pairs: string) =>
    b.run(async () => {
      const ann = await Person.create({ name: "Ann" } as never)
      const rex = await Pet.create({ title: "Rex", n: 1, [key]: ann } as never)
      await Person.update(ann, { [pairs]: [rex], friends: [ann] } as never)
    })
  const check = async (b: Bench, [Person, Pet]: readonly [AnyModel, AnyModel], pairs: string) =>
    b.run(async () => {
      expect(await Person.where({ name: "Ann" } as never).with(pairs as never, "friends" as never)).toMatchObject([{ id: 1, [pairs]: [{ id: 1, n: 1 }], friends: [{ id: 1 }] }])
      expect(await Pet.all.pluck("id")).toEqual([1])
    })

  test("model, key, pairs and text renamed, each and all; then changed, then dropped, then all of it back", async () => {
    for (const now of [
      ["client", "pet", "owner", "pets", "title"],
      ["person", "beast", "owner", "pets", "title"],
      ["person", "pet", "keeper", "pets", "title"],
      ["person", "pet", "owner", "animals", "title"],
      ["person", "pet", "owner", "pets", "headline"],
      ["client", "beast", "keeper", "animals", "headline"],
    ] as const) {
      const [person, pet, key, pairs, name] = now
      const b = await bench()
      const old = world("person", "pet", "owner", "pets")
      await b.to(old)
      await seed(b, old, "owner", "pets")
      const shapes = [await b.shape()]
      const asked: string[] = []
      const ask: typeof rename = async (question, from) => {
        asked.push(question.entity.slice(1).join("."))
        return rename(question, from)
      }
      for (const [i, o] of [{}, { optional: true as const }, { gone: true }].entries()) {
        const next = world(person, pet, key, pairs, { ...o, name })
        expect(await b.to(next, { ask })).toBeString()
        expect([now, o, await b.shape()]).toEqual([now, o, await fresh(next)])
        if (i < 2) shapes.push(await b.shape())
        await check(b, next, pairs)
        expect(await b.make(next)).toBeUndefined()
      }
      // Only what a person knows was asked: that pairs follow their model is plain.
      expect(asked.toSorted()).toEqual([...(person === "person" ? [] : [person]), ...(pet === "pet" ? [] : [pet]), ...(key === "owner" ? [] : [`${pet}.${key}_id`]), ...(pairs === "pets" ? [] : [`${person}_${pairs}`]), ...(name === "title" ? [] : [`${pet}.headline`])].toSorted())
      // The old names are free: models of these names can come.
      const more = [...world(person, pet, key, pairs, { gone: true, name }), ...world(person === "person" ? "people" : "person", pet === "pet" ? "pets" : "pet", "owner", "pets")]
      await b.to(more, { ask: create })
      expect(await b.shape()).toEqual(await fresh(more))
      await b.back()
      const next = world(person, pet, key, pairs, { gone: true, name })
      await check(b, next, pairs)
      // Back: the key that went was optional then.
      await b.back()
      expect(await b.shape()).toEqual(shapes[2]!)
      const [, Pet] = world(person, pet, key, pairs, { optional: true, name })
      await b.run(() => Pet.all.update({ [key]: 1 } as never))
      await b.back()
      expect(await b.shape()).toEqual(shapes[1]!)
      await b.back()
      expect(await b.shape()).toEqual(shapes[0]!)
      await check(b, old, "pets")
      await b.end()
    }
  }, 120_000)

  test("names that are longer than a database keeps", async () => {
    const long = "averylongnameofamodelthatnobodywouldwritebutsomebodydoes"
    const One = model("one", { name: text() })
    const make = (onDelete: "cascade" | "restrict") => model(long, { firstOfTheTwoKeysThatLeadToOne: references(One, { onDelete }), firstOfTheTwoKeysThatLeadToOneAgain: references(One, { onDelete }) })
    const b = await bench()
    await b.to([One, make("restrict")])
    const before = await b.shape()
    await b.to([One, make("cascade")])
    expect(await b.shape()).toEqual(await fresh([One, make("cascade")]))
    await b.back()
    expect(await b.shape()).toEqual(before)
    await b.end()
  })
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

