/** Durations ("500ms", "1h30m") and sizes ("64kb") of the config, as valibot schemas for everybody. */
import * as v from "valibot"

const msPer: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
}
const bytesPer: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 }

/** Milliseconds; null when the text is no duration. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0
  return sum(text, { part: /(\d+(?:\.\d+)?)(ms|s|m|h|d|w|y)/gy, per: msPer })
}

/** Bytes; null when the text is no size. */
export function parseSize(text: string): number | null {
  if (text === "0") return 0
  const bytes = sum(text.toLowerCase(), { part: /(\d+(?:\.\d+)?) ?(b|kb|mb|gb|tb)/gy, per: bytesPer })
  return bytes === null ? null : Math.floor(bytes)
}

function sum(text: string, { part, per }: { part: RegExp; per: Readonly<Record<string, number>> }): number | null {
  let total = 0
  let at = 0
  for (const match of text.matchAll(part)) {
    total += Number(match[1]) * per[match[2]!]!
    at = match.index + match[0].length
  }
  return text === "" || at !== text.length ? null : total
}

/** What a value may be at least and at most, as it would stand in the config: `{ min: "1s" }`. */
export interface Bounds {
  readonly min?: string
  readonly max?: string
}

/** `"30s"` -> milliseconds. */
export function duration(bounds: Bounds = {}): v.GenericSchema<string, number> {
  return quantity(parseDuration, { bounds, expects: 'a duration such as "500ms", "30s", "5m" or "1h"' })
}

/** `"10mb"` -> bytes (1 kB is 1024). */
export function size(bounds: Bounds = {}): v.GenericSchema<string, number> {
  return quantity(parseSize, { bounds, expects: 'a size such as "512b", "64kb" or "10mb"' })
}

function quantity(
  parse: (text: string) => number | null,
  { bounds, expects }: { bounds: Bounds; expects: string },
): v.GenericSchema<string, number> {
  const min = bounds.min === undefined ? 0 : (parse(bounds.min) ?? 0)
  const max = bounds.max === undefined ? Infinity : (parse(bounds.max) ?? Infinity)
  return v.pipe(
    v.string(),
    v.metadata({ expects }),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value)
      if (value !== null && value >= min && value <= max) return value
      if (value === null) addIssue({ message: `expected ${expects}` })
      else if (value < min) addIssue({ message: `expected at least ${JSON.stringify(bounds.min)}` })
      else addIssue({ message: `expected at most ${JSON.stringify(bounds.max)}` })
      return NEVER
    }),
  )
}
