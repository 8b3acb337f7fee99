/** A field's value as plain text: for exports, history and deletion pages. */
import type { Field } from "../../db/field.ts"
import { showDay, showDatetime } from "./datetimes.ts"

/** As people read it. */
export function showValue(field: Field, value: unknown, zone: string): string {
  if (value === null || value === undefined) return ""
  switch (field.kind) {
    case "boolean":
      return value === true ? "Yes" : "No"
    case "choice":
      return choiceLabel(field, value)
    case "datetime": {
      const date = value instanceof Date ? value : new Date(String(value))
      return Number.isNaN(date.getTime()) ? "" : showDatetime(date, zone)
    }
    case "date":
      return showDay(String(value))
    case "json":
      return JSON.stringify(value)
    default:
      return String(value)
  }
}

/** As programs read it: nothing is rounded, translated or cut. */
export function exportValue(field: Field, value: unknown): string | number | boolean | null | object {
  if (value === null || value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  if (field.kind === "json") return value as object
  return value as string | number | boolean
}

export function choiceLabel(field: Field, value: unknown): string {
  return field.options.choices?.find(([choice]) => choice === value)?.[1] ?? String(value)
}

/** Long text on one line of a list. */
export function cutText(text: string, most: number): string {
  const line = text.slice(0, most * 4).replaceAll(/\s+/g, " ").trim()
  return line.length > most ? `${line.slice(0, most - 1).trimEnd()}…` : line
}
