/** Snapshots of drizzle-kit, which edge's first migrations were made with. They say a column's type, not what it means. */
import type { Dialect } from "../tables.ts"
import { type ColumnShape, type Form, type IndexShape, type ReferenceShape, type Schema, type TableShape } from "./schema.ts"

interface Entity {
  readonly entityType: "tables" | "columns" | "indexes" | "fks" | "pks" | string
  readonly name: string
  readonly table: string
  readonly type?: string
  readonly notNull?: boolean
  readonly columns?: readonly (string | { readonly value: string })[]
  readonly isUnique?: boolean
  readonly tableTo?: string
  readonly onDelete?: string
}

/** On SQLite: kept as an integer (or a text), and what it means is not said. */
export type Unsaid = "integer?" | "text?"

export interface LegacySchema extends Schema {
  /** Names of constraints may be those from before a rename. */
  readonly legacy: true
}

export function isLegacy(schema: object): schema is LegacySchema {
  return "legacy" in schema
}

export function fromLegacy(ddl: readonly object[], dialect: Dialect): LegacySchema {
  const entities = ddl as readonly Entity[]
  const of = (kind: string, table: string) => entities.filter(e => e.entityType === kind && e.table === table)
  const tables: Record<string, TableShape> = {}
  for (const { name } of entities.filter(e => e.entityType === "tables")) {
    const references = new Map(of("fks", name).map(fk => [nameIn(fk.columns![0]!), fk]))
    const primary = of("pks", name)[0]?.columns?.map(nameIn) ?? []
    const columns = of("columns", name).map((c): [string, ColumnShape] => {
      const key = primary.length === 1 && primary[0] === c.name
      const fk = references.get(c.name)
      const form = key ? "key" : fk === undefined ? formOf(c.type!, dialect) : "integer"
      return [c.name, { form: form as Form, needed: key || primary.includes(c.name) || c.notNull === true, ...(fk !== undefined && { references: toReference(fk, dialect) }), ...fillOf(form, dialect) }]
    })
    const indexes = of("indexes", name).map((i): [string, IndexShape] => [i.name, { columns: i.columns!.map(nameIn), unique: i.isUnique === true }])
    const [from, to] = primary.length === 2 ? primary.map(p => references.get(p)?.tableTo) : []
    tables[name] = {
      columns: Object.fromEntries(columns),
      indexes: Object.fromEntries(indexes),
      ...(from !== undefined && to !== undefined && { pairs: [from, to] as const }),
    }
  }
  return { version: 2, tables, legacy: true }
}

function nameIn(column: string | { readonly value: string }): string {
  return typeof column === "string" ? column : column.value
}

function toReference(fk: Entity, dialect: Dialect): ReferenceShape {
  const onDelete = fk.onDelete!.toLowerCase() as ReferenceShape["onDelete"]
  return { table: fk.tableTo!, onDelete, ...(dialect === "postgres" && { name: fk.name }) }
}

function formOf(type: string, dialect: Dialect): Form | Unsaid {
  if (dialect === "sqlite") return type === "real" ? "number" : type === "integer" ? "integer?" : "text?"
  const numeric = /^numeric\((\d+),\s*(\d+)\)$/.exec(type)
  if (numeric !== null) return `decimal(${numeric[1]},${numeric[2]})`
  const forms: Readonly<Record<string, Form>> = { bigint: "integer", "double precision": "number", boolean: "boolean", date: "date", jsonb: "json", uuid: "uuid", text: "text" }
  return forms[type] ?? (type.startsWith("timestamp") ? "datetime" : "text")
}

const FILLS: Readonly<Record<string, string | undefined>> = { "integer?": "0", "text?": "''", text: "''", integer: "0", number: "0", boolean: "false", date: "'1970-01-01'", datetime: "'1970-01-01T00:00:00.000Z'", json: "'null'" }

function fillOf(form: Form | Unsaid, dialect: Dialect): { fill?: string } {
  const fill = FILLS[form] ?? (dialect === "postgres" && form.startsWith("decimal") ? "0" : undefined)
  return fill === undefined ? {} : { fill }
}
