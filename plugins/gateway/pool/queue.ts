import type { Exchange, Reply } from "edge"

/** One request that waits for a slot. */
export class Waiter {
  /** How many times it is sent in all, this one included: one whose workers die goes back to the queue. */
  tries = 1
  before: Waiter | undefined
  after: Waiter | undefined
  queue: Queue | undefined
  /** It is in the page's count of requests that wait. */
  counted = false

  constructor(
    readonly x: Exchange,
    readonly when: {
      /** `stamp()` of its arrival. */
      readonly since: number
      /** performance.now past which it is answered 503. */
      readonly deadlineMs: number
    },
    readonly resolve: (reply: Reply | Promise<Reply>) => void,
    readonly reject: (error: Error) => void,
  ) {}
}

/** First in, first out; anyone may leave from the middle at once (its client is gone). */
export class Queue {
  head: Waiter | undefined
  #tail: Waiter | undefined
  size = 0

  push(waiter: Waiter): void {
    waiter.queue = this
    waiter.before = this.#tail
    if (this.#tail === undefined) this.head = waiter
    else this.#tail.after = waiter
    this.#tail = waiter
    this.size++
  }

  /** Before all others. */
  unshift(waiter: Waiter): void {
    waiter.queue = this
    waiter.after = this.head
    if (this.head === undefined) this.#tail = waiter
    else this.head.before = waiter
    this.head = waiter
    this.size++
  }

  remove(waiter: Waiter): void {
    if (waiter.queue !== this) return
    if (waiter.before === undefined) this.head = waiter.after
    else waiter.before.after = waiter.after
    if (waiter.after === undefined) this.#tail = waiter.before
    else waiter.after.before = waiter.before
    waiter.before = waiter.after = waiter.queue = undefined
    this.size--
  }
}
