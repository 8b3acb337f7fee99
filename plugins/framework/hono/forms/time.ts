/** Datetimes as people write them in a form: the wall clock of a time zone, without an offset. */

const LOCAL = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/

/**
 * "2026-11-23T14:05" of a zone as a Date; undefined when it is no date and time. A time that is there twice, when clocks go
 * back, is the first of the two; one that is not there, when they go forward, is as much later (RFC 5545 section 3.3.5).
 */
export function fromLocal(text: string, timeZone: string): Date | undefined {
  const asUtc = wallClock(text)
  if (asUtc === undefined) return undefined
  const [before, after] = around(asUtc, timeZone)
  const early = asUtc - Math.max(before, after)
  return new Date(offset(early, timeZone) === Math.max(before, after) ? early : asUtc - Math.min(before, after))
}

/** The hours that the clocks leave out, when the text names a moment between them: "02:00" and "03:00". */
export function gapAt(text: string, timeZone: string): { readonly from: string; readonly to: string } | undefined {
  const asUtc = wallClock(text)
  if (asUtc === undefined) return undefined
  const [before, after] = around(asUtc, timeZone)
  if (after <= before) return undefined
  let [low, high] = [asUtc - DAY, asUtc + DAY]
  while (high - low > 1000) {
    const middle = Math.floor((low + high) / 2)
    if (offset(middle, timeZone) === before) low = middle
    else high = middle
  }
  const change = Math.round(high / 1000) * 1000
  if (asUtc < change + before || asUtc >= change + after) return undefined
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16)
  return { from: clock(change + before), to: clock(change + after) }
}

const DAY = 86_400_000

/** What the clock shows, as if it were UTC. */
function wallClock(text: string): number | undefined {
  const match = LOCAL.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second = 0, ms = 0] = match.slice(1).map((part, i) => (part === undefined ? undefined : Number(i === 6 ? part.padEnd(3, "0") : part))) as number[]
  const asUtc = Date.UTC(year!, month! - 1, day, hour, minute, second, ms)
  const given = new Date(asUtc)
  // Date rolls 31 February over, and 10:70.
  if (given.getUTCMonth() !== month! - 1 || given.getUTCDate() !== day || hour! > 23 || minute! > 59 || second > 59) return undefined
  return year! < 100 ? undefined : asUtc
}

/** What the clock is ahead of UTC a day before and a day after: between them it changes at most once. */
function around(asUtc: number, timeZone: string): readonly [before: number, after: number] {
  return [offset(asUtc - DAY, timeZone), offset(asUtc + DAY, timeZone)]
}

/** A Date as the value of a datetime-local input; seconds only when there are some. */
export function toLocal(date: Date, timeZone: string): string {
  const ms = date.getTime()
  if (Number.isNaN(ms)) return ""
  const text = new Date(ms + offset(ms, timeZone)).toISOString().slice(0, -1)
  return text.replace(/\.000$/, "").replace(/(T\d{2}:\d{2}):00$/, "$1")
}

/** Milliseconds that the wall clock is ahead of UTC. */
function offset(ms: number, timeZone: string): number {
  if (timeZone === "UTC") return 0
  const parts = new Map(formatOf(timeZone).formatToParts(ms).map(({ type, value }) => [type, Number(value)]))
  const wall = Date.UTC(parts.get("year")!, parts.get("month")! - 1, parts.get("day"), parts.get("hour"), parts.get("minute"), parts.get("second"))
  return wall - Math.floor(ms / 1000) * 1000
}

/** Making one costs 50 us. */
const formats = new Map<string, Intl.DateTimeFormat>()
function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone)
  if (format === undefined) {
    const number = "numeric"
    format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", year: number, month: number, day: number, hour: number, minute: number, second: number })
    // Names differ in case too, and come from visitors: what is kept is bounded.
    if (formats.size >= 600) formats.clear()
    formats.set(timeZone, format)
  }
  return format
}

/** A zone may come from a visitor's cookie: one that is none would throw. */
export function isTimeZone(name: string): boolean {
  if (name === "UTC" || formats.has(name)) return true
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}
