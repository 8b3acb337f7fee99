/**
 * Entries in memory, bounded in bytes. Which ones stay is decided as in S3-FIFO (Yang et al., SOSP 2023): a new entry
 * begins in a small queue and reaches the main one only when it was used there, so a crawler that asks for everything
 * once drives nothing out. A hit changes one number; a list in order of use would cost more than the look-up.
 */
import type { CacheEntry } from "./entry.ts"
import { VariantGroup } from "./variants.ts"
import { variantKey } from "../key/vary.ts"

/** The small queue's part of the bytes. */
const SMALL = 0.1
/** Keys of entries that left the small queue unused: one that comes back is wanted after all. */
const MOST_GHOSTS = 20_000
const MOST_USES = 3

interface Queue {
  readonly entries: Set<CacheEntry>
  bytes: number
}

export class MemoryStore {
  readonly #groups = new Map<string, VariantGroup>()
  readonly #small: Queue = { entries: new Set(), bytes: 0 }
  readonly #main: Queue = { entries: new Set(), bytes: 0 }
  readonly #ghosts = new Set<number>()
  readonly #max: { readonly bytes: number; readonly variants: number }

  constructor(max: { bytes: number; variants: number }) {
    this.#max = max
  }

  get bytes(): number {
    return this.#small.bytes + this.#main.bytes
  }

  get size(): number {
    return this.#small.entries.size + this.#main.entries.size
  }

  get groups(): Iterable<VariantGroup> {
    return this.#groups.values()
  }

  get(base: string): VariantGroup | undefined {
    return this.#groups.get(base)
  }

  /** In place of the one for the same requests. False: it is too large. */
  put(entry: CacheEntry): boolean {
    const group = this.#groups.get(entry.base) ?? new VariantGroup(entry.base)
    const key = variantKey(entry.selectors)
    const same = group.entries.find(one => one.extra === entry.extra && variantKey(one.selectors) === key && (one.partial === undefined) === (entry.partial === undefined))
    const queue = same?.queue
    if (same !== undefined) this.delete(same)
    if (entry.cost > this.#max.bytes) return false
    while (group.entries.length >= this.#max.variants) this.delete(group.entries.at(-1)!)
    group.entries.unshift(entry)
    this.#groups.set(entry.base, group)
    this.#enter(entry, queue === "main" || this.#ghosts.delete(ghostOf(entry)) ? "main" : "small")
    this.#makeRoom()
    return true
  }

  delete(entry: CacheEntry): void {
    const group = this.#groups.get(entry.base)
    if (group === undefined || entry.queue === undefined) return
    this.#leave(entry)
    group.entries.splice(group.entries.indexOf(entry), 1)
    if (group.entries.length === 0) this.#groups.delete(entry.base)
  }

  deleteGroup(base: string): number {
    const entries = this.#groups.get(base)?.entries.slice() ?? []
    for (const entry of entries) this.delete(entry)
    return entries.length
  }

  #enter(entry: CacheEntry, name: "small" | "main"): void {
    const queue = name === "small" ? this.#small : this.#main
    entry.queue = name
    queue.entries.add(entry)
    queue.bytes += entry.cost
  }

  #leave(entry: CacheEntry): void {
    const queue = entry.queue === "small" ? this.#small : this.#main
    queue.entries.delete(entry)
    queue.bytes -= entry.cost
    entry.queue = undefined
  }

  #makeRoom(): void {
    while (this.bytes > this.#max.bytes) {
      const fromSmall = this.#small.bytes > this.#max.bytes * SMALL || this.#main.entries.size === 0
      const [oldest] = fromSmall ? this.#small.entries : this.#main.entries
      if (fromSmall) this.#promote(oldest!)
      else this.#age(oldest!)
    }
  }

  #promote(entry: CacheEntry): void {
    if (entry.uses > 0) {
      this.#leave(entry)
      entry.uses = 0
      this.#enter(entry, "main")
      return
    }
    if (this.#ghosts.size >= MOST_GHOSTS) for (const first of this.#ghosts) {
      this.#ghosts.delete(first)
      break
    }
    this.#ghosts.add(ghostOf(entry))
    this.delete(entry)
  }

  #age(entry: CacheEntry): void {
    if (entry.uses === 0) return this.delete(entry)
    this.#leave(entry)
    entry.uses = Math.min(entry.uses, MOST_USES) - 1
    this.#enter(entry, "main")
  }
}

function ghostOf({ base, extra, selectors }: CacheEntry): number {
  return Number(Bun.hash.xxHash32(`${base}\n${extra}\n${variantKey(selectors)}`))
}
