/** Databases and snapshots that an older edge made (with drizzle-kit; testdata/legacy) go on without a loss. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { Database } from "../database.ts"
import { boolean, date, datetime, decimal, integer, json, references, text } from "../fields.ts"
import { type AnyModel, model } from "../model.ts"
import { createTables } from "./create.ts"
import type { Ask } from "./renames.ts"
import { Bench } from "./testdata/bench.ts"

const Session = model("session", { key: text({ unique: true }), data: json(), subject: text({ optional: true, index: true }), expiresAt: datetime({ index: true }) }, { table: "edge_session" })
const Client = model("client", { n: text({ unique: true }) })
const pet = (owner: object, scale: number) =>
  model("pet", { owner: references(Client, owner), amount: decimal({ scale }), hot: boolean(), at: datetime(), i: integer(), j: json(), day: date() })

function suite(dialect: "sqlite" | "postgres", open: (name: string) => Promise<Database>): void {
  let n = 0
  const bench = async (): Promise<Bench> => {
    const b = new Bench(await open(`lg${n++}`))
    cpSync(join(import.meta.dir, "testdata", "legacy", dialect), b.dir, { recursive: true })
    await b.migrate()
    await b.run(async () => {
      const owner = await Client.create({ n: "Ann" })
      await pet({}, 2).create({ owner, amount: "12.50", hot: true, at: new Date(5), i: 7, j: { a: "b" }, day: "2026-11-23" })
    })
    return b
  }
  const scale =
    (digits: number): Ask =>
    async question =>
      question.type === "scale" ? { type: "scale", kind: "column", entity: question.entity, scale: digits } : undefined
  const models = (owner: object, digits: number): AnyModel[] => [Client, pet(owner, digits), Session]
  const value = { id: 1, ownerId: 1, amount: "12.50", hot: true, at: new Date(5), i: 7, j: { a: "b" }, day: "2026-11-23" }

  test("a decimal's digits, which the snapshot does not hold, are asked for; then it holds them", async () => {
    const b = await bench()
    if (dialect === "sqlite") {
      await expect(b.make(models({}, 2))).rejects.toThrow("pet.amount: the snapshot does not say how many digits after the point its rows have")
      expect(await b.to(models({}, 2), { ask: scale(2) })).toBeString()
    }
    expect(await b.make(models({}, 2))).toBeUndefined()
    const three = pet({}, 3)
    await b.to([Client, three, Session])
    expect(await b.run(() => three.get(1))).toEqual({ ...value, amount: "12.500" })
    await b.back()
    expect(await b.run(() => pet({}, 2).get(1))).toEqual(value)
    await b.end()
  })

  test("the model was changed at once: rows are what they were", async () => {
    const b = await bench()
    const four = pet({}, 4)
    await b.to([Client, four, Session], { ask: scale(2) })
    expect(await b.run(() => four.get(1))).toEqual({ ...value, amount: "12.5000" })
    await b.end()
  })

  test("a key of a model that was renamed can be changed and dropped", async () => {
    const b = await bench()
    const fresh = new Bench(await open(`lg${n++}`))
    const loose = models({ optional: true }, 2)
    await createTables(fresh.db, loose)
    await b.to(loose, { ask: scale(2) })
    // What older edges made has its names and lines in another order; keys and columns are the same.
    expect(await b.shape()).toEqual(await fresh.shape())
    await b.run(() => Client.delete(1))
    expect(await b.run(() => loose[1]!.get(1))).toEqual({ ...value, ownerId: null } as never)
    await b.end()
    await fresh.end()
  })
}

describe("SQLite", () => suite("sqlite", async () => new Database("sqlite::memory:")))

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
  }, 60_000)
  afterAll(() => postgres[Symbol.asyncDispose]())
  suite("postgres", async name => new Database(await postgres.database(name)))
})
