/** The fronts of one generation of the config: all of one plan, all alike. */
import type { Logger } from "../log/logger.ts"
import { describeExit, type FrontExit, FrontProcess } from "./front-process.ts"
import type { FrontStart, FrontStats } from "./messages.ts"
import type { Pool } from "./pools.ts"
import type { ListeningSocket } from "./sockets.ts"

export interface FrontSetOptions {
  readonly generation: number
  readonly count: number
  readonly config: FrontStart["config"]
  readonly sockets: readonly ListeningSocket[]
  readonly pools: ReadonlyMap<string, Pool>
  readonly dev: boolean
  readonly problem?: string
  readonly log: Logger
  /** Numbers that no living front has. */
  takeNumber(): number
  /** A front is gone, whatever the reason. */
  onGone(front: FrontProcess): void
}

/** A front that dies sooner than this after its start counts as one more failure in a row. */
const STABLE_MS = 10_000
const MAX_DELAY_MS = 10_000

export class FrontSet {
  readonly #options: FrontSetOptions
  readonly #fronts = new Set<FrontProcess>()
  #state: "starting" | "serving" | "leaving" = "starting"
  /** Deaths in a row, each soon after the start. */
  #failures = 0
  #empty = Promise.withResolvers<void>()
  #respawns = new Set<ReturnType<typeof setTimeout>>()
  #problem: string | null

  constructor(options: FrontSetOptions) {
    this.#options = options
    this.#problem = options.problem ?? null
  }

  /** Resolves when every front is ready, none accepting; or rejects when none is left. */
  async start(): Promise<void> {
    try {
      for (let i = 0; i < this.#options.count; i++) this.#spawn()
      await Promise.all([...this.#fronts].map(front => front.ready))
    } catch (error) {
      this.kill()
      await this.gone
      throw error
    }
  }

  get generation(): number {
    return this.#options.generation
  }

  get fronts(): readonly FrontProcess[] {
    return [...this.#fronts]
  }

  get pools(): ReadonlyMap<string, Pool> {
    return this.#options.pools
  }

  get sockets(): readonly ListeningSocket[] {
    return this.#options.sockets
  }

  /** Resolves when the set was told to go and its last front has ended. */
  get gone(): Promise<void> {
    return this.#empty.promise
  }

  /** All accept from now on; resolves when they do. One that dies meanwhile is replaced. */
  async listen(): Promise<void> {
    this.#state = "serving"
    await Promise.allSettled([...this.#fronts].map(front => front.listen()))
  }

  /** Stop accepting and finish. Called again with shorter times, it hurries. */
  leave(times: { graceMs: number; tunnelGraceMs: number }): void {
    this.#retire()
    for (const front of this.#fronts) front.leave(times)
  }

  kill(): void {
    this.#retire()
    for (const front of this.#fronts) front.kill()
  }

  #retire(): void {
    this.#state = "leaving"
    for (const timer of this.#respawns) clearTimeout(timer)
    this.#respawns.clear()
    if (this.#fronts.size === 0) this.#empty.resolve()
  }

  /** An app's workers changed. */
  workersChanged(pool: Pool): void {
    if (this.pools.get(pool.name) !== pool) return
    for (const front of this.#fronts) front.workers(pool.name, pool.state)
  }

  /** In dev: shown instead of the site until it is null again. */
  showProblem(text: string | null): void {
    this.#problem = text
    for (const front of this.#fronts) front.problem(text)
  }

  reopenLogs(): void {
    for (const front of this.#fronts) front.reopen()
  }

  get state(): string {
    return this.#state
  }

  async stats(): Promise<readonly (FrontStats | undefined)[]> {
    return await Promise.all([...this.#fronts].map(front => front.stats()))
  }

  #spawn(): FrontProcess {
    const { config, pools, dev, sockets } = this.#options
    const front: FrontProcess = new FrontProcess({
      index: this.#options.takeNumber(),
      start: () => ({
        config,
        apps: Object.fromEntries([...pools].map(([name, pool]) => [name, pool.state])),
        dev,
        ...(this.#problem !== null && { problem: this.#problem }),
      }),
      sockets,
      onReport: ({ app, report }) => pools.get(app)?.report(report),
      onExit: exit => this.#ended(front, exit),
    })
    this.#fronts.add(front)
    return front
  }

  #ended(front: FrontProcess, exit: FrontExit): void {
    this.#fronts.delete(front)
    this.#options.onGone(front)
    if (this.#state === "serving") this.#respawn(front, exit)
    else if (this.#state === "leaving" && this.#fronts.size === 0) this.#empty.resolve()
  }

  /** At once the first time; then slower and slower, as a front that cannot start would eat the machine. */
  #respawn(front: FrontProcess, exit: FrontExit): void {
    this.#failures = Date.now() - front.startedAt > STABLE_MS ? 0 : this.#failures + 1
    const delayMs = this.#failures < 2 ? 0 : Math.min(MAX_DELAY_MS, 100 * 2 ** this.#failures)
    const again = this.#failures < 3 ? "" : `, ${this.#failures} times in a row soon after its start`
    this.#options.log.error(`front ${front.pid} ${describeExit(exit)}${again}; starting another${delayMs > 0 ? ` in ${delayMs} ms` : ""}`)
    const timer = setTimeout(() => {
      this.#respawns.delete(timer)
      const next = this.#spawn()
      next.ready.then(() => next.listen()).catch(() => {})
    }, delayMs)
    this.#respawns.add(timer)
  }
}
