/** Signals, exits and commands only queue here; the supervisor's loop takes them one by one and acts. */
export class EventQueue<E> {
  readonly #waiting: E[] = []
  #wake: ((event: E) => void) | undefined

  push(event: E): void {
    const wake = this.#wake
    if (wake === undefined) {
      this.#waiting.push(event)
      return
    }
    this.#wake = undefined
    wake(event)
  }

  next(): Promise<E> {
    const event = this.#waiting.shift()
    if (event !== undefined) return Promise.resolve(event)
    return new Promise(resolve => (this.#wake = resolve))
  }
}
