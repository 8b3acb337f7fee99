import type { HeaderList } from "../headers.ts"
import { ByteStream, type ByteSink } from "../stream.ts"

/** What a body asks of the call that fills it. */
export interface BodySource {
  pauseAnswer(patient: boolean): void
  resumeAnswer(): void
  abandon(error: Error): void
}

/** The body of an answer that did not come in one piece with its head. Holds bytes only until somebody pipes it. */
export class ResponseBody extends ByteStream {
  #source: BodySource | null
  #sink: ByteSink | null = null
  #waiting: Buffer[]
  #ended = false
  #trailers: HeaderList | undefined
  #error: Error | null = null

  constructor(
    source: BodySource,
    readonly length: number,
    first: Buffer[],
  ) {
    super()
    this.#source = source
    this.#waiting = first
  }

  // From the call ---------------------------------------------------------------------------------------------------

  push(chunk: Buffer): void {
    if (this.#sink !== null) this.#sink.data(chunk)
    else {
      this.#waiting.push(chunk)
      this.#source?.pauseAnswer(false)
    }
  }

  finish(trailers: HeaderList | undefined): void {
    this.#source = null
    this.#ended = true
    this.#trailers = trailers
    if (this.#sink !== null) this.#sink.end(trailers)
  }

  break(error: Error): void {
    this.#source = null
    this.#error = error
    if (this.#sink !== null) this.#sink.fail(error)
  }

  // From the receiver -----------------------------------------------------------------------------------------------

  pipe(sink: ByteSink): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#source?.resumeAnswer()
    for (const chunk of waiting) sink.data(chunk)
    this.#sink = sink
    if (this.#error !== null) sink.fail(this.#error)
    else if (this.#ended) sink.end(this.#trailers)
  }

  pause(): void {
    this.#source?.pauseAnswer(true)
  }

  resume(): void {
    this.#source?.resumeAnswer()
  }

  cancel(error?: Error): void {
    this.#waiting = []
    this.#source?.abandon(error ?? new Error("the receiver wants no more of the answer"))
    this.#source = null
  }
}
