/** A body on its way into the cache, read by several clients meanwhile. */
import { type ByteSink, ByteStream, type HeaderList } from "edge"

export interface FillOptions {
  /** Content-Length, or -1. */
  readonly length: number
  /** Takes so many bytes more out of what fills may hold; false: no more, it is not to be kept. */
  reserve(bytes: number): boolean
  /** All of it came. */
  done(body: Uint8Array): void
  /** It did not, or it is too large to be kept. */
  failed(error: Error | "too large"): void
}

/** What waits in front of a slow reader once the body is no longer kept. */
const AHEAD = 256 * 1024

/**
 * Takes the body at the origin's pace and holds it until it is complete, so that one slow client holds up neither the
 * origin nor the others. Past the limits it is kept no longer, and goes on to its one reader at that reader's pace.
 */
export class Fill implements ByteSink {
  readonly #source: ByteStream
  readonly #options: FillOptions
  readonly #readers = new Set<FillReader>()
  #chunks: Uint8Array[] = []
  /** Chunks and bytes that were let go, in front of the first of `chunks`. */
  #gone = 0
  #goneBytes = 0
  #size = 0
  #storing = true
  #sourcePaused = false
  #trailers: HeaderList | undefined
  /** Undefined while it comes; null: complete. */
  #outcome: Error | null | undefined

  constructor(source: ByteStream, options: FillOptions) {
    this.#source = source
    this.#options = options
  }

  get length(): number {
    return this.#options.length
  }

  /** Another reader from the first byte on, or of a part; only while nothing was let go. */
  reader(span: { start: number; end: number } = { start: 0, end: this.length }): ByteStream {
    const reader = new FillReader(this, span)
    this.#readers.add(reader)
    return reader
  }

  start(): void {
    this.#source.pipe(this)
  }

  data(chunk: Uint8Array): void {
    if (this.#outcome !== undefined || chunk.byteLength === 0) return
    this.#size += chunk.byteLength
    this.#chunks.push(chunk)
    if (this.#storing && !this.#options.reserve(chunk.byteLength)) this.#letGo()
    for (const reader of this.#readers) reader.deliver()
    if (!this.#storing) this.#trim()
  }

  end(trailers?: HeaderList): void {
    if (this.#outcome !== undefined) return
    if (this.length >= 0 && this.#size !== this.length) return this.fail(new Error(`a body of ${this.#size} bytes, not ${this.length}`))
    this.#outcome = null
    this.#trailers = trailers
    if (this.#storing) this.#options.done(this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks))
    for (const reader of this.#readers) reader.deliver()
  }

  fail(error: Error): void {
    if (this.#outcome !== undefined) return
    this.#outcome = error
    if (this.#storing) this.#options.failed(error)
    this.#storing = false
    for (const reader of this.#readers) reader.deliver()
  }

  #letGo(): void {
    this.#storing = false
    this.#options.failed("too large")
    if (this.#readers.size === 0) this.#abandon()
  }

  #abandon(): void {
    this.#outcome = new Error("nobody wants the body")
    this.#chunks = []
    this.#source.cancel(this.#outcome)
  }

  // For its readers -------------------------------------------------------------------------------------------------

  /** The n-th chunk; undefined when it has not come. */
  chunk(n: number): Uint8Array | undefined {
    return this.#chunks[n - this.#gone]
  }

  /** Undefined while more comes; null at the end. */
  get outcome(): Error | null | undefined {
    return this.#outcome
  }

  get trailers(): HeaderList | undefined {
    return this.#trailers
  }

  took(): void {
    if (!this.#storing && this.#outcome === undefined) this.#trim()
  }

  leave(reader: FillReader): void {
    this.#readers.delete(reader)
    if (this.#readers.size === 0 && !this.#storing && this.#outcome === undefined) this.#abandon()
  }

  /** Forgets what every reader has, and lets the source wait for the slowest. */
  #trim(): void {
    let least = this.#size
    for (const { at } of this.#readers) least = Math.min(least, at)
    while (this.#chunks.length > 0 && this.#goneBytes + this.#chunks[0]!.byteLength <= least) {
      this.#goneBytes += this.#chunks.shift()!.byteLength
      this.#gone++
    }
    const wait = this.#size - least > AHEAD
    if (wait === this.#sourcePaused) return
    this.#sourcePaused = wait
    if (wait) this.#source.pause()
    else this.#source.resume()
  }
}

class FillReader extends ByteStream {
  readonly length: number
  readonly #fill: Fill
  readonly #end: number
  /** Of the body: where it goes on. */
  at: number
  /** The chunk that it goes on in, and where that begins. */
  #chunk = 0
  #chunkAt = 0
  #sink: ByteSink | undefined
  #paused = false
  #delivering = false

  constructor(fill: Fill, { start, end }: { start: number; end: number }) {
    super()
    this.#fill = fill
    this.at = start
    this.#end = end < 0 ? Infinity : end
    this.length = end < 0 ? -1 : end - start
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.deliver()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.deliver()
  }

  cancel(): void {
    this.#sink = undefined
    this.#fill.leave(this)
  }

  deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    while (this.#sink !== undefined && !this.#paused && this.at < this.#end) {
      const chunk = this.#fill.chunk(this.#chunk)
      if (chunk === undefined) break
      const end = this.#chunkAt + chunk.byteLength
      const piece = chunk.subarray(this.at - this.#chunkAt, Math.min(end, this.#end) - this.#chunkAt)
      if (end <= this.#end) {
        this.#chunk++
        this.#chunkAt = end
      }
      if (this.at >= end) continue
      this.at += piece.byteLength
      this.#sink.data(piece)
    }
    this.#delivering = false
    this.#fill.took()
    this.#finish()
  }

  #finish(): void {
    const sink = this.#sink
    if (sink === undefined || this.#paused) return
    const { outcome, trailers } = this.#fill
    const more = this.#fill.chunk(this.#chunk) !== undefined
    const complete = this.at >= this.#end || (outcome === null && !more)
    if (!complete && (outcome === undefined || more)) return
    this.#sink = undefined
    this.#fill.leave(this)
    if (complete) sink.end(trailers)
    else sink.fail(outcome as Error)
  }
}
