/**
 * A request's body received whole before anybody is given the request: a worker that runs one request at a time must not
 * wait for a slow client, and CGI needs to know the length.
 */
import { streamOf } from "../frames/bodies.ts"
import { HttpError } from "../http/message/errors.ts"
import { ByteStream } from "../http/message/stream.ts"
import type { ByteSink } from "../http/message/stream.ts"
import { noRoom, SpoolFile } from "./spool-file.ts"
import { SpoolMemory } from "./spool-memory.ts"

/** Written to the disk at once; while that lasts, twice as much is taken from the client. */
const stepBytes = 262_144

/**
 * The same body, its length known; at once when all of it is here, else a promise that rejects when it fails before its
 * end. `memory`: bytes that are kept in memory, the rest is in a file. Whoever gets it cancels it when it is done with it;
 * `onAbort` is told whom to call when the client is gone.
 */
export function receiveBody(body: ByteStream, o: { memory: number; onAbort(f: () => void): void }): ByteStream | Promise<ByteStream> {
  const spool = new RequestSpool(body, o.memory)
  if (spool.whole !== undefined) return spool.whole
  o.onAbort(() => spool.fail(new HttpError(499, "the client is gone")))
  return spool.promise
}

class RequestSpool implements ByteSink {
  /** Set when the body ended within the constructor. */
  whole: ByteStream | undefined
  readonly #source: ByteStream
  readonly #memory: SpoolMemory
  readonly #later = Promise.withResolvers<ByteStream>()
  /** In memory; once there is a file, what waits to be written to it. */
  #held: Uint8Array[] = []
  #heldBytes = 0
  #file: SpoolFile | undefined
  #paused = false
  #ended = false
  #failed = false

  constructor(source: ByteStream, memory: number) {
    this.#source = source
    this.#memory = new SpoolMemory(memory)
    source.pipe(this)
  }

  get promise(): Promise<ByteStream> {
    return this.#later.promise
  }

  data(chunk: Uint8Array): void {
    if (this.#failed) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    const room = this.#memory.take(chunk.length)
    if (room && (this.#file === undefined || this.#heldBytes < stepBytes)) return
    this.#write()
    if (this.#failed || (room && this.#heldBytes < 2 * stepBytes)) return
    this.#paused = true
    this.#source.pause()
  }

  end(): void {
    this.#ended = true
    this.#settle()
  }

  fail(error: Error): void {
    this.#stop(error instanceof HttpError ? error : new HttpError(400, error.message, { cause: error }))
  }

  #write(): void {
    try {
      this.#file ??= new SpoolFile()
    } catch (error) {
      return this.#giveUp(error as Error)
    }
    if (this.#file.writing) return
    const bytes = this.#heldBytes
    this.#file.append(this.#held, error => this.#wrote(error, bytes))
    this.#held = []
    this.#heldBytes = 0
  }

  #wrote(error: Error | null, bytes: number): void {
    this.#memory.give(bytes)
    if (this.#failed) return
    if (error !== null) return this.#giveUp(error)
    if (this.#heldBytes >= stepBytes) this.#write()
    if (this.#paused) {
      this.#paused = false
      this.#source.resume()
    }
    this.#settle()
  }

  #settle(): void {
    const file = this.#file
    if (!this.#ended || this.#failed || file?.writing === true) return
    if (file === undefined) return this.#done(new Kept(this.#held, this.#heldBytes, this.#memory))
    if (this.#heldBytes > 0) return this.#write()
    this.#done(streamOf({ fd: file.fd, start: 0, end: file.size, close: () => file.close() }))
  }

  #done(body: ByteStream): void {
    this.whole = body
    this.#later.resolve(body)
  }

  #giveUp(cause: Error): void {
    const error = noRoom(cause)
    if (!this.#ended) this.#source.cancel(error)
    this.#stop(error)
  }

  #stop(error: HttpError): void {
    if (this.#failed || this.whole !== undefined) return
    this.#failed = true
    this.#held = []
    this.#memory.giveAll()
    this.#file?.close()
    this.#later.reject(error)
  }
}

/** One in memory. */
class Kept extends ByteStream {
  readonly length: number
  readonly #memory: SpoolMemory
  #chunks: Uint8Array[]

  constructor(chunks: Uint8Array[], length: number, memory: SpoolMemory) {
    super()
    this.#chunks = chunks
    this.length = length
    this.#memory = memory
  }

  /** In one piece: one frame carries it to the worker. */
  pipe(sink: ByteSink): void {
    const chunks = this.#chunks
    this.cancel()
    if (chunks.length > 0) sink.data(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, this.length))
    sink.end()
  }

  pause(): void {}
  resume(): void {}
  cancel(): void {
    this.#chunks = []
    this.#memory.giveAll()
  }
}
