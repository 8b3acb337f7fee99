/**
 * The body of an answer on its way to a client that may be slow. What the client takes goes through at once, as without;
 * what it does not take is received all the same, in memory and then in a file, so that the worker is soon free.
 */
import type { HeaderList } from "../http/message/headers.ts"
import { ByteStream } from "../http/message/stream.ts"
import type { ByteSink } from "../http/message/stream.ts"
import { SpoolFile } from "./spool-file.ts"
import { SpoolMemory } from "./spool-memory.ts"

/** Written to the disk and read from it at once; past twice as much that waits to be written the worker waits too. */
const stepBytes = 262_144

/** Room on the disk that the answers of one app share, in one process. */
export class SpoolDisk {
  #free: number
  /** The disk let us down; told once a minute. */
  readonly #onTrouble: (error: Error) => void
  #toldMs = -Infinity

  constructor(bytes: number, onTrouble: (error: Error) => void) {
    this.#free = bytes
    this.#onTrouble = onTrouble
  }

  take(bytes: number): boolean {
    if (bytes > this.#free) return false
    this.#free -= bytes
    return true
  }

  give(bytes: number): void {
    this.#free += bytes
  }

  trouble(error: Error): void {
    const now = performance.now()
    if (now - this.#toldMs < 60_000) return
    this.#toldMs = now
    this.#onTrouble(error)
  }
}

export class AnswerSpool extends ByteStream implements ByteSink {
  readonly length: number
  readonly #source: ByteStream
  readonly #disk: SpoolDisk
  readonly #memory: SpoolMemory
  #sink: ByteSink | undefined
  /** In the order of the body: what is in memory to be sent, the file, and what waits to be written to it. */
  readonly #held: Uint8Array[] = []
  #file: SpoolFile | undefined
  #late: Uint8Array[] = []
  #lateBytes = 0
  /** Of `#disk`. */
  #taken = 0
  #clientPaused = false
  #sourcePaused = false
  #delivering = false
  /** No more is written to the file: the disk is full. */
  #diskless = false
  #ended = false
  #trailers: HeaderList | undefined
  #error: Error | undefined
  #done = false

  /** `memory`: bytes of this body that may wait in memory. */
  constructor(source: ByteStream, { memory, disk }: { memory: number; disk: SpoolDisk }) {
    super()
    this.length = source.length
    this.#source = source
    this.#disk = disk
    this.#memory = new SpoolMemory(memory)
  }

  // The client's side ---------------------------------------------------------------------------------------------------

  pipe(sink: ByteSink): void {
    this.#sink = sink
    this.#source.pipe(this)
  }

  pause(): void {
    this.#clientPaused = true
  }

  resume(): void {
    this.#clientPaused = false
    this.#deliver()
  }

  cancel(error?: Error): void {
    if (this.#done) return
    this.#close()
    if (!this.#ended) this.#source.cancel(error)
  }

  // The worker's side ---------------------------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    if (this.#done || this.#ended) return
    const straight = this.#held.length === 0 && this.#file === undefined && this.#late.length === 0
    if (straight && !this.#clientPaused && !this.#delivering) return this.#sink!.data(chunk)
    if (this.#file === undefined && this.#late.length === 0 && this.#memory.take(chunk.length)) {
      this.#held.push(chunk)
      return
    }
    this.#late.push(chunk)
    this.#lateBytes += chunk.length
    this.#write()
    this.#throttle()
  }

  end(trailers?: HeaderList): void {
    if (this.#done) return
    this.#ended = true
    this.#trailers = trailers
    this.#write()
    this.#deliver()
  }

  /** What came before it is still sent: the client sees how far it got, as without. */
  fail(error: Error): void {
    if (this.#done) return
    this.#ended = true
    this.#error = error
    this.#write()
    this.#deliver()
  }

  // In between ----------------------------------------------------------------------------------------------------------

  /** Small pieces are gathered, unless they are the last. */
  #write(): void {
    const bytes = this.#lateBytes
    if (bytes === 0 || this.#diskless || this.#file?.writing === true || (bytes < stepBytes && !this.#ended)) return
    if (!this.#disk.take(bytes)) return
    this.#taken += bytes
    try {
      this.#file ??= new SpoolFile()
    } catch (error) {
      return this.#noDisk(error as Error)
    }
    const pieces = this.#late.slice()
    this.#file.append(pieces, error => this.#wrote(error, { pieces: pieces.length, bytes }))
  }

  #wrote(error: Error | null, wrote: { pieces: number; bytes: number }): void {
    if (error !== null) return this.#noDisk(error)
    this.#late.splice(0, wrote.pieces)
    this.#lateBytes -= wrote.bytes
    this.#write()
    this.#throttle()
    this.#deliver()
  }

  /** Nothing is lost: what is not in the file stays in memory, and the worker waits for the client as without. */
  #noDisk(error: Error): void {
    this.#diskless = true
    this.#disk.trouble(error)
    this.#deliver()
  }

  #throttle(): void {
    if (this.#ended) return
    const full = this.#lateBytes >= 2 * stepBytes
    if (full === this.#sourcePaused) return
    this.#sourcePaused = full
    if (full) this.#source.pause()
    else this.#source.resume()
  }

  #deliver(): void {
    if (this.#delivering || this.#sink === undefined) return
    this.#delivering = true
    while (!this.#done && !this.#clientPaused && this.#refill()) {
      const piece = this.#held.shift()!
      this.#memory.give(piece.length)
      this.#sink.data(piece)
    }
    this.#delivering = false
    if (this.#done || this.#clientPaused || this.#held.length > 0) return
    if (!this.#ended || this.#file !== undefined || this.#late.length > 0) return
    this.#close()
    if (this.#error !== undefined) this.#sink.fail(this.#error)
    else this.#sink.end(this.#trailers)
  }

  /** True when there is something in memory to be sent; what is on the disk comes later. */
  #refill(): boolean {
    if (this.#held.length > 0) return true
    const file = this.#file
    if (file !== undefined) {
      if (file.reading) return false
      if (file.unread > 0) {
        file.next(stepBytes, (error, bytes) => this.#read(error, bytes))
        return false
      }
      if (file.writing) return false
      // The client has caught up.
      file.close()
      this.#file = undefined
      this.#giveDisk()
    }
    if (this.#late.length === 0) return false
    this.#held.push(...this.#late)
    this.#late = []
    this.#lateBytes = 0
    this.#throttle()
    return this.#held.length > 0
  }

  #read(error: Error | null, bytes: Uint8Array): void {
    if (this.#done) return
    if (error === null) this.#held.push(bytes)
    else {
      this.#disk.trouble(error)
      this.#close()
      if (!this.#ended) this.#source.cancel(error)
      return this.#sink!.fail(error)
    }
    this.#deliver()
  }

  #giveDisk(): void {
    this.#disk.give(this.#taken)
    this.#taken = 0
  }

  #close(): void {
    this.#done = true
    this.#held.length = 0
    this.#late = []
    this.#file?.close()
    this.#giveDisk()
    this.#memory.giveAll()
  }
}
