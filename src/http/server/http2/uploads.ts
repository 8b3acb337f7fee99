import { ErrorCode, Flag, type FrameHead } from "./frame.ts"

/** What is taken of the rest of an upload that was answered before its end: bytes, and milliseconds. */
const restBytes = 16 * 1024 * 1024
const restMs = 30_000
/** More are left to Bun to complain of. */
const mostLate = 100

interface Rest {
  left: number
  readonly timer: ReturnType<typeof setTimeout>
}

/** What the head of an upload says of its length, and what came. */
interface Upload {
  /** -1: nothing that can be held against it. */
  declared: number
  received: number
}

/** Tells the client: how much more it may send on the connection, or that the stream is over. */
export interface UploadsHost {
  grant(bytes: number): void
  reset(stream: number, code: ErrorCode): void
}

/**
 * Uploads under way on one connection. Bun ends a stream whose answer is complete by RST_STREAM, as RFC 9113, 8.1 allows, and
 * clients that still send (curl 7.88) take that for a broken connection and lose the answer. So the reset is kept back while
 * the rest is taken in, within bounds. Room for all of it is given before the end of the answer, for curl reads nothing after.
 */
export class Uploads {
  readonly #host: UploadsHost
  readonly #open = new Map<number, Upload>()
  /** Answered; what is left of them is taken in here. */
  readonly #rests = new Map<number, Rest>()
  /** Answered, and not yet reset by Bun, which it does at once. */
  readonly #resets = new Set<number>()
  /** Reset, and the client not yet aware. */
  readonly #late = new Set<number>()

  constructor(host: UploadsHost) {
    this.#host = host
  }

  /** `declared`: Content-Length, or -1. */
  begun(stream: number, declared: number): void {
    this.#open.set(stream, { declared, received: 0 })
  }

  has(stream: number): boolean {
    return this.#open.has(stream)
  }

  /** The client breaks the rules on a stream (RFC 9113, 8.1.1). True where Bun has not answered it, and must give it up. */
  malformed(stream: number): boolean {
    const open = !this.#rests.has(stream)
    this.#stop(stream, ErrorCode.Protocol)
    return open
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
      else if (rest.left <= 0) this.#stop(stream, ErrorCode.None)
    }
    this.#host.grant(length)
    return "take"
  }

  /** Asked of each DATA frame first: more than its Content-Length says, or an end before it. Padding hides what a frame brings. */
  isWrong({ stream, flags, length }: FrameHead): boolean {
    const upload = this.#open.get(stream)
    if (upload === undefined || upload.declared < 0) return false
    if ((flags & Flag.Padded) !== 0) upload.declared = -1
    upload.received += length
    return upload.declared >= 0 && ((flags & Flag.EndStream) !== 0 ? upload.received !== upload.declared : upload.received > upload.declared)
  }

  /** Bun ends its answer. What the client may send more from here on, in bytes: nothing of it goes to Bun. */
  answered(stream: number): number {
    if (!this.#open.has(stream)) return 0
    this.#resets.add(stream)
    this.#rests.set(stream, { left: restBytes, timer: setTimeout(() => this.#stop(stream, ErrorCode.None), restMs) })
    return restBytes
  }

  /** Bun resets the stream, though nothing is wrong with it. True where the client is not to hear of it now. */
  hides(stream: number): boolean {
    return this.#resets.delete(stream)
  }

  #stop(stream: number, code: ErrorCode): void {
    this.over(stream)
    if (this.#late.size < mostLate) this.#late.add(stream)
    this.#host.reset(stream, code)
  }

  close(): void {
    for (const stream of this.#rests.keys()) this.over(stream)
  }
}
