/**
 * Requests under way by key, over all fronts: a page of words. A key has a place in a bounded directory; for each place
 * every front has a count of its own, so that what a killed front held goes with it (a common count beside the fronts' own
 * could not be changed in one step with them). A front tells that it lives once a second.
 *
 * Words: head | pulses of 64 fronts | places (fingerprints, buckets of 8) | counts, by front and place
 */
import { type FrontPage, KeyedHash, maxFronts, stamp } from "edge"

const ways = 8
const headWords = 16
/** `fronts`: two words with a bit for each front that counts. */
const head = { seed: 0, fronts: 2 } as const
export const PULSE_MS = 1000
/** A front that was silent for so long is dead, or stands still and serves nobody. */
const DEAD_MS = 5000

/** What `take` returns in place of a place. */
export const REFUSED = -1
/** The key's bucket is full of busy keys: it is counted in this front alone. */
const ALONE = -2

export function wordsFor(keys: number): number {
  return headWords + maxFronts + placesFor(keys) * (1 + maxFronts)
}

function placesFor(keys: number): number {
  return ways * 2 ** Math.ceil(Math.log2(Math.max(1, keys / ways)))
}

export class BusyTable {
  readonly #page: FrontPage
  readonly #places: number
  readonly #limit: number
  /** Keys that have no place, and their counts here. */
  readonly #alone = new Map<string, number>()
  #words: Int32Array = new Int32Array(0)
  #hash = new KeyedHash(0, 0)
  #counts = 0

  constructor(page: FrontPage, { limit, keys }: { limit: number; keys: number }) {
    this.#page = page
    this.#limit = limit
    this.#places = placesFor(keys)
  }

  /** This front counts from now on. What an earlier one of its number left is nobody's. */
  open(): void {
    const words = (this.#words = this.#page.words)
    const random = crypto.getRandomValues(new Int32Array(2))
    for (const i of [0, 1]) Atomics.compareExchange(words, head.seed + i, 0, random[i]! | 1)
    this.#hash = new KeyedHash(Atomics.load(words, head.seed), Atomics.load(words, head.seed + 1))
    this.#counts = this.#countsOf(this.#page.front)
    for (let place = 0; place < this.#places; place++) Atomics.store(words, this.#counts + place, 0)
    this.pulse()
  }

  /** To be called every PULSE_MS: says that this front lives, and leaves out those that do not. */
  pulse(): void {
    const words = this.#words
    const now = stamp()
    const { front } = this.#page
    Atomics.store(words, headWords + front, now)
    Atomics.or(words, head.fronts + (front >> 5), 1 << (front & 31))
    for (let other = 0; other < maxFronts; other++) {
      if (!this.#counting(other)) continue
      if (((now - Atomics.load(words, headWords + other)) | 0) > DEAD_MS) Atomics.and(words, head.fronts + (other >> 5), ~(1 << (other & 31)))
    }
  }

  /** This front has nothing under way any more. */
  close(): void {
    const { front } = this.#page
    Atomics.and(this.#words, head.fronts + (front >> 5), ~(1 << (front & 31)))
  }

  /** Counts one more of the key: its place, to be given to `release`; or REFUSED when the limit is reached. */
  take(key: string): number {
    this.#hash.update(key)
    const { print, low } = this.#hash
    const bucket = headWords + maxFronts + (((low >>> 0) % (this.#places / ways)) | 0) * ways
    for (;;) {
      const way = this.#find(bucket, print)
      if (way < 0) return this.#takeAlone(key)
      const place = bucket + way - headWords - maxFronts
      // First ours, then the sum: two fronts that take the last one at once may both be refused, never both let in.
      Atomics.add(this.#words, this.#counts + place, 1)
      if (Atomics.load(this.#words, bucket + way) !== print) {
        Atomics.sub(this.#words, this.#counts + place, 1)
        continue
      }
      if (this.#sum(place) <= this.#limit) return place
      Atomics.sub(this.#words, this.#counts + place, 1)
      return REFUSED
    }
  }

  release(key: string, place: number): void {
    if (place >= 0) Atomics.sub(this.#words, this.#counts + place, 1)
    else if (place === ALONE) {
      const count = this.#alone.get(key)! - 1
      if (count === 0) this.#alone.delete(key)
      else this.#alone.set(key, count)
    }
  }

  #takeAlone(key: string): number {
    const count = this.#alone.get(key) ?? 0
    if (count >= this.#limit) return REFUSED
    this.#alone.set(key, count + 1)
    return ALONE
  }

  /** The key's way in its bucket; made where a key has nothing under way, else -1. */
  #find(bucket: number, print: number): number {
    const words = this.#words
    for (let tries = 0; ; tries++) {
      let free = -1
      for (let way = 0; way < ways; way++) {
        const found = Atomics.load(words, bucket + way)
        if (found === print) return way
        if (free < 0 && (found === 0 || this.#sum(bucket + way - headWords - maxFronts) === 0)) free = way
      }
      if (free < 0) return -1
      const old = Atomics.load(words, bucket + free)
      if (old === print) return free
      if (Atomics.compareExchange(words, bucket + free, old, print) !== old) continue
      if (tries === ways || this.#isOnly(bucket, { print, way: free })) return free
    }
  }

  /** Another front may have made a place for the same key at the same time: then ours is given up. */
  #isOnly(bucket: number, { print, way }: { print: number; way: number }): boolean {
    for (let other = 0; other < ways; other++) {
      if (other === way || Atomics.load(this.#words, bucket + other) !== print) continue
      Atomics.compareExchange(this.#words, bucket + way, print, 0)
      return false
    }
    return true
  }

  /** Under way in all living fronts. */
  #sum(place: number): number {
    const words = this.#words
    let sum = 0
    for (let half = 0; half < 2; half++) {
      for (let bits = Atomics.load(words, head.fronts + half); bits !== 0; bits &= bits - 1) {
        const front = half * 32 + (31 - Math.clz32(bits & -bits))
        sum += Atomics.load(words, this.#countsOf(front) + place)
      }
    }
    return sum
  }

  #counting(front: number): boolean {
    return (Atomics.load(this.#words, head.fronts + (front >> 5)) & (1 << (front & 31))) !== 0
  }

  #countsOf(front: number): number {
    return headWords + maxFronts + this.#places * (1 + front)
  }
}
