/** Bodies that a Reply may have, as streams. */
import { read } from "node:fs"
import type { FileSlice, ReplyBody } from "../http/message/reply.ts"
import { ByteStream } from "../http/message/stream.ts"
import type { ByteSink } from "../http/message/stream.ts"

/** Bytes of a file read at once. */
const readBytes = 65_536

export function streamOf(body: Exclude<ReplyBody, null>): ByteStream {
  if (body instanceof ByteStream) return body
  if (typeof body === "string") return new BytesStream(Buffer.from(body))
  return body instanceof Uint8Array ? new BytesStream(body) : new SliceStream(body)
}

/** Gives up a body that is not sent. */
export function discard(body: ReplyBody): void {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return
  if (body instanceof ByteStream) body.cancel()
  else body.close()
}

/** Bytes at hand: all of them at once; what has no credit waits with the receiver. */
class BytesStream extends ByteStream {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    super()
    this.#bytes = bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  pipe(sink: ByteSink): void {
    sink.data(this.#bytes)
    sink.end()
  }

  pause(): void {}
  resume(): void {}
  cancel(): void {}
}

/** Part of a file, in constant memory. */
class SliceStream extends ByteStream {
  readonly #slice: FileSlice
  #sink: ByteSink | undefined
  #at: number
  #paused = false
  #reading = false
  #done = false

  constructor(slice: FileSlice) {
    super()
    this.#slice = slice
    this.#at = slice.start
  }

  get length(): number {
    return this.#slice.end - this.#slice.start
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#next()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#next()
  }

  cancel(): void {
    // A read under way still uses the descriptor: its callback closes it.
    if (this.#reading) this.#done = true
    else this.#close()
  }

  #next(): void {
    if (this.#paused || this.#reading || this.#done || this.#sink === undefined) return
    const left = this.#slice.end - this.#at
    if (left <= 0) {
      this.#close()
      this.#sink.end()
      return
    }
    this.#reading = true
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, left))
    read(this.#slice.fd, buffer, 0, buffer.length, this.#at, (error, n) => this.#got(error, buffer.subarray(0, n)))
  }

  #got(error: Error | null, bytes: Uint8Array): void {
    this.#reading = false
    if (this.#done) return this.#slice.close()
    if (error !== null || bytes.length === 0) {
      this.#close()
      this.#sink!.fail(error ?? new Error("the file is shorter than announced"))
      return
    }
    this.#at += bytes.length
    this.#sink!.data(bytes)
    this.#next()
  }

  #close(): void {
    if (this.#done) return
    this.#done = true
    this.#slice.close()
  }
}
