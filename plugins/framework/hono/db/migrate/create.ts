import type { Database } from "../database.ts"
import type { AnyModel } from "../model.ts"
import { createStatements } from "./make.ts"

/** Makes the tables of these models in an empty database, without migrations: for tests. */
export async function createTables(database: Database, models: readonly AnyModel[]): Promise<void> {
  const sql = createStatements(models, database.dialect)
  if (database.dialect === "sqlite") for (const statement of sql) database.client.run(statement)
  else for (const statement of sql) await database.client.unsafe(statement)
}
