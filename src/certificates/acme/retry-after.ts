/**
 * Retry-After in both of its forms (RFC 9110, 10.2.3): seconds, or a date. Milliseconds from `now`; undefined when there
 * is none or it cannot be read. No less than 0, no more than `most`: an authority's slip must not put us to sleep for a year.
 */
export function retryAfterMs(value: string | null, { now, most = 86_400_000 }: { now: number; most?: number }): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), most)
}
