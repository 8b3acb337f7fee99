import { HeaderList } from "./headers.ts"
import { Reply, type Wire } from "./reply.ts"
import { statusLine } from "./status.ts"

/** Largest body in bytes that gets a copy behind its serialised head; past it one write saves nothing worth the memory. */
const WIRE_BODY_MAX = 1 << 20
const DATE = "Thu, 01 Jan 1970 00:00:00 GMT"

/** An answer built once and given to many: its header lines and, where that pays, its bytes on the wire. */
export class Prepared {
  readonly status: number
  /** name, value, name, value, ...; without Date, Connection, Content-Length. Never changed: its identity is a key. */
  readonly flat: string[]
  /** Part of `wire.bytes` where there is a wire, so that the bytes are in memory once. */
  readonly body: Uint8Array | null
  readonly wire: Wire | null

  constructor(status: number, flat: string[], body: Uint8Array | string | null = null) {
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    this.status = status
    this.flat = flat
    this.wire = bytes === null || bytes.byteLength <= WIRE_BODY_MAX ? toWire(status, flat, bytes) : null
    this.body = bytes === null || this.wire === null ? bytes : this.wire.bytes.subarray(this.wire.bodyAt)
  }

  /** What one Exchange is answered with. */
  reply(): Reply {
    return Reply.prepared(this.status, this.flat, this.body, this.wire)
  }

  /** Bytes that it keeps in memory, nearly. */
  get bytes(): number {
    return (this.wire?.bytes.byteLength ?? this.body?.byteLength ?? 0) + 64 * this.flat.length
  }
}

/** The bytes of an answer as HTTP/1.1 sends it. The body of a HEAD is left off by the listener, at `bodyAt`. */
export function toWire(status: number, flat: readonly string[], body: Uint8Array | null): Wire {
  const start = `${statusLine(status)}Date: `
  let rest = "\r\n"
  for (let i = 0; i < flat.length; i += 2) rest += `${flat[i]}: ${flat[i + 1]}\r\n`
  // RFC 9110 8.6: no Content-Length on 1xx and 204; a 304 may leave it out.
  if (status >= 200 && status !== 204 && status !== 304) rest += `Content-Length: ${body?.byteLength ?? 0}\r\n`
  const head = start + DATE + rest + "\r\n"
  // Slow: a slice of the pool would keep 8 kB of strangers alive.
  const bytes = Buffer.allocUnsafeSlow(head.length + (body?.byteLength ?? 0))
  bytes.latin1Write(head, 0)
  if (body !== null) bytes.set(body, head.length)
  return { bytes, dateAt: start.length, bodyAt: head.length, dateSec: -1 }
}

/**
 * Changes the header lines of an answer; of a shared one only once, by a table from its lines to the changed ones
 * (a WeakMap: both are forgotten together). `change` must depend on nothing but the answer it is given.
 */
export function rehead(reply: Reply, { change, known }: { change(headers: HeaderList, status: number): void; known: WeakMap<object, Prepared> }): Reply {
  if (reply.wire === null) {
    change(reply.headers, reply.status)
    return reply
  }
  const lines = reply.headers.flat
  let prepared = known.get(lines)
  if (prepared === undefined) {
    const headers = HeaderList.from(reply.headers)
    change(headers, reply.status)
    prepared = new Prepared(reply.status, [...headers.flat], reply.body as Uint8Array | null)
    known.set(lines, prepared)
  }
  return prepared.reply()
}
