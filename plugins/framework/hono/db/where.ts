import { and, between, eq, exists, gt, gte, inArray, isNotNull, isNull, lt, lte, ne, not, or, type SQL, sql } from "drizzle-orm"
import type { Field } from "./field.ts"
import type { AnyModel, ColumnKeys, Fields, ManyKeys, ReferenceKeys, Row } from "./model.ts"
import type { ManyField, ReferenceField } from "./fields.ts"
import type { Handle } from "./database.ts"
import { rowKey, type Table, type Tables, target } from "./tables.ts"

/** Comparisons of one value; several in one object must all hold. */
export interface Compare<V> {
  readonly eq?: V | null
  readonly ne?: V | null
  readonly lt?: NonNullable<V>
  readonly lte?: NonNullable<V>
  readonly gt?: NonNullable<V>
  readonly gte?: NonNullable<V>
  readonly in?: readonly NonNullable<V>[]
  readonly between?: readonly [NonNullable<V>, NonNullable<V>]
  readonly null?: boolean
  /** Texts, without regard to case. */
  readonly contains?: string
  readonly startsWith?: string
  readonly endsWith?: string
}

type Test<V> = V | Compare<V>
type FieldsOf<F> = F extends ReferenceField<infer M, any> | ManyField<infer M> ? (M extends { fields: infer G extends Fields } ? G : never) : never

/** `{ title: { contains: "x" }, author: { name: "Ann" }, or: [...] }`: all of them must hold. */
export type Where<F extends Fields> = { readonly [K in keyof Row<F>]?: Test<Row<F>[K]> } & {
  readonly [K in ColumnKeys<F>]?: unknown
} & {
  readonly [K in ReferenceKeys<F> | ManyKeys<F>]?: number | { readonly id: number } | null | Where<FieldsOf<F[K]>>
} & { readonly or?: readonly Where<F>[]; readonly and?: readonly Where<F>[]; readonly not?: Where<F> }

export interface Site {
  readonly model: AnyModel
  readonly table: Table
  readonly tables: Tables
  readonly db: Handle
}

export function toSql(where: Record<string, unknown>, site: Site): SQL | undefined {
  const parts: (SQL | undefined)[] = []
  for (const [key, test] of Object.entries(where)) {
    if (test === undefined) continue
    if (key === "or") parts.push(or(...(test as Record<string, unknown>[]).map(w => toSql(w, site))))
    else if (key === "and") parts.push(and(...(test as Record<string, unknown>[]).map(w => toSql(w, site))))
    else if (key === "not") parts.push(negated(toSql(test as Record<string, unknown>, site)))
    else parts.push(one(key, test, site))
  }
  return and(...parts)
}

function negated(condition: SQL | undefined): SQL | undefined {
  return condition === undefined ? undefined : not(condition)
}

function one(key: string, test: unknown, site: Site): SQL | undefined {
  const field = site.model.fields[key] as Field | undefined
  if (field?.kind === "reference") return reference(key, field, test, site)
  if (field?.kind === "many") return many(key, field, test, site)
  const at = site.table[key]
  if (at === undefined) {
    const known = Object.keys(site.model.fields).flatMap(k => [k, rowKey(k, site.model.fields[k] as Field)])
    throw new Error(`${site.model.name} has no field "${key}"; it has id, ${[...new Set(known)].join(", ")}`)
  }
  return compare(at, test, site.tables.dialect === "postgres")
}

function compare(at: any, test: unknown, postgres: boolean): SQL | undefined {
  if (test === null) return isNull(at)
  if (typeof test !== "object" || test instanceof Date) return eq(at, test)
  const like = (pattern: string) => (postgres ? sql`${at} ilike ${pattern} escape '\\'` : sql`${at} like ${pattern} escape '\\'`)
  return and(
    ...Object.entries(test as Compare<unknown>).map(([name, value]): SQL | undefined => {
      if (value === undefined) return undefined
      switch (name) {
        case "eq":
          return value === null ? isNull(at) : eq(at, value)
        case "ne":
          // Unlike SQL's <>, null is "not x" too: what a reader of the code expects.
          return value === null ? isNotNull(at) : or(ne(at, value), isNull(at))
        case "lt":
          return lt(at, value)
        case "lte":
          return lte(at, value)
        case "gt":
          return gt(at, value)
        case "gte":
          return gte(at, value)
        case "in":
          return (value as unknown[]).length === 0 ? sql`1 = 0` : inArray(at, value as unknown[])
        case "between":
          return between(at, (value as unknown[])[0], (value as unknown[])[1])
        case "null":
          return value === true ? isNull(at) : isNotNull(at)
        case "contains":
          return like(`%${escapeLike(String(value))}%`)
        case "startsWith":
          return like(`${escapeLike(String(value))}%`)
        case "endsWith":
          return like(`%${escapeLike(String(value))}`)
        default:
          throw new Error(`no comparison "${name}"; there are eq, ne, lt, lte, gt, gte, in, between, null, contains, startsWith, endsWith`)
      }
    }),
  )
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, "\\$&")
}

function reference(key: string, field: Field, test: unknown, site: Site): SQL | undefined {
  const at = site.table[rowKey(key, field)]
  if (test === null || typeof test === "number") return compare(at, test, false)
  const id = idOf(test)
  if (id !== undefined) return eq(at, id)
  const other = target(site.model, field)
  const table = site.tables.of(other)
  const inner = toSql(test as Record<string, unknown>, { ...site, model: other, table })
  return inArray(at, site.db.select({ id: table.id }).from(table).where(inner))
}

function many(key: string, field: Field, test: unknown, site: Site): SQL | undefined {
  const pairs = site.tables.pairs(site.model, key)
  const id = typeof test === "number" ? test : idOf(test)
  const other = target(site.model, field)
  const table = site.tables.of(other)
  const right =
    id !== undefined
      ? eq(pairs.to, id)
      : inArray(pairs.to, site.db.select({ id: table.id }).from(table).where(toSql(test as Record<string, unknown>, { ...site, model: other, table })))
  return exists(site.db.select({ one: sql`1` }).from(pairs).where(and(eq(pairs.from, site.table.id), right)))
}

/** A loaded row stands for its id; `{ id: { in: [...] } }` is a condition. */
function idOf(test: unknown): number | undefined {
  const id = (test as { id?: unknown } | null)?.id
  return typeof id === "number" ? id : undefined
}
