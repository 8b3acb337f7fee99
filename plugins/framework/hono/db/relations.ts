/** Related rows: loaded beside those of a query, and set. */
import { asc, eq, inArray } from "drizzle-orm"
import { database } from "./database.ts"
import { ConditionError } from "./errors.ts"
import type { Field } from "./field.ts"
import type { AnyModel, Fields } from "./model.ts"
import { rowKey, target } from "./tables.ts"

type AnyRow = Record<string, unknown>

/** Throws ConditionError unless each of these names a relation. */
export function checkRelations(model: AnyModel, keys: readonly string[]): void {
  const relations = Object.entries(model.fields as Fields).flatMap(([key, { kind }]) => (kind === "reference" || kind === "many" ? [key] : []))
  for (const key of keys) {
    if (!relations.includes(key)) throw new ConditionError(`${model.name} has no relation "${key}"; ${relations.length === 0 ? "it has none" : `it has ${relations.join(", ")}`}`)
  }
}

/** Puts the rows of a relation into these rows: one query, however many there are. */
export async function loadRelation(model: AnyModel, key: string, rows: readonly AnyRow[]): Promise<void> {
  const field = model.fields[key] as Field
  const other = target(model, field)
  if (field.kind === "reference") {
    const at = rowKey(key, field)
    const found = await byId(other, rows.map(row => row[at]))
    for (const row of rows) row[key] = found.get(row[at] as number) ?? null
    return
  }
  const pairs = database().tables.pairs(model, key)
  const ids = rows.map(row => row.id as number)
  const links: { from: number; to: number }[] = []
  for (const part of chunks(ids)) {
    links.push(...(await database().read<{ from: number; to: number }[]>(db => db.select().from(pairs).where(inArray(pairs.from, part)).orderBy(asc(pairs.to)))))
  }
  const found = await byId(other, links.map(link => link.to))
  const lists = new Map<number, unknown[]>(ids.map(id => [id, []]))
  for (const link of links) lists.get(link.from)?.push(found.get(link.to))
  for (const row of rows) row[key] = lists.get(row.id as number)
}

async function byId(model: AnyModel, ids: readonly unknown[]): Promise<Map<number, unknown>> {
  const wanted = [...new Set(ids.filter((id): id is number => typeof id === "number"))]
  const found = new Map<number, unknown>()
  for (const part of chunks(wanted)) {
    const table = database().tables.of(model)
    for (const row of await database().read<{ id: number }[]>(db => db.select().from(table).where(inArray(table.id, part)))) found.set(row.id, row)
  }
  return found
}

/** Databases bound the number of parameters (SQLite 32,766). */
function* chunks(ids: readonly number[], size = 1000): Generator<number[]> {
  for (let i = 0; i < ids.length; i += size) yield ids.slice(i, i + size)
}

/** Makes the pairs of a `many` field be exactly these, within the caller's transaction. */
export async function link(model: AnyModel, key: string, o: { id: number; ids: readonly number[] }): Promise<void> {
  const pairs = database().tables.pairs(model, key)
  await database().write(db => db.delete(pairs).where(eq(pairs.from, o.id)))
  for (const part of chunks(o.ids)) await database().write(db => db.insert(pairs).values(part.map(to => ({ from: o.id, to }))))
}
