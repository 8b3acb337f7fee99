import * as v from "valibot"
import type { Field } from "../db/field.ts"
import type { AnyModel, Fields, ManyKeys, ReferenceKeys } from "../db/model.ts"
import { target } from "../db/tables.ts"
import { defaultOf } from "../db/values.ts"
import { type FieldSettings, type FormField, makeField, MAX_FILE_BYTES, PICTURES } from "./field.ts"
import type { Issue, Source } from "./source.ts"
import { explain, fixed } from "./explain.ts"

type ValueOf<F> = F extends Field<infer V, infer N, any> ? (N extends true ? V | null : V) : never
type Nullable<F> = F extends Field<any, infer N, any> ? N : false

/** What a form of these fields gives: a reference as an id, a relation as ids, a file as its key (null: none). */
export type ModelValues<F extends Fields, K extends keyof F> = {
  [P in K]: P extends ReferenceKeys<F> ? number | (Nullable<F[P]> extends true ? null : never) : P extends ManyKeys<F> ? readonly number[] : ValueOf<F[P]>
} & {}

export interface ModelChoice {
  readonly only?: readonly string[] | undefined
  readonly except?: readonly string[] | undefined
  readonly fields?: Readonly<Record<string, FieldSettings | undefined>> | undefined
}

/**
 * The fields of a model that a form has: those named, else every editable one. Nothing else is ever read from a
 * request (mass assignment).
 */
export function fromModel(model: AnyModel, choice: ModelChoice): Source {
  const all = Object.keys(model.fields)
  for (const key of [...(choice.only ?? []), ...(choice.except ?? []), ...Object.keys(choice.fields ?? {})]) {
    if (!all.includes(key)) throw new Error(`a form of "${model.name}": it has no field "${key}"; there are ${all.join(", ")}`)
  }
  for (const key of choice.only ?? []) {
    if ((model.fields[key] as Field).options.editable === false) throw new Error(`a form of "${model.name}": field "${key}" is not editable`)
  }
  const keys = choice.only ?? all.filter(key => (model.fields[key] as Field).options.editable !== false)
  const chosen = keys.filter(key => choice.except?.includes(key) !== true)
  return {
    fields: chosen.map(key => toFormField(model, key, choice.fields?.[key])),
    check: (values, lang) => checkValues(model, values, lang),
  }
}

function checkValues(model: AnyModel, values: Record<string, unknown>, lang: string): { values: Record<string, unknown>; issues: Issue[] } {
  const issues: Issue[] = []
  const checked: Record<string, unknown> = {}
  for (const [key, given] of Object.entries(values)) {
    const field = model.fields[key] as Field
    const value = given === undefined ? defaultOf(field, values) : given
    if (value === undefined || value === null) {
      if (value === null && field.options.optional === true) checked[key] = null
      else issues.push({ key, message: fixed(lang, "required") })
      continue
    }
    const result = v.safeParse(field.schema, value, { lang })
    if (result.success) checked[key] = result.output
    else issues.push({ key, message: explain(result.issues[0], lang, field.kind) })
  }
  return { values: checked, issues }
}

/** Browsers count in floats: a step that these do not tell apart would refuse what is right. */
function decimalStep(scale: number): number | "any" {
  return scale > 12 ? "any" : Number((10 ** -scale).toFixed(12))
}

function toFormField(model: AnyModel, key: string, settings: FieldSettings | undefined): FormField {
  const field = model.fields[key] as Field
  const { options } = field
  const optional = options.optional === true
  const hasDefault = options.default !== undefined || (field.kind === "slug" && options.from !== undefined)
  const empty = optional ? null : undefined
  const base = { key, required: !optional && !hasDefault, empty, ...(options.label !== undefined && { label: options.label }), ...(options.help !== undefined && { help: options.help }) }
  const range = { ...(options.min !== undefined && { min: options.min }), ...(options.max !== undefined && { max: options.max }) }
  const length = { ...(options.min !== undefined && { minLength: options.min }), ...(options.max !== undefined && { maxLength: options.max }) }
  // A text with a default may be emptied: "" is a text, where the schema takes it.
  const text = { ...base, kind: "text" as const, empty: !optional && hasDefault && v.is(field.schema, "") ? "" : empty, limits: length }
  switch (field.kind) {
    case "text":
      return makeField({ ...text, widget: "text" }, settings)
    case "markdown":
      return makeField({ ...text, widget: "markdown" }, settings)
    case "slug":
      return makeField({ ...text, widget: "text", limits: { maxLength: options.max ?? 120 } }, settings)
    case "email":
      return makeField({ ...text, widget: "email", limits: { maxLength: 254 } }, { autocomplete: "email", ...settings })
    case "url":
      return makeField({ ...text, widget: "url" }, settings)
    case "uuid":
      return makeField({ ...text, widget: "text", limits: { maxLength: 36 } }, settings)
    case "decimal":
      return makeField({ ...text, widget: "number", limits: { step: decimalStep(options.scale ?? 2) } }, settings)
    case "choice":
      return makeField({ ...base, kind: "choice", widget: "select", settled: hasDefault && !optional, choices: options.choices ?? [] }, settings)
    case "integer":
      return makeField({ ...base, kind: "number", widget: "number", limits: { ...range, step: 1 } }, settings)
    case "number":
      return makeField({ ...base, kind: "number", widget: "number", limits: { ...range, step: "any" } }, settings)
    case "boolean":
      return optional
        ? makeField({ ...base, kind: "maybe", widget: "select" }, settings)
        : makeField({ ...base, kind: "boolean", widget: "checkbox", required: false, empty: false }, settings)
    case "date":
      return makeField({ ...base, kind: "text", widget: "date" }, settings)
    case "datetime":
      return makeField({ ...base, kind: "datetime", widget: "datetime" }, settings)
    case "json":
      return makeField({ ...base, kind: "json", widget: "textarea" }, settings)
    case "reference":
      return makeField({ ...base, kind: "relation", widget: "select", target: () => target(model, field) }, settings)
    case "many":
      return makeField({ ...base, kind: "relations", widget: "checkboxes", required: false, empty: [], target: () => target(model, field) }, settings)
    case "file":
    case "image": {
      const image = field.kind === "image"
      const accept = options.accept ?? (image ? PICTURES : [])
      return makeField({ ...base, kind: "file", widget: image ? "image" : "file", file: { accept, maxBytes: options.maxBytes ?? MAX_FILE_BYTES, maxFiles: 1, image, keyed: true } }, settings)
    }
  }
}
