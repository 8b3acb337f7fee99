import { and, eq, exists, gt, gte, inArray, isNotNull, isNull, lt, lte, or, type SQL, sql } from "drizzle-orm"
import { type Bound, type Bounds, boundsOf, canContain } from "./bounds.ts"
import { Comparison, COMPARISONS, type DefinedIn, Has, shown, type TextMatch, type TextOperator } from "./compare.ts"
import type { Handle } from "./database.ts"
import { ConditionError } from "./errors.ts"
import type { Field } from "./field.ts"
import type { ManyField, ReferenceField } from "./fields.ts"
import { likeFolded } from "./fold.ts"
import type { AnyModel, Fields, ManyKeys, ReferenceKeys, Row } from "./model.ts"
import { jsonFault } from "./schemas.ts"
import { rowKey, type Table, type Tables, target } from "./tables.ts"

/** A value, which must be equal, or a comparison. */
type Test<V> = V | Comparison<V | null> | (NonNullable<V> extends string ? TextMatch : never)
type FieldsOf<F> = F extends ReferenceField<infer M, any> | ManyField<infer M> ? (M extends { fields: infer G extends Fields } ? G : never) : never

/** Fields of a model that is not known by type ("self"): any condition, looked at when it runs. */
type Inside<F> = 0 extends 1 & FieldsOf<F> ? Has<any> : Has<Where<FieldsOf<F>>>

/** `{ title: contains("x"), author: has({ name: "Ann" }), or: [{ ... }, { ... }] }`: all of them must hold. */
export type Where<F extends Fields> = { readonly [K in keyof Row<F>]?: Test<Row<F>[K]> } & {
  readonly [K in ReferenceKeys<F>]?: number | { readonly id: number } | null | Comparison<number | null> | Inside<F[K]>
} & {
  readonly [K in ManyKeys<F>]?: number | { readonly id: number } | Inside<F[K]>
} & { readonly or?: readonly Where<F>[]; readonly and?: readonly Where<F>[]; readonly not?: Where<F> }

/** A condition as it was written, when it has no unknown key and nothing that may be undefined. */
export type Exact<F extends Fields, C> = DefinedIn<C> & { readonly [K in Exclude<keyof C, keyof Where<F>>]: "no such field" }

export interface Site {
  readonly model: AnyModel
  readonly table: Table
  readonly tables: Tables
  readonly db: Handle
}

/** The condition in SQL; undefined when it leaves every row. Throws ConditionError for what is no condition. */
export function toSql(where: unknown, site: Site): SQL | undefined {
  const parts: (SQL | undefined)[] = []
  for (const [key, test] of Object.entries(conditionOf(where, site.model.name))) {
    if (test === undefined) throw new ConditionError(`${site.model.name}.${key} is undefined in a condition; leave it out for every row, or say null for rows that have none`)
    if (key === "or") parts.push(any(listOf(key, test, site).map(w => toSql(w, site))))
    else if (key === "and") parts.push(...listOf(key, test, site).map(w => toSql(w, site)))
    else if (key === "not") parts.push(negated(toSql(test, site)))
    else parts.push(one(key, test, site))
  }
  return and(...parts)
}

function conditionOf(where: unknown, model: string): object {
  if (typeof where === "object" && where !== null && isPlain(where)) return where
  throw new ConditionError(`${model}: a condition is an object of fields and values, as { title: "x" }, not ${shown(where)}`)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function listOf(key: "or" | "and", test: unknown, site: Site): readonly unknown[] {
  if (Array.isArray(test)) return test
  throw new ConditionError(`${site.model.name}: "${key}" takes a list of conditions, not ${shown(test)}`)
}

/** One of them must hold: of an empty list none does. One that leaves every row leaves every row. */
function any(conditions: readonly (SQL | undefined)[]): SQL | undefined {
  if (conditions.length === 0) return NOTHING
  return conditions.includes(undefined) ? undefined : or(...conditions)
}
const NOTHING = sql`1 = 0`

/** Rows that the condition does not name, those included of which SQL cannot say (null). */
function negated(condition: SQL | undefined): SQL {
  return condition === undefined ? NOTHING : sql`(${condition}) is not true`
}

function one(key: string, test: unknown, site: Site): SQL | undefined {
  const field = Object.hasOwn(site.model.fields, key) ? (site.model.fields[key] as Field) : undefined
  const name = `${site.model.name}.${key}`
  if (field?.kind === "reference") return reference({ key, name, field, test }, site)
  if (field?.kind === "many") return many({ key, name, field, test }, site)
  const at = columnAt(site.model, site.table, key)
  if (at === undefined) {
    const known = Object.keys(site.model.fields).flatMap(k => [k, rowKey(k, site.model.fields[k] as Field)])
    throw new ConditionError(`${site.model.name} has no field "${key}"; it has id, ${[...new Set(known)].join(", ")}`)
  }
  return compare(placeOf({ at, name, field: fieldOfColumn(site.model, key) }, site), test)
}

/** A reference is compared by its id, as the id itself. */
function fieldOfColumn(model: AnyModel, key: string): Field | undefined {
  return Object.hasOwn(model.fields, key) ? (model.fields[key] as Field) : undefined
}

/** The column that a key of the row stands for; undefined for any other word, "constructor" and drizzle's own names too. */
export function columnAt(model: AnyModel, table: Table, key: string): any {
  return hasColumn(model, key) ? table[key] : undefined
}

export function hasColumn(model: AnyModel, key: string): boolean {
  return key === "id" || Object.entries(model.fields as Fields).some(([k, f]) => f.kind !== "many" && rowKey(k, f) === key)
}

interface Place {
  readonly at: any
  /** "post.title", for messages. */
  readonly name: string
  readonly field: Field | undefined
  readonly json: boolean
  readonly postgres: boolean
  readonly bound: Bounds
}

function placeOf({ at, name, field }: { at: any; name: string; field: Field | undefined }, site: Site): Place {
  const postgres = site.tables.dialect === "postgres"
  return { at, name, field, json: field?.kind === "json", postgres, bound: boundsOf(field, name, postgres) }
}

function compare(place: Place, test: unknown): SQL | undefined {
  if (test === null) return isNull(place.at)
  return Comparison.is(test) ? byOperator(place, test) : equal(place, test)
}

function equal(place: Place, value: unknown): SQL {
  if (place.json) return equalJson(place, value)
  const bound = boundOf(place, value)
  return isExact(bound) ? oneOfExact(place, [bound.exact]) : NOTHING
}

function oneOfExact({ at, field, postgres }: Place, values: readonly unknown[]): SQL {
  // Rows of older edges have a uuid on SQLite as it was written.
  const all = field?.kind === "uuid" && !postgres ? values.flatMap(value => [value, String(value).toUpperCase()]) : values
  return all.length === 1 ? eq(at, all[0]) : inArray(at, [...all])
}

function boundOf(place: Place, value: unknown): Bound {
  return place.bound(scalar(place, value))
}

function isExact(bound: Bound): bound is { readonly exact: unknown } {
  return bound !== "apart" && "exact" in bound
}

/** More or less than a value; one between two that rows may have gives way to its neighbour. */
function ordered({ at }: Place, operator: "lt" | "lte" | "gt" | "gte", bound: Bound): SQL {
  if (bound === "apart") return NOTHING
  if ("exact" in bound) return ORDERED[operator](at, bound.exact)
  const { below, above } = bound
  switch (operator) {
    case "lt":
      return above === undefined ? isNotNull(at) : lt(at, above)
    case "lte":
      return below === undefined ? NOTHING : lte(at, below)
    case "gt":
      return below === undefined ? isNotNull(at) : gt(at, below)
    case "gte":
      return above === undefined ? NOTHING : gte(at, above)
  }
}
const ORDERED = { lt, lte, gt, gte }

function byOperator(place: Place, { operator, operand }: Comparison<unknown>): SQL | undefined {
  const { at } = place
  const values = operand as readonly unknown[]
  if (place.json && !JSON_TAKES.includes(operator)) throw new ConditionError(`${place.name} is json: it is compared as a whole, with a value, ne() or oneOf(), not with ${operator}()`)
  switch (operator) {
    case "ne":
      return operand === null ? isNotNull(at) : or(sql`not (${equal(place, operand)})`, isNull(at))
    case "lt":
    case "lte":
    case "gt":
    case "gte":
      return ordered(place, operator, boundOf(place, operand))
    case "oneOf": {
      if (place.json) return any(values.map(value => equalJson(place, value)))
      const some = values.map(value => boundOf(place, value)).filter(isExact)
      return some.length === 0 ? NOTHING : oneOfExact(place, some.map(({ exact }) => exact))
    }
    case "between":
      return and(ordered(place, "gte", boundOf(place, values[0])), ordered(place, "lte", boundOf(place, values[1])))
    case "allOf":
      return and(...values.map(each => byOperator(place, each as Comparison<unknown>)))
    case "contains":
    case "startsWith":
    case "endsWith":
      return like(place, operator, String(operand))
  }
}
const JSON_TAKES: readonly string[] = ["ne", "oneOf", "allOf"]

/** One value that a column is compared with. Objects would be structure from outside: `{ "ne": "" }` of a JSON body. */
function scalar({ name }: Place, value: unknown): unknown {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "bigint" || value instanceof Date) return value
  if (typeof value === "number") return value
  if (typeof value !== "object" || value === null) throw new ConditionError(`${name} cannot be compared with ${shown(value)}`)
  if (Array.isArray(value)) throw new ConditionError(`${name} cannot be compared with a list; say oneOf([...]) of "edge/db"`)
  const key = Object.keys(value)[0] ?? ""
  const meant = MEANT[key] ?? (`, ${COMPARISONS},`.includes(` ${key},`) ? `${key}(...)` : undefined)
  throw new ConditionError(
    `${name} cannot be compared with ${shown(value)}; ${meant === undefined ? `comparisons are made by functions of "edge/db": ${COMPARISONS}` : `say ${meant} of "edge/db"`}. A value from outside is to be checked by a schema first`,
  )
}
/** What people know from other libraries. */
const MEANT: Readonly<Record<string, string | undefined>> = { in: "oneOf([...])", null: "null or ne(null)", eq: "the value itself", not: "ne(...)", equals: "the value itself" }

/** The same keys and values, whatever their order: jsonb's own comparison, and in SQLite that of the sorted leaves. */
function equalJson({ at, name, postgres }: Place, value: unknown): SQL {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined || Comparison.is(value) || Has.is(value)) throw new ConditionError(`${name} cannot be compared with ${shown(value)}: it is no JSON`)
  if (jsonFault(value) !== undefined) return NOTHING
  if (postgres) return sql`${at} = ${text}::text::jsonb`
  const leaves = (json: SQL) => sql`(select json_group_array(json_array(fullkey, type, atom)) from (select fullkey, type, atom from json_tree(${json}) order by fullkey))`
  return sql`${leaves(sql`${at}`)} = ${leaves(sql`${text}`)}`
}

function like({ at, name, field, postgres }: Place, operator: TextOperator, text: string): SQL {
  if (!canContain(field, text, { name, operator })) return NOTHING
  const asText = postgres && (field!.kind === "date" || field!.kind === "uuid") ? sql`${at}::text` : at
  return likeFolded(asText, text, { place: operator, postgres })
}

interface RelationTest {
  readonly key: string
  readonly name: string
  readonly field: Field
  readonly test: unknown
}

function reference({ key, name, field, test }: RelationTest, site: Site): SQL | undefined {
  const at = site.table[rowKey(key, field)]
  const id = idOf(test)
  if (id !== undefined || test === null || Comparison.is(test)) return compare(placeOf({ at, name, field: undefined }, site), id ?? test)
  return inArray(at, idsOf(field, conditionIn(test, name), site))
}

function many({ key, name, field, test }: RelationTest, site: Site): SQL | undefined {
  const pairs = site.tables.pairs(site.model, key)
  const id = idOf(test)
  const right = id === undefined ? inArray(pairs.to, idsOf(field, conditionIn(test, name), site)) : equal(placeOf({ at: pairs.to, name, field: undefined }, site), id)
  return exists(site.db.select({ one: sql`1` }).from(pairs).where(and(eq(pairs.from, site.table.id), right)))
}

/** Ids of the rows of a relation that answer the condition. */
function idsOf(field: Field, condition: unknown, site: Site): any {
  const other = target(site.model, field)
  const table = site.tables.of(other)
  return site.db.select({ id: table.id }).from(table).where(toSql(condition, { ...site, model: other, table }))
}

/** Without the mark, an empty object of a JSON body would be a condition that every row answers. */
function conditionIn(test: unknown, name: string): unknown {
  if (Has.is(test)) return test.condition
  throw new ConditionError(`${name} is a relation: it is compared with an id, a row, or has({ ... }) of "edge/db" for a condition on its rows, not with ${shown(test)}`)
}

/** A loaded row stands for its id. */
function idOf(test: unknown): number | undefined {
  const id = typeof test === "object" && test !== null ? (test as { id?: unknown }).id : test
  return typeof id === "number" ? id : undefined
}
