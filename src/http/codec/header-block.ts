import { dropTwins, isForged } from "./alike.ts"
import { isToken, isValue } from "./fields.ts"
import { parseHost } from "./host.ts"
import { Field, findName, mixName, usualSpelling } from "./names.ts"

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
  /** Fields that Connection names: they are for us alone. Null when there are none, as nearly always. */
  named: Set<string> | null = null
  expect: "" | "100-continue" | "other" = ""
  /** A name with "_" was kept. */
  underscored = false
  /** Where in `flat` the value of Cookie stands, or -1. */
  cookieAt = -1

  constructor(text: string) {
    this.text = text
  }
}

/** A piece of input twice: its bytes are read (a third of the price of charCodeAt), its text is cut into strings. */
export interface Window {
  readonly bytes: Uint8Array
  /** Where `text` starts in `bytes`. */
  readonly base: number
  /** Latin-1. */
  readonly text: string
}

/**
 * Reads the header section at `from` (an offset in `text`); undefined when its end is not there yet. Throws HeadError.
 * `last`: the one before on this connection.
 */
export function readBlock(window: Window, from: number, rules: HeadRules, last: HeaderBlock): HeaderBlock | undefined {
  const { text } = window
  const end = text.startsWith("\r\n", from) ? from + 2 : text.indexOf("\r\n\r\n", from) + 4
  if (end < 4) {
    // An error shows at once where it can, so that garbage is not waited on.
    new BlockReader(window, new HeaderBlock(""), rules, last).lines(from, text.length)
    return undefined
  }
  const block = new HeaderBlock(text.slice(from, end))
  new BlockReader(window, block, rules, last).lines(from, end - 2)
  if (block.underscored) dropTwins(block.flat)
  if (block.named !== null) dropNamed(block.flat, block.named)
  if (block.chunked && block.contentLength >= 0) throw new HeadError(400, "Content-Length and Transfer-Encoding")
  return block
}

class BlockReader {
  readonly #window: Window
  readonly #block: HeaderBlock
  readonly #rules: HeadRules
  readonly #last: HeaderBlock

  constructor(window: Window, block: HeaderBlock, rules: HeadRules, last: HeaderBlock) {
    this.#window = window
    this.#block = block
    this.#rules = rules
    this.#last = last
  }

  /** Field lines from `from` to `to` (RFC 9112, 5). A line cut off by `to` is left. */
  lines(from: number, to: number): void {
    const { bytes, base, text } = this.#window
    const end = base + to
    let i = base + from
    let fields = 0
    while (i < end) {
      const nameAt = i
      let hash = 0
      let underscore = false
      let c = 0
      while (i < end && isToken[(c = bytes[i]!)] === 1) {
        hash = mixName(hash, c)
        if (c === 95) underscore = true
        i++
      }
      // All tokens so far, or the first half of the empty line.
      if (i === end || (c === 13 && i === nameAt && i + 1 === end)) return
      if (c !== 58 || i === nameAt) throw new HeadError(400, nameProblem(c, i === nameAt))
      const nameEnd = i++
      while (i < end && ((c = bytes[i]!) === 32 || c === 9)) i++
      const valueAt = i
      while (i < end && isValue[(c = bytes[i]!)] === 1) i++
      if (i === end || (c === 13 && i + 1 === end)) return
      if (c !== 13 || bytes[i + 1] !== 10) throw new HeadError(400, "a forbidden byte in a field value")
      let valueEnd = i
      while (valueEnd > valueAt && ((c = bytes[valueEnd - 1]!) === 32 || c === 9)) valueEnd--
      i += 2
      if (++fields > this.#rules.headFields) throw new HeadError(431, "too many fields")
      const value = text.slice(valueAt - base, valueEnd - base)
      const known = findName(bytes, nameAt, nameEnd, hash)
      if (known === undefined) this.#unknown(text.slice(nameAt - base, nameEnd - base), value, underscore)
      else if (known.field === Field.Other || this.#take(known.field, value)) {
        this.#block.flat.push(usualSpelling(known, bytes, nameAt) ?? text.slice(nameAt - base, nameEnd - base), value)
      }
    }
  }

  #unknown(name: string, value: string, underscore: boolean): void {
    const { underscores, trusted } = this.#rules
    if (underscore) {
      if (!underscores) return
      this.#block.underscored = true
    }
    // "x" or "X": X-Forwarded-Whatever and X-Accel-*, also from the proxies that invent more of them.
    if ((name.charCodeAt(0) | 32) === 120 && isForged(name, trusted)) return
    this.#block.flat.push(name, value)
  }

  /** Acts on a field that the engine itself must know; false when it is not to be passed on. */
  #take(field: Field, value: string): boolean {
    const block = this.#block
    switch (field) {
      case Field.Host: {
        if (block.host !== undefined) throw new HeadError(400, "two Host lines")
        const host = value === this.#last.hostValue ? this.#last.host : parseHost(value)
        if (host === null || host === undefined) throw new HeadError(400, "a bad Host")
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
        takeOptions(block, value)
        return true
      case Field.Cookie:
        // Two lines are one list with ";" (RFC 9113, 8.2.3): apps and upstreams look at one, or join them by ",".
        if (block.cookieAt < 0) {
          block.cookieAt = block.flat.length + 1
          return true
        }
        block.flat[block.cookieAt] += `; ${value}`
        return false
      case Field.Expect:
        block.expect = value.toLowerCase() === "100-continue" && block.expect !== "other" ? "100-continue" : "other"
        return true
      case Field.Trust:
        return this.#rules.trusted
      case Field.Forbidden:
        return false
      default:
        return true
    }
  }
}

function nameProblem(c: number, first: boolean): string {
  if (c === 32 || c === 9) return first ? "a folded line" : "a space before the colon"
  return "a field line without a valid name"
}

/** Options of Connection (RFC 9110, 7.6.1). */
function takeOptions(block: HeaderBlock, value: string): void {
  // What nearly everybody says, without a list.
  if (value === "keep-alive") block.keepAlive = true
  else if (value === "close") block.close = true
  else {
    for (const token of value.toLowerCase().split(",")) {
      const option = token.trim()
      if (option === "close") block.close = true
      else if (option === "keep-alive") block.keepAlive = true
      else if (option === "upgrade") block.upgrade = true
      else if (option !== "" && !ours.has(option) && !isForged(option, false)) (block.named ??= new Set()).add(option)
    }
  }
}

/**
 * Not taken off by being named in Connection: what whoever sends on must see to say it anew, and, as an attack, what a
 * proxy in front of us says about the client (CVE-2022-31813).
 */
const ours = new Set(
  ("te trailer host connection content-length transfer-encoding expect keep-alive proxy-connection http2-settings " +
    "forwarded x-real-ip").split(" "),
)

/** Here, at the border, no field can be one that a middleware of ours has set. */
function dropNamed(flat: string[], named: ReadonlySet<string>): void {
  let to = 0
  for (let i = 0; i < flat.length; i += 2) {
    if (named.has(flat[i]!.toLowerCase())) continue
    flat[to++] = flat[i]!
    flat[to++] = flat[i + 1]!
  }
  flat.length = to
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
