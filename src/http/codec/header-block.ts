import { isToken, isValue } from "./fields.ts"
import { parseHost } from "./host.ts"
import { Field, findName, mixName } from "./names.ts"

export interface HeadRules {
  readonly headBytes: number
  readonly headFields: number
  /** Keep names with "_". */
  readonly underscores: boolean
  /** The peer is a trusted proxy: keep what it says about the client. */
  readonly trusted: boolean
}

/** The head cannot be accepted; `status` is the answer, and the connection closes behind it. */
export class HeadError extends Error {
  override readonly name = "HeadError"
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** One header section of a request, read and checked. Not changed after that: exchanges share it. */
export class HeaderBlock {
  static readonly empty = new HeaderBlock("")
  /** The lines with the empty one at the end, as sent. */
  readonly text: string
  /** name, value, name, value, ... as they go on: without what the rules drop. */
  readonly flat: string[] = []
  /** Lower case without port; undefined when there is no Host. */
  host: string | undefined = undefined
  hostValue = ""
  /** -1: none. */
  contentLength = -1
  chunked = false
  close = false
  keepAlive = false
  /** Connection names "upgrade". */
  upgrade = false
  expect: "" | "100-continue" | "other" = ""

  constructor(text: string) {
    this.text = text
  }
}

/** Reads the header section at `from`; undefined when its end is not there yet. Throws HeadError. */
export function readBlock(text: string, from: number, rules: HeadRules): HeaderBlock | undefined {
  const end = text.startsWith("\r\n", from) ? from + 2 : text.indexOf("\r\n\r\n", from) + 4
  if (end < 4) {
    // An error shows at once where it can, so that garbage is not waited on.
    readLines(text, from, text.length, new HeaderBlock(""), rules)
    return undefined
  }
  const block = new HeaderBlock(text.slice(from, end))
  readLines(text, from, end - 2, block, rules)
  if (block.chunked && block.contentLength >= 0) throw new HeadError(400, "Content-Length and Transfer-Encoding")
  return block
}

/** Field lines from `from` to `end` (RFC 9112, 5). A line cut off by `end` is left. */
function readLines(text: string, from: number, end: number, block: HeaderBlock, rules: HeadRules): void {
  let i = from
  let fields = 0
  while (i < end) {
    const nameAt = i
    let hash = 0
    let underscore = false
    let c = 0
    while (i < end && isToken[(c = text.charCodeAt(i))] === 1) {
      hash = mixName(hash, c)
      if (c === 95) underscore = true
      i++
    }
    // All tokens so far, or the first half of the empty line.
    if (i === end || (c === 13 && i === nameAt && i + 1 === end)) return
    if (c !== 58 || i === nameAt) throw new HeadError(400, nameProblem(c, i === nameAt))
    const nameEnd = i++
    while (i < end && ((c = text.charCodeAt(i)) === 32 || c === 9)) i++
    const valueAt = i
    while (i < end && isValue[text.charCodeAt(i)] === 1) i++
    if (i + 1 >= end && !(i + 1 === end && text.charCodeAt(i) !== 13)) return
    if (text.charCodeAt(i) !== 13 || text.charCodeAt(i + 1) !== 10) throw new HeadError(400, "a forbidden byte in a field value")
    let valueEnd = i
    while (valueEnd > valueAt && ((c = text.charCodeAt(valueEnd - 1)) === 32 || c === 9)) valueEnd--
    i += 2
    if (++fields > rules.headFields) throw new HeadError(431, "too many fields")
    const value = text.slice(valueAt, valueEnd)
    const known = findName(text, nameAt, nameEnd, hash)
    if (known === undefined) {
      if (underscore && !rules.underscores) continue
      const name = text.slice(nameAt, nameEnd)
      // "x" or "X": X-Forwarded-Whatever and X-Accel-*, also from the proxies that invent more of them.
      if (!rules.trusted && (name.charCodeAt(0) | 32) === 120 && forged.test(name)) continue
      block.flat.push(name, value)
      continue
    }
    if (known.field !== Field.Other && !take(block, known.field, value, rules)) continue
    // The usual spellings cost no string of their own.
    const name = text.startsWith(known.usual, nameAt) ? known.usual : text.startsWith(known.lower, nameAt) ? known.lower : text.slice(nameAt, nameEnd)
    block.flat.push(name, value)
  }
}

const forged = /^x-(?:forwarded-|accel-)/i

function nameProblem(c: number, first: boolean): string {
  if (c === 32 || c === 9) return first ? "a folded line" : "a space before the colon"
  return "a field line without a valid name"
}

/** Acts on a field that the engine itself must know; false when it is not to be passed on. */
function take(block: HeaderBlock, field: Field, value: string, rules: HeadRules): boolean {
  switch (field) {
    case Field.Host: {
      if (block.host !== undefined) throw new HeadError(400, "two Host lines")
      const host = parseHost(value)
      if (host === null) throw new HeadError(400, "a bad Host")
      block.host = host
      block.hostValue = value
      return true
    }
    case Field.ContentLength:
      // A list of equal numbers may be merged (RFC 9110, 8.6); who merges differently is how requests are smuggled.
      if (block.contentLength >= 0) throw new HeadError(400, "two Content-Length lines")
      if (!/^\d+$/.test(value)) throw new HeadError(400, "a bad Content-Length")
      if (value.length > 15) throw new HeadError(413, "a Content-Length that is too large")
      block.contentLength = Number(value)
      return true
    case Field.TransferEncoding:
      if (block.chunked) throw new HeadError(400, "two Transfer-Encoding lines")
      if (value.toLowerCase() !== "chunked") throw badCoding(value)
      block.chunked = true
      return true
    case Field.Connection:
      for (const token of value.toLowerCase().split(",")) {
        const option = token.trim()
        if (option === "close") block.close = true
        else if (option === "keep-alive") block.keepAlive = true
        else if (option === "upgrade") block.upgrade = true
      }
      return true
    case Field.Expect:
      block.expect = value.toLowerCase() === "100-continue" && block.expect !== "other" ? "100-continue" : "other"
      return true
    case Field.Trust:
      return rules.trusted
    case Field.Forbidden:
      return false
    default:
      return true
  }
}

/** Only "chunked" alone is understood; the end of the body is known, and so 501 is honest, only if it comes last. */
function badCoding(value: string): HeadError {
  const codings = value.toLowerCase().split(",").map(coding => coding.trim())
  const chunked = codings.indexOf("chunked")
  const known = codings.every(coding => /^(?:gzip|x-gzip|deflate|compress|x-compress|chunked)$/.test(coding))
  return known && chunked === codings.length - 1
    ? new HeadError(501, "a transfer coding that is not supported")
    : new HeadError(400, "a bad Transfer-Encoding")
}
