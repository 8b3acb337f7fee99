/**
 * Options of the TypeScript APIs, checked where they come in: plugins and apps run without being type-checked, and an
 * option that nobody knows would do nothing, in silence.
 */
import { didYouMean, list, quote } from "./config/suggest.ts"

/** What a value is, in words; "any" is looked at by whoever uses it. Several: "text|list". */
export type ValueWords = "text" | "number" | "boolean" | "list" | "function" | "object" | "any" | "date" | `${string}|${string}`

/** Every key of `T`, optional ones too, and what its value is. */
export type Shape<T> = { readonly [K in keyof Required<T>]: ValueWords }

const IS: Readonly<Record<string, (value: unknown) => boolean>> = {
  any: () => true,
  text: value => typeof value === "string",
  number: value => typeof value === "number" && !Number.isNaN(value),
  boolean: value => typeof value === "boolean",
  list: value => Array.isArray(value),
  function: value => typeof value === "function",
  object: value => typeof value === "object" && value !== null && !Array.isArray(value),
  date: value => value instanceof Date,
}
const ARTICLE: Readonly<Record<string, string>> = { boolean: "true or false", object: "an object" }

/**
 * Throws TypeError for what is no object, for a key that `shape` does not have, and for a value of another kind. Undefined
 * is as good as absent, for the options as a whole too. `what` begins the message: `text()`.
 */
export function checkOptions(what: string, options: unknown, shape: Readonly<Record<string, ValueWords>>): void {
  if (options === undefined) return
  if (!IS.object!(options)) throw new TypeError(`${what}: expected an object of options, not ${nameOf(options)}`)
  for (const [key, value] of Object.entries(options as object)) {
    const wanted = Object.hasOwn(shape, key) ? shape[key] : undefined
    if (wanted === undefined) throw new TypeError(`${what}: unknown option ${quote(key)}${didYouMean(key, Object.keys(shape), { list: "allowed" })}`)
    const words = wanted.split("|")
    if (value === undefined || words.some(word => IS[word]!(value))) continue
    throw new TypeError(`${what}: option ${quote(key)} must be ${list(words.map(word => ARTICLE[word] ?? `a ${word}`))}, not ${nameOf(value)}`)
  }
}

/** An argument by itself: `checkArgument("store.increment()", "ttlMs", ttlMs, "number")`. */
export function checkArgument(what: string, name: string, value: unknown, words: ValueWords): void {
  const wanted = words.split("|")
  if (wanted.some(word => IS[word]!(value))) return
  throw new TypeError(`${what}: ${name} must be ${list(wanted.map(word => ARTICLE[word] ?? `a ${word}`))}, not ${nameOf(value)}`)
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined || typeof value === "boolean") return String(value)
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : "a number"
  if (typeof value === "string") return "a text"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "function") return "a function"
  return `an object`
}
