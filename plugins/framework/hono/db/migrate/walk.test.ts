/** Random walks through models: after each step the database is as one made anew, and each step is taken back to what was. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { describeWith } from "../../../../../test/kit/needs.ts"
import { Postgres } from "../../../../../test/kit/postgres.ts"
import { Database } from "../database.ts"
import type { Field } from "../field.ts"
import { boolean, date, datetime, decimal, integer, json, many, number, references, text, uuid } from "../fields.ts"
import { type AnyModel, model } from "../model.ts"
import { createTables } from "./create.ts"
import { literal } from "./literal.ts"
import type { Ask } from "./renames.ts"
import { Bench, emptied } from "./testdata/bench.ts"

/** Numbers from 0 to n - 1, the same for the same seed (mulberry32). */
function dice(seed: number): (n: number) => number {
  let state = seed
  return n => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}

const PLAIN = [text, integer, number, boolean, date, datetime, json, uuid, (o: object) => decimal({ ...o, scale: 2 }), (o: object) => decimal({ ...o, scale: 4 })] as ((options: object) => Field)[]

const VALUES: Readonly<Record<string, unknown>> = { text: "x", integer: 1, number: 1, boolean: true, date: "2026-01-01", datetime: new Date(0), uuid: "0a0b0c0d-1111-4222-8333-44445555abcd", decimal: "1" }

/** A few models of few names, so that names come and go and come again as something else. */
function models(roll: (n: number) => number): AnyModel[] {
  const names = ["alpha", "beta", "gamma", "delta"].filter(() => roll(3) > 0)
  const made: AnyModel[] = []
  for (const name of names) {
    const fields: Record<string, Field<any, any, any>> = {}
    for (const key of ["one", "two", "three", "four"]) {
      if (roll(3) === 0) continue
      const options = { ...(roll(2) === 0 && { optional: true }), ...(roll(4) === 0 && { index: true }), ...(roll(6) === 0 && { unique: true }) }
      const other = () => made.find(m => m.name === names[0]) as AnyModel
      const kind = roll(14)
      if (kind < PLAIN.length) fields[key] = PLAIN[kind]!(kind === 6 ? { optional: true } : options)
      else if (kind < 13) fields[key] = references(roll(3) === 0 ? "self" : (other as never), { optional: true, ...(roll(2) === 0 && { onDelete: "cascade" as const }) }) as never
      else fields[key] = many(other as never) as never
    }
    const plain = Object.keys(fields).filter(key => fields[key]!.kind !== "many" && fields[key]!.kind !== "json")
    made.push(model(name, fields, plain.length > 1 && roll(3) === 0 ? { indexes: [{ fields: plain.slice(0, 2), unique: roll(2) === 0 }] } : {}))
  }
  return made
}

function suite(seeds: readonly number[], open: (name: string) => Promise<Database>): void {
  test.each(seeds)("seed %d", async seed => {
    const roll = dice(seed)
    const ask: Ask = async (question, from) =>
      roll(2) === 0 ? { type: "rename", kind: question.kind, from: [...question.entity.slice(0, -1), from[roll(from.length)]!], to: question.entity } : { type: "create", kind: question.kind, entity: question.entity }
    const b = new Bench(await open("changed"))
    const shapes: string[][] = [[]]
    for (let tries = 0; tries < 200 && shapes.length < 8; tries++) {
      const next = models(roll)
      const outcome = await b.to(next, { ask, fill: async (of, key) => literal(VALUES[of.fields[key].kind], of.fields[key], b.db.dialect) }).catch((error: Error) => error.message)
      // What is not to be had by itself is said; the walk goes on from where it was.
      if (outcome === undefined || outcome.includes("cannot become") || outcome.includes("would be the name of")) continue
      expect(outcome).toMatch(/^\d{4}_/)
      const fresh = new Bench(await open("fresh"))
      await createTables(fresh.db, next)
      expect(await b.shape()).toEqual(await fresh.shape())
      await fresh.end()
      expect(await b.make(next)).toBeUndefined()
      shapes.push(await b.shape())
    }
    expect(shapes.length).toBe(8)
    while (shapes.length > 1) {
      expect(await b.shape()).toEqual(shapes.pop()!)
      await b.back()
    }
    expect(await b.shape()).toEqual([])
    await b.end()
  })
}

const seeds = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
describe("SQLite", () => suite(seeds(Number(process.env["WALKS"] ?? 40)), async () => new Database("sqlite::memory:")))

describeWith(["postgresql"], "PostgreSQL", () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await Postgres.start()
  }, 60_000)
  afterAll(() => postgres[Symbol.asyncDispose]())
  suite(seeds(Number(process.env["WALKS"] ?? 8)), name => emptied(postgres, name))
})
