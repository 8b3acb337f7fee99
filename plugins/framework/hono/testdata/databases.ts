/** The same tests on SQLite (a file, as apps have it) and on PostgreSQL. */
import { afterAll, beforeAll, beforeEach, describe } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeWith } from "../../../../test/kit/needs.ts"
import { Postgres } from "../../../../test/kit/postgres.ts"
import { Database, useDatabase } from "../db/database.ts"
import { createTables } from "../db/migrate/create.ts"
import type { AnyModel } from "../db/model.ts"

/**
 * `body` declares tests; each finds the tables of `models`, empty, in the database that models use. `memory`: on SQLite
 * in memory too, where apps' own tests run and everything is one connection.
 */
export function onBoth(name: string, models: readonly AnyModel[], body: (db: () => Database) => void, o: { memory?: boolean } = {}): void {
  let db: Database
  const suite = () => {
    beforeEach(async () => {
      useDatabase(db)
      for (const model of models.toReversed()) await model.all.delete()
    })
    afterAll(() => db.close())
    body(() => db)
  }
  describe(`${name}, SQLite`, () => {
    const dir = mkdtempSync(join(tmpdir(), "edge-db-"))
    beforeAll(async () => {
      db = new Database(`sqlite:${join(dir, "test.db")}`)
      await createTables(db, models)
    })
    suite()
    afterAll(() => rmSync(dir, { recursive: true, force: true }))
  })
  if (o.memory === true) {
    describe(`${name}, SQLite in memory`, () => {
      beforeAll(async () => {
        db = new Database("sqlite::memory:")
        await createTables(db, models)
      })
      suite()
    })
  }
  describeWith(["postgresql"], `${name}, PostgreSQL`, () => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await Postgres.start()
      db = new Database(await postgres.database("test"))
      await createTables(db, models)
    }, 60_000)
    suite()
    afterAll(() => postgres[Symbol.asyncDispose]())
  })
}
