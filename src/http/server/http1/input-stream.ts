import type { HeaderList } from "../../message/headers.ts"
import { ByteStream } from "../../message/stream.ts"
import type { ByteSink } from "../../message/stream.ts"

/** Held for a reader that paused or has not come yet; past it the socket is paused. */
const holdBytes = 65_536

/** What an input stream asks of its connection. */
export interface InputHost {
  /** Stop or go on reading the socket. */
  hold(on: boolean): void
}

/** Bytes from a socket on their way to one sink: held while nobody reads, with the socket paused when they are many. */
export class InputStream extends ByteStream {
  readonly length: number
  protected readonly host: InputHost
  protected sink: ByteSink | undefined
  #held: Uint8Array[] = []
  #heldBytes = 0
  #paused = false
  #delivering = false
  #trailers: HeaderList | undefined
  #error: Error | undefined
  /** The last byte was received. */
  complete = false
  /** Nobody wants the bytes: they are dropped. */
  dropped = false

  constructor(host: InputHost, length: number) {
    super()
    this.host = host
    this.length = length
  }

  override get ready(): boolean {
    return this.complete
  }

  override get hungry(): boolean {
    return this.wanted && !this.complete
  }

  /** Somebody reads, and has not asked to wait. */
  get wanted(): boolean {
    return this.sink !== undefined && !this.#paused && !this.dropped
  }

  pipe(sink: ByteSink): void {
    if (this.sink !== undefined) throw new Error("the body was read already")
    this.sink = sink
    if (this.dropped) sink.fail(new Error("the body is gone"))
    else this.#deliver()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (!this.#delivering) this.#deliver()
  }

  cancel(_error?: Error): void {
    this.dropped = true
    this.#held = []
    this.#heldBytes = 0
  }

  protected push(bytes: Uint8Array): void {
    if (this.dropped || bytes.byteLength === 0) return
    if (this.wanted && this.#held.length === 0 && !this.#delivering) this.sink!.data(bytes)
    else {
      this.#held.push(bytes)
      this.#heldBytes += bytes.byteLength
    }
    if (!this.dropped && (this.#heldBytes > holdBytes || (this.#paused && this.sink !== undefined))) this.host.hold(true)
  }

  protected finish(trailers?: HeaderList): void {
    this.complete = true
    this.#trailers = trailers
    if (!this.#delivering) this.#deliver()
  }

  /** The rest will not come. */
  break(error: Error): void {
    if (!this.complete) this.refuse(error)
  }

  /** Fails, even when all of it is here; what the sink has not got yet is dropped. */
  protected refuse(error: Error): void {
    if (this.#error !== undefined || this.dropped) return
    this.#error = error
    this.#held = []
    this.#heldBytes = 0
    if (!this.#delivering) this.#deliver()
  }

  #deliver(): void {
    this.#delivering = true
    while (this.wanted && this.#held.length > 0) {
      const bytes = this.#held.shift()!
      this.#heldBytes -= bytes.byteLength
      this.sink!.data(bytes)
    }
    this.#delivering = false
    // A sink that paused is told too: nobody may resume it any more, and it may hold a file.
    if (this.#error !== undefined && this.sink !== undefined && !this.dropped) {
      this.dropped = true
      return this.sink.fail(this.#error)
    }
    if (!this.wanted || this.#held.length > 0) return
    if (this.complete) {
      this.dropped = true
      this.sink!.end(this.#trailers)
    } else this.host.hold(false)
  }
}
