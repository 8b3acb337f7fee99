import type { AppSpec, Launch, Supervision, WorkerHost, WorkerStatus, WorkerTotals } from "edge"
import { SlotKeeper } from "edge"
import { Autoscaler } from "./autoscaler.ts"
import { Workers } from "./workers.ts"
import { SlotReclaimer } from "./slot-reclaimer.ts"
import type { WorkerHandle } from "./worker-handle.ts"
import type { PoolOptions } from "./options.ts"
import type { Action, PoolView } from "./plan.ts"
import { backoffMs, crashLoop, plan } from "./plan.ts"
import { Watchdog } from "./watchdog.ts"

/** A worker that was asked to exit and has nothing more to do is killed after this. */
const exitMs = 10_000
/** New code whose workers end quickly so often is given up. */
const rollFailures = 3

/** Starts the workers of one app; resolves when the first ones all answer, rejects with the error of the first that cannot. */
export async function supervise(app: AppSpec, launch: Launch, host: WorkerHost): Promise<Supervision> {
  const options = app.options.gateway as PoolOptions
  const indexes = Math.max(16, 2 * options.workers.max + 2)
  const page = await host.page(indexes)
  const pool = new PoolSupervisor(app, { launch, host, options, keeper: new SlotKeeper(page) })
  await pool.start()
  return pool
}

interface Parts {
  readonly launch: Launch
  readonly host: WorkerHost
  readonly options: PoolOptions
  readonly keeper: SlotKeeper
}

interface Roll {
  readonly version: number
  /** What to go back to. */
  readonly before: { readonly launch: Launch; readonly version: number }
  /** Workers of it that ended soon after their start. */
  quickEnds: number
  resolve(): void
  reject(error: unknown): void
}

class PoolSupervisor implements Supervision {
  readonly #host: WorkerHost
  readonly #options: PoolOptions
  readonly #keeper: SlotKeeper
  readonly #workers: Workers
  readonly #reclaimer: SlotReclaimer
  readonly #autoscaler: Autoscaler
  #launch: Launch
  #version = 1
  /** Launches so far; each is a version, also one that was taken back. */
  #versions = 1
  /** Starts that came to nothing, and workers that ended soon after theirs, one after the other. */
  #failures = 0
  #quickEnds = 0
  #notBeforeMs = 0
  /** The first start; a failure in it is final. */
  #boot: { resolve(): void; reject(error: unknown): void } | undefined
  #roll: Roll | undefined
  /** Set by `stop`: called when nobody is left. */
  #empty: (() => void) | undefined
  #timer: Timer | undefined

  constructor(app: AppSpec, { launch, host, options, keeper }: Parts) {
    this.#host = host
    this.#options = options
    this.#keeper = keeper
    this.#launch = launch
    this.#workers = new Workers({
      app,
      host,
      options,
      keeper,
      onReady: worker => this.#joined(worker),
      onBootFailed: (worker, error) => this.#bootFailed(worker, error),
      onGone: (worker, end) => this.#gone(worker, end),
    })
    this.#autoscaler = new Autoscaler({
      bounds: options.workers,
      slots: app.concurrency,
      workers: this.#workers,
      keeper,
      log: host.log,
      onSample: () => this.#reclaimer.sweep({ workers: this.#workers.processes, nowMs: performance.now() }),
      onChange: () => this.#tick(),
    })
    const watchdog = new Watchdog({ workers: this.#workers, log: host.log, onChange: () => this.#tick() })
    this.#reclaimer = new SlotReclaimer(keeper, {
      timeoutMs: app.timeoutMs,
      onStuck: ({ index, serial }) =>
        watchdog.heard({ kind: "stuck", index, serial, detail: `a request of a front that is gone is past ${app.timeoutMs} ms` }),
    })
    host.onReport(report => watchdog.heard(report))
    host.onFrontGone?.(front => this.#reclaimer.add(front, { workers: this.#workers.processes, nowMs: performance.now() }))
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#boot = { resolve, reject }
    this.#tick()
    try {
      await promise
    } catch (error) {
      await this.stop(AbortSignal.abort())
      throw error
    } finally {
      this.#boot = undefined
    }
    this.#autoscaler.start()
  }

  scale(workers: number): void {
    // some indexes are kept for replacements
    this.#autoscaler.set(Math.max(0, Math.min(Math.floor(workers), this.#keeper.workers - 2)))
    this.#forgive()
    this.#tick()
  }

  /** Replaces every worker by one of the new launch, one at a time. A roll under way is given up for the newer one. */
  roll(launch: Launch): Promise<void> {
    const before = this.#roll?.before ?? { launch: this.#launch, version: this.#version }
    this.#roll?.reject(new Error("a newer reload took its place"))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#launch = launch
    this.#version = ++this.#versions
    this.#roll = { version: this.#version, before, quickEnds: 0, resolve, reject }
    this.#forgive()
    this.#tick()
    return promise
  }

  status(): readonly WorkerStatus[] {
    return this.#workers.status
  }

  totals(): WorkerTotals {
    return this.#workers.totals
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#autoscaler.stop()
    this.#roll?.reject(new Error("the pool is stopping"))
    this.#roll = undefined
    const gone = new Promise<void>(resolve => (this.#empty = resolve))
    const hurry = () => this.#workers.killAll()
    deadline.addEventListener("abort", hurry, { once: true })
    this.#tick()
    if (deadline.aborted) hurry()
    await gone
    deadline.removeEventListener("abort", hurry)
    clearTimeout(this.#timer)
    this.#reclaimer.clear()
  }

  // One loop: look, plan, act, look again -----------------------------------------------------------------------------

  #tick(): void {
    clearTimeout(this.#timer)
    const { actions, waitMs } = plan(this.#view())
    for (const action of actions) this.#act(action)
    this.#progress()
    if (this.#empty !== undefined && this.#workers.size === 0) this.#empty()
    else this.#timer = setTimeout(() => this.#tick(), waitMs)
  }

  #view(): PoolView {
    const nowMs = performance.now()
    const options = this.#options
    return {
      nowMs,
      target: this.#autoscaler.target,
      version: this.#version,
      workers: this.#workers.look(nowMs),
      indexes: this.#keeper.workers,
      notBeforeMs: this.#notBeforeMs,
      failures: this.#failures,
      limits: {
        maxMemory: options.max_memory ?? 0,
        lifetimeMs: options.lifetime ?? 0,
        drainMs: options.drain_timeout,
        tunnelMs: Math.max(options.tunnel_grace, options.drain_timeout),
        exitMs,
      },
      stopping: this.#empty !== undefined,
    }
  }

  #act(action: Action): void {
    if (action.do === "spawn") {
      void this.#workers.spawn(action.index, { launch: this.#launch, version: this.#version })
      return
    }
    const worker = this.#workers.at(action.index)!
    const fields = { worker: worker.index, pid: worker.process?.pid }
    if (action.do === "drain") {
      this.#host.log.info(`worker leaves: ${action.why}`, fields)
      this.#workers.close(worker)
    } else if (action.do === "finish") this.#workers.finish(worker, { force: action.force })
    else {
      this.#host.log.warn(`worker killed: ${action.why}`, fields)
      this.#workers.kill(worker)
    }
  }

  /** Resolves what was waited for: the first start, a roll; and forgives failures after a calm time. */
  #progress(): void {
    const { ready } = this.#workers
    const whole = ready.length >= this.#autoscaler.target
    if (whole) this.#boot?.resolve()
    if (whole && this.#roll !== undefined && ready.every(w => w.version === this.#version)) {
      this.#roll.resolve()
      this.#roll = undefined
    }
    const nowMs = performance.now()
    if (this.#failures > 0 && whole && ready.every(w => nowMs - w.readyMs > this.#options.restart.quick)) this.#failures = 0
  }

  // What happens to workers -------------------------------------------------------------------------------------------

  #joined(worker: WorkerHandle): void {
    // it came too late
    if (this.#empty !== undefined) this.#workers.finish(worker, { force: true })
    this.#tick()
  }

  #gone(worker: WorkerHandle, end: { code: number | null; signal: string | null }): void {
    const fields = { worker: worker.index, pid: worker.process?.pid, ...end }
    if (worker.phase === "stopping" || this.#empty !== undefined) this.#host.log.info("worker ended", fields)
    else {
      this.#host.log.error("worker died", fields)
      this.#died(worker, `${end.signal ?? `exit code ${end.code}`}`)
    }
    this.#tick()
  }

  /**
   * A start that comes to nothing is waited after. A worker that had work was started well: what killed it was a request, and
   * waiting would let one bad request a second take the whole app down.
   */
  #died(worker: WorkerHandle, how: string): void {
    const quick = performance.now() - worker.readyMs < this.#options.restart.quick
    this.#quickEnds = quick ? this.#quickEnds + 1 : 0
    if (!worker.worked) this.#failed(quick ? this.#failures + 1 : 1)
    else if (this.#quickEnds === crashLoop) this.#host.log.error(`crash loop: workers ended quickly ${crashLoop} times in a row`)
    if (quick && worker.version === this.#roll?.version && ++this.#roll.quickEnds >= rollFailures)
      this.#takeBack(new Error(`the new workers end quickly: ${how}`))
  }

  #bootFailed(worker: WorkerHandle, error: unknown): void {
    if (this.#boot !== undefined) this.#boot.reject(error)
    else if (worker.version === this.#roll?.version) this.#takeBack(error)
    else if (this.#empty === undefined) {
      this.#host.log.error("worker cannot start", { worker: worker.index, error: String(error) })
      this.#failed(this.#failures + 1)
    }
    this.#tick()
  }

  /** The new code is no good: what runs of the old goes on, what runs of the new is replaced. */
  #takeBack(error: unknown): void {
    const { before, reject } = this.#roll!
    this.#roll = undefined
    this.#launch = before.launch
    this.#version = before.version
    reject(error)
  }

  #failed(failures: number): void {
    this.#failures = failures
    const waitMs = backoffMs(failures, this.#options.restart)
    this.#notBeforeMs = performance.now() + waitMs
    if (failures === crashLoop)
      this.#host.log.error(`crash loop: workers ended quickly ${failures} times in a row`, { nextStartInMs: waitMs })
  }

  /** What is asked for by hand begins at once. */
  #forgive(): void {
    this.#failures = this.#quickEnds = 0
    this.#notBeforeMs = 0
  }
}
