/** Filters of a list: what `f.<key>=<value>` in its URL means, as a condition. Values that mean nothing are dropped. */
import { allOf, gte, lt, lte, ne } from "../../db/compare.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { addDays, dayRange, startOf, today } from "./datetimes.ts"

/** "Nothing there" and "something there" of a field that may be empty. */
export const EMPTY = "-"
export const FILLED = "+"

export const RANGES: readonly (readonly [value: string, label: string])[] = [
  ["today", "Today"],
  ["7d", "Last 7 days"],
  ["30d", "Last 30 days"],
  ["month", "This month"],
  ["year", "This year"],
  ["future", "In the future"],
]

/** As `where` takes it; keys are made of the model's own fields, never of the URL. */
export type Condition = Record<string, any>

/** The condition of one filter with its values, any of which may hold; undefined when none of them means anything. */
export function condition(modelAdmin: ModelAdmin, key: string, o: { values: readonly string[]; zone: string }): Condition | undefined {
  const parts = o.values.slice(0, 50).flatMap(value => one(modelAdmin, key, { value, zone: o.zone }) ?? [])
  if (parts.length === 0) return undefined
  return parts.length === 1 ? parts[0] : { or: parts }
}

function one(modelAdmin: ModelAdmin, key: string, { value, zone }: { value: string; zone: string }): Condition | undefined {
  const field = modelAdmin.field(key)
  const at = modelAdmin.rowKey(key)
  const optional = field.options.optional === true
  if (field.kind !== "many" && value === EMPTY) return optional ? { [at]: null } : undefined
  if (field.kind !== "many" && value === FILLED) return optional ? { [at]: ne(null) } : undefined
  switch (field.kind) {
    case "boolean":
      return value === "yes" || value === "no" ? { [at]: value === "yes" } : undefined
    case "choice":
      return field.options.choices!.some(([choice]) => choice === value) ? { [at]: value } : undefined
    case "reference":
    case "many": {
      const id = toId(value)
      return id === undefined ? undefined : { [key]: id }
    }
    case "date":
    case "datetime":
      return dates(at, value, { zone, isDatetime: field.kind === "datetime" })
    case "integer":
    case "number":
    case "decimal":
      return numbers(at, value, field.kind === "decimal")
    default:
      return undefined
  }
}

/** An id from outside: a whole number that a database takes. */
export function toId(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}

/** "today", "7d", "2026-11", or "2026-11-01..2026-11-23" with both days included. */
function dates(at: string, value: string, o: { zone: string; isDatetime: boolean }): Condition | undefined {
  const now = today(o.zone)
  const range = (): { from?: string; to?: string } | undefined => {
    switch (value) {
      case "today":
        return { from: now, to: addDays(now, 1) }
      case "7d":
        return { from: addDays(now, -6), to: addDays(now, 1) }
      case "30d":
        return { from: addDays(now, -29), to: addDays(now, 1) }
      case "month":
        return dayRange(now.slice(0, 7))
      case "year":
        return dayRange(now.slice(0, 4))
      case "future":
        return { from: addDays(now, 1) }
    }
    const ends = value.split("..")
    if (ends.length === 1) return dayRange(value)
    const from = ends[0] === "" ? undefined : dayRange(ends[0]!)?.from
    const to = ends[1] === "" ? undefined : dayRange(ends[1]!)?.to
    return from === undefined && to === undefined ? undefined : { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
  }
  const found = range()
  if (found === undefined) return undefined
  const end = (day: string) => (o.isDatetime ? startOf(day, o.zone) : day)
  return { [at]: allOf(...(found.from === undefined ? [] : [gte(end(found.from))]), ...(found.to === undefined ? [] : [lt(end(found.to))])) }
}

/** "5", "5..", "..9" or "5..9". */
function numbers(at: string, value: string, decimal: boolean): Condition | undefined {
  const parts = value.split("..")
  if (parts.length > 2) return undefined
  const read = parts.map(part => (/^-?\d{1,15}(?:\.\d{1,6})?$/.test(part) ? part : undefined))
  if (parts.some((part, i) => part !== "" && read[i] === undefined) || read.every(part => part === undefined)) return undefined
  const cast = (part: string) => (decimal ? part : Number(part))
  if (read.length === 1) return { [at]: cast(read[0]!) }
  return { [at]: allOf(...(read[0] === undefined ? [] : [gte(cast(read[0]))]), ...(read[1] === undefined ? [] : [lte(cast(read[1]))])) }
}

/** The condition of the drill-down ("2026-11"). */
export function drill(modelAdmin: ModelAdmin, key: string, o: { part: string; zone: string }): Condition | undefined {
  return dates(modelAdmin.rowKey(key), o.part, { zone: o.zone, isDatetime: modelAdmin.field(key).kind === "datetime" })
}
