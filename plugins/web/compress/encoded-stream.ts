import { type ByteSink, ByteStream, type HeaderList } from "edge"
import type { Encoder } from "./encoders.ts"

export interface EncodedOptions {
  readonly encoder: Encoder
  readonly flush: number
  /** The source comes as it is made (an app, server-sent events): what came is sent on, not held for a fuller block. */
  readonly live: boolean
}

/** A body compressed as it comes, in constant memory; the slower of the two ends sets the pace. */
export class EncodedStream extends ByteStream {
  readonly length = -1
  readonly #source: ByteStream
  readonly #options: EncodedOptions
  #flushing = false
  #ended = false

  constructor(source: ByteStream, options: EncodedOptions) {
    super()
    this.#source = source
    this.#options = options
  }

  pipe(sink: ByteSink): void {
    const { encoder } = this.#options
    const source = this.#source
    let trailers: HeaderList | undefined
    const fail = (error: Error) => {
      if (this.#ended) return
      this.#ended = true
      sink.fail(error)
    }
    encoder.on("data", (chunk: Uint8Array) => {
      if (!this.#ended) sink.data(chunk)
    })
    encoder.on("drain", () => source.resume())
    encoder.on("end", () => {
      if (this.#ended) return
      this.#ended = true
      sink.end(trailers)
    })
    encoder.on("error", error => {
      source.cancel(error)
      fail(error)
    })
    source.pipe({
      data: chunk => {
        if (this.#ended) return
        if (!encoder.write(chunk)) source.pause()
        if (this.#options.live) this.#flushSoon()
      },
      end: given => {
        trailers = given
        encoder.end()
      },
      fail: error => {
        encoder.destroy()
        fail(error)
      },
    })
  }

  pause(): void {
    this.#options.encoder.pause()
  }

  resume(): void {
    this.#options.encoder.resume()
  }

  cancel(error?: Error): void {
    this.#ended = true
    this.#options.encoder.destroy()
    this.#source.cancel(error)
  }

  /** Once for all that came in this turn of the event loop. */
  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      const { encoder, flush } = this.#options
      if (!this.#ended && !encoder.writableEnded) encoder.flush(flush)
    })
  }
}
