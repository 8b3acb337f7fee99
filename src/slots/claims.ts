import { type FrontLife, front, Layout, maxFronts, ownerWord, phase, worker } from "./page.ts"
import type { SharedPage } from "../contract/gateway.ts"

/** One front's view: claims, frees and counts its queue. A ticket is worker * stride + slot. */
export class SlotClaims extends Layout {
  readonly #self: FrontLife
  readonly #frontAt: number
  /** Serial of the worker that this front is connected to, by index; 0 when it is not. */
  readonly #mine: Int32Array
  /** Indexes with a serial in `#mine`. */
  #usable: number[] = []
  /** Where in `#usable` the next look begins. */
  #turn = 0
  /** By worker: the slot to try first, so that a claim usually looks at one. */
  readonly #next: Int32Array

  constructor(page: SharedPage, frontIndex: number) {
    super(page)
    this.#frontAt = this.frontAt(frontIndex)
    this.#self = { front: frontIndex, life: Atomics.add(this.words, this.#frontAt + front.life, 1) + 1 }
    this.#mine = new Int32Array(this.workers)
    this.#next = new Int32Array(this.workers)
    for (const field of [front.queued, front.oldest]) Atomics.store(this.words, this.#frontAt + field, 0)
    Atomics.store(this.words, this.#frontAt + front.alive, 1)
  }

  /** This front takes no more requests. */
  leave(): void {
    Atomics.store(this.words, this.#frontAt + front.alive, 0)
  }

  /** From now on this front can send to the worker. */
  connected(index: number, serial: number): void {
    this.#mine[index] = serial
    if (!this.#usable.includes(index)) this.#usable.push(index)
    const at = this.workerAt(index)
    if (Atomics.load(this.words, at + worker.state) >> 2 !== serial) return
    Atomics.or(this.words, at + worker.connected + (this.#self.front >> 5), 1 << (this.#self.front & 31))
  }

  /** This front cannot send to the worker any more. Slots that it holds stay taken until freed. */
  lost(index: number): void {
    this.#mine[index] = 0
    this.#usable = this.#usable.filter(i => i !== index)
  }

  /** No new claims by any front until the supervisor reopens it: it does not do as it should. */
  hold(index: number, serial: number): void {
    Atomics.compareExchange(this.words, this.workerAt(index) + worker.state, serial * 4 + phase.open, serial * 4 + phase.closing)
  }

  /** The open worker with the fewest slots taken, full or not; -1 when none is open. Claims nothing. */
  least(): number {
    let least = 0x7fff_ffff
    let best = -1
    for (const index of this.#usable) {
      const at = this.workerAt(index)
      if (Atomics.load(this.words, at + worker.state) !== this.#mine[index]! * 4 + phase.open) continue
      const used = Atomics.load(this.words, at + worker.used)
      if (used >= least) continue
      least = used
      best = index
    }
    return best
  }

  /** A ticket for the worker with the fewest slots taken (round robin among equals), or -1 when none is free. */
  claim(): number {
    const usable = this.#usable
    const count = usable.length
    for (let tries = 0; tries < count; tries++) {
      let best = -1
      let least = 0x7fff_ffff
      for (let i = 0, k = this.#turn; i < count; i++, k++) {
        if (k >= count) k -= count
        const index = usable[k]!
        const at = this.workerAt(index)
        if (Atomics.load(this.words, at + worker.state) !== this.#mine[index]! * 4 + phase.open) continue
        const used = Atomics.load(this.words, at + worker.used)
        if (used >= least || used >= this.words[at + worker.capacity]!) continue
        least = used
        best = k
        if (used <= 0) break
      }
      if (best < 0) break
      this.#turn = best + 1 >= count ? 0 : best + 1
      const ticket = this.#take(usable[best]!)
      if (ticket >= 0) return ticket
    }
    // The hints say full, or others were quicker: the slots themselves decide.
    for (let k = 0; k < count; k++) {
      const ticket = this.#take(usable[k]!)
      if (ticket >= 0) return ticket
    }
    return -1
  }

  /**
   * A ticket for a request that waits, to be sent on to a busy worker so that it need not wait for it: the worker with the
   * fewest, or -1. Only after `claim` found none; `slow` has a 1 at workers that get none.
   */
  claimPrefetch(slow: Uint8Array): number {
    let least = 0x7fff_ffff
    let best = -1
    for (const index of this.#usable) {
      const at = this.workerAt(index)
      if (this.words[at + worker.prefetch] === 0 || slow[index] === 1) continue
      if (Atomics.load(this.words, at + worker.state) !== this.#mine[index]! * 4 + phase.open) continue
      const used = Atomics.load(this.words, at + worker.used)
      if (used >= least || used >= this.words[at + worker.capacity]! + this.words[at + worker.prefetch]!) continue
      least = used
      best = index
    }
    if (best < 0) return -1
    const at = this.workerAt(best)
    return this.#takeOf(best, this.capacity, this.capacity + this.words[at + worker.prefetch]!)
  }

  #take(index: number): number {
    const words = this.words
    const at = this.workerAt(index)
    const capacity = words[at + worker.capacity]!
    const ticket = this.#takeOf(index, 0, capacity)
    if (ticket < 0 || words[at + worker.prefetch] === 0) return ticket
    // What was prefetched keeps it busy too. Whoever prefetches takes first and looks second as well.
    if (this.#taken(index) <= capacity) return ticket
    this.release(ticket, this.#mine[index]!)
    return -1
  }

  /** Takes one of the slots `first` to `end` - 1. */
  #takeOf(index: number, first: number, end: number): number {
    const words = this.words
    const at = this.workerAt(index)
    const serial = this.#mine[index]!
    const open = serial * 4 + phase.open
    if (Atomics.load(words, at + worker.state) !== open) return -1
    const from = this.slotsAt(index)
    const owner = ownerWord(serial, this.#self)
    let slot = this.#next[index]!
    if (slot < first || slot >= end) slot = first
    for (let i = first; i < end; i++, slot++) {
      if (slot >= end) slot = first
      if (Atomics.load(words, from + slot) !== 0) continue
      if (Atomics.compareExchange(words, from + slot, 0, owner) !== 0) continue
      if (Atomics.load(words, at + worker.state) !== open) {
        // closed or replaced between the look and the claim
        Atomics.compareExchange(words, from + slot, owner, 0)
        return -1
      }
      Atomics.add(words, at + worker.used, 1)
      this.#next[index] = slot
      return index * this.stride + slot
    }
    return -1
  }

  /** Slots taken of a worker, those of prefetched requests too. */
  #taken(index: number): number {
    const from = this.slotsAt(index)
    let count = 0
    for (let s = from; s < from + this.stride; s++) if (Atomics.load(this.words, s) !== 0) count++
    return count
  }

  /** True when more requests than slots would only wait inside the worker. */
  blocking(index: number): boolean {
    return this.words[this.workerAt(index) + worker.blocking] === 1
  }

  workerOf(ticket: number): number {
    return (ticket / this.stride) | 0
  }

  /** Gives a slot back whose request was answered; false when it was not ours any more (its worker died). */
  free(ticket: number, serial: number): boolean {
    if (!this.release(ticket, serial)) return false
    Atomics.add(this.words, this.workerAt(this.workerOf(ticket)) + worker.served, 1)
    return true
  }

  /** Gives a slot back without having used it. */
  release(ticket: number, serial: number): boolean {
    const index = this.workerOf(ticket)
    const slot = ticket - index * this.stride
    const owner = ownerWord(serial, this.#self)
    if (Atomics.compareExchange(this.words, this.slotsAt(index) + slot, owner, 0) !== owner) return false
    Atomics.sub(this.words, this.workerAt(index) + worker.used, 1)
    return true
  }

  /** True when the slot may go straight to another request of this front: its worker is still open. */
  reusable(ticket: number, serial: number): boolean {
    const index = this.workerOf(ticket)
    if (this.#mine[index] !== serial) return false
    if (Atomics.load(this.words, this.workerAt(index) + worker.state) !== serial * 4 + phase.open) return false
    Atomics.add(this.words, this.workerAt(index) + worker.served, 1)
    return true
  }

  /** Counts WebSockets: 1 when one began, -1 when it ended. */
  tunnel(of: { index: number; serial: number }, by: 1 | -1): void {
    if (Atomics.load(this.words, this.workerAt(of.index) + worker.state) >> 2 !== of.serial) return
    Atomics.add(this.words, this.tunnelsAt(of.index, this.#self.front), by)
  }

  /** Counts one more that waits; false when `limit` wait already, over all fronts. Never lets in more than `limit`. */
  enqueue(limit: number): boolean {
    Atomics.add(this.words, this.#frontAt + front.queued, 1)
    if (this.queued() <= limit) return true
    this.dequeue()
    return false
  }

  dequeue(): void {
    Atomics.sub(this.words, this.#frontAt + front.queued, 1)
  }

  countRefusal(): void {
    Atomics.add(this.words, this.#frontAt + front.refused, 1)
  }

  /** Tells the others since when our oldest request waits; 0 when none does. */
  set oldest(at: number) {
    Atomics.store(this.words, this.#frontAt + front.oldest, at)
  }

  /** True when another front's oldest request waits longer than ours, by more than `slackMs`. */
  othersWaitLonger(ours: number, slackMs: number): boolean {
    for (let f = 0; f < maxFronts; f++) {
      const at = this.frontAt(f)
      if (at === this.#frontAt) continue
      const theirs = Atomics.load(this.words, at + front.oldest)
      if (theirs !== 0 && Atomics.load(this.words, at + front.alive) !== 0 && ((ours - theirs) | 0) > slackMs) return true
    }
    return false
  }
}
