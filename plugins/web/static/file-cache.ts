import type { CachedFile } from "./files.ts"

/**
 * Entries by path, bounded in bytes and number. A hit changes one flag; only when room is needed are the oldest asked
 * whether they were used since (second chance). A list in order of use would cost more than the look-up at every hit.
 */
export class FileCache {
  readonly #entries = new Map<string, CachedFile>()
  readonly #max: { readonly bytes: number; readonly files: number }
  #bytes = 0

  constructor(max: { bytes: number; files: number }) {
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(path: string): CachedFile | undefined {
    const entry = this.#entries.get(path)
    if (entry !== undefined) entry.used = true
    return entry
  }

  set(path: string, entry: CachedFile): void {
    this.delete(path)
    const cost = costOf(path, entry)
    if (cost > this.#max.bytes) return
    this.#makeRoom(cost)
    this.#entries.set(path, entry)
    this.#bytes += cost
  }

  delete(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    this.#bytes -= costOf(path, entry)
  }

  #makeRoom(cost: number): void {
    for (const [path, entry] of this.#entries) {
      if (this.#bytes + cost <= this.#max.bytes && this.#entries.size < this.#max.files) return
      if (entry.used) {
        entry.used = false
        this.#entries.delete(path)
        this.#entries.set(path, entry)
      } else this.delete(path)
    }
  }
}

function costOf(path: string, entry: CachedFile): number {
  return entry.bytes + 2 * path.length
}
