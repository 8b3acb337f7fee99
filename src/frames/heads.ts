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
  const { body, conn } = x
  const length = body === null ? "" : String(body.length)
  let head = `${x.method}\0${x.target}\0${latin1Path(x.path)}\0${x.query}\0${latin1Path(x.prefix)}\0${x.scheme}\0`
  head += `${x.httpVersion}\0${x.headers.get("host") ?? x.host}\0${x.ip}\0${conn.peerPort > 0 ? conn.peerPort : ""}\0`
  head += `${conn.local}\0${length}`
  if (unsafe.test(head) || countNul(head) !== requestFields - 1) throw new HttpError(400, "request cannot be carried")
  const flat = x.headers.flat
  const named = x.headers.get("connection")
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    if (isHopByHop(name) || (named !== null && isNamed(name, named))) continue
    // The body's own length is the truth: a middleware may have changed the body.
    if (name.length === 14 && body !== null && name.toLowerCase() === "content-length") continue
    const value = flat[i + 1]!
    if (unsafeField.test(value) || unsafeField.test(name)) throw new HttpError(400, `header ${name} cannot be carried`)
    head += `\0${name}\0${value}`
  }
  return body !== null && body.length >= 0 ? `${head}\0Content-Length\0${length}` : head
}

export function decodeRequestHead(head: string): RequestHead {
  const f = head.split("\0")
  if (f.length < requestFields || f.length % 2 !== 0) throw new FrameError("malformed REQUEST head")
  const length = f[11]!
  if (!/^(?:-1|\d{0,15})$/.test(length)) throw new FrameError("malformed length in REQUEST head")
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
    port: f[9] === "" ? 0 : Number(f[9]),
    local: f[10]!,
    length: length === "" ? null : Number(length),
    headers: new HeaderList(f.slice(requestFields)),
  }
}

/** Throws TypeError when the app gave a field that no header can have. */
export function encodeResponseHead(status: number, reason: string, headers: readonly string[]): string {
  let head = `${status}\0${reason}`
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1]!
    if (!token.test(headers[i]!) || unsafeField.test(value)) throw new TypeError(`header ${headers[i]} is malformed`)
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
const unsafe = /[\r\n\u0100-\uffff]/
const unsafeField = /[\0\r\n\u0100-\uffff]/
const lineBreak = /[\r\n]/
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function countNul(text: string): number {
  let n = 0
  for (let i = text.indexOf("\0"); i >= 0; i = text.indexOf("\0", i + 1)) n++
  return n
}

// oxlint-disable-next-line no-control-regex
const ascii = /^[\0-\x7f]*$/

function latin1Path(path: string): string {
  return ascii.test(path) ? path : Buffer.from(path, "utf8").toString("latin1")
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
