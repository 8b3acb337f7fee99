/**
 * Counts of one rule, shared by all fronts: a bounded hash table in a page of words, changed by compare-and-swap only, so
 * that a front killed between any two instructions leaves nothing locked.
 *
 * A bucket is 8 fingerprints and 8 records (256 bytes). A count is one word with the number of its window in it (12 bits
 * of 32), so that one swap both begins a window and counts in it; 20 bits bound a limit to a million. A key that comes
 * back after exactly 4096 windows finds an old count as if it were new, for two windows.
 *
 * A key without a place takes that of the key with the smallest count and inherits this count (Metwally's Space-Saving),
 * so no count is ever too small: whoever floods the table with keys gets no limit reset, neither his own.
 * (Least recently used was declined: it forgets exactly the one who pauses while he floods.)
 */
import { type FrontPage, KeyedHash } from "edge"
import { bucketsFor, bucketWords, countBits, countOf, field, head, headWords, mostCount, pack, recordWords, tagMask, ways } from "./layout.ts"

export interface TableOptions {
  readonly limit: number
  readonly windowMs: number
  /** Keys that have a place; rounded up. */
  readonly keys: number
}

export class CountTable {
  readonly #page: FrontPage
  readonly #limit: number
  readonly #windowMs: number
  readonly #mask: number
  #words: Int32Array
  #hash: KeyedHash | undefined
  /** Of the last `take`: what is left now, in requests. */
  left = 0
  /** Of the last `take`: until one more would be let in, in ms; until the window ends when it was let in. */
  waitMs = 0
  /** Of the last `take`: its window. */
  window = 0

  constructor(page: FrontPage, { limit, windowMs, keys }: TableOptions) {
    this.#page = page
    this.#limit = limit
    this.#windowMs = windowMs
    this.#mask = bucketsFor(keys) - 1
    this.#words = new Int32Array(headWords)
  }

  /** Keys that took the place of another one with a count, in all. */
  get displaced(): number {
    return Atomics.load(this.#words, head.displaced)
  }

  /** Counts one request; false when the limit is reached. */
  take(key: string, now: number): boolean {
    this.#hash ??= this.#open()
    this.#hash.update(key)
    const { print, low } = this.#hash
    const place = now / this.#windowMs
    let window = Math.floor(place)
    let part = place - window
    const words = this.#words
    for (;;) {
      const way = this.#find(print, { low, window, part })
      const record = this.#recordAt(low, way)
      const at = record + field.used + (window & 1)
      const word = Atomics.load(words, at)
      if (word !== 0 && (((word >>> countBits) - window) & tagMask) === 2) {
        // Another front's clock is past this window already: we were stopped in between.
        window += 2
        part = 0
        continue
      }
      const used = countOf(word, window)
      const before = countOf(Atomics.load(words, record + field.used + (~window & 1)), window - 1)
      const all = used + Math.floor(before * (1 - part))
      this.window = window
      if (all >= this.#limit) {
        this.left = 0
        this.waitMs = this.#wait({ used, before, part })
        return false
      }
      if (Atomics.compareExchange(words, at, word, pack(window, used + 1)) !== word) continue
      // Displaced meanwhile: what was counted there is another key's now.
      if (Atomics.load(words, this.#bucketAt(low) + way) !== print) continue
      this.left = this.#limit - all - 1
      this.waitMs = (1 - part) * this.#windowMs
      return true
    }
  }

  /** Takes the key's last count back: another rule refused the request. */
  giveBack(key: string, window: number): void {
    this.add(key, { window, field: field.used, by: -1 })
  }

  /** Changes a field of a key that has a place; false when it has none, or that window is over for it. */
  add(key: string, { window, field: name, by }: { window: number; field: number; by: number }): boolean {
    const at = this.#locate(key, { window, field: name })
    if (at < 0) return false
    for (;;) {
      const word = Atomics.load(this.#words, at)
      const current = word >>> countBits === (window & tagMask)
      // A window that is over is not begun again.
      if (!current && word !== 0 && (((word >>> countBits) - window) & tagMask) <= 2) return false
      const count = Math.max(0, (current ? word & mostCount : 0) + by)
      if (Atomics.compareExchange(this.#words, at, word, pack(window, count)) === word) return true
    }
  }

  /** A field of a key; 0 when it has no place. */
  count(key: string, of: { window: number; field: number }): number {
    const at = this.#locate(key, of)
    return at < 0 ? 0 : countOf(Atomics.load(this.#words, at), of.window)
  }

  /** The store says that all machines together have `total` in this window: what is new to us is counted. */
  learn(key: string, { window, total }: { window: number; total: number }): void {
    const at = this.#locate(key, { window, field: field.known })
    if (at < 0) return
    for (;;) {
      const word = Atomics.load(this.#words, at)
      const known = countOf(word, window)
      if (total <= known) return
      if (Atomics.compareExchange(this.#words, at, word, pack(window, total)) !== word) continue
      this.add(key, { window, field: field.used, by: Math.min(total, mostCount) - known })
      return
    }
  }

  /** What is left for the key, counting nothing; below 0 when others have counted too many. Sets what `take` sets. */
  look(key: string, now: number): number {
    const place = now / this.#windowMs
    const window = Math.floor(place)
    const part = place - window
    const used = this.count(key, { window, field: field.used })
    const before = this.count(key, { window: window - 1, field: field.used })
    const left = this.#limit - used - Math.floor(before * (1 - part))
    this.left = Math.max(0, left)
    this.waitMs = left > 0 ? (1 - part) * this.#windowMs : this.#wait({ used, before, part })
    this.window = window
    return left
  }

  #locate(key: string, { window, field: name }: { window: number; field: number }): number {
    this.#hash ??= this.#open()
    this.#hash.update(key)
    const { print, low } = this.#hash
    const way = this.#look(this.#bucketAt(low), print)
    return way < 0 ? -1 : this.#recordAt(low, way) + name + (window & 1)
  }

  /** The first front to come chooses the secret of all. */
  #open(): KeyedHash {
    const words = (this.#words = this.#page.words)
    const random = crypto.getRandomValues(new Int32Array(2))
    for (const i of [0, 1]) Atomics.compareExchange(words, head.seed + i, 0, random[i]! | 1)
    return new KeyedHash(Atomics.load(words, head.seed), Atomics.load(words, head.seed + 1))
  }

  #bucketAt(low: number): number {
    return headWords + (low & this.#mask) * bucketWords
  }

  #recordAt(low: number, way: number): number {
    return this.#bucketAt(low) + ways + way * recordWords
  }

  #look(bucket: number, print: number): number {
    for (let way = 0; way < ways; way++) if (Atomics.load(this.#words, bucket + way) === print) return way
    return -1
  }

  /** The key's way in its bucket, made if there is none. */
  #find(print: number, at: { low: number; window: number; part: number }): number {
    const bucket = this.#bucketAt(at.low)
    // Two fronts that both see the other's newly made place give way to each other; that cannot go on for long.
    for (let tries = 0; ; tries++) {
      const way = this.#look(bucket, print)
      if (way >= 0) return way
      const made = this.#make(bucket, { ...at, print })
      if (made >= 0 && (tries === ways || this.#isOnly(bucket, { print, way: made }))) return made
    }
  }

  /** Takes the way with the smallest count. */
  #make(bucket: number, { print, window, part }: { print: number; window: number; part: number }): number {
    const words = this.#words
    let best = 0
    let least = Infinity
    for (let way = 0; way < ways && least > 0; way++) {
      const record = bucket + ways + way * recordWords
      const used = countOf(Atomics.load(words, record + (window & 1)), window)
      const before = countOf(Atomics.load(words, record + (~window & 1)), window - 1)
      const all = used + before * (1 - part)
      if (all >= least) continue
      least = all
      best = way
    }
    const old = Atomics.load(words, bucket + best)
    if (Atomics.compareExchange(words, bucket + best, old, print) !== old) return -1
    if (least > 0) Atomics.add(words, head.displaced, 1)
    const open = bucket + ways + best * recordWords + field.open
    Atomics.store(words, open, 0)
    Atomics.store(words, open + 1, 0)
    return best
  }

  /** Another front may have made a place for the same key: then ours is given up, its count left for the next. */
  #isOnly(bucket: number, { print, way }: { print: number; way: number }): boolean {
    for (let other = 0; other < ways; other++) {
      if (other === way || Atomics.load(this.#words, bucket + other) !== print) continue
      Atomics.compareExchange(this.#words, bucket + way, print, 0)
      return false
    }
    return true
  }

  #wait({ used, before, part }: { used: number; before: number; part: number }): number {
    const limit = this.#limit
    // Within this window, as the one before slides out; or in the next, as this one does.
    const at = used < limit ? 1 - (limit - used) / before : 2 - limit / used
    return Math.max(0, at - part) * this.#windowMs
  }
}
