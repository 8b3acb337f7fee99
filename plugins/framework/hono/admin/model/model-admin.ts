import { didYouMean } from "edge"
import type { Child } from "hono/jsx"
import type { Field } from "../../db/field.ts"
import type { AnyModel } from "../../db/model.ts"
import { words } from "../../db/naming.ts"
import { rowKey, target } from "../../db/tables.ts"
import { defaultColumns, defaultFieldsets, defaultSearch } from "./defaults.ts"
import type { Action, ComputedColumn, Fieldset, IconName, Inline, ModelSettings } from "./settings.ts"
import type { AnyRow } from "./staff.ts"

/** A column of a list, ready to be drawn. */
export interface ListColumn {
  /** The field's key, or "_" and a number for a computed one. */
  readonly key: string
  readonly label: string
  readonly field: Field | undefined
  /** Key of the row to sort by; undefined: not to be sorted by. */
  readonly sort: string | undefined
  readonly numeric: boolean
  readonly cell?: ((row: AnyRow) => Child) | undefined
  readonly text?: ((row: AnyRow) => string) | undefined
}

export interface ModelInline {
  readonly model: AnyModel
  /** The reference field of `model` that leads here. */
  readonly field: string
  readonly label: string
  readonly fields: readonly string[] | undefined
  readonly extra: number
  readonly max: number
}

/** A model in the admin: its settings with every default filled in. Made once, when the app is made. */
export class ModelAdmin {
  readonly name: string
  readonly columns: readonly ListColumn[]
  readonly filters: readonly string[]
  readonly search: readonly { readonly key: string; readonly exact: boolean }[]
  readonly dates: string | undefined
  readonly order: readonly string[]
  readonly perPage: number
  readonly fieldsets: readonly Fieldset<any>[]
  readonly inlines: readonly ModelInline[]
  readonly actions: ReadonlyMap<string, Action<any>>
  readonly icon: IconName

  constructor(
    readonly model: AnyModel,
    readonly settings: ModelSettings<any>,
    /** False: it has no pages of its own and is edited only within the form of another model. */
    readonly listed = true,
  ) {
    this.name = model.name
    const kinds = (...wanted: string[]) => this.#keys(field => wanted.includes(field.kind))
    this.columns = (settings.list ?? defaultColumns(model, this.hidden)).map((column, i) => this.#column(column, i))
    this.filters = this.#known(settings.filters, "filters") ?? this.#keys(field => field.options.filter === true || field.kind === "choice" || field.kind === "boolean")
    this.search = this.#searches(settings.search ?? defaultSearch(model))
    this.dates = settings.dates === false ? undefined : (this.#known(settings.dates === undefined ? undefined : [settings.dates], "dates")?.[0] ?? kinds("datetime", "date").find(key => this.isIndexed(key)))
    if (this.dates !== undefined && !/^date(time)?$/.test(this.field(this.dates).kind)) throw this.#wrong(`dates: "${this.dates}" is no date`)
    this.order = settings.order ?? model.options.order ?? ["-id"]
    this.perPage = Math.min(Math.max(settings.perPage ?? 50, 1), 500)
    this.fieldsets = settings.fieldsets ?? defaultFieldsets(model, this.hidden)
    for (const fieldset of this.fieldsets) this.#known(fieldset.fields, "fieldsets")
    this.#known(settings.readonly, "readonly")
    this.#known(settings.hide, "hide")
    this.inlines = (settings.inlines ?? []).map(inline => this.#inline("model" in inline ? inline : { model: inline }))
    this.actions = new Map(Object.entries(settings.actions ?? {}))
    for (const name of this.actions.keys()) if (!/^[a-z]\w*$/i.test(name) || BUILT_IN_ACTIONS.includes(name)) throw this.#wrong(`actions: "${name}" cannot be its name`)
    this.icon = settings.icon ?? guessIcon(model)
  }

  get label(): string {
    return this.model.label
  }
  get labelPlural(): string {
    return this.model.labelPlural
  }
  get hidden(): readonly string[] {
    return this.settings.hide ?? []
  }
  get keys(): readonly string[] {
    return Object.keys(this.model.fields)
  }

  field(key: string): Field {
    return this.model.fields[key] as Field
  }
  labelOf(key: string): string {
    return this.field(key).options.label ?? words(key)
  }
  /** The model that a relation leads to. */
  targetOf(key: string): AnyModel {
    return target(this.model, this.field(key))
  }
  rowKey(key: string): string {
    return rowKey(key, this.field(key))
  }
  /** Whether a condition on it is answered by an index of its own. */
  isIndexed(key: string): boolean {
    const { kind, options } = this.field(key)
    const leads = (this.model.options.indexes ?? []).some(index => index.fields[0] === key)
    return options.unique === true || options.index === true || options.filter === true || kind === "reference" || leads
  }
  /** Where a row is on the site. */
  viewUrl(row: AnyRow): string | undefined {
    const url = this.settings.view === false ? undefined : (this.settings.view ?? this.model.options.url)
    return url?.(row)
  }

  #keys(is: (field: Field) => boolean): string[] {
    return this.keys.filter(key => !this.hidden.includes(key) && is(this.field(key)))
  }

  #known(keys: readonly string[] | false | undefined, where: string): readonly string[] | undefined {
    if (keys === undefined || keys === false) return undefined
    for (const key of keys) if (!(key in this.model.fields)) throw this.#wrong(`${where}: there is no field "${key}"${didYouMean(key, this.keys)}`)
    return keys
  }

  #wrong(what: string): Error {
    return new Error(`admin: model "${this.name}": ${what}`)
  }

  #column(column: string | ComputedColumn<any>, i: number): ListColumn {
    if (typeof column !== "string") {
      const { label, sort, numeric = false, cell, text } = column
      return { key: `_${i}`, label, field: undefined, sort, numeric, cell: cell as ListColumn["cell"], text: text as ListColumn["text"] }
    }
    this.#known([column], "list")
    const field = this.field(column)
    const sortable = !["many", "json", "reference", "file", "image", "markdown"].includes(field.kind)
    return {
      key: column,
      label: this.labelOf(column),
      field,
      sort: sortable ? this.rowKey(column) : undefined,
      numeric: ["integer", "number", "decimal"].includes(field.kind),
    }
  }

  #searches(search: readonly string[]): { key: string; exact: boolean }[] {
    return search.map(entry => {
      const exact = entry.startsWith("=")
      const key = exact ? entry.slice(1) : entry
      this.#known([key], "search")
      if (!SEARCHABLE.includes(this.field(key).kind)) throw this.#wrong(`search: "${key}" is no text`)
      return { key, exact }
    })
  }

  #inline(inline: Inline): ModelInline {
    const { model } = inline
    const here = Object.keys(model.fields).filter(key => model.fields[key].kind === "reference" && target(model, model.fields[key]) === this.model)
    const field = inline.field ?? here[0]
    if (field === undefined || !here.includes(field)) throw this.#wrong(`inlines: "${model.name}" has no field ${inline.field === undefined ? "" : `"${inline.field}" `}that refers to it`)
    if (inline.field === undefined && here.length > 1) throw this.#wrong(`inlines: "${model.name}" refers to it by ${here.join(" and ")}: say which (field)`)
    return { model, field, label: inline.label ?? model.labelPlural, fields: inline.fields, extra: inline.extra ?? 1, max: inline.max ?? 100 }
  }
}

/** Names of what every list can do. */
export const BUILT_IN_ACTIONS = ["delete", "csv", "json"]

const SEARCHABLE = ["text", "markdown", "slug", "email", "url", "uuid", "choice", "date"]

function guessIcon(model: AnyModel): IconName {
  const found = ICONS.find(([pattern]) => pattern.test(model.name))
  if (found !== undefined) return found[1]
  return Object.values(model.fields as Record<string, Field>).some(field => field.kind === "markdown") ? "document" : "table"
}
const ICONS: readonly (readonly [RegExp, IconName])[] = [
  [/user|person|people|author|member|customer|employee/i, "people"],
  [/group|role|permission|token/i, "key"],
  [/tag|categor|topic|label/i, "tag"],
  [/comment|message|review|reply/i, "comment"],
  [/image|photo|picture|media|gallery/i, "image"],
  [/order|product|cart|invoice|item/i, "cart"],
  [/event|booking|appointment/i, "calendar"],
  [/mail|newsletter|subscri/i, "mail"],
]
