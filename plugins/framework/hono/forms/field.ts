import type { Context } from "hono"
import type { Child } from "hono/jsx"
import type { AnyModel } from "../db/model.ts"
import { words } from "../db/naming.ts"
import type { BoundField } from "./bound-field.ts"

/** How what was typed becomes a value. */
export type ValueKind = "text" | "number" | "boolean" | "maybe" | "datetime" | "choice" | "choices" | "relation" | "relations" | "json" | "file" | "files"

export type Widget =
  | "text"
  | "textarea"
  | "markdown"
  | "password"
  | "email"
  | "url"
  | "tel"
  | "search"
  | "color"
  | "number"
  | "date"
  | "datetime"
  | "time"
  | "checkbox"
  | "select"
  | "radio"
  | "checkboxes"
  | "multiselect"
  | "autocomplete"
  | "file"
  | "image"
  | "hidden"

export interface Choice {
  readonly value: string
  readonly label: string
}

/** Rows of a relation: any query of its model. */
export interface Rows extends PromiseLike<readonly { readonly id: number }[]> {
  where(condition: any): Rows
  search(words: string): Rows
  limit(rows: number): Rows
  pluck(key: "id"): Promise<number[]>
}

/** What an author says about one field of a form; all of it may be left to the model or schema. */
export interface FieldSettings {
  readonly label?: string | ((lang: string) => string)
  readonly help?: string | ((lang: string) => string)
  readonly widget?: Widget
  readonly placeholder?: string
  /** The HTML attribute: "email", "new-password", "one-time-code". */
  readonly autocomplete?: string
  /** Of a textarea. */
  readonly rows?: number
  /** False keeps the spaces around a text. */
  readonly trim?: boolean
  /** What an empty form starts with. */
  readonly initial?: unknown
  /** choice: instead of those of the schema, or their labels. */
  readonly choices?: readonly (readonly [value: string, label: string])[] | Readonly<Record<string, string>>
  /** Relations: the rows that may be chosen; others are refused, also when a client makes them up. */
  readonly query?: (c: Context<any> | undefined) => Rows
  /** autocomplete: where a script finds matching rows. Without scripts there is a search button. */
  readonly url?: string
  readonly accept?: readonly string[]
  /** Of each file, in bytes. */
  readonly maxBytes?: number
  /** Further attributes of the input: `{ "hx-get": "/x" }`. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Draws the whole field; `field.label`, `field.input()` and the like give the usual pieces. */
  readonly render?: (field: BoundField) => Child
}

/** One field of a form: all that decoding and drawing need. */
export interface FormField {
  readonly key: string
  readonly kind: ValueKind
  readonly widget: Widget
  readonly settings: FieldSettings
  readonly label: string
  readonly help: string | undefined
  readonly required: boolean
  /** It begins with a choice that stands: nobody is told that it may be left out, nor offered nothing. */
  readonly settled?: boolean
  /** What leaving it empty means; not looked at where it is required. */
  readonly empty: unknown
  readonly choices: readonly Choice[]
  readonly limits: {
    /** Of numbers, dates (as text), or of the length of texts. */
    readonly min?: number | string
    readonly max?: number | string
    readonly step?: number | "any"
    readonly minLength?: number
    readonly maxLength?: number
  }
  /** Relations: whose rows. */
  readonly target?: () => AnyModel
  readonly file?: { readonly accept: readonly string[]; readonly maxBytes: number; readonly maxFiles: number; readonly image: boolean; /** The value is the key of a stored file, not the file. */ readonly keyed: boolean }
}

/** Of each file, where nobody says otherwise. */
export const MAX_FILE_BYTES = 20_000_000

/** Types that Bun.Image reads everywhere; SVG is none of them: it can carry scripts. */
export const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif"] as const

type Given = Pick<FormField, "key" | "kind" | "widget" | "required"> & Partial<Omit<FormField, "choices">> & { choices?: FieldSettings["choices"] }

/** A field with its settings applied. */
export function makeField(given: Given, settings: FieldSettings = {}): FormField {
  const choices = settings.choices ?? given.choices
  const { file } = given
  return {
    empty: undefined,
    limits: {},
    help: undefined,
    label: words(given.key),
    ...given,
    settings,
    widget: settings.widget ?? given.widget,
    choices: choices === undefined ? [] : toChoices(choices),
    ...(file !== undefined && { file: { ...file, ...(settings.accept !== undefined && { accept: settings.accept }), ...(settings.maxBytes !== undefined && { maxBytes: settings.maxBytes }) } }),
  }
}

function toChoices(choices: NonNullable<FieldSettings["choices"]>): Choice[] {
  const pairs = Array.isArray(choices) ? (choices as readonly (readonly [string, string])[]) : Object.entries(choices as Record<string, string>)
  return pairs.map(([value, label]) => ({ value, label }))
}

/** `accept` of a field takes a type: "image/png", "image/*", ".pdf" (by the type of that end). */
export function accepts(accept: readonly string[], type: string, endOf: (type: string) => string): boolean {
  if (accept.length === 0) return true
  return accept.some(wanted => wanted === type || (wanted.endsWith("/*") && type.startsWith(wanted.slice(0, -1))) || (wanted.startsWith(".") && wanted.slice(1).toLowerCase() === endOf(type)))
}
