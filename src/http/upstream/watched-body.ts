import type { HeaderList } from "../message/headers.ts"
import { ByteStream, type ByteSink } from "../message/stream.ts"

/** A body on its way, of which somebody wants to know when it is over; one that stands still too long is broken off. */
export class WatchedBody extends ByteStream implements ByteSink {
  readonly length: number
  readonly #source: ByteStream
  readonly #idleMs: number
  #onOver: (() => void) | null
  #sink: ByteSink | null = null
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(source: ByteStream, { idleMs, onOver }: { idleMs: number; onOver(): void }) {
    super()
    this.#source = source
    this.length = source.length
    this.#idleMs = idleMs
    this.#onOver = onOver
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#wait()
    this.#source.pipe(this)
  }

  /** Who waits now is the receiver. */
  pause(): void {
    clearTimeout(this.#timer)
    this.#source.pause()
  }

  resume(): void {
    this.#wait()
    this.#source.resume()
  }

  cancel(error?: Error): void {
    this.#over()
    this.#source.cancel(error)
  }

  data(chunk: Uint8Array): void {
    this.#wait()
    this.#sink!.data(chunk)
  }

  end(trailers?: HeaderList): void {
    this.#over()
    this.#sink!.end(trailers)
  }

  fail(error: Error): void {
    this.#over()
    this.#sink!.fail(error)
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (this.#idleMs === Infinity || this.#onOver === null) return
    this.#timer = setTimeout(() => {
      const error = new Error("the body stands still")
      this.#source.cancel(error)
      this.fail(error)
    }, this.#idleMs)
  }

  #over(): void {
    clearTimeout(this.#timer)
    this.#onOver?.()
    this.#onOver = null
  }
}
