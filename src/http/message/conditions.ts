/** Preconditions of a request (RFC 9110 13), in the order of 13.2.2. */
import type { HeaderList } from "./headers.ts"
import { parseHttpDate } from "./dates.ts"

/** What is known of the representation that would be sent. */
export interface Validators {
  readonly etag: string
  readonly lastModified: string
  /** Unix seconds of Last-Modified. */
  readonly modifiedSec: number
  /** Unix seconds of the last change of any kind: later than `modifiedSec` where somebody set that back. */
  readonly changedSec: number
}

/** "full": go on to Range. */
export type Verdict = "full" | "not-modified" | "failed"

export function evaluate(headers: HeaderList, has: Validators): Verdict {
  const ifMatch = headers.get("if-match")
  if (ifMatch !== null) {
    if (!matchesTag(ifMatch, { etag: has.etag, strong: true })) return "failed"
  } else {
    const since = headers.get("if-unmodified-since")
    if (since !== null && since !== has.lastModified) {
      const date = parseHttpDate(since)
      if (date !== null && has.modifiedSec > date) return "failed"
    }
  }
  const ifNoneMatch = headers.get("if-none-match")
  if (ifNoneMatch !== null) return matchesTag(ifNoneMatch, { etag: has.etag, strong: false }) ? "not-modified" : "full"
  const since = headers.get("if-modified-since")
  return since !== null && unchangedSince(since, has) ? "not-modified" : "full"
}

/**
 * The very date that we sent, or any later than every change: where a file was replaced by one with an older date
 * (a roll-back, `touch -d`), a date between the two says nothing, and nginx's `exact` exists for that.
 */
function unchangedSince(since: string, has: Validators): boolean {
  if (since === has.lastModified) return true
  const date = parseHttpDate(since)
  return date !== null && (date === has.modifiedSec || date >= Math.max(has.modifiedSec, has.changedSec))
}

/** If-Range (13.1.5): true where the range may be sent; a date must be the exact one, a weak tag never matches. */
export function rangeHolds(headers: HeaderList, has: Validators): boolean {
  const ifRange = headers.get("if-range")
  if (ifRange === null) return true
  if (ifRange.startsWith('"')) return ifRange === has.etag
  return ifRange === has.lastModified && has.changedSec <= has.modifiedSec + 1
}

const tag = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/g

/** True where a list of If-Match or If-None-Match names the tag; `strong`: weak tags match nothing (RFC 9110 8.8.3.2). */
export function matchesTag(list: string, { etag, strong }: { etag: string; strong: boolean }): boolean {
  if (list === etag) return !strong || !etag.startsWith("W/")
  if (list.trim() === "*") return true
  const weak = etag.startsWith("W/")
  const opaque = weak ? etag.slice(2) : etag
  for (const [, isWeak, text] of list.matchAll(tag)) {
    if (text === opaque && (!strong || (!weak && isWeak === undefined))) return true
  }
  return false
}
