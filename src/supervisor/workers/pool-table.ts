/** All pools of the server, and how they follow a new plan. */
import type { AppWorkers, ControlAnswer } from "../../control.ts"
import { didYouMean } from "../../config/suggest.ts"
import type { Logger } from "../../log/logger.ts"
import type { Plan, PlannedApp } from "../../generation/plan.ts"
import type { RequestNow } from "../../contract/gateway.ts"
import type { Cgroups } from "./cgroup.ts"
import type { Guard } from "../reaper.ts"
import type { WorkerEvents } from "../hook-host.ts"
import type { Identity } from "../../system/identity.ts"
import { WorkerFailed } from "../log/output.ts"
import { Pool } from "./pool.ts"
import type { RunFolder } from "../run-folder.ts"

export interface PoolTableParts {
  readonly folder: RunFolder
  readonly guard: Guard
  onChange(pool: Pool): void
  readonly onWorker: WorkerEvents
  readonly cgroups: Cgroups
}

export interface PreparedPools {
  /** By app: what the new fronts connect to. */
  readonly pools: ReadonlyMap<string, Pool>
  /** Rolls the pools that stay and whose workers are out of date; `all` of those that stay. */
  roll(all: boolean): Promise<void>
  /** Pools that are no longer wanted stop when the fronts that use them are gone. */
  commit(oldFrontsGone: Promise<void> | undefined): void
  rollback(): Promise<void>
}

/** Workers of a pool that nobody uses any more have little to finish. */
const STOP_MS = 10_000

export class PoolTable {
  readonly #parts: PoolTableParts
  readonly #pools = new Map<string, Pool>()
  /** Replaced or removed, still used by old fronts. */
  readonly #leaving = new Set<Pool>()
  /** Being started for fronts that do not exist yet. */
  readonly #starting = new Set<Pool>()

  constructor(parts: PoolTableParts) {
    this.#parts = parts
  }

  get all(): readonly Pool[] {
    return [...this.#pools.values()]
  }

  /** Starts what is new. `patient`: an app that cannot boot is tried again and does not keep the others down. */
  async prepare(plan: Plan, options: { fronts: Identity | undefined; log: Logger; patient: boolean }): Promise<PreparedPools> {
    const pools = new Map<string, Pool>()
    const fresh: Pool[] = []
    const staying: { pool: Pool; app: PlannedApp }[] = []
    for (const app of plan.apps) {
      if (app.launch === undefined) continue
      const { name } = app.spec
      const running = this.#pools.get(name)
      if (running?.fits(app) === true) staying.push({ pool: running, app })
      const pool = running?.fits(app) === true ? running : this.#make(app, { ...options, config: plan.config })
      if (pool !== running) fresh.push(pool)
      pools.set(name, pool)
    }
    const rollback = async (): Promise<void> => {
      await Promise.all(fresh.map(pool => pool.stop(AbortSignal.timeout(STOP_MS))))
      for (const pool of fresh) this.#starting.delete(pool)
    }
    const starts = fresh.map(pool => (options.patient ? pool.startOrRetry() : pool.start()))
    const failed = (await Promise.allSettled(starts)).find(result => result.status === "rejected")
    if (failed !== undefined) {
      await rollback()
      throw failed.reason
    }
    return {
      pools,
      rollback,
      roll: async all => {
        const wanted = staying.filter(({ pool, app }) => all || pool.stale(app))
        const results = await Promise.allSettled(wanted.map(({ pool, app }) => pool.roll(app)))
        const errors = results.flatMap(result => (result.status === "rejected" ? [result.reason as unknown] : []))
        if (errors.length > 0) throw WorkerFailed.all(errors)
      },
      commit: gone => this.#commit(pools, gone),
    }
  }

  #make(app: PlannedApp, options: { fronts: Identity | undefined; log: Logger; config: Plan["config"] }): Pool {
    const pool = new Pool({ app, ...this.#parts, ...options })
    this.#starting.add(pool)
    return pool
  }

  #commit(pools: ReadonlyMap<string, Pool>, oldFrontsGone: Promise<void> | undefined): void {
    const unwanted = this.all.filter(pool => pools.get(pool.name) !== pool)
    this.#pools.clear()
    for (const [name, pool] of pools) {
      this.#pools.set(name, pool)
      this.#starting.delete(pool)
    }
    for (const pool of unwanted) {
      this.#leaving.add(pool)
      void (oldFrontsGone ?? Promise.resolve())
        .then(() => pool.stop(AbortSignal.timeout(STOP_MS)))
        .then(() => this.#leaving.delete(pool))
    }
  }

  frontGone(front: number): void {
    for (const pool of this.#everyPool()) pool.frontGone(front)
  }

  async stop(deadline: AbortSignal): Promise<void> {
    await Promise.all(this.#everyPool().map(pool => pool.stop(deadline)))
    this.#parts.cgroups.remove()
  }

  reopenLogs(): void {
    for (const pool of this.#everyPool()) pool.reopenLog()
  }

  #everyPool(): Pool[] {
    return [...this.#pools.values(), ...this.#leaving, ...this.#starting]
  }

  scale(app: string, workers: number): ControlAnswer {
    const pool = this.#pools.get(app)
    if (pool === undefined) {
      if ([...this.#starting].some(({ name }) => name === app)) return { ok: false, error: `the app "${app}" still boots` }
      const known = [...this.#pools.keys()]
      return { ok: false, error: `no app with workers is named "${app}"${didYouMean(app, known, { list: "known" })}` }
    }
    pool.scale(workers)
    return { ok: true }
  }

  /** TTIN and TTOU: one worker more or less, never fewer than one, for every app. */
  scaleBy(change: number): void {
    for (const pool of this.all) {
      const now = pool.status().filter(({ state }) => state === "ready" || state === "starting").length
      pool.scale(Math.max(1, now + change))
    }
  }

  async workers({ stack, requests }: { stack: boolean; requests: ReadonlyMap<string, readonly RequestNow[]> }): Promise<readonly AppWorkers[]> {
    return await Promise.all(
      this.all.map(async pool => {
        const stacks = stack ? await pool.stacks() : []
        const workers = pool.status().map(worker => {
          const found = stacks.find(({ pid }) => pid === worker.pid)
          const now = (requests.get(pool.name) ?? []).filter(({ index, serial }) => index === worker.index && serial === worker.serial)
          return { ...worker, now, ...(found !== undefined && { stack: found.stack }) }
        })
        return { app: pool.name, workers }
      }),
    )
  }
}
