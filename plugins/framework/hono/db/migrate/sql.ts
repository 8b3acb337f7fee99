/** What the statements of both dialects have in common. */
import type { Dialect } from "../tables.ts"
import type { Changes, ColumnChange } from "./changes.ts"
import { conversion } from "./convert.ts"
import type { Renames } from "./renames.ts"
import type { Form, Schema } from "./schema.ts"

/** One way, up or down. */
export interface Step {
  readonly before: Schema
  /** `before` with the new names. */
  readonly moved: Schema
  readonly after: Schema
  readonly renames: Renames
  readonly changes: Changes
  /** SQL for the rows that have no value in a column that is needed, by "table.column". */
  readonly fills: ReadonlyMap<string, string>
  /** Constraints may still have the names of before a rename (snapshots of older edges). */
  readonly uncertainNames: boolean
}

/** A query that must find nothing; the runner stops with these words and what it found. */
export function guard(words: string, query: string): string {
  return `-- none: ${words.replaceAll(/\s+/g, " ")}\n${query};`
}

export interface Altered {
  /** The new value, of the old columns. */
  readonly value: string
  readonly guards: readonly string[]
}

/** How an altered column gets its values, with what must hold before. */
export function altered(table: string, change: ColumnChange, o: { readonly step: Step; readonly dialect: Dialect; quote(name: string): string }): Altered {
  const { name, before, after } = change
  const [t, x] = [o.quote(table), o.quote(name)]
  const guards: string[] = []
  let value = x
  if (change.form) {
    const converted = conversion(x, before.form, { to: after.form, dialect: o.dialect })
    if (converted === undefined) throw new Error(cannot(table, name, { from: before.form, to: after.form }))
    value = converted.value
    if (converted.unfit !== undefined) {
      guards.push(guard(`${table}.${name}: values that cannot become ${article(after.form)} exactly`, `SELECT ${o.quote("id")}, ${x} FROM ${t} WHERE ${x} IS NOT NULL AND (${converted.unfit}) LIMIT 3`))
    }
  }
  if (change.retargeted) {
    guards.push(guard(`${table}.${name}: holds ids of ${before.references?.table ?? "no table"}, and is to refer to ${after.references!.table}; give rows their new ids before this, then take this query out`, `SELECT ${o.quote("id")}, ${x} FROM ${t} WHERE ${x} IS NOT NULL LIMIT 3`))
  }
  if (change.needed && after.needed) {
    const fill = o.step.fills.get(`${table}.${name}`)
    if (fill === undefined) guards.push(guard(`${table}.${name}: is needed now, and rows have none; say --fill ${table}.${name}=VALUE to makemigrations`, `SELECT ${o.quote("id")} FROM ${t} WHERE ${x} IS NULL LIMIT 3`))
    else value = `coalesce(${value}, ${fill})`
  }
  return { value, guards }
}

/** A column that is needed, added to rows for which nothing is known. */
export function mustBeEmpty(table: string, name: string, quote: (name: string) => string): string {
  return guard(`${table}.${name}: is needed, and nothing is known that rows could have in it; delete them first, or give them a value in a migration by hand`, `SELECT ${quote("id")} FROM ${quote(table)} LIMIT 3`)
}

function cannot(table: string, name: string, { from, to }: { from: Form; to: Form }): string {
  return `${table}.${name}: ${article(from)} cannot become ${article(to)} by itself. Add a field of another name, move the values in that migration's up.sql, then take the old field out; or, without the values, take it out in one migration and add it in the next`
}

function article(form: Form): string {
  const words = form.replace(/^decimal\((?:\d+,)?(\d+)\)$/, "decimal with $1 digits after the point")
  return `${/^[aeiou]/.test(words) ? "an" : "a"} ${words}`
}

/** Values that go when this is applied: "pet.name", "pet". */
export function lost({ changes }: Step): string[] {
  return [...changes.dropped, ...changes.changed.flatMap(change => change.dropped.map(column => `${change.name}.${column}`))]
}

