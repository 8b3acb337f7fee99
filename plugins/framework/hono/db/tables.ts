import * as pg from "drizzle-orm/pg-core"
import * as sqlite from "drizzle-orm/sqlite-core"
import { sql } from "drizzle-orm"
import { decimalSize, exactOf, textOf, unitsOf } from "./decimal.ts"
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
    const table = this.dialect === "sqlite" ? sqliteTable(model) : postgresTable(model)
    this.#made.set(model, table)
    return table
  }

  /** The table of pairs behind a `many` field: columns `from` and `to`. */
  pairs(model: AnyModel, key: string): Table {
    const field = model.fields[key] as Field
    const have = this.#pairs.get(field)
    if (have !== undefined) return have
    const name = `${model.table}_${column(key)}`
    const [from, to] = [`${model.table}_id`, pairColumn(model, target(model, field))]
    const made =
      this.dialect === "sqlite"
        ? sqlite.sqliteTable(name, { from: sqlite.integer(from).notNull(), to: sqlite.integer(to).notNull() })
        : pg.pgTable(name, { from: pg.bigint(from, { mode: "number" }).notNull(), to: pg.bigint(to, { mode: "number" }).notNull() })
    this.#pairs.set(field, made)
    return made
  }
}

export function pairColumn(model: AnyModel, other: AnyModel): string {
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

function sqliteTable(model: AnyModel): Table {
  const make = (name: string, field: Field): any => {
    switch (field.kind) {
      case "integer":
      case "reference":
        return sqlite.integer(name)
      case "number":
        return sqlite.real(name)
      case "decimal":
        return units(decimalSize(field.options).scale)(name)
      case "boolean":
        return sqlite.integer(name, { mode: "boolean" })
      case "datetime":
        return sqlite.integer(name, { mode: "timestamp_ms" })
      case "json":
        return sqlite.text(name, { mode: "json" })
      default:
        return sqlite.text(name)
    }
  }
  return sqlite.sqliteTable(model.table, { id: sqlite.integer("id").primaryKey({ autoIncrement: true }), ...columns(model, make) })
}

function postgresTable(model: AnyModel): Table {
  const make = (name: string, field: Field): any => {
    switch (field.kind) {
      case "integer":
      case "reference":
        return pg.bigint(name, { mode: "number" })
      case "number":
        return pg.doublePrecision(name)
      case "decimal":
        return pg.numeric(name)
      case "boolean":
        return pg.boolean(name)
      case "date":
        return pg.date(name, { mode: "string" })
      case "datetime":
        return pg.timestamp(name, { withTimezone: true, mode: "date", precision: 3 })
      case "json":
        return jsonb(name)
      case "uuid":
        return pg.uuid(name)
      default:
        return pg.text(name)
    }
  }
  return pg.pgTable(model.table, { id: pg.bigint("id", { mode: "number" }).primaryKey().generatedByDefaultAsIdentity(), ...columns(model, make) })
}

/**
 * SQLite has no exact decimals: kept as a whole number of the smallest unit, so that it sorts, compares and sums exactly.
 * Read as text (codec "numeric"): bun:sqlite makes floats of integers, and those round above 2^53.
 */
function units(scale: number) {
  return sqlite.customType<{ data: string; driverData: bigint | string }>({
    dataType: () => "integer",
    codec: "numeric",
    toDriver: value => {
      const found = exactOf(value)
      const whole = found === undefined ? undefined : unitsOf(found, scale)
      if (whole === undefined) throw new Error(`"${value}" is no decimal with at most ${scale} digits after the point`)
      return whole
    },
    fromDriver: value => textOf(/^-?\d+$/.test(value as string) ? value : wholeUnits(value as string), scale),
  })
}

/** Older edges bound what an integer has no room for as a float, and SQL by hand can. */
function wholeUnits(value: string): bigint {
  const number = Number(value)
  if (!Number.isInteger(number)) throw new Error(`a decimal's column holds ${value}, which is no whole number of its smallest unit`)
  return BigInt(number)
}

/** As a text that becomes JSON there: Bun.SQL would take "x", 5 and true for SQL values, drizzle read "5" as 5. */
const jsonb = pg.customType<{ data: unknown; driverData: unknown }>({
  dataType: () => "jsonb",
  toDriver: value => sql`${JSON.stringify(value)}::text::jsonb`,
})
