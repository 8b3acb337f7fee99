import type { Database } from "../database.ts"
import type { AnyModel } from "../model.ts"
import type { Dialect } from "../tables.ts"
import { emptySnapshot, snapshotOf, statements } from "./snapshot.ts"

/** Makes the tables of these models in an empty database, without migrations: for tests. */
export async function createTables(database: Database, models: readonly AnyModel[]): Promise<void> {
  const sql = await statementsFor(models, database.dialect)
  if (database.dialect === "sqlite") for (const statement of sql) database.client.run(statement)
  else for (const statement of sql) await database.client.unsafe(statement)
}

const made = new Map<string, Promise<string[]>>()

/** Every test has the same models: the statements are made once. */
function statementsFor(models: readonly AnyModel[], dialect: Dialect): Promise<string[]> {
  const key = `${dialect} ${models.map(model => `${model.table}(${Object.keys(model.fields).join()})`).join()}`
  const known = made.get(key)
  if (known !== undefined) return known
  const fresh = (async () => statements(await emptySnapshot(dialect), await snapshotOf(models, dialect), { dialect }))()
  made.set(key, fresh)
  return fresh
}
