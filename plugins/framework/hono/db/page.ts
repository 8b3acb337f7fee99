/**
 * Paging that costs the same on page 1 and on page 20,000: the next page begins after the last row of this one
 * (keyset), instead of counting off the rows before it (OFFSET reads and drops every one of them).
 */
import { type Comparison, gt, lt, ne } from "./compare.ts"
import { ConditionError } from "./errors.ts"
import type { Field } from "./field.ts"
import type { AnyModel } from "./model.ts"
import { rowKey } from "./tables.ts"

/** A sort key that was taken apart: a column of the row, its direction, and whether it may be null. */
export interface SortKey {
  readonly name: string
  readonly descending: boolean
  readonly nullable: boolean
  readonly field: Field | undefined
}

export interface PageOptions {
  /** Rows of a page. */
  readonly size: number
  /** Cursor that an earlier page gave as `next` or `previous`; one that does not fit gives the first page. */
  readonly after?: string | undefined
  readonly before?: string | undefined
}

export interface Page<T> {
  readonly rows: T[]
  /** Cursors for `after` and `before`; undefined when there is nothing there. */
  readonly next: string | undefined
  readonly previous: string | undefined
}

/**
 * A part of the rows that one index can give in order: equalities, at most one range, and the order of what is left.
 * `a = 1 AND b > 2` and then `a > 1` instead of `a > 1 OR (a = 1 AND b > 2)`, which neither database walks by index.
 */
export interface Segment {
  readonly where: Readonly<Record<string, unknown>>
  readonly order: readonly string[]
  /** The first key of the order has no nulls here. */
  readonly sure: boolean
}

/** "-publishedAt" and so on as sort keys; the id comes last, in the direction of the first, and makes the order total. */
export function sortKeys(model: AnyModel, order: readonly string[]): SortKey[] {
  const keys = order.map(key => toSortKey(model, key))
  const end = keys.findIndex(key => key.name === "id")
  const id: SortKey = { name: "id", descending: keys[0]?.descending ?? false, nullable: false, field: undefined }
  return end === -1 ? [...keys, id] : keys.slice(0, end + 1)
}

function toSortKey(model: AnyModel, key: string): SortKey {
  const descending = key.startsWith("-")
  const name = descending ? key.slice(1) : key
  const field = (Object.entries(model.fields) as [string, Field][]).find(([k, f]) => f.kind !== "many" && rowKey(k, f) === name)?.[1]
  if (field === undefined && name !== "id") throw new ConditionError(`${model.name} cannot be sorted by "${name}"`)
  return { name, descending, nullable: field?.options.optional === true, field }
}

/**
 * The segments of all rows, or of those after a cursor's values, in order. Nulls come last on every database (by
 * themselves they are smallest in SQLite, largest in Postgres), first when walking backwards.
 */
export function segments(keys: readonly SortKey[], from: readonly unknown[] | undefined, backwards: boolean): Segment[] {
  const found: Segment[] = []
  const order = (i: number) => keys.slice(i).map(key => (key.descending === backwards ? key.name : `-${key.name}`))
  const ranged = (equal: object, i: number, range: Comparison<unknown>) => found.push({ where: { ...equal, [keys[i]!.name]: range }, order: order(i), sure: true })
  const nulls = (equal: object, i: number) => found.push({ where: { ...equal, [keys[i]!.name]: null }, order: order(i + 1), sure: !keys[i + 1]!.nullable })
  if (from === undefined) {
    const first = keys[0]!
    if (!first.nullable) return [{ where: {}, order: order(0), sure: true }]
    ranged({}, 0, ne(null))
    nulls({}, 0)
    return backwards ? found.toReversed() : found
  }
  for (let i = keys.length - 1; i >= 0; i--) {
    const key = keys[i]!
    const value = from[i]
    const equal = Object.fromEntries(keys.slice(0, i).map((k, n) => [k.name, from[n]]))
    if (value === null) {
      if (backwards) ranged(equal, i, ne(null))
      continue
    }
    ranged(equal, i, key.descending === backwards ? gt(value!) : lt(value!))
    if (key.nullable && !backwards) nulls(equal, i)
  }
  return found
}

/** A place between two rows, opaque to whoever carries it. It holds nothing but the values that the row was sorted by. */
export function toCursor(keys: readonly SortKey[], row: Readonly<Record<string, unknown>>): string {
  return Buffer.from(JSON.stringify([signature(keys), ...keys.map(key => row[key.name])])).toString("base64url")
}

/** The values in a cursor, checked one by one; undefined when it was made for another order, or by hand. */
export function fromCursor(keys: readonly SortKey[], cursor: string): unknown[] | undefined {
  let read: unknown
  try {
    read = JSON.parse(Buffer.from(cursor, "base64url").toString())
  } catch {
    return undefined
  }
  if (!Array.isArray(read) || read.length !== keys.length + 1 || read[0] !== signature(keys)) return undefined
  const values = keys.map((key, i) => fromJson(key, read[i + 1]))
  return values.includes(undefined) ? undefined : values
}

function signature(keys: readonly SortKey[]): string {
  return keys.map(key => (key.descending ? `-${key.name}` : key.name)).join(",")
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function fromJson(key: SortKey, value: unknown): unknown {
  if (value === null) return key.nullable ? null : undefined
  switch (key.field?.kind) {
    case undefined:
    case "reference":
    case "integer":
      return Number.isSafeInteger(value) ? value : undefined
    case "number":
      return typeof value === "number" ? value : undefined
    case "boolean":
      return typeof value === "boolean" ? value : undefined
    case "datetime": {
      const date = new Date(typeof value === "string" ? value : Number.NaN)
      return Number.isNaN(date.getTime()) ? undefined : date
    }
    case "decimal":
      return typeof value === "string" && /^-?\d{1,15}(?:\.\d{1,15})?$/.test(value) ? value : undefined
    case "date":
      return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : undefined
    case "uuid":
      return typeof value === "string" && uuid.test(value) ? value : undefined
    case "json":
      return undefined
    default:
      return typeof value === "string" && !value.includes("\0") ? value : undefined
  }
}
