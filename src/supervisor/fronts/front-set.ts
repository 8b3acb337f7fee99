/** The fronts of one generation of the config: all of one plan, all alike. */
import type { Logger } from "../../log/logger.ts"
import type { PartCommand } from "../../contract/plugin.ts"
import { type Cast, describeExit, type FrontExit, FrontProcess } from "./front-process.ts"
import type { FrontStart, FrontStats, Told } from "./messages.ts"
import type { Pool } from "../workers/pool.ts"
import type { ListeningSocket } from "../sockets/listening-socket.ts"

export interface FrontSetOptions {
  readonly generation: number
  readonly count: number
  readonly config: FrontStart["config"]
  readonly files: FrontStart["files"]
  readonly sockets: readonly ListeningSocket[]
  readonly pools: ReadonlyMap<string, Pool>
  readonly dev: boolean
  /** Folder of the pages that fronts share. */
  readonly pages?: string
  readonly problem?: string
  readonly log: Logger
  /** Numbers that no living front has. */
  takeNumber(): number
  /** A front is gone, whatever the reason. */
  onGone(front: FrontProcess): void
  onCast(front: FrontProcess, message: Cast): void
}

/** A front that dies sooner than this after its start counts as one more failure in a row. */
const STABLE_MS = 10_000
const MAX_DELAY_MS = 10_000
/** Setting up and starting everything. */
const READY_MS = 60_000
/** Accepting costs nothing: a front that does not come to it hangs. */
const LISTEN_MS = 20_000
/** Each front is asked so often how it is; after so many questions without an answer it is killed. */
const PING_MS = 3000
const MOST_SILENT = 5

export class FrontSet {
  readonly #options: FrontSetOptions
  readonly #fronts = new Set<FrontProcess>()
  #state: "starting" | "serving" | "leaving" = "starting"
  /** Deaths in a row, each soon after the start. */
  #failures = 0
  #empty = Promise.withResolvers<void>()
  #respawns = new Set<ReturnType<typeof setTimeout>>()
  #problem: string | null
  /** Commands that fronts which start later must hear too. */
  readonly #told: PartCommand[] = []
  #watch: ReturnType<typeof setInterval> | undefined
  /** Questions in a row that a front did not answer. */
  readonly #silent = new Map<FrontProcess, number>()

  #files: FrontStart["files"]

  constructor(options: FrontSetOptions) {
    this.#options = options
    this.#files = options.files
    this.#problem = options.problem ?? null
  }

  /** Resolves when every front is ready, none accepting; or rejects when none is left. */
  async start(): Promise<void> {
    try {
      for (let i = 0; i < this.#options.count; i++) this.#spawn()
      await within(READY_MS, "start", Promise.all([...this.#fronts].map(front => front.ready)))
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

  /** All accept from now on; resolves when they do, rejects when one does not: then the set is not ready. */
  async listen(): Promise<void> {
    const fronts = [...this.#fronts]
    await within(LISTEN_MS, "accept", Promise.all(fronts.map(front => front.listen())))
    if (this.#state !== "starting") return
    this.#state = "serving"
    this.#watch = setInterval(() => this.#checkFronts(), PING_MS)
    // Died between its first accept and now.
    for (const front of fronts) if (!this.#fronts.has(front)) this.#spawnLater(`front ${front.pid} is gone`)
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
    clearInterval(this.#watch)
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

  /** Certificates that were tried; also for fronts that start later. */
  changeFiles(files: FrontStart["files"]): void {
    this.#files = files
    for (const front of this.#fronts) front.files(files)
  }

  reopenLogs(): void {
    for (const front of this.#fronts) front.reopen()
  }

  get state(): string {
    return this.#state
  }

  /** One after the other, so that what the first refuses no other does. */
  async tell(command: PartCommand, { keep }: { keep: boolean }): Promise<readonly Told[]> {
    const told: Told[] = []
    if (keep) this.#told.push(command)
    for (const front of this.#fronts) {
      const answer = await front.tell(command)
      told.push(answer)
      if (!("error" in answer)) continue
      if (keep) this.#told.splice(this.#told.lastIndexOf(command), 1)
      break
    }
    return told
  }

  async stats(options: { requests?: boolean } = {}): Promise<readonly (FrontStats | undefined)[]> {
    return await Promise.all([...this.#fronts].map(front => front.stats(undefined, options)))
  }

  #spawn(): FrontProcess {
    const { config, pools, dev, sockets, pages } = this.#options
    const front: FrontProcess = new FrontProcess({
      index: this.#options.takeNumber(),
      start: () => ({
        config,
        files: this.#files,
        apps: Object.fromEntries([...pools].map(([name, pool]) => [name, pool.state])),
        dev,
        ...(pages !== undefined && { pages }),
        ...(this.#problem !== null && { problem: this.#problem }),
        told: this.#told,
      }),
      sockets,
      onReport: ({ app, report }) => pools.get(app)?.report(report),
      onCast: message => this.#options.onCast(front, message),
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

  /** A front that hangs (a loop without end in a plugin or an inline app) holds its connections and helps nobody. */
  #checkFronts(): void {
    for (const front of this.#fronts) {
      void front.ping(PING_MS).then(well => {
        if (well || !this.#fronts.has(front)) return this.#silent.delete(front)
        const silent = (this.#silent.get(front) ?? 0) + 1
        this.#silent.set(front, silent)
        if (silent < MOST_SILENT || this.#state !== "serving") return
        this.#options.log.error(`front ${front.pid} has not answered for ${(silent * PING_MS) / 1000} s; killed`)
        front.kill()
      })
    }
  }

  /** At once the first time; then slower and slower, as a front that cannot start would eat the machine. */
  #respawn(front: FrontProcess, exit: FrontExit): void {
    this.#failures = front.age > STABLE_MS ? 0 : this.#failures + 1
    const again = this.#failures < 3 ? "" : `, ${this.#failures} times in a row soon after its start`
    this.#spawnLater(`front ${front.pid} ${describeExit(exit)}${again}`)
  }

  #spawnLater(why: string): void {
    const delayMs = this.#failures < 2 ? 0 : Math.min(MAX_DELAY_MS, 100 * 2 ** this.#failures)
    this.#options.log.error(`${why}; starting another${delayMs > 0 ? ` in ${delayMs} ms` : ""}`)
    const timer = setTimeout(() => {
      this.#respawns.delete(timer)
      try {
        const next = this.#spawn()
        next.ready.then(() => next.listen()).catch(() => {})
      } catch (error) {
        // Out of processes or descriptors: that may pass.
        this.#failures++
        this.#spawnLater(`a front cannot be started (${(error as Error).message})`)
      }
    }, delayMs)
    this.#respawns.add(timer)
  }
}

/** Rejects when it takes longer: a plugin's `start` that never ends must not block every later reload. */
async function within<T>(ms: number, what: "start" | "accept", work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`the fronts did not ${what} within ${ms / 1000} s: a plugin or an inline app hangs`)), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
