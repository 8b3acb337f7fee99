import { Flag, type FrameHead } from "./frame.ts"

/** What is taken of the rest of an upload that was answered before its end: bytes, and milliseconds. */
const restBytes = 16 * 1024 * 1024
const restMs = 30_000
/** More are left to Bun to complain of. */
const mostLate = 100
/** Room to send given at first: what the client has left of its window is not known. */
const firstCredit = 1024 * 1024

interface Rest {
  left: number
  readonly timer: ReturnType<typeof setTimeout>
}

/** Tells the client: how much more it may send on a stream and on the connection, or that the stream is over. */
export interface UploadsHost {
  grant(stream: number, o: { stream: number; connection: number }): void
  reset(stream: number): void
}

/**
 * Uploads under way on one connection. Bun ends a stream whose answer is complete by RST_STREAM, as RFC 9113, 8.1 allows, and
 * clients that still send (curl 7.88) take that for a broken connection and lose the answer. So the reset is kept back while
 * the rest is taken in, within bounds.
 */
export class Uploads {
  readonly #host: UploadsHost
  readonly #open = new Set<number>()
  /** Answered and reset by Bun. */
  readonly #rests = new Map<number, Rest>()
  /** Reset, and the client not yet aware. */
  readonly #late = new Set<number>()

  constructor(host: UploadsHost) {
    this.#host = host
  }

  begun(stream: number): void {
    this.#open.add(stream)
  }

  /** The client has sent all, or has given it up. */
  over(stream: number): void {
    this.#open.delete(stream)
    this.#late.delete(stream)
    const rest = this.#rests.get(stream)
    if (rest === undefined) return
    clearTimeout(rest.timer)
    this.#rests.delete(stream)
  }

  /** A DATA frame of the client. */
  data({ stream, flags, length }: FrameHead): "pass" | "take" {
    const ends = (flags & Flag.EndStream) !== 0
    const rest = this.#rests.get(stream)
    if (rest === undefined) {
      if (ends) this.#open.delete(stream)
      if (!this.#late.has(stream)) return "pass"
      if (ends) this.#late.delete(stream)
      this.#host.grant(stream, { stream: 0, connection: length })
      return "take"
    }
    rest.left -= length
    if (ends) this.over(stream)
    else if (rest.left < 0) this.#stop(stream)
    this.#host.grant(stream, { stream: ends || rest.left < 0 ? 0 : length, connection: length })
    return "take"
  }

  /** Bun resets the stream, though nothing is wrong with it. True where the client is not to hear of it now. */
  keepsBack(stream: number): boolean {
    if (!this.#open.has(stream)) return false
    this.#rests.set(stream, { left: restBytes, timer: setTimeout(() => this.#stop(stream), restMs) })
    this.#host.grant(stream, { stream: firstCredit, connection: 0 })
    return true
  }

  #stop(stream: number): void {
    this.over(stream)
    if (this.#late.size < mostLate) this.#late.add(stream)
    this.#host.reset(stream)
  }

  close(): void {
    for (const stream of this.#rests.keys()) this.over(stream)
  }
}
