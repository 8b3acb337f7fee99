/**
 * What a pool should do next: a pure function from how things are to what is to be done. No clock, no process, no
 * randomness of its own, so that every rule below has a test.
 *
 * The rules: keep `target` workers answering; start the replacement of a worker before the worker leaves, one at a
 * time; let a worker that leaves end its requests first; never start faster than the backoff allows.
 */

export type Phase =
  /** Started, does not answer yet. */
  | "starting"
  /** Takes requests. */
  | "ready"
  /** Takes no new requests; has some to end. */
  | "draining"
  /** Asked to exit. */
  | "stopping"

export interface WorkerView {
  readonly index: number
  readonly serial: number
  /** Which launch it was started with. */
  readonly version: number
  readonly phase: Phase
  /** When the phase began. */
  readonly sinceMs: number
  /** When it first answered. */
  readonly readyMs: number
  /** Every front is connected to it, so that another one may leave. */
  readonly settled: boolean
  /** Slots taken now. */
  readonly busy: number
  /** Requests that are past their deadline and cannot be given up: they hold a slot until the worker ends. */
  readonly stuck: number
  /** Requests answered, and after how many it is replaced (0: never). */
  readonly served: number
  readonly servedMost: number
  /** Resident bytes. */
  readonly memory: number
  /** WebSockets that go through it. */
  readonly tunnels: number
  readonly killed: boolean
}

export interface PoolView {
  readonly nowMs: number
  readonly target: number
  readonly version: number
  readonly workers: readonly WorkerView[]
  /** How many indexes there are; workers never share one. */
  readonly indexes: number
  /** No start before this. */
  readonly notBeforeMs: number
  /** Starts that came to nothing (none answered, or it ended quickly without any work), one after the other. */
  readonly failures: number
  readonly limits: {
    readonly maxMemory: number
    readonly lifetimeMs: number
    /** Until the requests of a worker that leaves must have ended, and its WebSockets. */
    readonly drainMs: number
    readonly tunnelMs: number
    /** Until it must have exited after that. */
    readonly exitMs: number
  }
  readonly stopping: boolean
}

export type Action =
  | { readonly do: "spawn"; readonly index: number }
  /** No new requests. */
  | { readonly do: "drain"; readonly index: number; readonly why: string }
  /** Ask it to exit. */
  | { readonly do: "finish"; readonly index: number; readonly force: boolean }
  | { readonly do: "kill"; readonly index: number; readonly why: string }

export interface Plan {
  readonly actions: readonly Action[]
  /** Look again after this even if nothing happens. */
  readonly waitMs: number
}

/** Memory and age are looked at once a second at least, and four times where requests are counted. */
const idleWaitMs = 1000
const countWaitMs = 250
/** While a worker drains: a slot freed is seen soon, at no cost to speak of. */
const drainWaitMs = 20
/** SIGTERM to SIGKILL for a worker that is stuck: it had its time. */
const stuckGraceMs = 1000

export function plan(pool: PoolView): Plan {
  const actions: Action[] = []
  let waitMs = pool.workers.some(w => w.servedMost > 0) ? countWaitMs : idleWaitMs
  const ready = pool.workers.filter(w => w.phase === "ready")
  const starting = pool.workers.filter(w => w.phase === "starting").length

  for (const w of pool.workers) {
    if (w.phase === "draining") {
      actions.push(...leave(w, pool))
      // WebSockets may last for hours: no hurry to see their end
      waitMs = Math.min(waitMs, w.busy > w.stuck ? drainWaitMs : 250)
    } else if (w.phase === "stopping") {
      actions.push(...overdue(w, pool))
      waitMs = Math.min(waitMs, 100)
    }
  }
  if (pool.stopping) {
    for (const w of ready) actions.push({ do: "drain", index: w.index, why: "stop" })
    return { actions, waitMs: ready.length > 0 ? 0 : waitMs }
  }

  const worn = ready.filter(w => whyReplace(w, pool) !== undefined).toSorted((a, b) => a.serial - b.serial)
  const want = pool.target === 0 ? 0 : pool.target + (worn.length > 0 ? 1 : 0)
  const missing = want - ready.length - starting
  if (missing > 0) {
    const early = pool.notBeforeMs - pool.nowMs
    if (early > 0) waitMs = Math.min(waitMs, early)
    else actions.push(...spawns(pool, { missing, starting }))
  }

  const excess = ready.filter(w => w.settled).length - pool.target
  if (excess > 0) {
    const newestFirst = ready.filter(w => w.settled && !worn.includes(w)).toSorted((a, b) => b.serial - a.serial)
    for (const next of [...worn.filter(w => w.settled), ...newestFirst].slice(0, excess))
      actions.push({ do: "drain", index: next.index, why: whyReplace(next, pool) ?? "fewer workers" })
    waitMs = 0
  }
  if (ready.some(w => !w.settled)) waitMs = Math.min(waitMs, drainWaitMs)
  return { actions, waitMs }
}

/** Why a worker is to be replaced by a new one, or undefined. */
export function whyReplace(w: WorkerView, pool: PoolView): string | undefined {
  if (w.version !== pool.version) return "new version"
  if (w.servedMost > 0 && w.served >= w.servedMost) return "max_requests"
  if (pool.limits.maxMemory > 0 && w.memory > pool.limits.maxMemory) return "max_memory"
  if (pool.limits.lifetimeMs > 0 && pool.nowMs - w.readyMs >= pool.limits.lifetimeMs) return "lifetime"
  return undefined
}

function spawns(pool: PoolView, need: { missing: number; starting: number }): Action[] {
  // After failures one at a time: what broke one will break all.
  const most = pool.failures > 0 ? Math.max(0, 1 - need.starting) : need.missing
  const taken = new Set(pool.workers.map(w => w.index))
  const actions: Action[] = []
  for (let index = 0; index < pool.indexes && actions.length < Math.min(most, need.missing); index++)
    if (!taken.has(index)) actions.push({ do: "spawn", index })
  return actions
}

function leave(w: WorkerView, pool: PoolView): Action[] {
  const stuck = w.stuck > 0
  const ended = w.busy <= w.stuck
  if (ended && (stuck || w.tunnels === 0)) return [{ do: "finish", index: w.index, force: stuck }]
  const mostMs = ended ? pool.limits.tunnelMs : pool.limits.drainMs
  return pool.nowMs - w.sinceMs >= mostMs ? [{ do: "finish", index: w.index, force: true }] : []
}

function overdue(w: WorkerView, pool: PoolView): Action[] {
  if (w.killed) return []
  const mostMs = w.stuck > 0 ? stuckGraceMs : pool.limits.exitMs
  if (pool.nowMs - w.sinceMs < mostMs) return []
  return [{ do: "kill", index: w.index, why: w.stuck > 0 ? "stuck" : "did not exit" }]
}

/**
 * How long to wait before the next start. The first quick end is made good at once; from the second on the wait doubles.
 */
export function backoffMs(failures: number, restart: { delay: number; max_delay: number }): number {
  if (failures <= 1) return 0
  return Math.min(restart.max_delay, restart.delay * 2 ** Math.min(failures - 2, 30))
}

/** So many quick ends in a row are said to be a crash loop. */
export const crashLoop = 5
