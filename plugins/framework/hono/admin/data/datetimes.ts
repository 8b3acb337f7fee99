/** Days and datetimes in the admin's time zone. */
import { fromLocal, toLocal } from "../../forms/time.ts"

/** "2026", "2026-11" or "2026-11-23" as the two ends of it, the second not included; undefined when it is no such thing. */
export function dayRange(text: string): { from: string; to: string } | undefined {
  const match = /^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$/.exec(text)
  if (match === null) return undefined
  const [, year, month, day] = match
  const start = new Date(Date.UTC(Number(year), Number(month ?? 1) - 1, Number(day ?? 1)))
  const from = isoDay(start)
  // 31 February is rolled over by Date.
  if (Number(year) < 1000 || !from.startsWith(text)) return undefined
  const end = new Date(start)
  if (day !== undefined) end.setUTCDate(end.getUTCDate() + 1)
  else if (month !== undefined) end.setUTCMonth(end.getUTCMonth() + 1)
  else end.setUTCFullYear(end.getUTCFullYear() + 1)
  return { from, to: isoDay(end) }
}

/** Today's date there, moved by `days`. */
export function today(zone: string, days = 0, now = new Date()): string {
  return addDays(toLocal(now, zone).slice(0, 10), days)
}

export function addDays(day: string, days: number): string {
  return isoDay(new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000))
}

/** The moment a day begins in a zone. */
export function startOf(day: string, zone: string): Date {
  return fromLocal(`${day}T00:00`, zone) ?? new Date(`${day}T00:00:00Z`)
}

/** "23 Nov 2026, 14:05". */
export function showDatetime(date: Date, zone: string): string {
  return format(zone, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date)
}

/** "23 Nov 2026". */
export function showDay(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  return Number.isNaN(date.getTime()) ? day : format("UTC", { day: "numeric", month: "short", year: "numeric" }).format(date)
}

/** "2026", "November 2026" or "23 November 2026" for a part of the drill-down. */
export function showRange(text: string): string {
  const options: Intl.DateTimeFormatOptions = { year: "numeric" }
  if (text.length > 4) options.month = "long"
  if (text.length > 7) options.day = "numeric"
  return format("UTC", options).format(new Date(`${text.padEnd(4, "0")}${"-01-01".slice(text.length - 4)}T00:00:00Z`))
}

/** "3 minutes ago"; older than a month is told by its date. */
export function showAgo(date: Date, zone: string, now = Date.now()): string {
  const seconds = Math.round((now - date.getTime()) / 1000)
  if (seconds < 45 && seconds > -45) return "just now"
  const unit = UNITS.find(([, size]) => Math.abs(seconds) >= size * 0.9)
  if (unit === undefined || Math.abs(seconds) > 30 * 86_400) return showDatetime(date, zone)
  return relative.format(-Math.round(seconds / unit[1]), unit[0])
}
const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const
const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto" })

function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10)
}

/** Making one costs 50 us. */
const formats = new Map<string, Intl.DateTimeFormat>()
function format(timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = timeZone + JSON.stringify(options)
  let found = formats.get(key)
  if (found === undefined) formats.set(key, (found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone })))
  return found
}
