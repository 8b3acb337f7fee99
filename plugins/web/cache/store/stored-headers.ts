/** Header lines as they are kept (RFC 9111 3.1) and as a 304 or a HEAD changes them (3.2). */
import { HeaderList, validName, validValue } from "edge"

/** Between two hops only, or the cache's own. Content-Length: the engine writes what is true. */
const never = new Set([
  "age",
  "connection",
  "content-length",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-accel-expires",
])
/** What a 304 says of a body that it does not have is not to be believed. */
const ofTheBody = new Set(["content-encoding", "content-length", "content-md5", "content-range", "content-type", "etag"])

export function keptLines(headers: HeaderList, { strip, dateMs }: { strip: ReadonlySet<string>; dateMs: number }): string[] {
  const listed = listedIn(headers)
  const { flat } = headers
  const kept: string[] = []
  let dated = false
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    if (never.has(name) || listed.has(name) || strip.has(name)) continue
    if (name === "date") {
      if (dated) continue
      dated = true
    }
    kept.push(flat[i]!, flat[i + 1]!)
  }
  if (!dated) kept.push("Date", new Date(dateMs).toUTCString())
  return kept
}

/**
 * Lines that are not kept (`strip`, in lower case) and go to the one who asked: `private="a"` and `no-cache="a"` restrict
 * storing and reuse only (5.2.2.4, 5.2.2.7).
 */
export function linesOfOne(headers: HeaderList, strip: readonly string[]): string[] {
  if (strip.length === 0) return []
  const listed = listedIn(headers)
  const { flat } = headers
  const own: string[] = []
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase()
    // Date was kept all the same.
    if (strip.includes(name) && !never.has(name) && !listed.has(name) && name !== "date") own.push(flat[i]!, flat[i + 1]!)
  }
  return own
}

function listedIn(headers: HeaderList): Set<string> {
  return new Set((headers.get("connection") ?? "").split(",").map(name => name.trim().toLowerCase()))
}

/**
 * False for lines that the engine would refuse to send. What is stored is serialised once and sent without another look:
 * a CR and LF from an app would begin a line, or an answer, of its own for everybody.
 */
export function areSendable(lines: readonly string[]): boolean {
  for (let i = 0; i < lines.length; i += 2) if (!validName(lines[i]!) || !validValue(lines[i + 1]!)) return false
  return true
}

/** The stored lines, those that the newer answer has too replaced by its own. */
export function mergedLines(stored: readonly string[], newer: readonly string[]): string[] {
  const news = new Set<string>()
  for (let i = 0; i < newer.length; i += 2) {
    const name = newer[i]!.toLowerCase()
    if (!ofTheBody.has(name)) news.add(name)
  }
  const out: string[] = []
  for (let i = 0; i < stored.length; i += 2) if (!news.has(stored[i]!.toLowerCase())) out.push(stored[i]!, stored[i + 1]!)
  for (let i = 0; i < newer.length; i += 2) if (news.has(newer[i]!.toLowerCase())) out.push(newer[i]!, newer[i + 1]!)
  return out
}

/** Words of the fields that name tags: by spaces (Surrogate-Key) or commas (Cache-Tag). */
export function tagsOf(headers: HeaderList, fields: readonly string[]): string[] {
  const tags: string[] = []
  for (const field of fields) for (const value of headers.getAll(field)) tags.push(...value.split(/[\s,]+/).filter(tag => tag !== ""))
  return [...new Set(tags)].slice(0, MOST_TAGS)
}

const MOST_TAGS = 256
