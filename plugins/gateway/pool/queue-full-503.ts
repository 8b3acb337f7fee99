import type { Logger, SlotClaims } from "edge"
import { HttpError } from "edge"

/** A flood is one line now and then, not one each: the log must not be what breaks under it. */
const sayMs = 10_000

/** The 503 of a full queue: every worker is busy and no more may wait, or one waited too long. */
export class QueueFull {
  readonly #claims: SlotClaims
  readonly #log: Logger
  /** One for all: making an error costs more than the whole refusal. */
  readonly #error: HttpError
  #count = 0
  #timer: Timer | undefined

  constructor({ waitMs, claims, log }: { waitMs: number; claims: SlotClaims; log: Logger }) {
    this.#claims = claims
    this.#log = log
    // RFC 9110, 10.2.3: the queue has turned over by then.
    const seconds = String(Math.max(1, Math.ceil(waitMs / 1000)))
    this.#error = new HttpError(503, "every worker is busy", { headers: [["Retry-After", seconds]], quiet: true })
  }

  /** Counts one and gives the error to answer it with. */
  next(): HttpError {
    this.#claims.countRefusal()
    this.#count++
    if (this.#timer === undefined) {
      this.#say()
      this.#timer = setInterval(() => this.#say(), sayMs)
    }
    return this.#error
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #say(): void {
    if (this.#count > 0) this.#log.warn(`every worker is busy: ${this.#count} answered with 503`)
    else {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#count = 0
  }
}
