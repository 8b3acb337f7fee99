import type { HeaderList } from "../message/headers.ts"
import { ByteStream, type ByteSink } from "../message/stream.ts"

/** What a body asks of the call that fills it. */
export interface BodySource {
  pauseAnswer(patient: boolean): void
  resumeAnswer(): void
  abandon(error: Error): void
}

/**
 * The body of an answer that did not come in one piece with its head. While its receiver waits, up to `holdBytes` are
 * taken from the upstream all the same: a worker that serves one request at a time is not held by a slow client.
 */
export class ResponseBody extends ByteStream {
  readonly length: number
  #source: BodySource | null
  #holdBytes: number
  #sink: ByteSink | null = null
  #held: Buffer[]
  #heldBytes = 0
  #paused = false
  #delivering = false
  #ended = false
  #trailers: HeaderList | undefined
  #error: Error | null = null

  constructor(source: BodySource, { length, first, holdBytes }: { length: number; first: Buffer[]; holdBytes: number }) {
    super()
    this.length = length
    this.#source = source
    this.#held = first
    this.#holdBytes = holdBytes
    for (const piece of first) this.#heldBytes += piece.length
  }

  // From the call ---------------------------------------------------------------------------------------------------

  push(chunk: Buffer): void {
    if (this.#sink !== null && !this.#paused && !this.#delivering && this.#held.length === 0) this.#sink.data(chunk)
    else {
      this.#held.push(chunk)
      this.#heldBytes += chunk.length
    }
    if (this.#heldBytes > this.#holdBytes) this.#source?.pauseAnswer(this.#sink !== null)
  }

  finish(trailers: HeaderList | undefined): void {
    this.#source = null
    this.#ended = true
    this.#trailers = trailers
    this.#deliver()
  }

  break(error: Error): void {
    this.#source = null
    this.#error = error
    this.#deliver()
  }

  // From the receiver -----------------------------------------------------------------------------------------------

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#deliver()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
  }

  cancel(error?: Error): void {
    this.#held = []
    this.#heldBytes = 0
    this.#sink = null
    this.#source?.abandon(error ?? new Error("the receiver wants no more of the answer"))
    this.#source = null
  }

  #deliver(): void {
    if (this.#delivering || this.#sink === null) return
    this.#delivering = true
    while (this.#held.length > 0 && !this.#paused) {
      const piece = this.#held.shift()!
      this.#heldBytes -= piece.length
      this.#sink.data(piece)
    }
    this.#delivering = false
    const sink: ByteSink | null = this.#sink
    if (this.#paused || sink === null) return
    if (this.#error === null && !this.#ended) {
      this.#source?.resumeAnswer()
      return
    }
    this.#sink = null
    if (this.#error !== null) sink.fail(this.#error)
    else sink.end(this.#trailers)
  }
}
