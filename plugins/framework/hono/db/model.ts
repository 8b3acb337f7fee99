import { checkOptions, type Shape } from "edge"
import type { Field } from "./field.ts"
import type { ManyField, ReferenceField } from "./fields.ts"
import { Query } from "./query.ts"
import { plural, words } from "./naming.ts"
import type { Exact, Where } from "./where.ts"

export type Fields = Readonly<Record<string, Field<any, any, any>>>

// How a row looks -------------------------------------------------------------------------------------------------

type Simplify<T> = { [K in keyof T]: T[K] } & {}
type Nullable<F> = F extends Field<any, infer N, any> ? N : false
type ValueOf<F> = F extends Field<infer V, infer N, any> ? (N extends true ? V | null : V) : never

export type ReferenceKeys<F> = { [K in keyof F]: F[K] extends ReferenceField<any, any> ? K : never }[keyof F] & string
export type ManyKeys<F> = { [K in keyof F]: F[K] extends ManyField<any> ? K : never }[keyof F] & string
export type ColumnKeys<F> = Exclude<keyof F & string, ReferenceKeys<F> | ManyKeys<F>>

/** A row as the database gives it: its id, its columns, and `<key>Id` for each reference. */
export type Row<F extends Fields> = Simplify<
  { readonly id: number } & { [K in ColumnKeys<F>]: ValueOf<F[K]> } & {
    [K in ReferenceKeys<F> as `${K}Id`]: Nullable<F[K]> extends true ? number | null : number
  }
>

type Target<F> = F extends ReferenceField<infer M, any> ? M : F extends ManyField<infer M> ? M : never
type RowOf<M> = M extends { readonly fields: infer F extends Fields } ? Row<F> : never

/** A row with the relations `L` loaded. */
export type Loaded<F extends Fields, L extends string> = [L] extends [never]
  ? Row<F>
  : Simplify<
      Row<F> & {
        [K in L & keyof F]: F[K] extends ManyField<any>
          ? RowOf<Target<F[K]>>[]
          : Nullable<F[K]> extends true
            ? RowOf<Target<F[K]>> | null
            : RowOf<Target<F[K]>>
      }
    >

type Defaulted<F> = F extends Field<any, any, infer D> ? D : false
type Writable<F extends Fields> = { [K in ColumnKeys<F>]: ValueOf<F[K]> } & {
  [K in ReferenceKeys<F>]: number | { readonly id: number } | (Nullable<F[K]> extends true ? null : never)
} & { [K in ManyKeys<F>]: readonly (number | { readonly id: number })[] }
type OptionalKeys<F extends Fields> = { [K in keyof F]: Defaulted<F[K]> extends true ? K : never }[keyof F]

/** What `create` takes: fields that are optional or have a default may be left out. */
export type New<F extends Fields> = Simplify<
  Omit<Writable<F>, OptionalKeys<F> & string> & Partial<Pick<Writable<F>, OptionalKeys<F> & keyof Writable<F>>>
>
export type Patch<F extends Fields> = Partial<Writable<F>>

// The model ----------------------------------------------------------------------------------------------------------

export interface ModelOptions<F extends Fields, S extends string = string> {
  /** Shown to people; default the name in words, singular and plural. */
  readonly label?: string
  readonly labelPlural?: string
  /** Name of the table; default the model's name in snake case. */
  readonly table?: string
  /** How a row is shown in lists and choices; default its first text field. */
  readonly title?: (row: Row<F>) => string
  /** Order of queries that ask for none: "-publishedAt" is newest first. */
  readonly order?: readonly string[]
  /** Named queries: `Post.published`. */
  readonly scopes?: { readonly [K in S]: (q: Query<F>) => Query<F> }
  /** Unique and other indexes over several fields. */
  readonly indexes?: readonly { readonly fields: readonly (keyof F & string)[]; readonly unique?: boolean }[]
  /** Where a row can be seen, for links, sitemaps and feeds. */
  readonly url?: (row: Row<F>) => string
  /** A part keeps it for itself: it is not shown in the admin and there are no permissions for it. */
  readonly internal?: boolean
}

/** One definition: table, validation, forms, admin. Made by `model()`. */
export class ModelBase<F extends Fields = Fields> {
  readonly name: string
  readonly table: string
  readonly fields: F
  readonly label: string
  readonly labelPlural: string
  readonly options: ModelOptions<F>

  constructor(name: string, fields: F, options: ModelOptions<F>) {
    this.name = name
    this.fields = fields
    this.options = options
    this.table = options.table ?? name.replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase()
    this.label = options.label ?? words(name)
    this.labelPlural = options.labelPlural ?? plural(this.label)
  }

  /** Every row, lazily: nothing is asked of the database until the query is awaited. */
  get all(): Query<F> {
    return new Query<F>(this)
  }

  where<const C extends Where<F>>(condition: C & Exact<F, C>): Query<F> {
    return this.all.where(condition as never)
  }
  order(...keys: Parameters<Query<F>["order"]>): Query<F> {
    return this.all.order(...keys)
  }
  with<K extends ReferenceKeys<F> | ManyKeys<F>>(...keys: K[]): Query<F, K> {
    return this.all.with(...keys)
  }
  /** The row of that id, or the one that answers the condition; throws NotFound (404 in an app), or MultipleFound. */
  get<const C extends Where<F> | number>(wanted: C & (C extends number ? C : Exact<F, C>)): Promise<Row<F>> {
    return this.all.get(wanted as number)
  }
  create(values: New<F>): Promise<Row<F>> {
    return this.all.create(values)
  }
  createMany(values: readonly New<F>[]): Promise<Row<F>[]> {
    return this.all.createMany(values)
  }
  /** Changes one row; throws NotFound when it is not there. */
  update(row: number | { readonly id: number }, patch: Patch<F>): Promise<Row<F>> {
    return this.all.updateOne(typeof row === "number" ? row : row.id, patch)
  }
  delete(row: number | { readonly id: number }): Promise<void> {
    return this.all.deleteOne(typeof row === "number" ? row : row.id)
  }

  /** A row's name for people. */
  titleOf(row: Row<F>): string {
    if (this.options.title !== undefined) return this.options.title(row)
    const key = Object.keys(this.fields).find(k => this.fields[k]!.kind === "text" || this.fields[k]!.kind === "email")
    const value = key === undefined ? undefined : (row as Record<string, unknown>)[key]
    return typeof value === "string" && value !== "" ? value : `${this.label} ${row.id}`
  }
}

export type Model<F extends Fields = Fields, S extends string = never> = ModelBase<F> & { readonly [K in S]: Query<F> }
export type AnyModel = ModelBase<any>

const OPTIONS: Shape<ModelOptions<Fields>> = { label: "text", labelPlural: "text", table: "text", title: "function", order: "list", scopes: "object", indexes: "list", url: "function", internal: "boolean" }
const INDEX = { fields: "list", unique: "boolean" } as const

/** Keys that conditions are combined with. */
const COMBINE = ["or", "and", "not"]

/** Defines a model. The name is singular and stays: tables and permissions are named after it. */
export function model<const F extends Fields, const S extends string = never>(
  name: string,
  fields: F,
  options: ModelOptions<F, S> = {},
): Model<F, S> {
  if (!/^[a-z][A-Za-z0-9_]*$/.test(name)) throw new Error(`model "${name}": a name starts with a small letter and has only letters, digits and _`)
  checkOptions(`model "${name}"`, options, OPTIONS)
  for (const index of options.indexes ?? []) checkOptions(`model "${name}": an index`, index, INDEX)
  for (const [key, field] of Object.entries(fields)) {
    checkKey(name, key)
    if (typeof field?.kind !== "string") throw new Error(`model "${name}": field "${key}" is no field; fields are made by text(), integer(), ... of "edge/db"`)
  }
  const made = new ModelBase<F>(name, fields, options as ModelOptions<F>)
  for (const [scope, narrow] of Object.entries<(q: Query<F>) => Query<F>>(options.scopes ?? {})) {
    if (scope in made) throw new Error(`model "${name}": a scope cannot be named "${scope}"`)
    Object.defineProperty(made, scope, { enumerable: true, get: () => narrow(made.all) })
  }
  return made as unknown as Model<F, S>
}

function checkKey(name: string, key: string): void {
  if (!/^[a-z][A-Za-z0-9]*$/.test(key)) throw new Error(`model "${name}": field "${key}": a key starts with a small letter and has only letters and digits`)
  if (key === "id") throw new Error(`model "${name}": "id" is there already`)
  if (COMBINE.includes(key)) throw new Error(`model "${name}": field "${key}": "or", "and" and "not" combine conditions; choose another key`)
  // Every object has these: values that leave the field out would seem to give one.
  if (key in Object.prototype) throw new Error(`model "${name}": field "${key}": JavaScript objects have one of that name; choose another key`)
}
