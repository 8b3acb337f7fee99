import * as v from "valibot"

const factors: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3, w: 604_800e3, y: 31_536_000e3 }

/** "500ms", "30s", "5m" as milliseconds. */
export const duration = v.pipe(
  v.string(),
  v.regex(/^\d+(\.\d+)?(ms|s|m|h|d|w|y)$/, 'a duration is a number with a unit: "500ms", "30s", "5m", "1h"'),
  v.transform(text => Number.parseFloat(text) * factors[text.replace(/^[\d.]+/, "")]!),
)

const powers: Record<string, number> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 }

/** "64kb", "10mb" as bytes. */
export const size = v.pipe(
  v.string(),
  v.regex(/^\d+(\.\d+)?(b|kb|mb|gb)$/i, 'a size is a number with a unit: "64kb", "10mb", "1gb"'),
  v.transform(text => Math.round(Number.parseFloat(text) * powers[text.replace(/^[\d.]+/, "").toLowerCase()]!)),
)
