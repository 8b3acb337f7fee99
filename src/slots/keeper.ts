import type { FrontLife } from "./page.ts"
import { front, frontBits, Layout, maxPrefetch, maxFronts, ownerWord, phase, worker } from "./page.ts"

/** The supervisor's view: opens, closes and cleans. */
export class SlotKeeper extends Layout {
  /** Offers a worker that can be spoken to. Serials count from 1. */
  open(index: number, options: { serial: number; capacity: number; blocking: boolean; prefetch?: number }): void {
    const at = this.workerAt(index)
    this.#wipe(index)
    for (const field of [worker.used, worker.served, worker.connected, worker.connected + 1])
      Atomics.store(this.words, at + field, 0)
    for (let f = 0; f < maxFronts; f++) Atomics.store(this.words, this.tunnelsAt(index, f), 0)
    Atomics.store(this.words, at + worker.capacity, Math.min(options.capacity, this.capacity))
    Atomics.store(this.words, at + worker.prefetch, Math.min(options.prefetch ?? 0, maxPrefetch))
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

  /** Takes claims again. */
  reopen(index: number, serial: number): void {
    Atomics.compareExchange(this.words, this.workerAt(index) + worker.state, serial * 4 + phase.closing, serial * 4 + phase.open)
  }

  /** Slots of a worker that are taken; the truth, by looking at each. */
  busy(index: number): number {
    const from = this.slotsAt(index)
    let count = 0
    for (let s = from; s < from + this.stride; s++) if (Atomics.load(this.words, s) !== 0) count++
    return count
  }

  /** WebSockets that go through a worker. */
  tunnels(index: number): number {
    let sum = 0
    for (let f = 0; f < maxFronts; f++) sum += Atomics.load(this.words, this.tunnelsAt(index, f))
    return sum
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
    for (let s = from; s < from + this.stride; s++) Atomics.store(this.words, s, 0)
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
  markFrontDead(index: number): FrontLife {
    const at = this.frontAt(index)
    for (const field of [front.alive, front.queued, front.oldest]) Atomics.store(this.words, at + field, 0)
    for (let w = 0; w < this.workers; w++) Atomics.store(this.words, this.tunnelsAt(w, index), 0)
    return { front: index, life: Atomics.load(this.words, at + front.life) }
  }

  /** Which slots of a worker a dead front holds. */
  heldBy(dead: FrontLife, index: number): number[] {
    const from = this.slotsAt(index)
    const theirs = ownerWord(0, dead)
    const held: number[] = []
    for (let s = 0; s < this.stride; s++)
      if ((Atomics.load(this.words, from + s) & frontBits) === theirs) held.push(s)
    return held
  }

  /** Frees up to `most` slots that a dead front held of a worker, once that worker has said that it is done with them. */
  sweepFront(dead: FrontLife, index: number, most: number = Infinity): number {
    const from = this.slotsAt(index)
    const theirs = ownerWord(0, dead)
    let freed = 0
    for (let s = from; s < from + this.stride && freed < most; s++) {
      const owner = Atomics.load(this.words, s)
      if ((owner & frontBits) !== theirs) continue
      if (Atomics.compareExchange(this.words, s, owner, 0) !== owner) continue
      Atomics.sub(this.words, this.workerAt(index) + worker.used, 1)
      freed++
    }
    return freed
  }
}
