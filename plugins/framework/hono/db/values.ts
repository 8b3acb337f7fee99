import * as v from "valibot"
import { ValidationError } from "./errors.ts"
import type { Field } from "./field.ts"
import type { AnyModel } from "./model.ts"
import { slugOf } from "./slug.ts"
import { rowKey } from "./tables.ts"

/** Values that were checked: the columns by row key, and the ids of each `many` field. */
export interface Checked {
  readonly row: Record<string, unknown>
  readonly many: Record<string, readonly number[]>
}

/** Checks what `create` (all fields) or `update` (those given) was handed; throws ValidationError with every issue. */
export function check(model: AnyModel, values: Record<string, unknown>, partial: boolean): Checked {
  const issues: Record<string, string> = {}
  const row: Record<string, unknown> = {}
  const manyIds: Record<string, readonly number[]> = {}
  for (const key of Object.keys(values)) {
    if (!(key in model.fields)) issues[key] = `No such field; there are ${Object.keys(model.fields).join(", ")}.`
  }
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    let value = values[key]
    if (value === undefined) {
      if (partial) continue
      value = defaultOf(field, values)
      if (value === undefined && field.kind === "many") continue
    }
    if (value === undefined || value === null) {
      if (field.options.optional === true) row[rowKey(key, field)] = null
      else issues[key] = "This is needed."
      continue
    }
    const result = v.safeParse(field.schema, plainIds(value, field))
    if (!result.success) issues[key] = result.issues[0].message
    else if (field.kind === "many") manyIds[key] = [...new Set(result.output as readonly number[])]
    else row[rowKey(key, field)] = result.output
  }
  if (Object.keys(issues).length > 0) throw new ValidationError(model.name, issues)
  return { row, many: manyIds }
}

/** What a field gets that has no value; a slug is made of the field it follows. */
export function defaultOf(field: Field, values: Record<string, unknown>): unknown {
  const { default: given, from } = field.options
  if (given !== undefined) return typeof given === "function" ? (given as () => unknown)() : given
  const source = from === undefined ? undefined : values[from]
  return field.kind === "slug" && typeof source === "string" ? slugOf(source, field.options.max) : undefined
}

/** Rows stand for their ids. */
function plainIds(value: unknown, field: Field): unknown {
  if (field.kind === "reference") return idOf(value)
  if (field.kind === "many" && Array.isArray(value)) return value.map(idOf)
  return value
}

function idOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "id" in value ? value.id : value
}
