import { HeaderList } from "./headers.ts"
import { ByteStream } from "./stream.ts"

/** Part of an open file, sent by read and write in constant memory. `end` is exclusive, in bytes. */
export interface FileSlice {
  readonly fd: number
  readonly start: number
  readonly end: number
  /** Called once, when the last byte was read or the sending was given up. */
  close(): void
}

export type ReplyBody = null | string | Uint8Array | FileSlice | ByteStream

/**
 * An answer serialised at load: the bytes of head (status line to the blank line) and body in one buffer.
 * The listener writes the current date over the 29 bytes at `dateAt`, and the age over the 10 bytes at `ageAt`, at most
 * once a second.
 */
export interface Wire {
  readonly bytes: Buffer
  /** Offset of the IMF-fixdate in `bytes`; -1: its Date is its own (an answer from a cache). */
  readonly dateAt: number
  /** Offset of the digits of Age, for an answer from a cache. */
  readonly ageAt?: number
  /** Unix second at which its age was 0. */
  readonly bornSec?: number
  /** Where the body starts. */
  readonly bodyAt: number
  /** Unix second last written at `dateAt` and `ageAt`. */
  dateSec: number
}

/** The answer to one Exchange. The listener adds Date, Connection and the framing; a handler never sets them. */
export class Reply {
  #status: number
  #body: ReplyBody
  #wire: Wire | null = null
  #shared = false
  readonly headers: HeaderList
  /** An app wants the client's connection closed behind it. */
  closes = false
  /** Reason phrase from an upstream, else the standard one of the status. */
  reason: string | undefined = undefined
  /** Unix second at which its age was 0: the listener then adds Age (RFC 9111, 5.1). Undefined: it comes from no cache. */
  bornSec: number | undefined = undefined

  constructor(status: number, headers?: HeaderList, body: ReplyBody = null) {
    this.#status = status
    this.headers = headers ?? new HeaderList()
    this.#body = body
  }

  /** One Exchange's view of an answer that many share: `flat` are its header lines; costs one small object. */
  static prepared(status: number, flat: string[], body: ReplyBody, wire: Wire | null): Reply {
    const reply = new Reply(status, HeaderList.shared(flat), body)
    reply.#wire = wire
    reply.#shared = true
    return reply
  }

  static text(status: number, text: string, type = "text/plain; charset=utf-8"): Reply {
    return new Reply(status, new HeaderList(["Content-Type", type]), text)
  }

  get status(): number {
    return this.#status
  }
  set status(status: number) {
    this.#status = status
    this.#wire = null
    this.#shared = false
  }

  get body(): ReplyBody {
    return this.#body
  }
  set body(body: ReplyBody) {
    this.#body = body
    this.#wire = null
    this.#shared = false
  }

  /** True while nobody changed status, headers or body of a prepared answer: its header lines then stand for all of it. */
  get shared(): boolean {
    return this.#shared && !this.headers.changed
  }

  /** The serialised answer, while nobody changed status, headers or body. */
  get wire(): Wire | null {
    return this.#wire !== null && !this.headers.changed ? this.#wire : null
  }
}

/** Bytes of a body where that is known before it is sent, else -1. */
export function bodyLength(body: ReplyBody): number {
  if (body === null) return 0
  if (typeof body === "string") return Buffer.byteLength(body)
  if (body instanceof Uint8Array) return body.byteLength
  if (body instanceof ByteStream) return body.length
  return body.end - body.start
}
