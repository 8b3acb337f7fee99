/**
 * Values that a column is compared with. One that no row can have (1.5 of whole numbers, 30 February, half a uuid) finds
 * nothing where it must be equal, and lies between two that can be where it is a bound: 10.505 of amounts with two digits is
 * more than 10.50 and less than 10.51. Without this the databases round, misread or fail, each in its own way.
 */
import { shown } from "./compare.ts"
import { decimalSize, exactOf, floorUnits, postgresDigits, textOf, unitsOf } from "./decimal.ts"
import { toEmail } from "./email-address.ts"
import { ConditionError } from "./errors.ts"
import type { Field, FieldKind } from "./field.ts"
import { FIRST_DATETIME, isDay, isStorable, isUuid, LAST_DATETIME } from "./schemas.ts"

export type Bound =
  /** A value that rows may have. */
  | { readonly exact: unknown }
  /** Between two neighbours that rows may have; undefined: there is none on that side. */
  | { readonly below: unknown; readonly above: unknown }
  /** Neither equal to anything, nor more or less. */
  | "apart"

export type Bounds = (value: unknown) => Bound

/** How values stand to what this field keeps; without a field, to ids. `name` is for messages: "post.title". */
export function boundsOf(field: Field | undefined, name: string, postgres: boolean): Bounds {
  const kind = field?.kind ?? "reference"
  const wrong = (wanted: string, value: unknown): never => {
    throw new ConditionError(`${name} is compared with ${wanted}, not with ${shown(value)}`)
  }
  switch (kind) {
    case "integer":
    case "reference":
      return value => (typeof value === "number" ? whole(value) : typeof value === "bigint" ? whole(Number(value)) : wrong("a number", value))
    case "number":
      return value => (typeof value === "number" ? float(value) : wrong("a number", value))
    case "boolean":
      return value => (typeof value === "boolean" ? { exact: value } : wrong("true or false", value))
    case "datetime":
      return value => (value instanceof Date ? datetimeBound(value) : wrong("a Date", value))
    case "decimal":
      return value => (typeof value === "string" ? decimal(value, field!, postgres) : wrong('a decimal as text, "12.50"', value))
    case "date":
      return value => (typeof value === "string" ? only(isDay(value), value) : wrong('a day as text, "2026-11-23"', value))
    case "uuid":
      return value => (typeof value === "string" ? only(isUuid(value), value.toLowerCase()) : wrong("a text", value))
    case "email":
      return value => (typeof value === "string" ? only(isStorable(value), toEmail(value)) : wrong("a text", value))
    default:
      return value => (typeof value === "string" ? only(isStorable(value), value) : wrong("a text", value))
  }
}

/** Kinds in whose texts something can be looked for, as they are typed. */
const TEXTS: readonly FieldKind[] = ["text", "markdown", "slug", "email", "url", "choice", "file", "image", "date", "uuid"]

/** Throws for a field that has no texts; false for one that no text can contain. */
export function canContain(field: Field | undefined, text: string, o: { name: string; operator: string }): boolean {
  if (field === undefined || !TEXTS.includes(field.kind)) throw new ConditionError(`${o.name} is ${field === undefined ? "an id" : `of kind ${field.kind}`}: ${o.operator}() is for texts`)
  return isStorable(text)
}

function only(fits: boolean, value: string): Bound {
  return fits ? { exact: value } : "apart"
}

function whole(value: number): Bound {
  if (Number.isNaN(value)) return "apart"
  if (Number.isSafeInteger(value)) return { exact: value === 0 ? 0 : value }
  const [below, above] = [Math.floor(value), Math.ceil(value)]
  if (below >= Number.MAX_SAFE_INTEGER) return { below: Number.MAX_SAFE_INTEGER, above: undefined }
  return above <= Number.MIN_SAFE_INTEGER ? { below: undefined, above: Number.MIN_SAFE_INTEGER } : { below, above }
}

function float(value: number): Bound {
  if (Number.isNaN(value)) return "apart"
  if (Number.isFinite(value)) return { exact: value }
  return value > 0 ? { below: Number.MAX_VALUE, above: undefined } : { below: undefined, above: -Number.MAX_VALUE }
}

function datetimeBound(value: Date): Bound {
  const ms = value.getTime()
  if (Number.isNaN(ms)) return "apart"
  if (ms < FIRST_DATETIME) return { below: undefined, above: new Date(FIRST_DATETIME) }
  return ms > LAST_DATETIME ? { below: new Date(LAST_DATETIME), above: undefined } : { exact: value }
}

function decimal(text: string, field: Field, postgres: boolean): Bound {
  const { digits: taken, scale } = decimalSize(field.options)
  // Its column may have room for more than the field takes.
  const digits = postgres ? postgresDigits(field.options) : taken
  const exact = exactOf(text)
  if (exact === undefined) return "apart"
  const most = 10n ** BigInt(digits) - 1n
  // Before the power is made of it.
  const far = exact.units !== 0n && exact.exponent > digits
  const floor = far ? (exact.units > 0n ? most + 1n : -most - 1n) : floorUnits(exact, scale)
  const fits = !far && unitsOf(exact, scale) !== undefined
  if (floor > most || (floor === most && !fits)) return { below: textOf(most, scale), above: undefined }
  if (floor < -most) return { below: undefined, above: textOf(-most, scale) }
  return fits ? { exact: textOf(floor, scale) } : { below: textOf(floor, scale), above: textOf(floor + 1n, scale) }
}
