/** The sets of fronts that live: the one that serves, one that is starting, and those that still finish. */
import { availableParallelism } from "node:os"
import type { Logger } from "../../log/logger.ts"
import type { Plan } from "../../generation/plan.ts"
import { FrontSet } from "./front-set.ts"
import { readPrivateFiles } from "../../processes/private-files.ts"
import type { RequestNow } from "../../contract/gateway.ts"
import type { Pool } from "../workers/pool.ts"
import type { ListeningSocket } from "../sockets/listening-socket.ts"

export interface GenerationsParts {
  readonly dev: boolean
  /** The front of that number is gone, whatever the reason. */
  onFrontGone(front: number): void
}

export interface NewSet {
  readonly sockets: readonly ListeningSocket[]
  readonly pools: ReadonlyMap<string, Pool>
  readonly log: Logger
  /** Folder of the pages that fronts share. */
  readonly pages?: string
  readonly problem?: string
}

export interface Times {
  readonly graceMs: number
  readonly tunnelGraceMs: number
}

/** WebSockets and long downloads may keep so many earlier generations alive; each costs its fronts' memory. */
const MOST_LINGERING = 3
/** A front that is told to go may take so much longer than its grace before it is killed. */
export const SLACK_MS = 3000
/** The shared pages have so many numbers for fronts (slots.ts). */
const MOST_FRONTS = 64
const MOST_TIMER_MS = 2 ** 31 - 1

export class Generations {
  /** Of the newest set that was made. */
  number = 0
  readonly #parts: GenerationsParts
  readonly #sets = new Set<FrontSet>()

  constructor(parts: GenerationsParts) {
    this.#parts = parts
  }

  get all(): readonly FrontSet[] {
    return [...this.#sets]
  }

  make(plan: Plan, parts: NewSet): FrontSet {
    const set = new FrontSet({
      ...parts,
      generation: ++this.number,
      count: this.#count(plan),
      config: plan.config,
      files: readPrivateFiles(plan.config),
      dev: this.#parts.dev,
      takeNumber: () => this.#freeNumber(),
      onGone: front => this.#parts.onFrontGone(front.index),
      onCast: (from, message) => {
        for (const front of this.all.flatMap(({ fronts }) => fronts)) if (front !== from) front.cast(message)
      },
    })
    this.#sets.add(set)
    void set.gone.then(() => this.#sets.delete(set))
    return set
  }

  #count({ server }: Plan): number {
    if (this.#parts.dev) return 1
    return server.fronts === "auto" ? Math.min(MOST_FRONTS / (MOST_LINGERING + 1), availableParallelism()) : server.fronts
  }

  /** The lowest that no living front has: fronts share the pages of the pools by number. */
  #freeNumber(): number {
    const taken = new Set(this.all.flatMap(set => set.fronts.map(front => front.index)))
    for (let number = 0; number < MOST_FRONTS; number++) if (!taken.has(number)) return number
    throw new Error(`there are ${MOST_FRONTS} fronts already, those of earlier configs among them; lower [server] fronts or tunnel_grace`)
  }

  /** The set's fronts finish and go; when too many sets linger, the oldest has to hurry. */
  retire(set: FrontSet, times: Times): void {
    this.#leave(set, times)
    const lingering = this.all.filter(({ state }) => state === "leaving")
    for (const oldest of lingering.slice(0, -MOST_LINGERING)) this.#leave(oldest, { graceMs: 0, tunnelGraceMs: 0 })
  }

  #leave(set: FrontSet, times: Times): void {
    set.leave(times)
    const timer = setTimeout(() => set.kill(), Math.min(Math.max(times.graceMs, times.tunnelGraceMs) + SLACK_MS, MOST_TIMER_MS))
    void set.gone.then(() => clearTimeout(timer))
  }

  /** Resolves when no front is left. */
  async end(times: Times): Promise<void> {
    for (const set of this.all) this.#leave(set, times)
    await Promise.all(this.all.map(set => set.gone))
  }

  kill(): void {
    for (const set of this.#sets) set.kill()
  }

  /** What the workers of every app do now, for all fronts, the oldest request first. */
  async requests(): Promise<ReadonlyMap<string, readonly RequestNow[]>> {
    const stats = await Promise.all(this.all.map(set => set.stats({ requests: true })))
    const requests = new Map<string, RequestNow[]>()
    for (const { now = {} } of stats.flat().filter(one => one !== undefined))
      for (const [app, list] of Object.entries(now)) requests.set(app, [...(requests.get(app) ?? []), ...list])
    for (const list of requests.values()) list.sort((a, b) => b.ms - a.ms)
    return requests
  }

  workersChanged(pool: Pool): void {
    for (const set of this.#sets) set.workersChanged(pool)
  }

  reopenLogs(): void {
    for (const set of this.#sets) set.reopenLogs()
  }
}
