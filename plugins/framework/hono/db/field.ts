import type { GenericSchema } from "valibot"

/** What a field is for: decides its column, its schema, its form widget, its filter and its cell in the admin. */
export type FieldKind =
  | "text"
  | "markdown"
  | "slug"
  | "email"
  | "url"
  | "choice"
  | "integer"
  | "number"
  | "decimal"
  | "boolean"
  | "date"
  | "datetime"
  | "json"
  | "uuid"
  | "reference"
  | "many"
  | "file"
  | "image"

/** Options that every field takes. `V` is the field's value in TypeScript. */
export interface FieldOptions<V> {
  /** Shown to people; default: the key in words ("publishedAt": "Published at"). */
  readonly label?: string
  readonly help?: string
  /** May be null; forms may leave it empty. */
  readonly optional?: boolean
  /** Used when a new row does not give one. */
  readonly default?: V | (() => V)
  readonly unique?: boolean
  readonly index?: boolean
  /** The admin's search box and `Model.search()` look at it. */
  readonly search?: boolean
  /** The admin offers it as a filter in its lists. */
  readonly filter?: boolean
  /** False: never in forms, nor accepted from one (mass assignment). */
  readonly editable?: boolean
}

/**
 * One field of a model, as plain facts: the single definition behind table, validation, forms, admin and REST.
 * `V` value, `N` nullable, `D` may be left out at creation.
 */
export interface Field<V = unknown, N extends boolean = boolean, D extends boolean = boolean> {
  readonly kind: FieldKind
  readonly options: FieldOptions<V> & {
    readonly max?: number
    readonly min?: number
    /** choice: value and label. */
    readonly choices?: readonly (readonly [value: string, label: string])[]
    /** decimal: digits after the point, and in all. */
    readonly scale?: number
    readonly digits?: number
    /** slug: the key of the field it is made from. */
    readonly from?: string
    /** reference, many: the other model; a function so that models may refer to each other. */
    readonly to?: () => unknown
    /** reference: what happens to this row when the other is deleted. */
    readonly onDelete?: "cascade" | "restrict" | "set null"
    /** file, image: accepted types ("image/png") and largest size in bytes. */
    readonly accept?: readonly string[]
    readonly maxBytes?: number
  }
  /** Checks one value that is present (neither null nor absent). */
  readonly schema: GenericSchema<unknown, V>
  /** Carries the types; never set. */
  readonly type?: { readonly value: V; readonly nullable: N; readonly defaulted: D }
}
