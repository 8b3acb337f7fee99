/** A variant of a file -> the Reply to one request: whole, a range or several, not modified. */
import { closeSync } from "node:fs"
import type { Exchange } from "edge"
import { HeaderList, HttpError, type Part, PartsStream, Reply } from "edge"
import { evaluate, rangeHolds } from "./conditions.ts"
import type { Variant } from "./entry.ts"
import { parseRange, type Span } from "./ranges.ts"
import type { OpenFile } from "./root.ts"

/** Null: the file is no longer the one that the variant was made from; look again. */
export function answer(x: Exchange, variant: Variant, open: (variant: Variant) => OpenFile | null): Reply | null {
  if (!hasConditions(x.headers)) return whole(x, variant, open)
  const verdict = evaluate(x.headers, variant)
  if (verdict === "not-modified") return variant.notModified.reply()
  if (verdict === "failed") throw new HttpError(412, "a precondition failed")
  const range = x.method === "GET" ? x.headers.get("range") : null
  if (range === null || !rangeHolds(x.headers, variant)) return whole(x, variant, open)
  const spans = parseRange(range, variant.size)
  if (spans === null) return whole(x, variant, open)
  if (spans.length === 0) {
    throw new HttpError(416, "no byte of the range is there", { headers: [["Content-Range", `bytes */${variant.size}`]] })
  }
  return part(variant, spans, open)
}

/** One pass over the names: browsers send a dozen lines, seldom one of these. */
function hasConditions(headers: HeaderList): boolean {
  const { flat } = headers
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const first = name.charCodeAt(0) | 32
    // "if-..." or "range"
    if (first === 105 ? name.charCodeAt(2) === 45 : first === 114 && name.length === 5) return true
  }
  return false
}

function whole(x: Exchange, variant: Variant, open: (variant: Variant) => OpenFile | null): Reply | null {
  if (variant.full !== null) return variant.full.reply()
  // The engine leaves the body of a HEAD away; it only wants the length.
  if (x.method === "HEAD") return Reply.prepared(200, variant.lines, { fd: -1, start: 0, end: variant.size, close() {} }, null)
  const opened = open(variant)
  return opened === null ? null : Reply.prepared(200, variant.lines, slice(opened, { start: 0, end: variant.size }), null)
}

function slice({ fd }: OpenFile, { start, end }: Span) {
  let closed = false
  const close = () => {
    if (!closed) closeSync(fd)
    closed = true
  }
  return { fd, start, end, close }
}

function part(variant: Variant, spans: readonly Span[], open: (variant: Variant) => OpenFile | null): Reply | null {
  const bytes = variant.full?.body ?? null
  const opened = bytes === null ? open(variant) : null
  if (bytes === null && opened === null) return null
  if (spans.length > 1) return multipart(variant, spans, opened)
  const span = spans[0]!
  const headers = new HeaderList([...variant.lines, "Content-Range", contentRange(span, variant.size)])
  return new Reply(206, headers, bytes === null ? slice(opened!, span) : bytes.subarray(span.start, span.end))
}

function contentRange({ start, end }: Span, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

/** RFC 9110 14.6. The boundary is random, so that no file can hold it. */
function multipart(variant: Variant, spans: readonly Span[], opened: OpenFile | null): Reply {
  const boundary = crypto.randomUUID()
  const memory = variant.full?.body ?? null
  const parts: Part[] = spans.flatMap((span, i): Part[] => [
    Buffer.from(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${variant.type}\r\nContent-Range: ${contentRange(span, variant.size)}\r\n\r\n`,
    ),
    memory === null ? { fd: opened!.fd, ...span } : memory.subarray(span.start, span.end),
  ])
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  const headers = new HeaderList([...variant.lines])
  headers.set("Content-Type", `multipart/byteranges; boundary=${boundary}`)
  if (opened === null) return new Reply(206, headers, Buffer.concat(parts as Uint8Array[]))
  return new Reply(206, headers, new PartsStream(parts, () => closeSync(opened.fd)))
}
