import { Flag, type FrameHead } from "./frame.ts"

/** What is taken of the rest of an upload that was answered before its end: bytes, and milliseconds. */
const restBytes = 16 * 1024 * 1024
const restMs = 30_000
/** More are left to Bun to complain of. */
const mostLate = 100

interface Rest {
  left: number
  readonly timer: ReturnType<typeof setTimeout>
}

/** Tells the client: how much more it may send on the connection, or that the stream is over. */
export interface UploadsHost {
  grant(bytes: number): void
  reset(stream: number): void
}

/**
 * Uploads under way on one connection. Bun ends a stream whose answer is complete by RST_STREAM, as RFC 9113, 8.1 allows, and
 * clients that still send (curl 7.88) take that for a broken connection and lose the answer. So the reset is kept back while
 * the rest is taken in, within bounds. Room for all of it is given before the end of the answer, for curl reads nothing after.
 */
export class Uploads {
  readonly #host: UploadsHost
  readonly #open = new Set<number>()
  /** Answered; what is left of them is taken in here. */
  readonly #rests = new Map<number, Rest>()
  /** Answered, and not yet reset by Bun, which it does at once. */
  readonly #resets = new Set<number>()
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
    } else {
      rest.left -= length
      if (ends) this.over(stream)
      else if (rest.left <= 0) this.#stop(stream)
    }
    this.#host.grant(length)
    return "take"
  }

  /** Bun ends its answer. What the client may send more from here on, in bytes: nothing of it goes to Bun. */
  answered(stream: number): number {
    if (!this.#open.has(stream)) return 0
    this.#resets.add(stream)
    this.#rests.set(stream, { left: restBytes, timer: setTimeout(() => this.#stop(stream), restMs) })
    return restBytes
  }

  /** Bun resets the stream, though nothing is wrong with it. True where the client is not to hear of it now. */
  hides(stream: number): boolean {
    return this.#resets.delete(stream)
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
