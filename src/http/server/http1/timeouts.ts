import { clock } from "../../../system/clock.ts"
import type { Timed } from "../../../system/clock.ts"

/** What a connection waits for. */
export const enum Wait {
  Idle,
  Head,
  Body,
  Send,
  Linger,
  HalfClosed,
  Peek,
}

/** An object and not a function: a closure for each of many idle connections would be memory for nothing. */
export interface TimeoutsOwner {
  /** The deadline has passed. */
  timeOut(wait: Wait): void
}

/** The one deadline that a connection has at a time, and how fast a body comes. */
export class Timeouts implements Timed {
  deadline = Infinity
  dueTick = -1
  wait = Wait.Idle
  readonly #owner: TimeoutsOwner
  /** Bytes of the body in this window of time, and whether it was we who did not read. */
  #bytes = 0
  #held = false

  constructor(owner: TimeoutsOwner) {
    this.#owner = owner
  }

  onDeadline(): void {
    this.deadline = Infinity
    this.#owner.timeOut(this.wait)
  }

  start(wait: Wait, ms: number): void {
    this.wait = wait
    this.deadline = performance.now() + ms
    clock.watch(this)
  }

  /** Not put off by what comes in between. */
  startOnce(wait: Wait, ms: number): void {
    if (this.wait !== wait || this.deadline === Infinity) this.start(wait, ms)
  }

  none(): void {
    this.deadline = Infinity
  }

  end(): void {
    this.deadline = Infinity
    clock.forget(this)
  }

  /** A window of `overMs` in which the body is measured; `held`: the socket is not read now. */
  startBody(overMs: number, held: boolean): void {
    if (this.wait === Wait.Body && this.deadline !== Infinity) return
    this.#bytes = 0
    this.#held = held
    this.start(Wait.Body, overMs)
  }

  /** The body has brought so many bytes more. */
  count(bytes: number): void {
    this.#bytes += bytes
  }

  /** Whoever is to wait for us is not slow. */
  held(): void {
    this.#held = true
  }

  /** At the end of a window: the client sent less than it must. */
  isSlow(rate: { bytesPerSecond: number; overMs: number }): boolean {
    return !this.#held && this.#bytes < (rate.bytesPerSecond * rate.overMs) / 1000
  }
}
