/** What a query asks for, and which of its methods take which part of it. */
import { ConditionError } from "./errors.ts"

export interface Clauses {
  readonly where: readonly unknown[]
  readonly order: readonly string[]
  readonly limit: number | undefined
  readonly offset: number
  readonly load: readonly string[]
  /** Columns that are left out. */
  readonly omit: readonly string[]
  /** Where nulls go, in sort keys from this one on; undefined: where the database puts them. */
  readonly nulls: { readonly place: "first" | "last"; readonly from: number } | undefined
  /** Rows stay as they are read until the transaction ends. */
  readonly lock: boolean
}

export const NOTHING: Clauses = { where: [], order: [], limit: undefined, offset: 0, load: [], omit: [], nulls: undefined, lock: false }

export type Modifier = "where" | "limit" | "offset" | "forUpdate"

/**
 * What each method refuses; everything else is honoured. Not in here: order, with and without, which scopes bring along
 * and which change no count and no write, except that order says which rows a limited update or delete takes.
 */
const REFUSES = {
  count: { forUpdate: "it reads no rows that could be locked" },
  countUpTo: { forUpdate: "it reads no rows that could be locked" },
  exists: { forUpdate: "it reads no rows that could be locked" },
  estimate: { where: "it is about the whole table; count() or countUpTo() look at rows", limit: "it is about the whole table", offset: "it is about the whole table", forUpdate: "it reads no rows" },
  page: { limit: "the size of a page does", offset: "a page begins after a cursor" },
  each: { offset: "it goes by keyset, and would read and drop them" },
  create: { where: "a new row need not answer it: call Model.create()", limit: "it makes one row", offset: "it makes one row", forUpdate: "it makes a row" },
  updateOne: { limit: "it is for one row", offset: "it is for one row" },
  deleteOne: { limit: "it is for one row", offset: "it is for one row" },
} as const satisfies Record<string, { readonly [M in Modifier]?: string }>

/** Throws ConditionError for a part of the query that the method would have to leave aside. */
export function refuse(method: keyof typeof REFUSES, clauses: Clauses, model: string): void {
  const has: Record<Modifier, boolean> = { where: clauses.where.length > 0, limit: clauses.limit !== undefined, offset: clauses.offset > 0, forUpdate: clauses.lock }
  for (const [modifier, why] of Object.entries(REFUSES[method])) {
    if (has[modifier as Modifier]) throw new ConditionError(`${model}: ${method}() does not go with ${modifier}(): ${why}`)
  }
}

/** A number of rows. SQLite takes LIMIT -1 for "all", and neither database a fraction. */
export function rowsOf(what: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new ConditionError(`${what} takes a whole number of rows, ${least} or more, not ${typeof value === "number" ? value : typeof value}`)
}
