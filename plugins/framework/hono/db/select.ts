/** A query's clauses as a SELECT of drizzle's. */
import { and, asc, desc, getColumns, type SQL, sql } from "drizzle-orm"
import { database, type Handle } from "./database.ts"
import { ConditionError } from "./errors.ts"
import type { AnyModel } from "./model.ts"
import type { Clauses } from "./clauses.ts"
import type { Table } from "./tables.ts"
import { columnAt, toSql } from "./where.ts"

/** The order of a query, or its model's. */
export function orderOf(model: AnyModel, clauses: Clauses): readonly string[] {
  return clauses.order.length > 0 ? clauses.order : (model.options.order ?? [])
}

export function conditionOf(model: AnyModel, clauses: Clauses, db: Handle): SQL | undefined {
  const { tables } = database()
  const site = { model, table: tables.of(model), tables, db }
  return and(...clauses.where.map(where => toSql(where, site)))
}

/** `fields`: the columns; default those that are not left out. */
export function select(db: Handle, model: AnyModel, o: { clauses: Clauses; fields?: Record<string, unknown> }): any {
  const { clauses, fields } = o
  const table = database().tables.of(model)
  const keys = orderOf(model, clauses)
  const columns = fields ?? kept(table, { omit: clauses.omit, sorted: keys })
  let query = (columns === undefined ? db.select() : db.select(columns)).from(table).where(conditionOf(model, clauses, db)).$dynamic()
  if (clauses.lock) query = locked(query)
  const { nulls } = clauses
  // Not where there are none anyway: saying so would keep an index from being used.
  const sort = (key: string, i: number) =>
    nulls === undefined || i < nulls.from ? sortBy(table, key, model) : sortNulls(table, key, { model, place: nulls.place })
  query = query.orderBy(...keys.map(sort), ...(keys.some(key => /^-?id$/.test(key)) ? [] : [lastBy(table, keys)]))
  return within(query, clauses)
}

/** LIMIT and OFFSET. */
export function within(query: any, { limit, offset }: Clauses): any {
  let cut = query
  if (limit !== undefined) cut = cut.limit(limit)
  // SQLite knows OFFSET only after LIMIT.
  else if (offset > 0) cut = cut.limit(Number.MAX_SAFE_INTEGER)
  return offset > 0 ? cut.offset(offset) : cut
}

/** SQLite has one writer at a time, and a transaction of ours is it from its beginning. */
function locked(query: any): any {
  if (!database().inTransaction) throw new ConditionError("forUpdate() outside of a transaction() locks nothing")
  return database().dialect === "postgres" ? query.for("update") : query
}

/** What is sorted by is read in any case: a page's cursor is made of it. */
function kept(table: Table, { omit, sorted }: { omit: readonly string[]; sorted: readonly string[] }): Record<string, unknown> | undefined {
  if (omit.length === 0) return undefined
  return Object.fromEntries(Object.entries(getColumns(table as never)).filter(([key]) => !omit.includes(key) || sorted.includes(key) || sorted.includes(`-${key}`)))
}

function sortBy(table: Table, key: string, model: AnyModel): SQL {
  const column = columnAt(model, table, key.replace(/^-/, ""))
  if (column === undefined) throw new ConditionError(`${model.name} cannot be sorted by "${key.replace(/^-/, "")}"`)
  return key.startsWith("-") ? desc(column) : asc(column)
}

function sortNulls(table: Table, key: string, o: { model: AnyModel; place: "first" | "last" }): SQL {
  const by = sortBy(table, key, o.model)
  const column = table[key.replace(/^-/, "")] as { notNull: boolean }
  return column.notNull ? by : sql`${by} nulls ${sql.raw(o.place)}`
}

/** Equals come in the direction of the first key, so that one index serves both. */
function lastBy(table: Table, keys: readonly string[]): SQL {
  return keys[0]?.startsWith("-") === true ? desc(table.id) : asc(table.id)
}
