/** What was renamed between two schemas. A name that went and one that came may be the same thing: that is asked. */
import { type ColumnShape, type IndexShape, type Schema, type TableShape } from "./schema.ts"

/** Something that only a person knows; entities are ["public", table, column?]. */
export type Question =
  | { readonly type: "rename_or_create"; readonly kind: "table" | "column"; readonly entity: readonly string[] }
  /** How many digits after the point the rows have: a snapshot of an older edge does not say. `now` is what the model says. */
  | { readonly type: "scale"; readonly kind: "column"; readonly entity: readonly string[]; readonly now: number }

export type Hint =
  | { readonly type: "rename"; readonly kind: "table" | "column"; readonly from: readonly string[]; readonly to: readonly string[] }
  | { readonly type: "create"; readonly kind: "table" | "column"; readonly entity: readonly string[] }
  | { readonly type: "scale"; readonly kind: "column"; readonly entity: readonly string[]; readonly scale: number }

/** Answers a question, or undefined when there is nobody to ask. `from` are what the new one may have been. */
export type Ask = (question: Question, from: readonly string[]) => Promise<Hint | undefined>

export interface Renames {
  /** From the old name to the new. */
  readonly tables: ReadonlyMap<string, string>
  /** By the table's new name: from the column's old name to the new. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, string>>
}

export async function findRenames(before: Schema, after: Schema, ask: Ask): Promise<Renames> {
  const tables = new Map<string, string>()
  const isNew = (name: string) => before.tables[name] === undefined
  const isGone = (name: string) => after.tables[name] === undefined && !tables.has(name)
  const plain = (schema: Schema) => Object.keys(schema.tables).filter(name => schema.tables[name]!.pairs === undefined)
  for (const name of plain(after).filter(isNew)) await askFor("table", ["public", name], plain(before).filter(isGone), { ask, taken: (old: string) => tables.set(old, name) })
  for (const [name, table] of Object.entries(after.tables)) {
    if (table.pairs === undefined || !isNew(name)) continue
    // The pairs of the same two models: their table is called after the first.
    const same = Object.keys(before.tables).filter(old => isGone(old) && before.tables[old]!.pairs?.map(t => tables.get(t) ?? t).join() === table.pairs!.join())
    const follows = same.find(old => tables.has(before.tables[old]!.pairs![0]) && suffix(old, before.tables[old]!) === suffix(name, table))
    if (follows !== undefined) tables.set(follows, name)
    else await askFor("table", ["public", name], same, { ask, taken: (old: string) => tables.set(old, name) })
  }
  const columns = new Map<string, Map<string, string>>()
  const oldName = new Map([...tables].map(([old, name]) => [name, old]))
  for (const [name, table] of Object.entries(after.tables)) {
    const was = before.tables[oldName.get(name) ?? name]
    if (was === undefined) continue
    const renamed = new Map<string, string>()
    if (table.pairs !== undefined && was.pairs !== undefined) {
      if (was.pairs.map(t => tables.get(t) ?? t).join() === table.pairs.join()) Object.keys(was.columns).forEach((old, i) => renamed.set(old, Object.keys(table.columns)[i]!))
    } else {
      const gone = () => Object.keys(was.columns).filter(old => table.columns[old] === undefined && !renamed.has(old))
      for (const column of Object.keys(table.columns).filter(c => was.columns[c] === undefined)) {
        await askFor("column", ["public", name, column], gone(), { ask, taken: (old: string) => renamed.set(old, column) })
      }
    }
    for (const [old, now] of renamed) if (old === now) renamed.delete(old)
    if (renamed.size > 0) columns.set(name, renamed)
  }
  return { tables, columns }
}

function suffix(name: string, table: TableShape): string {
  return name.slice(table.pairs![0].length)
}

async function askFor(kind: "table" | "column", entity: readonly string[], from: readonly string[], { ask, taken }: { ask: Ask; taken(old: string): void }): Promise<void> {
  if (from.length === 0) return
  const hint = await ask({ type: "rename_or_create", kind, entity }, from)
  if (hint === undefined) {
    const name = entity.slice(1).join(".")
    throw new Unanswered(`${kind} ${name}: is it new, or renamed from another? Run makemigrations in a terminal, or say --rename OLD=${name} or --new ${name}`)
  }
  if (hint.type !== "rename") return
  const old = hint.from.at(-1)!
  if (!from.includes(old)) throw new Error(`${kind} ${entity.slice(1).join(".")} cannot have been "${old}": what is gone is ${from.join(", ")}`)
  taken(old)
}

/** The change cannot be told without an answer. */
export class Unanswered extends Error {
  override readonly name = "Unanswered"
}

export function reversed(renames: Renames): Renames {
  const back = (map: ReadonlyMap<string, string>) => new Map([...map].map(([old, name]) => [name, old]))
  const tables = back(renames.tables)
  return { tables, columns: new Map([...renames.columns].map(([table, columns]) => [tables.get(table) ?? table, back(columns)])) }
}

/** The schema with its new names, as if everything had been called so from the start; constraints keep theirs. */
export function renamed(schema: Schema, { tables, columns }: Renames): Schema {
  const tableName = (name: string) => tables.get(name) ?? name
  const moved = Object.entries(schema.tables).map(([old, table]): [string, TableShape] => {
    const name = tableName(old)
    const columnName = (column: string) => columns.get(name)?.get(column) ?? column
    const shapes = Object.entries(table.columns).map(([column, shape]): [string, ColumnShape] => [
      columnName(column),
      shape.references === undefined ? shape : { ...shape, references: { ...shape.references, table: tableName(shape.references.table) } },
    ])
    const indexes = Object.entries(table.indexes).map(([index, { columns: on, unique }]): [string, IndexShape] => [index, { columns: on.map(columnName), unique }])
    return [name, { columns: Object.fromEntries(shapes), indexes: Object.fromEntries(indexes), ...(table.pairs !== undefined && { pairs: [tableName(table.pairs[0]), tableName(table.pairs[1])] as const }) }]
  })
  return { version: 2, tables: Object.fromEntries(moved) }
}

