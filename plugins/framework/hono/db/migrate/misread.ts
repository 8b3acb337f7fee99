import type { AnyModel } from "../model.ts"
import type { Migration } from "./files.ts"
import { schemaOf } from "./schema.ts"

/**
 * Columns whose rows the models would read as something else than what was stored: on SQLite an amount of another scale,
 * a yes of a count. `newest` is the last migration that ran. PostgreSQL's own types tell them apart.
 */
export function misread(models: readonly AnyModel[], newest: Migration | undefined): string[] {
  if (newest?.dialect !== "sqlite" || !("tables" in newest.snapshot)) return []
  const { tables } = newest.snapshot
  return Object.entries(schemaOf(models, "sqlite").tables).flatMap(([table, { columns }]) =>
    Object.entries(columns).flatMap(([column, { form }]) => {
      const was = tables[table]?.columns[column]?.form
      return was === undefined || was === form ? [] : [`${table}.${column} is kept as ${was}, the model says ${form}`]
    }),
  )
}

export function refuseMisread(models: readonly AnyModel[], newest: Migration | undefined, app: string): void {
  const wrong = misread(models, newest)
  if (wrong.length > 0) throw new Error(`the models have changed how values are kept since ${newest!.name}: ${wrong.join("; ")}: edge manage ${app} makemigrations, then migrate`)
}
