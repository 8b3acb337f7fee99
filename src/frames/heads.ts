/**
 * Heads of REQUEST, RESPONSE and EARLY frames: Latin-1 fields separated by NUL (docs/worker-protocol.md, "Heads").
 */
import type { Exchange } from "../http/exchange.ts"
import { HeaderList } from "../http/headers.ts"
import { HttpError } from "../http/errors.ts"
import { FrameError } from "./codec.ts"

/** What a worker knows of a request. */
export interface RequestHead {
  readonly method: string
  /** As the client wrote it. */
  readonly target: string
  /** In normal form, prefix taken off. */
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
  readonly headers: HeaderList
}

const requestFields = 12

/** Throws HttpError 400 when a field cannot be carried (wider than Latin-1, NUL or a line break). */
export function encodeRequestHead(x: Exchange): string {
  const { body, conn, headers } = x
  const host = headers.get("host") ?? x.host
  const { ip } = x
  if (unsafe.test(x.method + x.target + x.query + host + ip + conn.local)) throw cannotCarry("the request line")
  const head =
    `${x.method}\0${x.target}\0${latin1Path(x.path)}\0${x.query}\0${x.prefix === "" ? "" : latin1Path(x.prefix)}\0` +
    `${x.scheme}\0${x.httpVersion}\0${host}\0${ip}\0${conn.peerPort > 0 ? conn.peerPort : ""}\0${conn.local}\0`
  if (body !== null) {
    const fields = `${head}${body.length}${headerText(x, true)}`
    return body.length < 0 ? fields : `${fields}\0Content-Length\0${body.length}`
  }
  if (headers.changed) return head + headerText(x, false)
  let text = headerTexts.get(headers.flat)
  if (text === undefined) headerTexts.set(headers.flat, (text = headerText(x, false)))
  return head + text
}

/** Clients repeat their fields word for word, and the listener then gives the same array: it is written only once. */
const headerTexts = new WeakMap<readonly string[], string>()

function headerText(x: Exchange, hasBody: boolean): string {
  const { flat } = x.headers
  const named = x.headers.get("connection")
  let text = ""
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    const value = flat[i + 1]!
    if (isHopByHop(name) || (named !== null && isNamed(name, named))) continue
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

export function decodeRequestHead(head: string): RequestHead {
  const f = head.split("\0")
  if (f.length < requestFields || f.length % 2 !== 0) throw new FrameError("malformed REQUEST head")
  const length = f[11] === "" ? null : f[11] === "-1" ? -1 : toNumber(f[11]!)
  return {
    method: f[0]!,
    target: f[1]!,
    path: utf8Path(f[2]!),
    query: f[3]!,
    prefix: utf8Path(f[4]!),
    scheme: f[5] === "https" ? "https" : "http",
    httpVersion: f[6] as Exchange["httpVersion"],
    host: f[7]!,
    ip: f[8]!,
    port: f[9] === "" ? 0 : toNumber(f[9]!),
    local: f[10]!,
    length,
    headers: new HeaderList(f.slice(requestFields)),
  }
}

/** Number() takes 0.3 us for a piece of a larger string. */
function toNumber(digits: string): number {
  let n = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(i) - 48
    if (digit < 0 || digit > 9 || i === 15) throw new FrameError("malformed number in REQUEST head")
    n = n * 10 + digit
  }
  return n
}

/** Throws TypeError when the app gave a field that no header can have. */
export function encodeResponseHead(status: number, reason: string, headers: readonly string[]): string {
  let head = `${status}\0${reason}`
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!
    if (!token.test(headers[i]!) || unsafe.test(value)) throw new TypeError(`header ${headers[i]} is malformed`)
    head += `\0${headers[i]}\0${value}`
  }
  return head
}

/** Throws HttpError 502 when it is not one well-formed head: a split response never leaves a front. */
export function decodeResponseHead(head: string): ResponseHead {
  const f = head.split("\0")
  const status = Number(f[0])
  if (f.length < 2 || f.length % 2 !== 0 || !/^[1-9]\d\d$/.test(f[0]!) || lineBreak.test(head))
    throw new HttpError(502, "the worker's answer has a malformed head")
  const flat: string[] = []
  for (let i = 2; i < f.length; i += 2) {
    const name = f[i]!
    if (!token.test(name)) throw new HttpError(502, "the worker's answer has a malformed header name")
    if (!isHopByHop(name) && !isDate(name)) flat.push(name, f[i + 1]!)
  }
  return { status, reason: f[1]!, headers: new HeaderList(flat) }
}

/** A wider character would be cut to one byte and could become a NUL or a line break: U+010A, U+0100. */
const unsafe = /[\0\r\n\u0100-\uffff]/
const lineBreak = /[\r\n]/
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

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

/** RFC 9110, 7.6.1; by length first, since nearly every field differs there. */
function isHopByHop(name: string): boolean {
  switch (name.length) {
    case 2:
      return name.toLowerCase() === "te"
    case 7:
      return /^(?:upgrade|trailer)$/i.test(name)
    case 10:
      return /^(?:connection|keep-alive)$/i.test(name)
    case 16:
      return name.toLowerCase() === "proxy-connection"
    case 17:
      return name.toLowerCase() === "transfer-encoding"
    default:
      return false
  }
}

/** Is the field one that `Connection` names? Never Host or Content-Length: naming them would smuggle. */
function isNamed(name: string, connection: string): boolean {
  const lower = name.toLowerCase()
  if (lower === "host" || lower === "content-length") return false
  return connection.split(",").some(option => option.trim().toLowerCase() === lower)
}

function isDate(name: string): boolean {
  return name.length === 4 && name.toLowerCase() === "date"
}
