import type { Field } from "../field.ts"
import type { AnyModel } from "../model.ts"
import { column } from "../naming.ts"
import { decimalSize, MOST_DIGITS, postgresDigits } from "../decimal.ts"
import { type Dialect, pairColumn, target } from "../tables.ts"
import { literal } from "./literal.ts"

/**
 * The shape of a database: what snapshot.json holds, and what two of which a migration leads from one to the other.
 * It says how values are kept, not only in which type: on SQLite an integer is a count, a moment, a yes or an amount.
 */
export interface Schema {
  readonly version: 2
  readonly tables: Readonly<Record<string, TableShape>>
}

export interface TableShape {
  readonly columns: Readonly<Record<string, ColumnShape>>
  readonly indexes: Readonly<Record<string, IndexShape>>
  /** The table of pairs behind a `many` field: the tables its two columns refer to. */
  readonly pairs?: readonly [from: string, to: string]
}

export interface ColumnShape {
  readonly form: Form
  /** NOT NULL. */
  readonly needed: boolean
  readonly references?: ReferenceShape
  /** What rows get that lack a value, as SQL, when it has to be made up: the field's default, else an empty value. Not compared. */
  readonly fill?: string
}

export interface ReferenceShape {
  readonly table: string
  readonly onDelete: "cascade" | "restrict" | "set null"
  /** PostgreSQL: the constraint's name. Not compared. */
  readonly name?: string
}

export interface IndexShape {
  readonly columns: readonly string[]
  readonly unique: boolean
}

/** How a value is kept; "decimal(2)" by SQLite (the scale), "decimal(17,2)" by PostgreSQL (digits, scale). "key" is the id. */
export type Form = "key" | "text" | "json" | "integer" | "number" | "boolean" | "date" | "datetime" | "uuid" | `decimal(${string})`

export const EMPTY: Schema = { version: 2, tables: {} }

export function schemaOf(models: readonly AnyModel[], dialect: Dialect): Schema {
  const tables: Record<string, TableShape> = {}
  const put = (name: string, model: AnyModel, table: TableShape): void => {
    if (tables[name] !== undefined) throw new Error(`model "${model.name}": two tables would be named "${name}"; give one of the models another name or { table }`)
    tables[name] = table
  }
  for (const model of models) {
    put(model.table, model, tableOf(model, dialect))
    for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
      if (field.kind === "many") put(`${model.table}_${column(key)}`, model, pairsOf(model, key, dialect))
    }
  }
  refuseSameNames(tables)
  return { version: 2, tables }
}

/** Databases keep tables and indexes under one roof. */
function refuseSameNames(tables: Readonly<Record<string, TableShape>>): void {
  const owners = new Map(Object.keys(tables).map(name => [name, `the table of that name`]))
  for (const [table, { indexes }] of Object.entries(tables)) {
    for (const [name, { columns }] of Object.entries(indexes)) {
      const index = `the index of ${table} over ${columns.join(" and ")}`
      const owner = owners.get(name)
      if (owner !== undefined) throw new Error(`"${name}" would be the name of ${owner} and of ${index}: give one of the models or fields another name`)
      owners.set(name, index)
    }
  }
}

function tableOf(model: AnyModel, dialect: Dialect): TableShape {
  const columns: Record<string, ColumnShape> = { id: { form: "key", needed: true } }
  const indexes: Record<string, IndexShape> = {}
  const names = new Map<string, string>()
  const put = (long: string, index: IndexShape): void => {
    const name = dialect === "postgres" ? short(long) : long
    const have = indexes[name]
    if (have !== undefined && have.columns.join() !== index.columns.join()) throw new Error(`model "${model.name}": the indexes over ${have.columns.join(" and ")} and over ${index.columns.join(" and ")} would both be named "${name}"; rename a field`)
    indexes[name] = index
  }
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    if (field.kind === "many") continue
    const name = column(key, field.kind === "reference")
    if (columns[name] !== undefined) throw new Error(`model "${model.name}": fields "${names.get(name) ?? "id"}" and "${key}" would both be the column "${name}"`)
    names.set(name, key)
    columns[name] = columnOf(model, field, { name, dialect })
    const index = `${model.table}_${column(key)}`
    if (field.options.unique === true) put(`${index}_unique`, { columns: [name], unique: true })
    // Without an index every delete of the other row scans this table.
    else if (field.options.index === true || field.options.filter === true || field.kind === "reference") put(index, { columns: [name], unique: false })
  }
  for (const { fields, unique = false } of model.options.indexes ?? []) {
    const keys = fields as readonly string[]
    const name = `${model.table}_${keys.map(key => column(key)).join("_")}${unique ? "_unique" : ""}`
    put(name, { columns: keys.map(key => column(key, (model.fields[key] as Field).kind === "reference")), unique })
  }
  return { columns, indexes }
}

function columnOf(model: AnyModel, field: Field, { name, dialect }: { name: string; dialect: Dialect }): ColumnShape {
  const needed = field.options.optional !== true
  if (field.kind === "reference") {
    const to = target(model, field).table
    return { form: "integer", needed, references: referenceTo(to, field.options.onDelete ?? "restrict", dialect === "postgres" ? foreignKeyName(model.table, name, to) : undefined) }
  }
  const fill = fillOf(field, dialect)
  return { form: formOf(field, dialect, `${model.name}.${name}`), needed, ...(fill !== undefined && { fill }) }
}

function pairsOf(model: AnyModel, key: string, dialect: Dialect): TableShape {
  const other = target(model, model.fields[key] as Field)
  const table = `${model.table}_${column(key)}`
  const to = pairColumn(model, other)
  const link = (name: string, at: string): ColumnShape => ({
    form: "integer",
    needed: true,
    references: referenceTo(at, "cascade", dialect === "postgres" ? foreignKeyName(table, name, at) : undefined),
  })
  const from = `${model.table}_id`
  return {
    columns: { [from]: link(from, model.table), [to]: link(to, other.table) },
    indexes: { [dialect === "postgres" ? short(`${table}_to`) : `${table}_to`]: { columns: [to], unique: false } },
    pairs: [model.table, other.table],
  }
}

function referenceTo(table: string, onDelete: ReferenceShape["onDelete"], name: string | undefined): ReferenceShape {
  return name === undefined ? { table, onDelete } : { table, onDelete, name }
}

export function foreignKeyName(table: string, name: string, to: string): string {
  return short(`${table}_${name}_${to}_id_fkey`)
}

/** PostgreSQL cuts names at 63 bytes: two long ones would become one. */
function short(name: string): string {
  return name.length <= 63 ? name : `${name.slice(0, 54)}_${Bun.hash.crc32(name).toString(16).padStart(8, "0")}`
}

function formOf(field: Field, dialect: Dialect, name: string): Form {
  switch (field.kind) {
    case "integer":
    case "number":
    case "boolean":
    case "date":
    case "datetime":
    case "json":
    case "uuid":
      return field.kind
    case "decimal": {
      const { digits, scale } = decimalSize(field.options)
      if (dialect === "postgres") return `decimal(${postgresDigits(field.options)},${scale})`
      if (digits > MOST_DIGITS) throw new Error(`${name}: SQLite keeps at most ${MOST_DIGITS} digits exactly, decimal asks for ${digits}; ask for fewer, or use PostgreSQL`)
      return `decimal(${scale})`
    }
    default:
      return "text"
  }
}

/** The default where it is a plain value, else an empty one; undefined where there is none (a reference, a uuid). */
function fillOf(field: Field, dialect: Dialect): string | undefined {
  const { default: given, choices } = field.options
  if (given !== undefined && typeof given !== "function") return literal(given, field, dialect)
  switch (field.kind) {
    case "integer":
    case "number":
      return "0"
    case "decimal":
      return literal("0", field, dialect)
    case "boolean":
      return literal(false, field, dialect)
    case "date":
      return "'1970-01-01'"
    case "datetime":
      return literal(new Date(0), field, dialect)
    case "json":
      return "'null'"
    case "choice":
      return literal(choices?.[0]?.[0] ?? "", field, dialect)
    case "uuid":
    case "reference":
      return undefined
    default:
      return "''"
  }
}

/** The model and field behind a column. */
export function fieldAt(models: readonly AnyModel[], table: string, name: string): { readonly model: AnyModel; readonly key: string; readonly field: Field } | undefined {
  const model = models.find(m => m.table === table)
  const entry = Object.entries((model?.fields ?? {}) as Record<string, Field>).find(([key, field]) => field.kind !== "many" && column(key, field.kind === "reference") === name)
  return model === undefined || entry === undefined ? undefined : { model, key: entry[0], field: entry[1] }
}
