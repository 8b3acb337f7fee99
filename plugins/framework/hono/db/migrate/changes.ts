/** What leads from one schema to another, once both use the same names. Pure: the dialects say it in SQL. */
import type { ColumnShape, IndexShape, ReferenceShape, Schema, TableShape } from "./schema.ts"

export interface Changes {
  readonly created: readonly string[]
  readonly dropped: readonly string[]
  readonly changed: readonly TableChange[]
}

export interface TableChange {
  readonly name: string
  readonly before: TableShape
  readonly after: TableShape
  readonly added: readonly string[]
  readonly dropped: readonly string[]
  readonly altered: readonly ColumnChange[]
  readonly indexes: { readonly dropped: readonly string[]; readonly created: readonly string[]; readonly renamed: readonly (readonly [from: string, to: string])[] }
}

export interface ColumnChange {
  readonly name: string
  readonly before: ColumnShape
  readonly after: ColumnShape
  /** It is kept otherwise: values are converted. */
  readonly form: boolean
  readonly needed: boolean
  /** Another table, or another thing to do when its row goes. */
  readonly references: boolean
  /** The ids that rows have are those of another table. */
  readonly retargeted: boolean
}

export function changesOf(before: Schema, after: Schema): Changes {
  const created = Object.keys(after.tables).filter(name => before.tables[name] === undefined)
  const dropped = Object.keys(before.tables).filter(name => after.tables[name] === undefined)
  const changed: TableChange[] = []
  for (const [name, table] of Object.entries(after.tables)) {
    const was = before.tables[name]
    if (was === undefined) continue
    // Pairs of other models are other rows.
    if (table.pairs !== undefined && table.pairs.join() !== was.pairs?.join()) {
      created.push(name)
      dropped.push(name)
      continue
    }
    const change = tableChange(name, was, table)
    if (change !== undefined) changed.push(change)
  }
  return { created, dropped, changed }
}

function tableChange(name: string, before: TableShape, after: TableShape): TableChange | undefined {
  const added = Object.keys(after.columns).filter(c => before.columns[c] === undefined)
  const dropped = Object.keys(before.columns).filter(c => after.columns[c] === undefined)
  const altered = Object.keys(after.columns).flatMap(c => {
    const was = before.columns[c]
    const change = was === undefined ? undefined : columnChange(c, was, after.columns[c]!)
    return change === undefined ? [] : [change]
  })
  const indexes = indexChange(before.indexes, after.indexes)
  const nothing = added.length + dropped.length + altered.length + indexes.created.length + indexes.dropped.length + indexes.renamed.length === 0
  const names = Object.keys(after.columns).some(c => before.columns[c] !== undefined && before.columns[c].references?.name !== after.columns[c]!.references?.name)
  return nothing && !names ? undefined : { name, before, after, added, dropped, altered, indexes }
}

function columnChange(name: string, before: ColumnShape, after: ColumnShape): ColumnChange | undefined {
  const form = before.form !== after.form
  const needed = before.needed !== after.needed
  const references = at(before.references) !== at(after.references)
  if (!form && !needed && !references) return undefined
  const retargeted = after.references !== undefined && before.references?.table !== after.references.table
  return { name, before, after, form, needed, references, retargeted }
}

function at(reference: ReferenceShape | undefined): string {
  return reference === undefined ? "" : `${reference.table} ${reference.onDelete}`
}

function indexChange(before: Readonly<Record<string, IndexShape>>, after: Readonly<Record<string, IndexShape>>): TableChange["indexes"] {
  const same = (a: IndexShape, b: IndexShape) => a.unique === b.unique && a.columns.join() === b.columns.join()
  const gone = Object.keys(before).filter(name => after[name] === undefined || !same(before[name]!, after[name]))
  const come = Object.keys(after).filter(name => before[name] === undefined || !same(before[name], after[name]!))
  const renamed: [string, string][] = []
  for (const to of come) {
    const from = gone.find(old => after[old] === undefined && before[to] === undefined && same(before[old]!, after[to]!) && !renamed.some(([used]) => used === old))
    if (from !== undefined) renamed.push([from, to])
  }
  return {
    renamed,
    dropped: gone.filter(name => !renamed.some(([from]) => from === name)),
    created: come.filter(name => !renamed.some(([, to]) => to === name)),
  }
}
