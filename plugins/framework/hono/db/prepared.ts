import { eq, sql } from "drizzle-orm"
import { database, type Handle } from "./database.ts"
import type { ModelBase, Fields, Row } from "./model.ts"

interface Statement {
  execute(values: Record<string, unknown>): PromiseLike<unknown[]>
}

/**
 * The row that has this value in this field: built once for each connection, where a query is built each time. For what
 * every request asks (its session, its user): a third of the time.
 */
export function preparedBy<F extends Fields>(model: ModelBase<F>, key: (keyof F & string) | "id"): (value: string | number) => Promise<Row<F> | null> {
  // A transaction on PostgreSQL has a handle of its own each time: it is built for it, and forgotten with it.
  const made = new WeakMap<Handle & object, Statement>()
  return async value => {
    const db = database()
    const rows = await db.read<unknown[]>(handle => {
      let statement = made.get(handle)
      if (statement === undefined) {
        const table = db.tables.of(model)
        statement = handle.select().from(table).where(eq(table[key], sql.placeholder("value"))).limit(1).prepare(`${model.table}_by_${key}`) as Statement
        made.set(handle, statement)
      }
      return statement.execute({ value })
    })
    return (rows[0] as Row<F> | undefined) ?? null
  }
}
