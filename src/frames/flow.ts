/**
 * Bodies in frames, with credit (docs/worker-protocol.md, "Flow"): each direction of each exchange may have at most
 * 256 kB under way, so that neither a slow client nor a slow worker fills memory.
 */
import { ByteStream } from "../http/message/stream.ts"
import type { ByteSink } from "../http/message/stream.ts"
import { CREDIT, DATA, FrameError, maxPayload } from "./codec.ts"
import type { FrameWriter, HeadBytes } from "./codec.ts"

/** Credit of a direction at its start, in bytes. */
export const startCredit = 262_144
/** The least that is granted at once, in bytes. */
const creditStep = 65_536

/** What a body needs of its connection. */
export interface BodyLink {
  readonly writer: FrameWriter
  /** Calls `body.unblock()` once the socket drained. */
  whenDrained(body: { unblock(): void }): void
}

/** A body that comes in frames. The protocol end calls `push`, `finish` and `fail`; the reader uses it as ByteStream. */
export class Incoming extends ByteStream {
  readonly #link: BodyLink
  readonly #id: number
  readonly #onCancel: (error: Error | undefined) => void
  #sink: ByteSink | undefined
  #queue: Uint8Array[] = []
  #paused = false
  #ended = false
  #error: Error | undefined
  #cancelled = false
  #done = false
  #received = 0
  /** Bytes the peer may still send. */
  #window = startCredit
  /** Bytes consumed and not yet granted back. */
  #eaten = 0

  constructor(
    link: BodyLink,
    id: number,
    readonly options: { length: number; onCancel(error: Error | undefined): void },
  ) {
    super()
    this.#link = link
    this.#id = id
    this.#onCancel = options.onCancel
  }

  get length(): number {
    return this.options.length
  }

  /** The peer sent its last byte, or never will. */
  get over(): boolean {
    return this.#ended || this.#error !== undefined
  }

  /** Throws FrameError when the peer overdraws its credit. */
  push(chunk: Uint8Array): void {
    this.#window -= chunk.length
    if (this.#window < 0) throw new FrameError("more body than credit")
    this.#received += chunk.length
    if (this.length >= 0 && this.#received > this.length) this.#break(new Error("body is longer than its Content-Length"))
    if (this.#cancelled || this.#error !== undefined) this.#consumed(chunk.length)
    else if (this.#sink === undefined || this.#paused || this.#queue.length > 0) this.#queue.push(chunk)
    else this.#deliver(chunk)
  }

  /** The peer said END. */
  finish(): void {
    if (this.length >= 0 && this.#received < this.length) this.fail(new Error("body is shorter than its Content-Length"))
    else {
      this.#ended = true
      this.#settle()
    }
  }

  fail(error: Error): void {
    if (this.over) return
    this.#error = error
    this.#settle()
  }

  pipe(sink: ByteSink): void {
    if (this.#sink !== undefined) throw new TypeError("the body was already read")
    this.#sink = sink
    this.#run()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#run()
  }

  cancel(error?: Error): void {
    if (this.#cancelled || this.#done) return
    this.#cancelled = true
    this.#done = true
    let bytes = 0
    for (const chunk of this.#queue) bytes += chunk.length
    this.#queue = []
    this.#consumed(bytes)
    this.#onCancel(error)
  }

  #break(error: Error): void {
    this.fail(error)
    this.#onCancel(error)
  }

  #run(): void {
    if (this.#sink === undefined) return
    while (this.#queue.length > 0 && !this.#paused && !this.#done) this.#deliver(this.#queue.shift()!)
    this.#settle()
  }

  #deliver(chunk: Uint8Array): void {
    this.#consumed(chunk.length)
    try {
      this.#sink!.data(chunk)
    } catch (error) {
      // One reader's fault must not end the connection that others share.
      this.cancel(error as Error)
    }
  }

  #settle(): void {
    if (this.#done || this.#sink === undefined || this.#queue.length > 0) return
    if (this.#error !== undefined) {
      this.#done = true
      this.#sink.fail(this.#error)
    } else if (this.#ended) {
      this.#done = true
      this.#sink.end()
    }
  }

  #consumed(bytes: number): void {
    this.#eaten += bytes
    if (this.#eaten < creditStep || this.over) return
    this.#link.writer.frame(CREDIT, { id: this.#id, head: this.#eaten })
    this.#window += this.#eaten
    this.#eaten = 0
  }
}

/** A body that goes out in frames: takes a ByteStream, keeps what has no credit yet, and slows the source down. */
export class Outgoing implements ByteSink {
  readonly #link: BodyLink
  readonly #id: number
  readonly #source: ByteStream
  readonly #on: { sent(): void; fail(error: Error): void }
  #queue: Uint8Array[] = []
  #credit = startCredit
  #ended = false
  #begun = false
  #stopped = false
  #paused = false
  #waiting = false
  /** Bytes taken from the source. */
  taken = 0

  /** The receiver has all that came, and could take more. */
  get hungry(): boolean {
    return !this.#ended && !this.#stopped && this.#queue.length === 0 && this.#credit > 0
  }

  /** `on.sent` once END went out, `on.fail` when the source broke. */
  constructor(link: BodyLink, id: number, options: { source: ByteStream; sent(): void; fail(error: Error): void }) {
    this.#link = link
    this.#id = id
    this.#source = options.source
    this.#on = options
  }

  /**
   * Sends the frame that carries the head, with as much of the body as the source gives at once: a small upload or
   * answer is then one frame. `type` is REQUEST or RESPONSE. False when the source failed before anything was sent.
   */
  begin(type: number, head: string | HeadBytes): boolean {
    this.#source.pipe(this)
    if (this.#stopped) return false
    const first = this.#take(Math.min(this.#credit, maxPayload - head.length))
    this.#credit -= first?.length ?? 0
    const end = this.#ended && this.#queue.length === 0
    this.#link.writer.head(type, this.#id, { head, end, body: first })
    this.#begun = true
    if (end) this.#finish()
    else this.#pump()
    return true
  }

  data(chunk: Uint8Array): void {
    if (this.#stopped || chunk.length === 0) return
    this.taken += chunk.length
    this.#queue.push(chunk)
    if (this.#begun) this.#pump()
    else if (this.taken >= this.#credit) this.#pause()
  }

  end(): void {
    this.#ended = true
    if (this.#begun) this.#pump()
  }

  fail(error: Error): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#queue = []
    this.#on.fail(error)
  }

  /** The peer granted more. */
  grant(bytes: number): void {
    this.#credit += bytes
    if (this.#credit > 0x7fffffff) throw new FrameError("credit overflows")
    if (this.#begun) this.#pump()
  }

  unblock(): void {
    this.#waiting = false
    this.#pump()
  }

  /** The peer wants no more, or is gone. */
  stop(error?: Error): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#queue = []
    if (!this.#ended) this.#source.cancel(error)
  }

  #pump(): void {
    const writer = this.#link.writer
    while (!this.#stopped && this.#queue.length > 0 && this.#credit > 0) {
      if (writer.congested) {
        if (!this.#waiting) this.#link.whenDrained(this)
        this.#waiting = true
        break
      }
      const payload = this.#take(Math.min(this.#credit, maxPayload))!
      this.#credit -= payload.length
      const end = this.#ended && this.#queue.length === 0
      writer.frame(DATA, { id: this.#id, payload, end })
      if (end) return this.#finish()
    }
    if (this.#stopped) return
    if (this.#queue.length > 0) this.#pause()
    else if (this.#ended) {
      writer.frame(DATA, { id: this.#id, end: true })
      this.#finish()
    } else if (this.#paused) {
      this.#paused = false
      this.#source.resume()
    }
  }

  #pause(): void {
    if (this.#paused || this.#ended) return
    this.#paused = true
    this.#source.pause()
  }

  #finish(): void {
    this.#stopped = true
    this.#on.sent()
  }

  /** Up to `limit` bytes from the front of the queue, as one piece. */
  #take(limit: number): Uint8Array | null {
    const first = this.#queue[0]
    if (first === undefined) return null
    if (first.length > limit) {
      this.#queue[0] = first.subarray(limit)
      return first.subarray(0, limit)
    }
    this.#queue.shift()
    return first
  }
}
