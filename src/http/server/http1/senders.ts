import { lastChunk } from "../../codec/chunked.ts"
import { sendableTrailers } from "../../codec/trailers.ts"
import type { HeaderList } from "../../message/headers.ts"
import type { ByteSink, ByteStream } from "../../message/stream.ts"
import type { Output } from "./output.ts"
import { Framing } from "./reply-head.ts"

/** What a sender tells the request cycle it works for. */
export interface SenderHost {
  readonly out: Output
  bytesOut: number
  /** The whole body was handed over. */
  sent(): void
  /** The body cannot be completed: the client must see that it is not. */
  cut(error: Error): void
  /** The client is slow, or gone; `resume` is called when it has caught up. */
  blocked(): void
}

/** Sends a body that takes more than one step. */
export interface Sender {
  start(): void
  resume(): void
  /** The client is gone. */
  abandon(error: Error): void
}

/** A body that comes by and by. */
export class StreamSender implements Sender, ByteSink {
  #over = false
  #paused = false
  constructor(
    readonly host: SenderHost,
    readonly stream: ByteStream,
    readonly framing: Framing,
    /** Bytes that were announced, or -1. */
    readonly length: number,
  ) {}

  start(): void {
    this.stream.pipe(this)
  }

  data(chunk: Uint8Array): void {
    const size = chunk.byteLength
    if (this.#over || size === 0) return
    const { host } = this
    const { out } = host
    if (this.length >= 0 && host.bytesOut + size > this.length) {
      return this.#fail(new Error("the body is longer than its Content-Length"), true)
    }
    host.bytesOut += size
    out.cork()
    if (this.framing === Framing.Chunked) {
      out.text(size.toString(16) + "\r\n")
      out.bytes(chunk)
      out.text("\r\n")
    } else out.bytes(chunk)
    out.uncork()
    // The close comes as an event of its own: a source that gives its bytes in one go must not wait for that.
    if (out.closed) {
      this.#stop(new Error("the client is gone"))
      return host.blocked()
    }
    if (!out.blocked || this.#paused) return
    this.#paused = true
    this.stream.pause()
    host.blocked()
  }

  end(trailers?: HeaderList): void {
    if (this.#over) return
    if (this.length >= 0 && this.host.bytesOut < this.length) {
      return this.#fail(new Error("the body is shorter than its Content-Length"), false)
    }
    this.#over = true
    if (this.framing === Framing.Chunked) this.host.out.text(lastChunk(sendableTrailers(trailers)))
    this.host.sent()
  }

  fail(error: Error): void {
    if (!this.#over) this.#fail(error, false)
  }

  resume(): void {
    this.#paused = false
    if (!this.#over) this.stream.resume()
  }

  abandon(error: Error): void {
    if (!this.#over) this.#stop(error)
  }

  #fail(error: Error, cancel: boolean): void {
    if (cancel) this.#stop(error)
    this.#over = true
    this.host.cut(error)
  }

  #stop(error: Error): void {
    this.#over = true
    this.stream.cancel(error)
  }
}
