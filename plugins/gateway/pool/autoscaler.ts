import type { Logger, SlotKeeper } from "edge"
import type { Workers } from "./workers.ts"
import type { Load } from "./scale.ts"
import { autoscale, noLoad, sampleMs } from "./scale.ts"

/** With no worker at all the first request waits for this look. */
const asleepMs = 20

export interface AutoscalerParts {
  readonly bounds: { readonly min: number; readonly max: number }
  /** Requests that one worker runs at once. */
  readonly slots: number
  readonly workers: Workers
  readonly keeper: SlotKeeper
  readonly log: Logger
  onSample(): void
  onChange(): void
}

/** How many workers there should be: takes the samples for scale.ts and keeps the answer. */
export class Autoscaler {
  target: number
  readonly #parts: AutoscalerParts
  #bounds: { readonly min: number; readonly max: number }
  #load: Load = noLoad
  #refused = 0
  #timer: Timer | undefined

  constructor(parts: AutoscalerParts) {
    this.#parts = parts
    this.#bounds = parts.bounds
    // Also with min = 0: the first start shows that the app can run at all.
    this.target = Math.max(1, parts.bounds.min)
  }

  start(): void {
    this.#timer = setTimeout(() => this.#sample(), this.target === 0 ? asleepMs : sampleMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** By hand. The bounds give way, so that it lasts; within them the load goes on to decide. */
  set(target: number): void {
    const { min, max } = this.#bounds
    this.#bounds = min === max ? { min: target, max: target } : { min: Math.min(min, target), max: Math.max(max, target) }
    this.target = target
    this.#load = noLoad
  }

  #sample(): void {
    this.#parts.onSample()
    if (this.#bounds.min < this.#bounds.max) this.#decide()
    this.start()
  }

  #decide(): void {
    const { workers, keeper, slots } = this.#parts
    const { ready } = workers
    const refused = keeper.refused()
    const { target, load } = autoscale(this.#load, {
      ...this.#bounds,
      nowMs: performance.now(),
      target: this.target,
      ready: ready.length,
      busy: ready.reduce((sum, m) => sum + Math.min(slots, keeper.busy(m.index)), 0),
      slots,
      queued: keeper.queued(),
      refused: Math.max(0, refused - this.#refused),
    })
    this.#load = load
    this.#refused = refused
    if (target === this.target) return
    this.#parts.log.info(`workers: ${this.target} -> ${target}`, { utilisation: Number(load.utilisation.toFixed(2)) })
    this.target = target
    this.#parts.onChange()
  }
}
