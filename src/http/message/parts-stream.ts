import { read } from "node:fs"
import { type ByteSink, ByteStream } from "./stream.ts"

/** Bytes, or a span of an open file; `end` is exclusive. */
export type Part = Uint8Array | { readonly fd: number; readonly start: number; readonly end: number }

const CHUNK = 256 * 1024

/** Bytes and pieces of files behind each other as one body, read one chunk at a time off the event loop. */
export class PartsStream extends ByteStream {
  readonly length: number
  readonly #parts: readonly Part[]
  readonly #close: () => void
  #sink: ByteSink | undefined
  #part = 0
  /** Bytes of the current part that are on their way already. */
  #done = 0
  #paused = false
  #busy = false
  #open = true

  /** `close` is called once: at the end, on a failure, or on cancel. */
  constructor(parts: readonly Part[], close: () => void) {
    super()
    this.#parts = parts
    this.#close = close
    this.length = parts.reduce((sum, part) => sum + sizeOf(part), 0)
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#next()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#next()
  }

  cancel(): void {
    this.#finish()
  }

  #next(): void {
    while (this.#open && !this.#paused && !this.#busy && this.#sink !== undefined) {
      const part = this.#parts[this.#part]
      if (part === undefined) {
        this.#finish()
        this.#sink.end()
      } else if (part instanceof Uint8Array) {
        this.#part++
        if (part.byteLength > 0) this.#sink.data(part)
      } else this.#read(part)
    }
  }

  #read({ fd, start, end }: Exclude<Part, Uint8Array>): void {
    const from = start + this.#done
    const size = Math.min(CHUNK, end - from)
    if (size <= 0) {
      this.#part++
      this.#done = 0
      return
    }
    this.#busy = true
    read(fd, Buffer.allocUnsafeSlow(size), 0, size, from, (error, bytesRead, buffer) => {
      this.#busy = false
      // A descriptor is closed only when no read is under way: its number may belong to another file at once.
      if (!this.#open) return this.#close()
      if (error !== null || bytesRead === 0) {
        this.#finish()
        this.#sink!.fail(error ?? new Error("the file became shorter while it was sent"))
        return
      }
      this.#done += bytesRead
      this.#sink!.data(buffer.subarray(0, bytesRead))
      this.#next()
    })
  }

  #finish(): void {
    if (!this.#open) return
    this.#open = false
    if (!this.#busy) this.#close()
  }
}

function sizeOf(part: Part): number {
  return part instanceof Uint8Array ? part.byteLength : part.end - part.start
}
