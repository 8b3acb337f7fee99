import { chunkOverhead, encodeChunk, lastChunk, writeChunk } from "../codec/chunked.ts"
import type { HeaderList } from "../message/headers.ts"
import type { ByteSink, ByteStream } from "../message/stream.ts"
import { scratch, type UpstreamConnection } from "./connection.ts"

/** What the sending of a body tells its call. */
export interface BodySender {
  /** The whole request is written; some of it may still wait in the connection. */
  requestSent(): void
  /** The client, not the upstream, broke the body off. */
  requestBroken(error: Error): void
  /** Those that go on. */
  trailers(given: HeaderList | undefined): HeaderList | undefined
}

/** Bytes of body up to which it is kept, so that a request on a connection that turned out dead can be sent again. */
const replayBytes = 64 * 1024

/**
 * Sends the body of one request: by Content-Length or chunked, no faster than the upstream takes it. What comes while
 * the head is in the scratch buffer leaves with it in one write.
 */
export class RequestBody implements ByteSink {
  ended = false
  #body: ByteStream
  #sender: BodySender
  #connection: UpstreamConnection | null = null
  /** Bytes of the head in the scratch buffer while body may join it, else -1. */
  #corked = -1
  #left: number
  #chunked: boolean
  #paused = false
  #piped = false
  #kept: Uint8Array[] | null = []
  #keptBytes = 0
  #trailers: HeaderList | undefined

  constructor(body: ByteStream, sender: BodySender) {
    this.#body = body
    this.#sender = sender
    this.#chunked = body.length < 0
    this.#left = body.length
  }

  /** The body was begun and cannot be sent a second time. */
  get taken(): boolean {
    return this.#piped && !(this.ended && this.#kept !== null)
  }

  get piped(): boolean {
    return this.#piped
  }

  /** Sends what is there behind `headBytes` bytes of the scratch buffer. */
  start(connection: UpstreamConnection, headBytes: number): void {
    this.#connection = connection
    this.#corked = headBytes
    if (this.#piped) this.#replay()
    else {
      this.#piped = true
      this.#body.pipe(this)
    }
    this.#uncork()
  }

  #replay(): void {
    const kept = this.#kept ?? []
    this.#kept = []
    this.#keptBytes = 0
    this.ended = false
    this.#left = this.#body.length
    for (const chunk of kept) this.data(chunk)
    this.end(this.#trailers)
  }

  #uncork(): void {
    const length = this.#corked
    this.#corked = -1
    if (length > 0) this.#connection?.write(scratch, length)
  }

  /** The connection took what waited. */
  drained(): void {
    if (!this.#paused) return
    this.#paused = false
    if (!this.ended) this.#body.resume()
  }

  /** The upstream will not read on: nothing more is sent, and the client may stop. A body not begun is left as it is. */
  stop(error?: Error): void {
    this.#connection = null
    if (this.ended || !this.#piped) return
    this.ended = true
    this.#kept = null
    this.#body.cancel(error)
  }

  data(chunk: Uint8Array): void {
    if (this.ended || this.#connection === null || chunk.byteLength === 0) return
    if (!this.#chunked) {
      this.#left -= chunk.byteLength
      // More than was announced would be read as the next request on this connection.
      if (this.#left < 0) return this.#break(new Error("the body is longer than its Content-Length"))
    }
    this.#keep(chunk)
    const most = chunk.byteLength + (this.#chunked ? chunkOverhead : 0)
    const at = this.#corked < 0 ? 0 : this.#corked
    if (at + most <= scratch.length) {
      const end = this.#chunked ? writeChunk(scratch, at, chunk) : at + this.#copy(chunk, at)
      if (this.#corked >= 0) {
        this.#corked = end
        return
      }
      this.#connection.write(scratch, end)
    } else {
      this.#uncork()
      this.#connection.write(this.#chunked ? encodeChunk(chunk) : chunk)
    }
    if (!this.#connection.waiting && !this.#connection.closed) return
    this.#paused = true
    this.#body.pause()
  }

  #copy(chunk: Uint8Array, at: number): number {
    scratch.set(chunk, at)
    return chunk.byteLength
  }

  #keep(chunk: Uint8Array): void {
    if (this.#kept === null) return
    this.#keptBytes += chunk.byteLength
    if (this.#keptBytes > replayBytes) this.#kept = null
    else this.#kept.push(chunk)
  }

  end(trailers?: HeaderList): void {
    if (this.ended || this.#connection === null) return
    if (this.#left > 0) return this.#break(new Error("the body is shorter than its Content-Length"))
    this.ended = true
    this.#trailers = trailers
    if (this.#chunked) this.#writeEnd(lastChunk(this.#sender.trailers(trailers)))
    this.#uncork()
    this.#sender.requestSent()
  }

  #writeEnd(text: string): void {
    const at = this.#corked < 0 ? 0 : this.#corked
    if (at + text.length > scratch.length) {
      this.#uncork()
      this.#connection!.write(Buffer.from(text, "latin1"))
      return
    }
    const end = at + scratch.latin1Write(text, at)
    if (this.#corked >= 0) this.#corked = end
    else this.#connection!.write(scratch, end)
  }

  fail(error: Error): void {
    this.#break(error)
  }

  #break(error: Error): void {
    if (this.ended) return
    this.ended = true
    this.#kept = null
    this.#corked = -1
    this.#connection = null
    this.#body.cancel(error)
    this.#sender.requestBroken(error)
  }
}
