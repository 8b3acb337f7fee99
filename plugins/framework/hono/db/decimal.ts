/** Exact decimal numbers as text, and as whole numbers of their smallest unit. Nothing here goes through a float. */

/** Most digits that an integer of SQLite holds whatever they are (2^63 has 19). */
export const MOST_DIGITS = 18

/** Digits before the point that a decimal takes unless `digits` says how many it has in all. */
const WHOLE = 15

/** A decimal's size: digits in all, digits after the point. */
export interface DecimalSize {
  readonly digits: number
  readonly scale: number
}

/** The size a field's options ask for; throws for one that no database can keep. */
export function decimalSize(options: { readonly scale?: number; readonly digits?: number } | undefined): DecimalSize {
  const scale = options?.scale ?? 2
  if (!Number.isInteger(scale) || scale < 0) throw new Error(`decimal({ scale: ${scale} }): a whole number of digits after the point, 0 or more`)
  const digits = options?.digits ?? Math.min(WHOLE + scale, MOST_DIGITS)
  if (!Number.isInteger(digits) || digits < 1 || digits > 1000) throw new Error(`decimal({ digits: ${digits} }): a whole number of digits in all, 1 to 1000`)
  if (scale > digits) {
    const why = options?.digits === undefined ? `with more than ${MOST_DIGITS} digits after the point say how many there are in all, as decimal({ digits: ${scale + WHOLE}, scale: ${scale} }); only PostgreSQL keeps so many` : `more digits after the point than there are in all`
    throw new Error(`decimal({ ${options?.digits === undefined ? "" : `digits: ${digits}, `}scale: ${scale} }): ${why}`)
  }
  return { digits, scale }
}

/** numeric(15 + scale, scale) unless the field says its digits: what stood there before fields could say. */
export function postgresDigits(options: { readonly digits?: number; readonly scale?: number }): number {
  return options.digits ?? WHOLE + decimalSize(options).scale
}

/** `units` times 10 to the power of `exponent`, without trailing zeros. */
export interface Exact {
  readonly units: bigint
  readonly exponent: number
}

const FORM = /^\s*([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d{1,4}))?\s*$/i

/** Longest text that is looked at: a thousand digits, a sign, a point, an exponent. */
const LONGEST = 1100

/** "12.50", ".5", "5.", "+5", "1e2" as Python's Decimal takes them; undefined for what is no number. */
export function exactOf(text: string): Exact | undefined {
  const match = text.length > LONGEST ? null : FORM.exec(text)
  if (match === null) return undefined
  const [, sign, whole = "", part = match[4] ?? "", , power = "0"] = match as unknown as string[]
  const after = match[4] ?? part
  const digits = (whole + after).replace(/0+$/, "")
  if (/^0*$/.test(digits)) return { units: 0n, exponent: 0 }
  const exponent = Number(power) - after.length + (whole.length + after.length - digits.length)
  return { units: BigInt(digits) * (sign === "-" ? -1n : 1n), exponent }
}

/** A number as whole units of a scale; undefined when it has digits below the unit. */
export function unitsOf({ units, exponent }: Exact, scale: number): bigint | undefined {
  const power = exponent + scale
  return power < 0 ? undefined : units * 10n ** BigInt(power)
}

/** The largest whole number of units that is not above the number. */
export function floorUnits({ units, exponent }: Exact, scale: number): bigint {
  const power = exponent + scale
  if (power >= 0) return units * 10n ** BigInt(power)
  const by = 10n ** BigInt(-power)
  return units >= 0n ? units / by : -((-units + by - 1n) / by)
}

/** Units as text with all digits of the scale: 1250n, or "1250", of scale 2 is "12.50". No BigInt is made of a text: every row read comes here. */
export function textOf(units: bigint | string, scale: number): string {
  const text = String(units)
  if (scale === 0) return text
  const sign = text.startsWith("-") ? "-" : ""
  const digits = text.slice(sign.length).padStart(scale + 1, "0")
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

export type DecimalFault = "form" | "scale" | "digits"

/** A decimal in the one form it is kept in ("0.50" of ".5"), or what is wrong with it. */
export function decimalText(text: string, { digits, scale }: DecimalSize): { readonly text: string } | { readonly fault: DecimalFault } {
  const exact = exactOf(text)
  if (exact === undefined) return { fault: "form" }
  // Before the power is made: "1e9999" is a number of four kilobytes.
  if (exact.units !== 0n && exact.exponent > digits) return { fault: "digits" }
  const units = unitsOf(exact, scale)
  if (units === undefined) return { fault: "scale" }
  if (units >= 10n ** BigInt(digits) || units <= -(10n ** BigInt(digits))) return { fault: "digits" }
  return { text: textOf(units, scale) }
}
