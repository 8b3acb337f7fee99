import { isToken } from "./fields.ts"
import { HeaderBlock, HeadError, readBlock } from "./header-block.ts"
import type { HeadRules, Window } from "./header-block.ts"
import { parseHost } from "./host.ts"
import { checkAuthority, escapeHigh, isTarget } from "./target.ts"

/** Bytes turned into text at first: nearly every head is shorter, and a batch of pipelined ones is not copied n times. */
const firstWindow = 2048

const known = new WeakMap<object, HeadRules[]>()

/** The rules for all connections that have these limits: an object of its own for each would cost memory. */
export function headRules(limits: Omit<HeadRules, "trusted">, trusted: boolean): HeadRules {
  const { headBytes, headFields, underscores } = limits
  let both = known.get(limits)
  if (both === undefined) known.set(limits, (both = [false, true].map(t => ({ headBytes, headFields, underscores, trusted: t }))))
  return both[trusted ? 1 : 0]!
}

/**
 * Reads the head of a request (RFC 9112, 2 to 5). Strict: what two servers could read in two ways is an error.
 * One reader per connection: it keeps the last header section, because clients repeat theirs word for word, and the
 * same bytes have the same meaning. The fields hold what the last successful `read` found.
 */
export class RequestHeadReader {
  readonly #rules: HeadRules
  #last: HeaderBlock = HeaderBlock.empty
  method = ""
  /** As written; of an absolute-form target the part after the authority. */
  target = ""
  minor: 0 | 1 = 1
  /** Lower case without port. */
  host = ""
  block: HeaderBlock = HeaderBlock.empty

  constructor(rules: HeadRules) {
    this.#rules = rules
  }

  /** Reads from `from` on; returns the offset behind the head, or -1 when more bytes are needed. Throws HeadError. */
  read(bytes: Buffer, from: number): number {
    const most = Math.min(bytes.length, from + this.#rules.headBytes)
    const first = Math.min(most, from + firstWindow)
    let text = bytes.latin1Slice(from, first)
    let size = this.#readText({ bytes, base: from, text })
    if (size < 0 && first < most) {
      text = bytes.latin1Slice(from, most)
      size = this.#readText({ bytes, base: from, text })
    }
    if (size >= 0) return from + size
    if (bytes.length - from < this.#rules.headBytes) return -1
    if (text.indexOf("\n", 2) < 0) throw new HeadError(414, "the request line is too long")
    throw new HeadError(431, "the head is too long")
  }

  /** Lets go of what the last head left in memory. */
  forget(): void {
    this.#last = HeaderBlock.empty
    this.block = HeaderBlock.empty
    this.method = this.target = this.host = ""
  }

  #readText(window: Window): number {
    const { text } = window
    const lineEnd = this.#readLine(text)
    if (lineEnd < 0) return -1
    const last = this.#last
    if (last.text !== "" && text.startsWith(last.text, lineEnd)) this.block = last
    else {
      const block = readBlock(window, lineEnd, this.#rules, last)
      if (block === undefined) return -1
      this.#last = this.block = block
    }
    this.#check()
    return lineEnd + this.block.text.length
  }

  /** The request line; returns the offset behind it, or -1. */
  #readLine(text: string): number {
    const n = text.length
    // One empty line in front is what old clients leave after a POST (RFC 9112, 2.2).
    const start = text.charCodeAt(0) === 13 && text.charCodeAt(1) === 10 ? 2 : 0
    let i = start
    while (i < n && isToken[text.charCodeAt(i)] === 1) i++
    if (i === n) return -1
    if (i === start || text.charCodeAt(i) !== 32) {
      // "\r" alone may be the first half of an empty line.
      if (i === 0 && n === 1 && text.charCodeAt(0) === 13) return -1
      throw new HeadError(400, "no valid method")
    }
    const methodEnd = i++
    const targetAt = i
    let seen = 0
    for (let c = 0; i < n && isTarget[(c = text.charCodeAt(i))] === 1; i++) seen |= c
    if (i === n) return -1
    if (i === targetAt || text.charCodeAt(i) !== 32) throw new HeadError(400, i === targetAt ? "no target" : "a forbidden byte in the target")
    const targetEnd = i++
    if (text.startsWith("HTTP/1.1\r\n", i)) this.minor = 1
    else if (text.startsWith("HTTP/1.0\r\n", i)) this.minor = 0
    else if (n - i < 10 && partOfVersion.test(text.slice(i))) return -1
    else this.minor = otherVersion(text, i)
    this.method = text.charCodeAt(start) === 71 && methodEnd - start === 3 && text.startsWith("GET", start) ? "GET" : text.slice(start, methodEnd)
    this.target = text.slice(targetAt, targetEnd)
    if (seen > 127) this.target = escapeHigh(this.target)
    return i + 10
  }

  /** What request line and header section must be to each other. */
  #check(): void {
    const { block, minor } = this
    if (block.host === undefined) {
      if (minor === 1) throw new HeadError(400, "no Host")
      this.host = ""
    } else this.host = block.host
    if (minor === 0 && block.chunked) throw new HeadError(400, "Transfer-Encoding in HTTP/1.0")
    if (block.expect === "other" && minor === 1) throw new HeadError(417, "an unknown expectation")
    const first = this.target.charCodeAt(0)
    if (this.method === "CONNECT") {
      checkAuthority(this.target)
    } else if (first !== 47) this.#otherTarget()
  }

  /** absolute-form and asterisk-form (RFC 9112, 3.2.2 and 3.2.4). */
  #otherTarget(): void {
    if (this.target === "*") {
      if (this.method !== "OPTIONS") throw new HeadError(400, "* as target")
      return
    }
    const parts = absoluteForm.exec(this.target)
    if (parts === null) throw new HeadError(400, "a target of no known form")
    const host = parseHost(parts[1]!)
    if (host === null) throw new HeadError(400, "a bad host in the target")
    // 3.2.2 lets the target win over Host; whoever looks at Host behind us would then see another site than we did.
    if (this.block.host !== undefined && !sameAuthority(parts[1]!, this.block.hostValue, this.target)) {
      throw new HeadError(400, "target and Host disagree")
    }
    this.host = host
    this.target = (parts[2]!.startsWith("/") ? "" : "/") + parts[2]!
  }
}

const absoluteForm = /^https?:\/\/([^/?]*)(.*)$/i
const partOfVersion = /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/\d|HTTP\/\d\.|HTTP\/\d\.\d\r?)?$/

/** A later minor version is served as 1.1 (RFC 9110, 2.5); another major version is 505; anything else 400. */
function otherVersion(text: string, at: number): 1 {
  const parts = /^HTTP\/(\d)\.(\d)\r\n/.exec(text.slice(at, at + 10))
  if (parts === null) throw new HeadError(400, "no valid version")
  if (parts[1] !== "1") throw new HeadError(505, "another major version than HTTP/1")
  return 1
}

/** Equal but for case and the scheme's own port. */
function sameAuthority(a: string, b: string, target: string): boolean {
  const port = /^https/i.test(target) ? /:(?:443)?$/ : /:(?:80)?$/
  return a.toLowerCase().replace(port, "") === b.toLowerCase().replace(port, "")
}
