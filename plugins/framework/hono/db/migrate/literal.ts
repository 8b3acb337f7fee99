import { decimalSize, decimalText, exactOf, unitsOf } from "../decimal.ts"
import type { Field } from "../field.ts"
import type { Dialect } from "../tables.ts"

/** A value as an SQL literal in the form the field's column keeps it. The value was checked by the field's schema. */
export function literal(value: unknown, field: Field, dialect: Dialect): string {
  if (field.kind === "json") return quoted(JSON.stringify(value))
  if (typeof value === "boolean") return dialect === "sqlite" ? (value ? "1" : "0") : String(value)
  if (typeof value === "number") return String(value)
  if (value instanceof Date) return dialect === "sqlite" ? String(value.getTime()) : quoted(value.toISOString())
  if (field.kind === "decimal") return decimal(String(value), field, dialect)
  return quoted(typeof value === "string" ? value : JSON.stringify(value))
}

function decimal(text: string, field: Field, dialect: Dialect): string {
  const size = decimalSize(field.options)
  const kept = decimalText(text, size)
  if ("fault" in kept) throw new Error(`"${text}" is no decimal of ${size.scale} digits after the point`)
  return dialect === "sqlite" ? String(unitsOf(exactOf(kept.text)!, size.scale)) : kept.text
}

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
