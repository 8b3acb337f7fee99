/** What the admin shows of a model that nobody said anything about. */
import type { Field } from "../../db/field.ts"
import type { AnyModel } from "../../db/model.ts"
import type { Fieldset } from "./settings.ts"

const MOST_COLUMNS = 7

function entries(model: AnyModel, hidden: readonly string[]): [string, Field][] {
  return (Object.entries(model.fields) as [string, Field][]).filter(([key]) => !hidden.includes(key))
}

/** The field that names a row, if it has one. */
export function titleKey(model: AnyModel): string | undefined {
  return entries(model, []).find(([, field]) => field.kind === "text" || field.kind === "email")?.[0]
}

/** A picture, the name, then what is short: people look for state, people and dates; long text is for the form. */
export function defaultColumns(model: AnyModel, hidden: readonly string[]): string[] {
  const all = entries(model, hidden)
  const picture = all.find(([, field]) => field.kind === "image")?.[0]
  const title = hidden.includes(titleKey(model) ?? "") ? undefined : titleKey(model)
  const rank = ["choice", "reference", "datetime", "date", "boolean", "decimal", "integer", "number", "email", "text", "uuid", "url", "slug"]
  const rest = all
    .filter(([key, field]) => key !== picture && key !== title && rank.includes(field.kind) && !isLong(field))
    .toSorted(([, a], [, b]) => rank.indexOf(a.kind) - rank.indexOf(b.kind))
    .map(([key]) => key)
  const chosen = new Set([picture, title, ...rest].filter(key => key !== undefined).slice(0, MOST_COLUMNS))
  // In the order of the model, which its author chose; the picture and the name lead.
  return [...new Set([...[picture, title].filter(key => key !== undefined), ...all.map(([key]) => key)])].filter(key => chosen.has(key))
}

/** A text of which a list would show the beginning only. */
function isLong({ kind, options }: Field): boolean {
  return kind === "text" && (options.max ?? Infinity) > 200
}

export function defaultSearch(model: AnyModel): string[] {
  const all = entries(model, [])
  const marked = all.filter(([, field]) => field.options.search === true).map(([key]) => key)
  // What is unique has an index, which answers "=" at any size of table.
  const exact = all.filter(([key, field]) => !marked.includes(key) && field.options.unique === true && ["text", "slug", "email"].includes(field.kind)).map(([key]) => `=${key}`)
  const title = titleKey(model)
  return marked.length > 0 || title === undefined ? [...marked, ...exact] : [title, ...exact.filter(entry => entry !== `=${title}`)]
}

const BESIDE = new Set(["choice", "boolean", "date", "datetime", "reference", "many"])

/** What is written in the middle; what is chosen (state, dates, relations) beside it. */
export function defaultFieldsets(model: AnyModel, hidden: readonly string[]): Fieldset<any>[] {
  const all = entries(model, hidden)
  const isBeside = ([, field]: [string, Field]) => BESIDE.has(field.kind)
  const middle = all.filter(entry => !isBeside(entry))
  const beside = all.filter(isBeside)
  if (middle.length === 0 || beside.length === 0) return [{ fields: all.map(([key]) => key) }]
  return [{ fields: middle.map(([key]) => key) }, { side: true, fields: beside.map(([key]) => key) }]
}
