import { ByteStream, HttpError } from "edge"
import type { Reply } from "edge"

/** Grain of the deadline, in ms. */
const sweepMs = 100

interface Waiting {
  readonly untilMs: number
  expire(): void
}

/** Answers 504 for what takes too long. One timer for all: a timer for each request costs a microsecond. */
export class Deadlines {
  readonly #timeoutMs: number
  /** In the order of their deadlines, since all wait equally long. */
  readonly #waiting = new Set<Waiting>()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  within(reply: Promise<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let late = false
      const waiting: Waiting = {
        untilMs: performance.now() + this.#timeoutMs,
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
      if (waiting.untilMs > now) return
      this.#waiting.delete(waiting)
      waiting.expire()
    }
    if (this.#waiting.size === 0) this.stop()
  }
}
