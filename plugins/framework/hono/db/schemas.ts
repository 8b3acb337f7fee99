/** What values may be, the same on both databases: each is refused here before a database could round, cut or misread it. */
import * as v from "valibot"
import { type DecimalSize, decimalText } from "./decimal.ts"

/** NUL cannot be stored by PostgreSQL and cuts texts elsewhere; half of a surrogate pair becomes U+FFFD in both databases. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed()
}
const UNSTORABLE = "Has a character that cannot be stored."

/** Texts that a database keeps as they are. */
export const storable = v.pipe(v.string(), v.check(isStorable, UNSTORABLE))

/** A day of the calendar, 0001-01-01 to 9999-12-31, as in Django. */
export function isDay(text: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (match === null) return false
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number]
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= lastDay(year, month)
}

function lastDay(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}
export const day = v.pipe(v.string(), v.check(isDay, "No such day; a day is written as 2026-11-23."))

export const FIRST_DATETIME = Date.parse("0001-01-01T00:00:00Z")
export const LAST_DATETIME = Date.parse("9999-12-31T23:59:59.999Z")
/** Years that both databases and every form of writing a date have. */
export function isKeptDatetime(date: Date): boolean {
  return date.getTime() >= FIRST_DATETIME && date.getTime() <= LAST_DATETIME
}
export const datetimeValue = v.pipe(v.date(), v.check(isKeptDatetime, "No such date; the years 1 to 9999 are kept."))

export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}
/** Small letters, as PostgreSQL gives it back. */
export const uuidText = v.pipe(v.string(), v.check(isUuid, "A UUID, as 0a0b0c0d-1111-4222-8333-444455556666."), v.toLowerCase())

/** A decimal in the form that it is kept in: "0.50" of ".5". */
export function decimalOf(size: DecimalSize) {
  const { digits, scale } = size
  const messages = {
    form: "A number, written as 12.50.",
    scale: scale === 0 ? "A whole number." : `A number with at most ${scale} digits after the point.`,
    digits: `A number with at most ${digits - scale} digits before the point.`,
  }
  return v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const kept = decimalText(dataset.value, size)
      if ("text" in kept) return kept.text
      addIssue({ message: messages[kept.fault] })
      return NEVER
    }),
  )
}

/** What JSON has a form for. JSON.stringify makes null of NaN and drops functions without a word. */
export const jsonValue = v.pipe(
  v.unknown(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const fault = jsonFault(dataset.value)
    if (fault !== undefined) addIssue({ message: fault })
  }),
)

export function jsonFault(value: unknown): string | undefined {
  let fault: string | undefined
  const look = function (this: unknown, key: string, one: unknown): unknown {
    if (!isStorable(key)) fault ??= UNSTORABLE
    if (typeof one === "string" && !isStorable(one)) fault ??= UNSTORABLE
    else if (typeof one === "number" && !Number.isFinite(one)) fault ??= `JSON has no ${one}.`
    else if (typeof one === "function" || typeof one === "symbol" || typeof one === "bigint") fault ??= `JSON has no ${typeof one}.`
    // In an object it is a key that is not there; in a list it would become null.
    else if (one === undefined && (key === "" || Array.isArray(this))) fault ??= "JSON has no undefined."
    return typeof one === "bigint" ? String(one) : one
  }
  try {
    JSON.stringify(value, look)
  } catch (error) {
    return `Not JSON: ${(error as Error).message}.`
  }
  return fault
}
