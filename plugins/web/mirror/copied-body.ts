import { ByteStream, type ByteSink, type HeaderList } from "edge"

/**
 * A body on its way to the handler, of which a copy is kept. `onWhole` is called with the copy when the body has ended
 * and was at most `limit` bytes; never sooner, and never where the handler did not read it all.
 */
export class CopiedBody extends ByteStream implements ByteSink {
  readonly length: number
  #source: ByteStream
  #sink: ByteSink | null = null
  #copy: Uint8Array[] | null = []
  #left: number
  #onWhole: (body: Uint8Array) => void

  constructor(source: ByteStream, { limit, onWhole }: { limit: number; onWhole(body: Uint8Array): void }) {
    super()
    this.#source = source
    this.length = source.length
    this.#left = limit
    this.#onWhole = onWhole
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#source.pipe(this)
  }

  pause(): void {
    this.#source.pause()
  }

  resume(): void {
    this.#source.resume()
  }

  cancel(error?: Error): void {
    this.#copy = null
    this.#source.cancel(error)
  }

  data(chunk: Uint8Array): void {
    this.#left -= chunk.byteLength
    if (this.#left < 0) this.#copy = null
    // The bytes are those of a read buffer that others may hold too: they are not written to, and so need no copying.
    else this.#copy?.push(chunk)
    this.#sink!.data(chunk)
  }

  end(trailers?: HeaderList): void {
    const copy = this.#copy
    this.#copy = null
    this.#sink!.end(trailers)
    if (copy !== null) this.#onWhole(copy.length === 1 ? copy[0]! : Buffer.concat(copy))
  }

  fail(error: Error): void {
    this.#copy = null
    this.#sink!.fail(error)
  }
}
