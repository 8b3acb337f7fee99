/**
 * The page that the supervisor and all fronts share for one app: who holds which slot of which worker, and how many
 * requests wait. A file under Bun.mmap; every word is changed by Atomics only.
 *
 * A slot is one word with its owner in it, so that the one compare-and-swap that takes it also says whose it is: a front
 * killed between any two instructions leaves nothing to guess. (Counters per front beside a counter per worker were
 * declined: two words cannot change at once, and a kill -9 between them is off by one for ever.) The count of used slots
 * beside them is a hint that keeps a claim O(1); the truth is the slots.
 *
 * Words: head | 64 fronts | workers | slots of worker 0 | slots of worker 1 | ...
 */
import { closeSync, ftruncateSync, openSync } from "node:fs"
import type { SharedPage } from "./plugin.ts"

export const maxFronts = 64

/** "edge", and the version of this layout. */
const magic = 0x65_64_67_01
/** Records are a cache line (64 bytes) each: two fronts never write to the same one. */
const record = 16
const head = { magic: 0, workers: 1, capacity: 2 } as const
const front = {
  /** 1 while the front serves. */
  alive: 0,
  /** Requests that wait in it. */
  queued: 1,
  /** When the oldest of them came, as `stamp()`; 0 when none waits. */
  oldest: 2,
  /** Requests it answered 503, in all. */
  refused: 3,
  /** Counts the processes that had this number, so that a dead one's slots are told from its successor's. */
  life: 4,
} as const
const worker = {
  /** serial * 4 + phase. */
  state: 0,
  /** Slots taken, give or take a killed front's last act. */
  used: 1,
  /** Answers ended. */
  served: 2,
  /** Slots that may be taken, at most the page's capacity. */
  capacity: 3,
  /** Bit per front that is connected: two words. */
  connected: 4,
  /** 1: more requests than slots would only wait inside it (threads). */
  blocking: 6,
} as const
const phase = { empty: 0, open: 1, closing: 2 } as const

/** The word of a taken slot: 18 bits of the worker's serial, 6 of the front's life, 7 of its number + 1. */
function ownerWord(serial: number, ghost: FrontLife): number {
  return ((serial & 0x3_ffff) << 13) | ((ghost.life & 63) << 7) | (ghost.front + 1)
}
const frontBits = 0x1fff

/** One process that is or was front number `front`. */
export interface FrontLife {
  readonly front: number
  readonly life: number
}

/** Milliseconds, cut to 32 bits and never 0: only differences below 24 days mean something. */
export function stamp(): number {
  return Date.now() | 0 || 1
}

export interface PageSize {
  /** Worker indexes: more than run at once, as a replacement starts before the old one ends. */
  readonly workers: number
  /** Most slots of one worker. */
  readonly capacity: number
}

function wordsOf(size: PageSize): number {
  return record * (1 + maxFronts + size.workers) + size.workers * size.capacity
}

/** Makes the file at `path` (mode 0600, emptied if there) and maps it. */
export function createPage(path: string, size: PageSize): SharedPage {
  const fd = openSync(path, "w", 0o600)
  ftruncateSync(fd, wordsOf(size) * 4)
  closeSync(fd)
  const page = map(path)
  page.words[head.workers] = size.workers
  page.words[head.capacity] = size.capacity
  Atomics.store(page.words, head.magic, magic)
  return page
}

/** Maps a page that `createPage` made; throws when the file is something else. */
export function openPage(path: string): SharedPage {
  const page = map(path)
  if (page.words[head.magic] !== magic) throw new Error(`${path} is not a page of this version of edge`)
  return page
}

function map(path: string): SharedPage {
  const bytes = Bun.mmap(path, { shared: true })
  return { words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2) }
}

/** Where things are in a page; the base of both views. */
class Layout {
  readonly words: Int32Array
  readonly workers: number
  readonly capacity: number

  constructor(page: SharedPage) {
    this.words = page.words
    this.workers = page.words[head.workers]!
    this.capacity = page.words[head.capacity]!
  }

  protected frontAt(index: number): number {
    return record * (1 + index)
  }

  protected workerAt(index: number): number {
    return record * (1 + maxFronts + index)
  }

  /** First slot of a worker. */
  protected slotsAt(index: number): number {
    return record * (1 + maxFronts + this.workers) + index * this.capacity
  }

  /** Requests that wait, over all fronts. */
  queued(): number {
    let sum = 0
    for (let f = 0; f < maxFronts; f++) sum += Atomics.load(this.words, this.frontAt(f) + front.queued)
    return sum
  }

  /** Requests answered 503 so far, over all fronts. */
  refused(): number {
    let sum = 0
    for (let f = 0; f < maxFronts; f++) sum += Atomics.load(this.words, this.frontAt(f) + front.refused)
    return sum
  }
}

/** The supervisor's view: opens, closes and cleans. */
export class SlotKeeper extends Layout {
  /** Offers a worker that can be spoken to. Serials count from 1. */
  open(index: number, options: { serial: number; capacity: number; blocking: boolean }): void {
    const at = this.workerAt(index)
    this.#wipe(index)
    for (const field of [worker.used, worker.served, worker.connected, worker.connected + 1])
      Atomics.store(this.words, at + field, 0)
    Atomics.store(this.words, at + worker.capacity, Math.min(options.capacity, this.capacity))
    Atomics.store(this.words, at + worker.blocking, options.blocking ? 1 : 0)
    Atomics.store(this.words, at + worker.state, options.serial * 4 + phase.open)
  }

  /**
   * No new claims from now on. A claim that was under way either sees this and gives back, or is seen by `busy`:
   * it takes its slot first and looks at the state second, we do it the other way round.
   */
  close(index: number): void {
    const at = this.workerAt(index) + worker.state
    const state = Atomics.load(this.words, at)
    if ((state & 3) === phase.open) Atomics.store(this.words, at, state - phase.open + phase.closing)
  }

  /** Slots of a worker that are taken; the truth, by looking at each. */
  busy(index: number): number {
    const from = this.slotsAt(index)
    let count = 0
    for (let s = from; s < from + this.capacity; s++) if (Atomics.load(this.words, s) !== 0) count++
    return count
  }

  served(index: number): number {
    return Atomics.load(this.words, this.workerAt(index) + worker.served)
  }

  /** The worker is dead: its slots are nobody's. A late `free` by its serial does nothing. */
  sweepWorker(index: number): void {
    Atomics.store(this.words, this.workerAt(index) + worker.state, 0)
    this.#wipe(index)
  }

  #wipe(index: number): void {
    const from = this.slotsAt(index)
    for (let s = from; s < from + this.capacity; s++) Atomics.store(this.words, s, 0)
  }

  /** True when every living front is connected to the worker, so that another one may leave. */
  settled(index: number): boolean {
    const at = this.workerAt(index) + worker.connected
    for (let f = 0; f < maxFronts; f++) {
      if (Atomics.load(this.words, this.frontAt(f) + front.alive) === 0) continue
      if ((Atomics.load(this.words, at + (f >> 5)) & (1 << (f & 31))) === 0) return false
    }
    return true
  }

  /**
   * A front is dead: nothing waits in it. Its slots stay taken, as its requests may still run in the workers: keep what
   * this returns for `heldBy` and `sweepFront`.
   */
  buryFront(index: number): FrontLife {
    const at = this.frontAt(index)
    for (const field of [front.alive, front.queued, front.oldest]) Atomics.store(this.words, at + field, 0)
    return { front: index, life: Atomics.load(this.words, at + front.life) }
  }

  /** Slots that a dead front holds of a worker. */
  heldBy(dead: FrontLife, index: number): number {
    const from = this.slotsAt(index)
    const theirs = ownerWord(0, dead)
    let count = 0
    for (let s = from; s < from + this.capacity; s++)
      if ((Atomics.load(this.words, s) & frontBits) === theirs) count++
    return count
  }

  /** Frees up to `most` slots that a dead front held of a worker, once that worker has said that it is done with them. */
  sweepFront(dead: FrontLife, index: number, most: number = Infinity): number {
    const from = this.slotsAt(index)
    const theirs = ownerWord(0, dead)
    let freed = 0
    for (let s = from; s < from + this.capacity && freed < most; s++) {
      const owner = Atomics.load(this.words, s)
      if ((owner & frontBits) !== theirs) continue
      if (Atomics.compareExchange(this.words, s, owner, 0) !== owner) continue
      Atomics.sub(this.words, this.workerAt(index) + worker.used, 1)
      freed++
    }
    return freed
  }
}

/** One front's view: claims, frees and counts its queue. A ticket is worker * capacity + slot. */
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

  #take(index: number): number {
    const words = this.words
    const at = this.workerAt(index)
    const serial = this.#mine[index]!
    const open = serial * 4 + phase.open
    if (Atomics.load(words, at + worker.state) !== open) return -1
    const capacity = words[at + worker.capacity]!
    const from = this.slotsAt(index)
    const owner = ownerWord(serial, this.#self)
    let slot = this.#next[index]!
    for (let i = 0; i < capacity; i++, slot++) {
      if (slot >= capacity) slot = 0
      if (Atomics.load(words, from + slot) !== 0) continue
      if (Atomics.compareExchange(words, from + slot, 0, owner) !== 0) continue
      if (Atomics.load(words, at + worker.state) !== open) {
        // closed or replaced between the look and the claim
        Atomics.compareExchange(words, from + slot, owner, 0)
        return -1
      }
      Atomics.add(words, at + worker.used, 1)
      this.#next[index] = slot
      return index * this.capacity + slot
    }
    return -1
  }

  /** True when more requests than slots would only wait inside the worker. */
  blocking(index: number): boolean {
    return this.words[this.workerAt(index) + worker.blocking] === 1
  }

  workerOf(ticket: number): number {
    return (ticket / this.capacity) | 0
  }

  /** Gives a slot back; false when it was not ours any more (its worker died). */
  free(ticket: number, serial: number): boolean {
    const index = this.workerOf(ticket)
    const slot = ticket - index * this.capacity
    const owner = ownerWord(serial, this.#self)
    if (Atomics.compareExchange(this.words, this.slotsAt(index) + slot, owner, 0) !== owner) return false
    const at = this.workerAt(index)
    Atomics.sub(this.words, at + worker.used, 1)
    Atomics.add(this.words, at + worker.served, 1)
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
