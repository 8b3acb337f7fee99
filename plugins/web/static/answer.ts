/** A variant of a file -> the Reply to one request: whole, a range or several, not modified. */
import { closeSync } from "node:fs"
import type { Exchange } from "edge"
import { evaluate, HeaderList, HttpError, parseRange, type Part, PartsStream, rangeHolds, Reply, type Span } from "edge"
import type { Variant } from "./variants.ts"
import type { OpenFile } from "./root.ts"

/** Opens a variant's file; null when it is no longer the one that the variant was made from. */
export type Open = (variant: Variant) => OpenFile | null

export class Answers {
  readonly #open: Open

  constructor(open: Open) {
    this.#open = open
  }

  /** Null: the file is no longer the one that the variant was made from; look again. */
  answer(x: Exchange, variant: Variant): Reply | null {
    if (!hasConditions(x.headers)) return this.#whole(x, variant)
    const verdict = evaluate(x.headers, variant)
    if (verdict === "not-modified") return variant.notModified.reply()
    if (verdict === "failed") throw new HttpError(412, "a precondition failed")
    const range = x.method === "GET" ? x.headers.get("range") : null
    if (range === null || !rangeHolds(x.headers, variant)) return this.#whole(x, variant)
    const spans = parseRange(range, variant.size)
    if (spans === null) return this.#whole(x, variant)
    if (spans.length > 0) return this.#part(variant, spans)
    throw new HttpError(416, "no byte of the range is there", { headers: [["Content-Range", `bytes */${variant.size}`]] })
  }

  #whole(x: Exchange, variant: Variant): Reply | null {
    if (variant.full !== null) return variant.full.reply()
    // The engine leaves the body of a HEAD away; it only wants the length.
    const opened = x.method === "HEAD" ? noFile : this.#open(variant)
    return opened === null ? null : Reply.prepared(200, variant.lines, slice(opened, { start: 0, end: variant.size }), null)
  }

  #part(variant: Variant, spans: readonly Span[]): Reply | null {
    const bytes = variant.full?.body ?? null
    const opened = bytes === null ? this.#open(variant) : noFile
    if (opened === null) return null
    if (spans.length > 1) return multipart(variant, { spans, opened, bytes })
    const span = spans[0]!
    const headers = new HeaderList([...variant.lines, "Content-Range", contentRange(span, variant.size)])
    return new Reply(206, headers, bytes === null ? slice(opened, span) : bytes.subarray(span.start, span.end))
  }
}

/** In place of a file where none is read. */
const noFile = { fd: -1 }

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

function slice({ fd }: { fd: number }, { start, end }: Span) {
  let closed = fd < 0
  const close = () => {
    if (!closed) closeSync(fd)
    closed = true
  }
  return { fd, start, end, close }
}

function contentRange({ start, end }: Span, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`
}

/** RFC 9110 14.6. The boundary is random, so that no file can hold it. */
function multipart(variant: Variant, { spans, opened, bytes }: { spans: readonly Span[]; opened: { fd: number }; bytes: Uint8Array | null }): Reply {
  const boundary = crypto.randomUUID()
  const parts: Part[] = spans.flatMap((span, i): Part[] => [
    Buffer.from(
      `${i === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Type: ${variant.type}\r\nContent-Range: ${contentRange(span, variant.size)}\r\n\r\n`,
    ),
    bytes === null ? { fd: opened.fd, ...span } : bytes.subarray(span.start, span.end),
  ])
  parts.push(Buffer.from(`\r\n--${boundary}--\r\n`))
  const headers = new HeaderList([...variant.lines])
  headers.set("Content-Type", `multipart/byteranges; boundary=${boundary}`)
  if (bytes !== null) return new Reply(206, headers, Buffer.concat(parts as Uint8Array[]))
  return new Reply(206, headers, new PartsStream(parts, () => closeSync(opened.fd)))
}
