/** One at a time, in the order of asking. */
export class Lock {
  #held = false
  #since = 0
  readonly #queue: Waiter[] = []

  constructor(
    /** How long one holder is waited for, and what is then thrown. */
    private readonly patience: { readonly ms: number; error(): Error } | undefined = undefined,
  ) {}

  async run<T>(f: () => Promise<T>): Promise<T> {
    await this.#acquire()
    try {
      return await f()
    } finally {
      this.#release()
    }
  }

  #acquire(): Promise<void> | undefined {
    if (!this.#held) {
      this.#held = true
      this.#since = performance.now()
      return undefined
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, timer: undefined }
      this.#queue.push(waiter)
      if (this.patience !== undefined) this.#watch(waiter, { reject, arrived: performance.now() })
    })
  }

  /** A long queue is no fault; one holder that does not end may be waiting for whom it keeps waiting. */
  #watch(waiter: Waiter, o: { reject(error: Error): void; arrived: number }): void {
    const { ms, error } = this.patience!
    const left = ms - (performance.now() - Math.max(this.#since, o.arrived))
    waiter.timer = setTimeout(() => {
      if (performance.now() - Math.max(this.#since, o.arrived) < ms - 1) return this.#watch(waiter, o)
      this.#queue.splice(this.#queue.indexOf(waiter), 1)
      o.reject(error())
    }, Math.max(1, left))
  }

  #release(): void {
    const next = this.#queue.shift()
    if (next === undefined) {
      this.#held = false
      return
    }
    this.#since = performance.now()
    clearTimeout(next.timer)
    next.resolve()
  }
}

interface Waiter {
  resolve(): void
  timer: Timer | undefined
}
