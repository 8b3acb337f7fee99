import { readFields } from "./fields.ts"

/** An upstream sent what is not an HTTP/1 response; nothing of it goes to a client. */
export class ResponseHeadError extends Error {
  override readonly name = "ResponseHeadError"
}

export interface ResponseHeadLimits {
  /** Bytes of the head, status line to empty line. */
  readonly headBytes: number
  readonly headFields: number
}

/** The head of a response as a proxy needs it: framing and connection read, end-to-end fields ready to be passed on. */
export class ResponseHead {
  status = 0
  reason = ""
  /** HTTP/1.`minor`. */
  minor = 1
  /** End-to-end fields: name, value, ... without Content-Length and what belongs to this connection only. */
  readonly flat: string[] = []
  /** Bytes, with the empty line. */
  size = 0
  /** Content-Length, or -1. Of no meaning for the body of a HEAD, 1xx, 204 or 304 answer. */
  contentLength = -1
  chunked = false
  /** It says Connection: close. */
  closes = false
  /** The connection may serve another request. */
  persistent = true
  /** Seconds of `Keep-Alive: timeout=N`, or -1. */
  keepAliveSec = -1
  /** The Upgrade field, for 101. */
  upgrade = ""

  fail(why: string): ResponseHeadError {
    return new ResponseHeadError(`the answer has ${why}`)
  }
}

/**
 * Reads response heads of one upstream. It keeps the last one: an upstream often says the same word for word, and the
 * same bytes have the same meaning. So heads and their `flat` are shared and must not be changed.
 */
export class ResponseHeadReader {
  #limits: ResponseHeadLimits
  /** Our name in Via; "" for none. */
  readonly #via: string
  #text = ""
  #last: ResponseHead | null = null

  constructor(limits: ResponseHeadLimits, via = "") {
    this.#limits = limits
    this.#via = via
  }

  /**
   * Reads from `from` on. Null when the head is not there as a whole yet; throws ResponseHeadError as soon as it cannot
   * become one (RFC 9112, 4 to 6: garbage status line, obs-fold, bare LF, two lengths, Transfer-Encoding beside one).
   * One whose lines all end in LF alone is read (2.2; nginx does, and old servers write so). One that mixes the two is refused:
   * that is what comes out of an app that lets a LF through in a value.
   */
  read(bytes: Buffer, from: number): ResponseHead | null {
    const available = bytes.length - from
    // Most heads are below 1 kB, and what follows them may be half a megabyte of body.
    let text = bytes.latin1Slice(from, from + Math.min(available, 1024))
    if (this.#last !== null && text.startsWith(this.#text)) return this.#last
    const { headBytes } = this.#limits
    const lineEnd = text.indexOf("\n")
    if (lineEnd > 0 && text.charCodeAt(lineEnd - 1) !== 13) return this.#readBare(bytes, from)
    let end = text.indexOf("\r\n\r\n")
    if (end < 0 && available > 1024) {
      text = bytes.latin1Slice(from, from + Math.min(available, headBytes))
      end = text.indexOf("\r\n\r\n")
    }
    if (end < 0) {
      refuseHopeless(text, headBytes)
      return null
    }
    if (end + 4 > headBytes) throw new ResponseHeadError("the answer has a head that is too large")
    const head = this.#parse(text)
    this.#text = text.slice(0, head.size)
    this.#last = head
    return head
  }

  #readBare(bytes: Buffer, from: number): ResponseHead | null {
    const { headBytes } = this.#limits
    const text = bytes.latin1Slice(from, Math.min(bytes.length, from + headBytes))
    const end = text.indexOf("\n\n") + 2
    const own = end < 2 ? text : text.slice(0, end)
    if (own.includes("\r")) throw new ResponseHeadError("the answer has a bare CR or LF in its head")
    if (end < 2) {
      refuseHopeless(text.replaceAll("\n", "\r\n"), headBytes)
      return null
    }
    const head = this.#parse(own.replaceAll("\n", "\r\n"))
    head.size = end
    this.#text = own
    this.#last = head
    return head
  }

  #parse(text: string): ResponseHead {
    const head = new ResponseHead()
    const fieldsAt = readStatusLine(text, head)
    head.size = readFields(text, fieldsAt, head)
    if (head.flat.length > this.#limits.headFields * 2) throw head.fail("too many header fields")
    classify(head)
    if (this.#via !== "" && head.status >= 200) head.flat.push("Via", `1.${head.minor} ${this.#via}`)
    return head
  }
}

/** An answer that can no longer become a head is refused at once: garbage must not wait for a time-out. */
function refuseHopeless(text: string, headBytes: number): void {
  if (text.length >= headBytes) throw new ResponseHeadError("the answer has a head that is too large")
  if (!"HTTP/1.".startsWith(text.slice(0, 7))) throw new ResponseHeadError("the answer has no HTTP/1 status line")
  if (bareLine.test(text)) throw new ResponseHeadError("the answer has a bare CR or LF in its head")
}
const bareLine = /(?:^|[^\r])\n|\r[^\n]/

/** `HTTP/1.x SP 3DIGIT [SP reason] CRLF`; a missing space before an empty reason is forgiven, as everybody does. */
function readStatusLine(text: string, head: ResponseHead): number {
  const match = statusLine.exec(text)
  if (match === null) throw head.fail("a bad status line")
  head.minor = text.charCodeAt(7) - 48
  head.status = Number(match[1])
  head.reason = match[2] ?? ""
  return match[0].length
}
const statusLine = /^HTTP\/1\.[01] ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n/

/** Reads what concerns framing and connection and moves the other fields together in `flat`. */
function classify(head: ResponseHead): void {
  const { flat } = head
  let connection: string | undefined
  let coding: string | undefined
  let to = 0
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    switch (name.length) {
      case 7:
      case 10:
      case 14:
      case 16:
      case 17:
      case 18: {
        const lower = name.toLowerCase()
        if (lower === "content-length") {
          if (head.contentLength >= 0) throw head.fail("two Content-Length fields")
          if (!/^[0-9]{1,15}$/.test(value)) throw head.fail("a bad Content-Length")
          head.contentLength = Number(value)
          continue
        }
        if (lower === "transfer-encoding") {
          if (coding !== undefined) throw head.fail("two Transfer-Encoding fields")
          coding = value
          continue
        }
        if (lower === "connection") {
          connection = connection === undefined ? value : `${connection},${value}`
          continue
        }
        if (lower === "keep-alive") {
          const seconds = /(?:^|[,\s])timeout=([0-9]{1,6})/i.exec(value)
          if (seconds !== null) head.keepAliveSec = Number(seconds[1])
          continue
        }
        if (lower === "upgrade") {
          head.upgrade = value
          continue
        }
        if (lower === "proxy-connection" || lower === "proxy-authenticate") continue
      }
    }
    flat[to++] = name
    flat[to++] = value
  }
  flat.length = to
  // RFC 9110, 15.5.22: it says which protocol would do; in every other answer it is of that connection.
  if (head.status === 426 && head.upgrade !== "") flat.push("Upgrade", head.upgrade)
  readCoding(head, coding)
  head.persistent = head.minor === 1
  if (connection !== undefined) readConnection(head, connection)
}

function readCoding(head: ResponseHead, coding: string | undefined): void {
  if (coding === undefined) return
  // RFC 9112, 6.1: a coding that is not understood, in HTTP/1.0, or beside a length is how answers are split.
  if (coding.toLowerCase() !== "chunked") throw head.fail("an unknown Transfer-Encoding")
  if (head.minor === 0) throw head.fail("a Transfer-Encoding in HTTP/1.0")
  if (head.contentLength >= 0) throw head.fail("both Content-Length and Transfer-Encoding")
  head.chunked = true
}

/** Options of Connection: close, keep-alive, and names of fields that go no further (RFC 9110, 7.6.1). */
function readConnection(head: ResponseHead, connection: string): void {
  const { flat } = head
  let close = false
  let keep = false
  for (const part of connection.toLowerCase().split(",")) {
    const option = part.trim()
    if (option === "close") close = true
    else if (option === "keep-alive") keep = true
    else if (option !== "" && option !== "upgrade") {
      for (let i = flat.length - 2; i >= 0; i -= 2) if (flat[i]!.toLowerCase() === option) flat.splice(i, 2)
    }
  }
  head.closes = close
  head.persistent = !close && (head.minor === 1 || keep)
}
