/** Longest text that is remembered. */
const longest = 2048

/** Remembers what some texts meant, at most `most` of them: heads repeat, and reading one costs ten times a look-up. */
export class Recent<V> {
  readonly #most: number
  readonly #values = new Map<string, V>()

  constructor(most: number) {
    this.#most = most
  }

  get(text: string): V | undefined {
    return this.#values.get(text)
  }

  set(text: string, value: V): void {
    if (text.length > longest) return
    // All at once: to know the oldest would cost more than to read some again.
    if (this.#values.size >= this.#most) this.#values.clear()
    this.#values.set(text, value)
  }
}
