import type { FrontLife, SlotKeeper, WorkerProcess } from "edge"

/** Answers to a ping come within this or count as none. */
const pingMs = 1000
/** Without any deadline a dead front's slots are still not kept for ever. */
const mostMs = 60_000

interface DeadFront {
  readonly dead: FrontLife
  readonly sinceMs: number
  /** index -> serial of the workers in which it may hold slots. */
  readonly left: Map<number, number>
}

interface Look {
  readonly workers: readonly WorkerProcess[]
  readonly nowMs: number
}

/**
 * Fronts that are gone, until every worker has let go of what they sent. A worker that says it has `depth` exchanges can
 * have at most so many of the dead front's: what it held above that is free for sure. Past the app's own deadline a worker
 * that never let go is stuck: nobody else knows of that request any more.
 */
export class SlotReclaimer {
  readonly #keeper: SlotKeeper
  readonly #mostMs: number
  readonly #deadline: boolean
  readonly #onStuck: (worker: WorkerProcess) => void
  #dead: DeadFront[] = []
  #asking = false

  constructor(keeper: SlotKeeper, { timeoutMs, onStuck }: { timeoutMs: number; onStuck(worker: WorkerProcess): void }) {
    this.#keeper = keeper
    this.#onStuck = onStuck
    this.#deadline = timeoutMs > 0
    this.#mostMs = timeoutMs > 0 ? timeoutMs + pingMs : mostMs
  }

  add(front: number, look: Look): void {
    const dead = this.#keeper.markFrontDead(front)
    const left = new Map(look.workers.map(w => [w.index, w.serial]))
    this.#dead.push({ dead, sinceMs: look.nowMs, left })
    this.sweep(look)
  }

  clear(): void {
    this.#dead = []
  }

  sweep(look: Look): void {
    if (this.#dead.length === 0 || this.#asking) return
    this.#asking = true
    void Promise.all(this.#dead.map(front => this.#reclaim(front, look))).finally(() => {
      this.#dead = this.#dead.filter(g => g.left.size > 0)
      this.#asking = false
    })
  }

  async #reclaim(front: DeadFront, look: Look): Promise<void> {
    const late = look.nowMs - front.sinceMs > this.#mostMs
    await Promise.all([...front.left].map(async ([index, serial]) => {
      const held = this.#keeper.heldBy(front.dead, index).length
      const worker = look.workers.find(w => w.index === index && w.serial === serial)
      if (held > 0 && worker !== undefined) {
        const asked = worker.transport === "frames" && worker.ping !== undefined
        const depth = asked ? await worker.ping!(pingMs).catch(() => held) : 0
        this.#keeper.sweepFront(front.dead, index, late ? held : Math.max(0, held - depth))
        if (depth > 0 && late && this.#deadline) this.#onStuck(worker)
        else if (depth > 0 && !late) return
      }
      front.left.delete(index)
    }))
  }
}
