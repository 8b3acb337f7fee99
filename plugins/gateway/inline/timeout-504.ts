import { ByteStream, HttpError } from "edge"
import type { Reply } from "edge"

/** Grain of the deadline, in ms. */
const sweepMs = 100

interface Waiting {
  untilMs: number
  readonly body: ByteStream | null
  expire(): void
}

/** Answers 504 for what takes too long. One timer for all: a timer for each request costs a microsecond. */
export class Timeouts {
  readonly #timeoutMs: number
  readonly #waiting = new Set<Waiting>()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** A body that the app has begun to read and that still comes holds the clock: the client's pace is no fault of the app. */
  within(reply: Promise<Reply>, body: ByteStream | null): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let late = false
      const waiting: Waiting = {
        untilMs: performance.now() + this.#timeoutMs,
        body,
        expire: () => {
          late = true
          reject(new HttpError(504, "the app did not answer in time"))
        },
      }
      this.#waiting.add(waiting)
      this.#timer ??= setInterval(() => this.#sweep(), Math.min(sweepMs, this.#timeoutMs))
      reply.then(
        value => {
          this.#waiting.delete(waiting)
          if (late && value.body instanceof ByteStream) value.body.cancel()
          resolve(value)
        },
        (error: unknown) => {
          this.#waiting.delete(waiting)
          reject(error as Error)
        },
      )
    })
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #sweep(): void {
    const now = performance.now()
    for (const waiting of this.#waiting) {
      // As late as the next look may be: a deadline is never early.
      if (waiting.body?.hungry === true) waiting.untilMs = now + this.#timeoutMs + sweepMs
      if (waiting.untilMs > now) continue
      this.#waiting.delete(waiting)
      waiting.expire()
    }
    if (this.#waiting.size === 0) this.stop()
  }
}
