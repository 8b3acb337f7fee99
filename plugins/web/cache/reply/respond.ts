/** A stored or just fetched answer -> the Reply to one request: whole, a range, not modified. */
import { ByteStream, evaluate, type Exchange, HeaderList, HttpError, matchesTag, parseHttpDate, parseRange, rangeHolds, Reply, type Span } from "edge"
import type { CacheEntry } from "../store/entry.ts"
import { Fact } from "../key/request-facts.ts"
import type { Fill } from "../store/fill.ts"

/** Null: what is stored has not the bytes that are asked for. */
export function respond(x: Exchange, entry: CacheEntry, facts: Fact): Reply | null {
  if ((facts & (Fact.Condition | Fact.Range)) === 0) return entry.partial === undefined ? entry.prepared.reply() : null
  if (facts & Fact.Condition && entry.status < 300 && evaluate(x.headers, entry) === "not-modified") return entry.notModified.reply()
  const range = x.method === "GET" && (entry.status === 200 || entry.partial !== undefined) ? x.headers.get("range") : null
  if (range === null || !rangeHolds(x.headers, entry)) return entry.partial === undefined ? entry.prepared.reply() : null
  if (entry.partial !== undefined) return ofPartial(entry, range)
  const body = entry.body ?? new Uint8Array(0)
  const spans = parseRange(range, body.byteLength)
  if (spans === null) return entry.prepared.reply()
  if (spans.length === 0) throw new HttpError(416, "no byte of the range is there", { headers: [["Content-Range", `bytes */${body.byteLength}`]] })
  return spans.length === 1 ? singleRange(entry, body, spans[0]!) : multipart(entry, body, spans)
}

function singleRange(entry: CacheEntry, body: Uint8Array, { start, end }: Span): Reply {
  const headers = linesOf(entry)
  headers.append("Content-Range", `bytes ${start}-${end - 1}/${body.byteLength}`)
  return aged(new Reply(206, headers, body.subarray(start, end)), entry)
}

/** RFC 9110 14.6. The boundary is random, so that no body can hold it. */
function multipart(entry: CacheEntry, body: Uint8Array, spans: readonly Span[]): Reply {
  const headers = linesOf(entry)
  const boundary = crypto.randomUUID()
  const type = headers.get("content-type")
  const pieces = spans.flatMap(({ start, end }, i) => [
    Buffer.from(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\n${type === null ? "" : `Content-Type: ${type}\r\n`}Content-Range: bytes ${start}-${end - 1}/${body.byteLength}\r\n\r\n`,
    ),
    body.subarray(start, end),
  ])
  headers.set("Content-Type", `multipart/byteranges; boundary=${boundary}`)
  return aged(new Reply(206, headers, Buffer.concat([...pieces, Buffer.from(`\r\n--${boundary}--\r\n`)])), entry)
}

/** From a part of the whole, where it has all of what is asked for. */
function ofPartial(entry: CacheEntry, range: string): Reply | null {
  const { start, end, size } = entry.partial!
  const spans = parseRange(range, size)
  const span = spans?.length === 1 ? spans[0]! : undefined
  if (span === undefined || span.start < start || span.end > end) return null
  const headers = linesOf(entry)
  headers.set("Content-Range", `bytes ${span.start}-${span.end - 1}/${size}`)
  return aged(new Reply(206, headers, entry.body!.subarray(span.start - start, span.end - start)), entry)
}

/** For a part of it. Digests of the content are of all of it (RFC 9530 2); Repr-Digest still holds. */
function linesOf(entry: CacheEntry): HeaderList {
  return withoutDigests(new HeaderList([...entry.prepared.flat]))
}

function withoutDigests(headers: HeaderList): HeaderList {
  headers.delete("Content-Digest")
  headers.delete("Content-MD5")
  return headers
}

function aged(reply: Reply, entry: CacheEntry): Reply {
  reply.bornSec = entry.prepared.bornSec
  return reply
}

/** An answer whose body is still on its way: `lines` are its own. */
export function respondFilling(x: Exchange, fill: Fill, { status, lines, facts }: { status: number; lines: string[]; facts: Fact }): Reply {
  const headers = new HeaderList(lines)
  const held = facts & Fact.Condition && status < 300 ? unchanged(x, headers) : null
  if (held !== null) return held
  const range = facts & Fact.Range && x.method === "GET" && status === 200 && fill.length > 0 ? x.headers.get("range") : null
  const spans = range === null || x.headers.has("if-range") ? null : parseRange(range, fill.length)
  if (spans?.length !== 1) return new Reply(status, headers, fill.reader())
  withoutDigests(headers).append("Content-Range", `bytes ${spans[0]!.start}-${spans[0]!.end - 1}/${fill.length}`)
  return new Reply(206, headers, fill.reader(spans[0]))
}

/** A 304 where the client has what `headers` describe; we took its conditions off the request. */
export function unchanged(x: Exchange, headers: HeaderList): Reply | null {
  const ifNoneMatch = x.headers.get("if-none-match")
  const etag = headers.get("etag")
  if (ifNoneMatch !== null) return etag !== null && matchesTag(ifNoneMatch, { etag, strong: false }) ? bare(headers) : null
  const since = parseHttpDate(x.headers.get("if-modified-since") ?? "")
  const modified = parseHttpDate(headers.get("last-modified") ?? "")
  return since !== null && modified !== null && modified <= since ? bare(headers) : null
}

function bare(headers: HeaderList): Reply {
  const kept: string[] = []
  for (const [name, value] of headers) if (!/^content-(?!location$)/i.test(name)) kept.push(name, value)
  return new Reply(304, new HeaderList(kept))
}

/** Lets go of a body that nobody gets. */
export function release({ body }: Reply): void {
  if (body instanceof ByteStream) body.cancel(new Error("the answer is not needed"))
  else if (body !== null && typeof body === "object" && "close" in body) body.close()
}
