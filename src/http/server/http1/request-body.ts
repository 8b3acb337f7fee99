import { ChunkedError, ChunkedReader } from "../../codec/chunked.ts"
import { HttpError } from "../../message/errors.ts"
import type { ByteSink } from "../../message/stream.ts"
import { InputStream } from "./input-stream.ts"
import type { InputHost } from "./input-stream.ts"

export interface BodyHost extends InputHost {
  /** Bytes that may be read. */
  bodyLimit(): number
  /** The body is read for the first time: the client may wait for "100 Continue". */
  bodyWanted(): void
}

/** The body of one request (RFC 9112, 6): its framing taken off, its size bounded. */
export class RequestBody extends InputStream {
  readonly #host: BodyHost
  readonly #chunked: ChunkedReader | undefined
  /** Bytes missing; with the chunked coding unknown. */
  #left: number
  /** Bytes of content so far. */
  received = 0
  #refused = false
  /** The framing was broken or the body too long: where the next request starts is unknown. */
  broken = false

  /** `length` -1: chunked. */
  constructor(host: BodyHost, length: number) {
    super(host, length)
    this.#host = host
    this.#left = length
    this.#chunked = length < 0 ? new ChunkedReader() : undefined
  }

  /** Bytes that are still to come, as far as that is known. */
  get left(): number {
    return this.complete ? 0 : this.#chunked === undefined ? this.#left : Infinity
  }

  override pipe(sink: ByteSink): void {
    // What was held before the first read counts too.
    if (Math.max(this.length, this.received) > this.#host.bodyLimit()) this.#tooLong()
    else if (!this.complete) this.#host.bodyWanted()
    super.pipe(sink)
  }

  /** Takes what belongs to the body from `from` on; returns the offset behind it. */
  feed(bytes: Buffer, from: number): number {
    if (this.#chunked === undefined) {
      const size = Math.min(this.#left, bytes.length - from)
      this.#left -= size
      this.#content(from === 0 && size === bytes.length ? bytes : bytes.subarray(from, from + size))
      if (this.#left === 0) this.finish()
      return from + size
    }
    try {
      const end = this.#chunked.read(bytes, from, this.#content)
      if (this.#chunked.done && !this.#refused) this.finish(this.#chunked.trailers)
      return end
    } catch (error) {
      if (!(error instanceof ChunkedError)) throw error
      this.broken = true
      this.break(new HttpError(400, error.message, { close: true }))
      return bytes.length
    }
  }

  #content = (bytes: Uint8Array): void => {
    this.received += bytes.byteLength
    // With a length, `pipe` has looked at it.
    if (this.#chunked !== undefined && this.sink !== undefined && this.received > this.#host.bodyLimit()) this.#tooLong()
    if (!this.#refused) this.push(bytes)
  }

  #tooLong(): void {
    this.#refused = this.broken = true
    this.refuse(new HttpError(413, "the body is too long", { close: true }))
  }
}
