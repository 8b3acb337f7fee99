/**
 * Heads of REQUEST, RESPONSE and EARLY frames: Latin-1 fields separated by NUL (docs/worker-protocol.md, "Heads").
 */
import { isHopByHop, saysClose } from "../http/codec/hop.ts"
import type { Exchange } from "../http/message/exchange.ts"
import { HeaderList } from "../http/message/headers.ts"
import { HttpError } from "../http/message/errors.ts"
import { FrameError } from "./codec.ts"
import type { HeadBytes } from "./codec.ts"
import { normalizePath, pathBytes } from "../http/message/path.ts"
import { Recent } from "./recent.ts"

/** What a worker knows of a request. */
export interface RequestHead {
  readonly method: string
  /** As the client wrote it. */
  readonly target: string
  /** In normal form, prefix taken off: found here, for the wire has it as the client wrote it. */
  readonly path: string
  readonly query: string
  readonly prefix: string
  readonly scheme: "http" | "https"
  readonly httpVersion: Exchange["httpVersion"]
  /** With port, as sent. */
  readonly host: string
  readonly ip: string
  /** 0 when not known. */
  readonly port: number
  readonly local: string
  /** Bytes of the body; null for no body, -1 not known. */
  readonly length: number | null
  readonly headers: HeaderList
}

export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** name, value, ... without Content-Length; many answers share one array. */
  readonly flat: string[]
  /** Content-Length, or -1. */
  readonly length: number
  /** The app wants the client's connection closed behind it. */
  readonly closes: boolean
}

const requestFields = 12
/** Place of the decoded path, which may have line breaks in it (%0A). */
const pathField = 2

/**
 * Throws HttpError 400, here or when it is written, when a field cannot be carried (wider than Latin-1, NUL, a line break).
 * `socket`: it wants to become a WebSocket, so its scheme is ws or wss.
 */
export function encodeRequestHead(x: Exchange, socket = false): HeadBytes {
  const { body, conn, headers } = x
  return new EncodedRequest(
    [
      x.method,
      x.target,
      carried(pathBytes(x.target)),
      x.query,
      x.prefix === "" ? "" : latin1Path(x.prefix),
      socket ? (x.scheme === "https" ? "wss" : "ws") : x.scheme,
      x.httpVersion,
      // Nearly all clients send it first.
      (headers.flat[0] === "Host" ? headers.flat[1] : headers.get("host")) ?? x.host,
      x.ip,
      conn.peerPort > 0 ? String(conn.peerPort) : "",
      latin1Path(conn.local),
      body === null ? "" : String(body.length),
    ],
    headerBytes(x),
  )
}

/** The twelve fields are written byte by byte: joining them to one string first costs twice as much. */
class EncodedRequest implements HeadBytes {
  readonly length: number
  readonly #fields: readonly string[]
  /** NUL, name, NUL, value, NUL, ... */
  readonly #headers: Buffer | string

  constructor(fields: readonly string[], headers: Buffer | string) {
    let length = requestFields - 1 + headers.length
    for (let i = 0; i < requestFields; i++) length += fields[i]!.length
    this.length = length
    this.#fields = fields
    this.#headers = headers
  }

  write(buffer: Buffer, start: number): void {
    const fields = this.#fields
    let at = start
    for (let i = 0; i < requestFields; i++) {
      const field = fields[i]!
      if (i > 0) buffer[at++] = 0
      for (let j = 0; j < field.length; j++) {
        const c = field.charCodeAt(j)
        if (c > 255 || c === 0 || ((c === 10 || c === 13) && i !== pathField)) throw cannotCarry("the request line")
        buffer[at++] = c
      }
    }
    const headers = this.#headers
    if (typeof headers === "string") buffer.latin1Write(headers, at, headers.length)
    else headers.copy(buffer, at)
  }
}

function headerBytes(x: Exchange): Buffer | string {
  const { body, headers } = x
  if (body !== null) {
    const text = headerText(x, true)
    return body.length < 0 ? text : `${text}\0Content-Length\0${body.length}`
  }
  if (headers.changed) return headerText(x, false)
  let bytes = known.get(headers.flat)
  if (bytes === undefined) known.set(headers.flat, (bytes = Buffer.from(headerText(x, false), "latin1")))
  return bytes
}

/** Clients repeat their fields word for word, and the listener then gives the same array: it is written only once. */
const known = new WeakMap<readonly string[], Buffer>()

function headerText(x: Exchange, hasBody: boolean): string {
  const { flat } = x.headers
  let text = ""
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    // What Connection names was dropped at the border; by now a field of that name may be our own.
    if (isHopByHop(name)) continue
    // The body's own length is the truth: a middleware may have changed the body.
    if (hasBody && name.length === 14 && name.toLowerCase() === "content-length") continue
    if (unsafe.test(value) || unsafe.test(name)) throw cannotCarry(`header ${JSON.stringify(name)}`)
    text += `\0${name}\0${value}`
  }
  return text
}

function cannotCarry(what: string): HttpError {
  return new HttpError(400, `${what} cannot be carried`)
}

export function decodeRequestHead(bytes: Buffer, at: { start: number; stop: number }): RequestHead {
  let headersAt = at.start
  for (let nuls = 0; headersAt < at.stop; headersAt++) if (bytes[headersAt] === 0 && ++nuls === requestFields) break
  const f = bytes.latin1Slice(at.start, headersAt).split("\0")
  if (f.length !== requestFields) throw new FrameError("malformed REQUEST head")
  return {
    method: f[0]!,
    target: f[1]!,
    path: normalOf(f[1]!),
    query: f[3]!,
    prefix: utf8Path(f[4]!),
    scheme: f[5] === "https" ? "https" : "http",
    httpVersion: f[6] as Exchange["httpVersion"],
    host: f[7]!,
    ip: f[8]!,
    port: f[9] === "" ? 0 : toNumber(f[9]!),
    local: utf8Path(f[10]!),
    length: f[11] === "" ? null : f[11] === "-1" ? -1 : toNumber(f[11]!),
    headers: HeaderList.shared(headersAt < at.stop ? readHeaders(bytes.latin1Slice(headersAt + 1, at.stop)) : none),
  }
}

const none: string[] = []
const requestHeaders = new Recent<string[]>(256)

function readHeaders(text: string): string[] {
  let flat = requestHeaders.get(text)
  if (flat !== undefined) return flat
  flat = text.split("\0")
  if (flat.length % 2 !== 0) throw new FrameError("malformed REQUEST head")
  requestHeaders.set(text, flat)
  return flat
}

/** Number() takes 0.3 us for a piece of a larger string. */
function toNumber(digits: string): number {
  let n = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 48
    if (digit < 0 || digit > 9 || i === 15) throw new FrameError("malformed number in a head")
    n = n * 10 + digit
  }
  return n
}

/** Largest head of an answer in bytes: an app that adds headers in a loop gets an error, not all of the memory. */
const maxHead = 262_144

/** Throws TypeError when the app gave a field that no header can have, or too many. */
export function encodeResponseHead(status: number, reason: string, headers: readonly string[]): string {
  let head = `${status}\0${reason}`
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!
    if (!token.test(headers[i]!) || unsafe.test(value)) throw new TypeError(`header ${headers[i]} is malformed`)
    head += `\0${headers[i]}\0${value}`
  }
  if (head.length > maxHead) throw new TypeError(`a head of ${head.length} bytes is longer than ${maxHead}`)
  return head
}

const responses = new Recent<ResponseHead>(256)

/** Throws HttpError 502 when it is not one well-formed head: a split response never leaves a front. */
export function decodeResponseHead(text: string): ResponseHead {
  let head = responses.get(text)
  if (head === undefined) responses.set(text, (head = readResponseHead(text)))
  return head
}

function readResponseHead(text: string): ResponseHead {
  const f = text.split("\0")
  if (f.length < 2 || f.length % 2 !== 0 || !/^[1-9]\d\d$/.test(f[0]!) || lineBreak.test(text)) throw badAnswer("a malformed head")
  const flat: string[] = []
  let length = -1
  let closes = false
  for (let i = 2; i < f.length; i += 2) {
    const name = f[i]!
    const value = f[i + 1]!
    if (!token.test(name)) throw badAnswer("a malformed header name")
    if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (!/^\d{1,15}$/.test(value) || (length >= 0 && length !== Number(value))) throw badAnswer("a malformed Content-Length")
      length = Number(value)
    } else if (isUpgrade(name)) {
      // RFC 9110, 15.5.22.
      if (f[0] === "426") flat.push(name, value)
    } else if (isHopByHop(name)) closes ||= saysClose(name, value)
    else if (!isDate(name)) flat.push(name, value)
  }
  return { status: Number(f[0]), reason: f[1]!, flat, length, closes }
}

function badAnswer(what: string): HttpError {
  return new HttpError(502, `the worker's answer has ${what}`)
}

/** A wider character would be cut to one byte and could become a NUL or a line break: U+010A, U+0100. */
const unsafe = /[\0\r\n\u0100-\uffff]/
const lineBreak = /[\r\n]/
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Without NUL, which separates the fields: a path that has one is left to be read from the target. */
function carried(path: string): string {
  return path.includes("\0") ? "" : path
}

function normalOf(target: string): string {
  const mark = target.indexOf("?")
  return normalizePath(mark < 0 ? target : target.slice(0, mark)) ?? target
}

const ascii = /^[\x20-\x7e]*$/

function latin1Path(path: string): string {
  if (ascii.test(path)) return path
  const bytes = Buffer.from(path, "utf8").toString("latin1")
  if (unsafe.test(bytes)) throw cannotCarry("the path")
  return bytes
}

function utf8Path(path: string): string {
  return ascii.test(path) ? path : Buffer.from(path, "latin1").toString("utf8")
}

function isUpgrade(name: string): boolean {
  return name.length === 7 && name.toLowerCase() === "upgrade"
}

function isDate(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === "date"
}
