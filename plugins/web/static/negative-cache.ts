/**
 * Paths that were not there a moment ago, so that a flood for one of them does not stat each time. Bounded: when one
 * table is full it becomes the old one, and the older is dropped whole, at no cost per entry.
 */
export class NegativeCache {
  #now = new Map<string, number>()
  #before = new Map<string, number>()
  readonly #ttlMs: number
  readonly #entries: number

  constructor({ ttlMs, entries }: { ttlMs: number; entries: number }) {
    this.#ttlMs = ttlMs
    this.#entries = entries
  }

  has(path: string, nowMs: number): boolean {
    const at = this.#now.get(path) ?? this.#before.get(path)
    return at !== undefined && nowMs - at < this.#ttlMs
  }

  add(path: string, nowMs: number): void {
    // A long made-up path is worth no memory.
    if (path.length > 256) return
    if (this.#now.size >= this.#entries) {
      this.#before = this.#now
      this.#now = new Map()
    }
    this.#now.set(path, nowMs)
  }
}
