import { HeaderList } from "./headers.ts"
import { Reply, type Wire } from "./reply.ts"
import { statusLine } from "./status.ts"

/** Largest body in bytes that is put behind its serialised head; past it, one write in place of two saves nothing. */
const WIRE_BODY_MAX = 1 << 20
/** The same for an answer made from another one, which keeps its own copy. */
const DERIVED_BODY_MAX = 1 << 18
const DATE = "Thu, 01 Jan 1970 00:00:00 GMT"
/** Room for any age that is written over it (RFC 9111 1.2.2: 2^31 at least); spaces in front of a value mean nothing. */
const AGE = "         0"

export interface PreparedOptions {
  readonly wireMax?: number
  /** For an answer from a cache: the unix second at which its age was 0. Its `flat` then has its own Date and no Age. */
  readonly bornSec?: number | undefined
}

/** An answer built once and given to many: its header lines and, where that pays, its bytes on the wire. */
export class Prepared {
  readonly status: number
  /** name, value, name, value, ...; without Date, Connection, Content-Length. Never changed: its identity is a key. */
  readonly flat: string[]
  /** Part of `wire.bytes` where there is a wire, so that the bytes are in memory once. */
  readonly body: Uint8Array | null
  readonly wire: Wire | null
  readonly bornSec: number | undefined

  constructor(status: number, flat: string[], body: Uint8Array | string | null = null, options: PreparedOptions = {}) {
    const { wireMax = WIRE_BODY_MAX, bornSec } = options
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    this.status = status
    this.flat = flat
    this.bornSec = bornSec
    this.wire = bytes === null || bytes.byteLength <= wireMax ? toWire(status, flat, { body: bytes, bornSec }) : null
    this.body = bytes === null || this.wire === null ? bytes : this.wire.bytes.subarray(this.wire.bodyAt)
  }

  /** What one Exchange is answered with. */
  reply(): Reply {
    const reply = Reply.prepared(this.status, this.flat, this.body, this.wire)
    reply.bornSec = this.bornSec
    return reply
  }

  /** Bytes that it keeps in memory, nearly. */
  get bytes(): number {
    return (this.wire?.bytes.byteLength ?? this.body?.byteLength ?? 0) + 64 * this.flat.length
  }
}

/** The bytes of an answer as HTTP/1.1 sends it. The body of a HEAD is left off by the listener, at `bodyAt`. */
export function toWire(status: number, flat: readonly string[], { body, bornSec }: { body: Uint8Array | null; bornSec?: number | undefined }): Wire {
  const start = statusLine(status) + (bornSec === undefined ? "Date: " : "Age: ")
  let rest = "\r\n"
  for (let i = 0; i < flat.length; i += 2) rest += `${flat[i]}: ${flat[i + 1]}\r\n`
  // RFC 9110 8.6: no Content-Length on 1xx and 204; a 304 may leave it out.
  if (status >= 200 && status !== 204 && status !== 304) rest += `Content-Length: ${body?.byteLength ?? 0}\r\n`
  const head = start + (bornSec === undefined ? DATE : AGE) + rest + "\r\n"
  // Slow: a slice of the pool would keep 8 kB of strangers alive.
  const bytes = Buffer.allocUnsafeSlow(head.length + (body?.byteLength ?? 0))
  bytes.latin1Write(head, 0)
  if (body !== null) bytes.set(body, head.length)
  if (bornSec !== undefined) return { bytes, dateAt: -1, ageAt: start.length, bornSec, bodyAt: head.length, dateSec: -1 }
  return { bytes, dateAt: start.length, bodyAt: head.length, dateSec: -1 }
}

/** The same answer with other header lines, for a shared reply whose body is in memory. */
export function derive(reply: Reply, change: HeaderChange): Prepared {
  const headers = HeaderList.from(reply.headers)
  change(headers, reply.status)
  const options = { wireMax: DERIVED_BODY_MAX, bornSec: reply.bornSec }
  return new Prepared(reply.status, [...headers.flat], reply.body as Uint8Array | null, options)
}

/** Must depend on nothing but the answer it is given. */
export type HeaderChange = (headers: HeaderList, status: number) => void

/** True for an answer that many get and whose body is in memory: what is made of it may be kept by its header lines. */
export function isHot(reply: Reply): boolean {
  return reply.shared && (reply.body === null || reply.body instanceof Uint8Array)
}

/**
 * Changes the header lines of an answer; of a hot one only once, by a table from its lines to the changed answer
 * (a WeakMap: both are forgotten together).
 */
export function rehead(reply: Reply, { change, known }: { change: HeaderChange; known: WeakMap<object, Prepared> }): Reply {
  if (!isHot(reply)) {
    change(reply.headers, reply.status)
    return reply
  }
  const lines = reply.headers.flat
  let prepared = known.get(lines)
  if (prepared === undefined) known.set(lines, (prepared = derive(reply, change)))
  return prepared.reply()
}
