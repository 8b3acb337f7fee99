import { HttpError } from "../../message/errors.ts"
import type { Exchange } from "../../message/exchange.ts"
import type { HeaderList } from "../../message/headers.ts"
import type { Limits } from "../limits.ts"
import { ByteStream } from "../../message/stream.ts"
import type { ByteSink } from "../../message/stream.ts"

/** The body of a request of Bun.serve, bounded by what its exchange allows. */
export class LimitedBody extends ByteStream {
  readonly length: number
  readonly #inner: ByteStream
  readonly #limits: Limits
  /** Whose body it is. */
  x: Exchange | undefined
  #sink: ByteSink | undefined
  #size = 0
  /** Nobody wants it, or it is refused: its bytes are counted and dropped. */
  #dropping = false
  #dropped = 0
  #paused = false
  #over = false

  constructor(request: Request, limits: Limits) {
    super()
    const length = request.headers.get("content-length")
    this.length = length === null ? -1 : Number(length)
    this.#inner = ByteStream.from(request.body!, this.length)
    this.#limits = limits
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    const limit = this.#limit
    if (this.length > limit) this.#refuse()
    this.#inner.pipe({
      data: chunk => this.#data(chunk, limit),
      end: trailers => this.#end(trailers),
      fail: error => {
        if (!this.#dropping) sink.fail(error)
        this.#over = true
      },
    })
  }

  override get hungry(): boolean {
    return this.#sink !== undefined && !this.#paused && !this.#over && !this.#dropping
  }

  pause(): void {
    this.#paused = true
    this.#inner.pause()
  }
  resume(): void {
    this.#paused = false
    this.#inner.resume()
  }

  cancel(): void {
    this.#dropping = true
    this.#inner.resume()
  }

  get #limit(): number {
    const own = this.x?.bodyLimit ?? -1
    return own >= 0 ? own : this.#limits.bodyBytes
  }

  #data(chunk: Uint8Array, limit: number): void {
    if (this.#over) return
    this.#size += chunk.byteLength
    if (!this.#dropping && this.#size > limit) this.#refuse()
    if (!this.#dropping) return this.#sink!.data(chunk)
    this.#dropped += chunk.byteLength
    if (this.#dropped <= this.#limits.drainBytes) return
    this.#inner.cancel()
    this.#over = true
  }

  #end(trailers: HeaderList | undefined): void {
    if (!this.#dropping) {
      if (this.length >= 0 && this.#size !== this.length) this.#sink!.fail(new HttpError(400, "a body of another length"))
      else this.#sink!.end(trailers)
    }
    this.#over = true
  }

  #refuse(): void {
    if (this.#dropping) return
    this.#dropping = true
    this.#sink!.fail(new HttpError(413, "the body is too long"))
  }
}
