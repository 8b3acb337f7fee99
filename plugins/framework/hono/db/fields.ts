import * as v from "valibot"
import { checkOptions, type Shape, type ValueWords } from "edge"
import type { Field, FieldKind, FieldOptions } from "./field.ts"
import { decimalSize } from "./decimal.ts"
import { emailAddress } from "./email-address.ts"
import type { AnyModel } from "./model.ts"
import { words } from "./naming.ts"
import { day, decimalOf, datetimeValue, jsonValue, storable, uuidText } from "./schemas.ts"

type Flag<O, K extends string> = O extends Record<K, true> ? true : false
type Defaulted<O> = O extends { default: unknown } ? true : Flag<O, "optional">
type Made<V, O> = Field<V, Flag<O, "optional">, Defaulted<O>>

interface Sized {
  /** Longest text in characters. */
  readonly max?: number
  readonly min?: number
}
interface Ranged<V> {
  readonly max?: V
  readonly min?: V
}

/** Of every field; each constructor adds its own. */
const COMMON: Shape<FieldOptions<unknown>> = { label: "text", help: "text", optional: "boolean", default: "any", unique: "boolean", index: "boolean", search: "boolean", filter: "boolean", editable: "boolean" }
const SIZED = { max: "number", min: "number" } as const
const { default: _, ...UNDEFAULTED } = COMMON
const { optional: _o, unique: _u, ...OF_MANY } = UNDEFAULTED
const OWN: Partial<Record<FieldKind, Readonly<Record<string, ValueWords>>>> = {
  text: SIZED,
  markdown: SIZED,
  slug: { from: "text", max: "number" },
  integer: SIZED,
  number: SIZED,
  decimal: { scale: "number", digits: "number" },
  file: { accept: "list", maxBytes: "number" },
  image: { maxBytes: "number" },
}

/** A word for a wrong option, before a database is made of it. */
function checked(kind: FieldKind, options: object | undefined): void {
  const name = kind === "reference" ? "references" : kind
  const common: Readonly<Record<string, ValueWords>> = kind === "many" ? OF_MANY : kind === "reference" ? { ...UNDEFAULTED, onDelete: "text", back: "text" } : COMMON
  checkOptions(`${name}()`, options, { ...common, ...OWN[kind] })
}

/** One line of text; without `max` any length. */
export function text<const O extends FieldOptions<string> & Sized>(options?: O): Made<string, O> {
  return make("text", sized(options), options)
}

/** Long text that is shown as Markdown, sanitised. */
export function markdown<const O extends FieldOptions<string> & Sized>(options?: O): Made<string, O> {
  return make("markdown", sized(options), options)
}

/** The part of a URL that names a row; made `from` another field when it is not given. */
export function slug<const O extends FieldOptions<string> & { from?: string; max?: number }>(
  options?: O,
): Field<string, Flag<O, "optional">, O extends { from: string } ? true : Defaulted<O>> {
  const schema = v.pipe(
    v.string(),
    v.regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, "Only small letters, digits and single hyphens."),
    v.maxLength(options?.max ?? 120),
  )
  return make("slug", schema, options)
}

/** An e-mail address; its domain is kept in ASCII ("info@xn--80a1acny.xn--p1ai" for info@почта.рф), and compared so. */
export function email<const O extends FieldOptions<string>>(options?: O): Made<string, O> {
  return make("email", emailAddress, options)
}

/** An absolute http or https URL: `javascript:` in a link is the attack. */
export function url<const O extends FieldOptions<string>>(options?: O): Made<string, O> {
  const schema = v.pipe(storable, v.trim(), v.url(), v.regex(/^https?:/i, "Must start with http:// or https://."))
  return make("url", schema, options)
}

/** One of a fixed list: values, or values with labels. */
export function choice<const C extends readonly string[] | Readonly<Record<string, string>>, const O extends FieldOptions<string>>(
  choices: C,
  options?: O,
): Made<C extends readonly (infer S extends string)[] ? S : Extract<keyof C, string>, O> {
  const pairs = Array.isArray(choices)
    ? (choices as readonly string[]).map(value => [value, words(value)] as const)
    : Object.entries(choices as Readonly<Record<string, string>>)
  checked("choice", options)
  return made("choice", v.picklist(pairs.map(([value]) => value)), { ...options, choices: pairs })
}

export function integer<const O extends FieldOptions<number> & Ranged<number>>(options?: O): Made<number, O> {
  return make("integer", ranged(v.pipe(v.number(), v.safeInteger()), options), options)
}

/** A floating-point number. For money use `decimal`. */
export function number<const O extends FieldOptions<number> & Ranged<number>>(options?: O): Made<number, O> {
  return make("number", ranged(v.pipe(v.number(), v.finite()), options), options)
}

/**
 * An exact decimal number, as text: "12.50". `scale` digits after the point (2), up to 15 before it and 18 in all;
 * `digits` in all, with more than 18 on PostgreSQL only.
 */
export function decimal<const O extends FieldOptions<string> & { scale?: number; digits?: number }>(options?: O): Made<string, O> {
  return make("decimal", decimalOf(decimalSize(options)), options)
}

export function boolean<const O extends FieldOptions<boolean>>(options?: O): Made<boolean, O> {
  return make("boolean", v.boolean(), options)
}

/** A day, as "2026-11-23"; the years 1 to 9999. */
export function date<const O extends FieldOptions<string>>(options?: O): Made<string, O> {
  return make("date", day, options)
}

/** A date and time; kept in UTC, to the millisecond; the years 1 to 9999. */
export function datetime<const O extends FieldOptions<Date>>(options?: O): Made<Date, O> {
  return make("datetime", datetimeValue, options)
}

export function json<T = unknown, const O extends FieldOptions<T> = FieldOptions<T>>(options?: O): Made<T, O> {
  return make("json", jsonValue, options) as never
}

export function uuid<const O extends FieldOptions<string>>(options?: O): Made<string, O> {
  return make("uuid", uuidText, options)
}

/** A foreign key. The row has `<key>Id`; `with("<key>")` loads the other row under `<key>`. */
export interface ReferenceField<M extends AnyModel, N extends boolean> extends Field<number, N, N> {
  readonly kind: "reference"
  readonly model?: M
}
export interface ReferenceOptions extends Omit<FieldOptions<number>, "default"> {
  /** What happens to this row when the other is deleted; default "restrict", or "set null" when optional. */
  readonly onDelete?: "cascade" | "restrict" | "set null"
  /** Name of the way back on the other model, for queries and the admin; default the model's name in plural. */
  readonly back?: string
}
/**
 * `to` is a model, or "self". For a model that is defined further down: a function whose result type is written out,
 * `references((): AnyModel => Later)`; its rows are then not typed.
 */
export function references<const O extends ReferenceOptions>(to: "self", options?: O): ReferenceField<AnyModel, Flag<O, "optional">>
export function references<M extends AnyModel, const O extends ReferenceOptions>(
  to: M | (() => M),
  options?: O,
): ReferenceField<M, Flag<O, "optional">>
export function references(to: "self" | AnyModel | (() => AnyModel), options?: ReferenceOptions): ReferenceField<AnyModel, boolean> {
  checked("reference", options)
  const onDelete = options?.onDelete ?? (options?.optional === true ? "set null" : "restrict")
  return made("reference", key, { ...options, onDelete, to: typeof to === "function" && !("fields" in to) ? to : () => to })
}

/** Many rows of another model, kept in a table of pairs. The value is the list of their ids. */
export interface ManyField<M extends AnyModel> extends Field<readonly number[], false, true> {
  readonly kind: "many"
  readonly model?: M
}
export function many<M extends AnyModel>(to: M | (() => M), options?: Omit<FieldOptions<never>, "default" | "optional" | "unique">): ManyField<M> {
  checked("many", options)
  return made("many", v.array(key), { ...options, to: typeof to === "function" && !("fields" in to) ? to : () => to })
}

const key = v.pipe(v.number(), v.safeInteger(), v.minValue(1))

/** A stored file: its key in the app's file store; the bytes are not in the database. */
export function file<const O extends FieldOptions<string> & { accept?: readonly string[]; maxBytes?: number }>(options?: O): Made<string, O> {
  return make("file", v.pipe(storable, v.maxLength(255)), options)
}

/** A stored picture. SVG is refused: it can carry scripts. */
export function image<const O extends FieldOptions<string> & { maxBytes?: number }>(options?: O): Made<string, O> {
  checked("image", options)
  return made("image", v.pipe(storable, v.maxLength(255)), { ...options, accept: ["image/png", "image/jpeg", "image/webp", "image/gif"] })
}

function make(kind: FieldKind, schema: v.GenericSchema<unknown, never> | v.GenericSchema, options: object | undefined): never {
  checked(kind, options)
  return made(kind, schema, options ?? {})
}

/** `options` with what the constructor worked out of them. */
function made(kind: FieldKind, schema: v.GenericSchema<unknown, never> | v.GenericSchema, options: object): never {
  return { kind, schema, options } as never
}

function sized(options: Sized | undefined): v.GenericSchema<unknown, string> {
  const max = options?.max ?? Number.MAX_SAFE_INTEGER
  const least = options?.min ?? 0
  return v.pipe(storable, v.minLength(least), v.maxLength(max))
}

function ranged(schema: v.GenericSchema<unknown, number>, options: Ranged<number> | undefined): v.GenericSchema<unknown, number> {
  return v.pipe(schema, v.minValue(options?.min ?? -Infinity), v.maxValue(options?.max ?? Infinity))
}

