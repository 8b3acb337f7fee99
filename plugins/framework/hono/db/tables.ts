import * as pg from "drizzle-orm/pg-core"
import * as sqlite from "drizzle-orm/sqlite-core"
import type { Field } from "./field.ts"
import type { AnyModel } from "./model.ts"
import { column } from "./naming.ts"

export type Dialect = "sqlite" | "postgres"

/** drizzle's tables differ in type by dialect; queries are built from names, so the common shape is enough. */
export type Table = Record<string, any>

/** The drizzle tables of a set of models in one dialect, each made when first asked for. */
export class Tables {
  readonly #made = new Map<AnyModel, Table>()
  readonly #pairs = new Map<Field, Table>()

  constructor(readonly dialect: Dialect) {}

  /** Columns are named by the row's keys: `id`, `title`, `authorId`. */
  of(model: AnyModel): Table {
    const have = this.#made.get(model)
    if (have !== undefined) return have
    const table = this.dialect === "sqlite" ? sqliteTable(model, this) : postgresTable(model, this)
    this.#made.set(model, table)
    return table
  }

  /** The table of pairs behind a `many` field: columns `from` and `to`. */
  pairs(model: AnyModel, key: string): Table {
    const field = model.fields[key] as Field
    const have = this.#pairs.get(field)
    if (have !== undefined) return have
    const name = `${model.table}_${column(key)}`
    const other = target(model, field)
    const from = () => this.of(model).id
    const to = () => this.of(other).id
    const made =
      this.dialect === "sqlite"
        ? sqlite.sqliteTable(
            name,
            {
              from: sqlite.integer(`${model.table}_id`).notNull().references(from, { onDelete: "cascade" }),
              to: sqlite.integer(pairColumn(model, other)).notNull().references(to, { onDelete: "cascade" }),
            },
            t => [sqlite.primaryKey({ columns: [t.from, t.to] }), sqlite.index(`${name}_to`).on(t.to)],
          )
        : pg.pgTable(
            name,
            {
              from: pg.bigint(`${model.table}_id`, { mode: "number" }).notNull().references(from, { onDelete: "cascade" }),
              to: pg.bigint(pairColumn(model, other), { mode: "number" }).notNull().references(to, { onDelete: "cascade" }),
            },
            t => [pg.primaryKey({ columns: [t.from, t.to] }), pg.index(`${name}_to`).on(t.to)],
          )
    this.#pairs.set(field, made)
    return made
  }

  /** Every table of these models, pairs too, by name: what migrations are made from. */
  all(models: readonly AnyModel[]): Record<string, Table> {
    const made: Record<string, Table> = {}
    for (const model of models) {
      made[model.table] = this.of(model)
      for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
        if (field.kind === "many") made[`${model.table}_${column(key)}`] = this.pairs(model, key)
      }
    }
    return made
  }
}

function pairColumn(model: AnyModel, other: AnyModel): string {
  return other.table === model.table ? `to_${other.table}_id` : `${other.table}_id`
}

/** The model a reference or many field points to. */
export function target(model: AnyModel, field: Field): AnyModel {
  const to = field.options.to!()
  return to === "self" ? model : (to as AnyModel)
}

/** Key of the row that holds the field: `authorId` for a reference `author`. */
export function rowKey(key: string, field: Field): string {
  return field.kind === "reference" ? `${key}Id` : key
}

type Columns = Record<string, any>

function columns(model: AnyModel, make: (name: string, field: Field, key: string) => any): Columns {
  const made: Columns = {}
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    if (field.kind === "many") continue
    let built = make(column(key, field.kind === "reference"), field, key)
    if (field.options.optional !== true) built = built.notNull()
    made[rowKey(key, field)] = built
  }
  return made
}

function indexes(model: AnyModel, t: Columns, index: (name: string) => any, unique: (name: string) => any): any[] {
  const made: any[] = []
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    if (field.kind === "many") continue
    const at = t[rowKey(key, field)]
    const name = `${model.table}_${column(key)}`
    if (field.options.unique === true) made.push(unique(`${name}_unique`).on(at))
    // Without an index every delete of the other row scans this table.
    else if (field.options.index === true || field.options.filter === true || field.kind === "reference") made.push(index(name).on(at))
  }
  for (const { fields, unique: isUnique } of model.options.indexes ?? []) {
    const keys = fields as readonly string[]
    const name = `${model.table}_${keys.map(key => column(key)).join("_")}`
    made.push((isUnique === true ? unique(`${name}_unique`) : index(name)).on(...keys.map(key => t[rowKey(key, model.fields[key]!)])))
  }
  return made
}

function sqliteTable(model: AnyModel, tables: Tables): Table {
  const make = (name: string, field: Field): any => {
    switch (field.kind) {
      case "integer":
        return sqlite.integer(name)
      case "number":
        return sqlite.real(name)
      case "decimal":
        return scaled(scaleOf(field))(name)
      case "boolean":
        return sqlite.integer(name, { mode: "boolean" })
      case "datetime":
        return sqlite.integer(name, { mode: "timestamp_ms" })
      case "json":
        return sqlite.text(name, { mode: "json" })
      case "reference":
        return sqlite.integer(name).references(() => tables.of(target(model, field)).id, { onDelete: field.options.onDelete })
      default:
        return sqlite.text(name)
    }
  }
  return sqlite.sqliteTable(
    model.table,
    { id: sqlite.integer("id").primaryKey({ autoIncrement: true }), ...columns(model, make) },
    t => indexes(model, t as Columns, sqlite.index, sqlite.uniqueIndex),
  )
}

function postgresTable(model: AnyModel, tables: Tables): Table {
  const make = (name: string, field: Field): any => {
    switch (field.kind) {
      case "integer":
        return pg.bigint(name, { mode: "number" })
      case "number":
        return pg.doublePrecision(name)
      case "decimal":
        return pg.numeric(name, { precision: 15 + scaleOf(field), scale: scaleOf(field) })
      case "boolean":
        return pg.boolean(name)
      case "date":
        return pg.date(name, { mode: "string" })
      case "datetime":
        return pg.timestamp(name, { withTimezone: true, mode: "date", precision: 3 })
      case "json":
        return pg.jsonb(name)
      case "uuid":
        return pg.uuid(name)
      case "reference":
        return pg.bigint(name, { mode: "number" }).references(() => tables.of(target(model, field)).id, { onDelete: field.options.onDelete })
      default:
        return pg.text(name)
    }
  }
  return pg.pgTable(
    model.table,
    { id: pg.bigint("id", { mode: "number" }).primaryKey().generatedByDefaultAsIdentity(), ...columns(model, make) },
    t => indexes(model, t as Columns, pg.index, pg.uniqueIndex),
  )
}

function scaleOf(field: Field): number {
  return (field.options as { scale?: number }).scale ?? 2
}

/** SQLite has no exact decimals: kept as a whole number of the smallest unit, so that it sorts and sums exactly. */
function scaled(scale: number) {
  return sqlite.customType<{ data: string; driverData: number }>({
    dataType: () => "integer",
    toDriver: value => {
      const [whole = "0", part = ""] = value.replace("-", "").split(".")
      const units = Number(whole + part.padEnd(scale, "0"))
      return value.startsWith("-") ? -units : units
    },
    fromDriver: units => {
      const digits = String(Math.abs(units)).padStart(scale + 1, "0")
      const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
      return units < 0 ? `-${text}` : text
    },
  })
}
