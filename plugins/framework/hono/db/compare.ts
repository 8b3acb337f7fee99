/**
 * Comparisons other than "equal", as conditions take them: `{ title: contains("x"), views: gte(10) }`. They are instances
 * of classes with a private mark, so that nothing that was read from JSON, a form or a query string can be one: with
 * `{ "ne": "" }` in the place of a password, whoever sends it would choose the comparison.
 */
import { ConditionError } from "./errors.ts"

export type Operator = "ne" | "lt" | "lte" | "gt" | "gte" | "oneOf" | "between" | "allOf"
export type TextOperator = "contains" | "startsWith" | "endsWith"

/** A comparison with values of type `V`. */
export class Comparison<V> {
  /** Carries the type; never set. */
  declare readonly type?: V
  readonly #operator: Operator | TextOperator
  readonly #operand: unknown
  constructor(operator: Operator | TextOperator, operand: unknown) {
    this.#operator = operator
    this.#operand = operand
  }
  get operator(): Operator | TextOperator {
    return this.#operator
  }
  get operand(): unknown {
    return this.#operand
  }
  static is(value: unknown): value is Comparison<unknown> {
    return typeof value === "object" && value !== null && #operator in value
  }
}

/** A comparison of texts, which fields of any kind of text take. */
export class TextMatch extends Comparison<string> {
  readonly text = true
}

/** A condition on the rows that a relation leads to. */
export class Has<C> {
  readonly #condition: C
  constructor(condition: C) {
    this.#condition = condition
  }
  get condition(): C {
    return this.#condition
  }
  static is(value: unknown): value is Has<unknown> {
    return typeof value === "object" && value !== null && #condition in value
  }
}

/** What may be compared with; null has its own words. */
type Given = NonNullable<unknown>

/** Another value, or none: unlike SQL's `<>`, null is "not x" too. `ne(null)`: any value. */
export const ne = <const V>(value: V & Known<V>): Comparison<V> => new Comparison("ne", present("ne", value, true))
export const lt = <const V extends Given>(value: V): Comparison<V> => new Comparison("lt", present("lt", value))
export const lte = <const V extends Given>(value: V): Comparison<V> => new Comparison("lte", present("lte", value))
export const gt = <const V extends Given>(value: V): Comparison<V> => new Comparison("gt", present("gt", value))
export const gte = <const V extends Given>(value: V): Comparison<V> => new Comparison("gte", present("gte", value))

/** One of these; of an empty list nothing is one. */
export function oneOf<const V extends Given>(values: readonly V[]): Comparison<V> {
  if (!Array.isArray(values)) throw new ConditionError(`oneOf() takes a list, not ${shown(values)}`)
  for (const value of values) present("oneOf", value)
  return new Comparison("oneOf", values)
}

/** From the first to the last, both included. */
export const between = <const V extends Given>(from: V, to: V): Comparison<V> => new Comparison("between", [present("between", from), present("between", to)])

/** All of these: `allOf(gte(1), lt(5))`. */
export function allOf<const V>(...comparisons: readonly Comparison<V>[]): Comparison<V> {
  for (const each of comparisons) if (!Comparison.is(each)) throw new ConditionError(`allOf() takes comparisons, as allOf(gte(1), lt(5)), not ${shown(each)}`)
  return new Comparison("allOf", comparisons)
}

/** Texts that have this one in them, without regard to case; "" is in every text. */
export const contains = (text: string): TextMatch => new TextMatch("contains", words("contains", text))
export const startsWith = (text: string): TextMatch => new TextMatch("startsWith", words("startsWith", text))
export const endsWith = (text: string): TextMatch => new TextMatch("endsWith", words("endsWith", text))

/** Rows whose relation leads to a row (of `many`: to at least one) that answers the condition: `{ author: has({ name: "Ann" }) }`. */
export function has<const C extends object>(condition: C & DefinedIn<C>): Has<C> {
  return new Has(condition)
}

/** Every name that a condition may need, for messages. */
export const COMPARISONS = "ne, lt, lte, gt, gte, oneOf, between, allOf, contains, startsWith, endsWith"

function present<V>(name: Operator, value: V, orNull = false): V {
  if (value === undefined || (value === null && !orNull)) {
    throw new ConditionError(`${name}(${value}): nothing to compare with${value === null ? "; null by itself asks for rows that have none, ne(null) for those that have one" : ""}`)
  }
  return value
}

function words(name: TextOperator, text: unknown): string {
  if (typeof text !== "string") throw new ConditionError(`${name}() takes a text, not ${shown(text)}`)
  return text
}

/** A value in a message, without what is in it: it may be a secret. */
export function shown(value: unknown): string {
  if (value === undefined || value === null || typeof value === "boolean") return String(value)
  if (Array.isArray(value)) return "a list"
  if (typeof value === "number") return "a number"
  return typeof value === "object" ? (value.constructor === Object || value.constructor === undefined ? "a plain object" : `a ${value.constructor.name}`) : `a ${typeof value}`
}

// Types that refuse undefined -----------------------------------------------------------------------------------------

/** Told by the compiler in place of a value whose type includes undefined. */
type MayBeUndefined = "this value may be undefined: leave the key out, say null, or check it first"
type IsAny<T> = 0 extends 1 & T ? true : false
export type Known<V> = IsAny<V> extends true ? V : undefined extends V ? MayBeUndefined : V

/**
 * The same object, as long as no value may be undefined. TypeScript takes `string | undefined` for an optional key unless
 * exactOptionalPropertyTypes is on, which is the user's to choose: so the condition's own type is looked at. Keys that
 * may be absent (`{ ...(x && { a: x }) }`) pass; at run time an undefined in them is refused.
 */
export type DefinedIn<C> = {
  readonly [K in keyof C]: K extends "or" | "and"
    ? C[K] extends readonly (infer E)[]
      ? readonly DefinedIn<E>[]
      : C[K]
    : K extends "not"
      ? DefinedIn<C[K]>
      : {} extends Pick<C, K>
        ? C[K]
        : Known<C[K]>
}
