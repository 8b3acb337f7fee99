import type { AppSpec, Launch, SlotKeeper, WorkerHost, WorkerInfo, WorkerProcess, WorkerStatus, WorkerTotals } from "edge"
import { WorkerHandle } from "./worker-handle.ts"
import type { PoolOptions } from "./options.ts"
import type { WorkerView } from "./plan.ts"

/** How often memory is read. */
const memoryMs = 1000
/** Fronts that cannot connect to a worker within this do not hold up the leaving of another. */
const settleMs = 2000

export interface WorkersParts {
  readonly app: AppSpec
  readonly host: WorkerHost
  readonly options: PoolOptions
  readonly keeper: SlotKeeper
  /** It answers. */
  onReady(worker: WorkerHandle): void
  onBootFailed(worker: WorkerHandle, error: unknown): void
  /** Its process is gone, as asked or not. */
  onGone(worker: WorkerHandle, end: { code: number | null; signal: string | null }): void
}

/** The workers of a pool: starts them, shows them to fronts, lets them go. Decides nothing. */
export class Workers {
  readonly #parts: WorkersParts
  readonly #handles = new Map<number, WorkerHandle>()
  #measuredMs = 0
  /** Of workers that are gone. */
  #served = 0
  #starts = 0

  constructor(parts: WorkersParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#handles.size
  }

  get ready(): WorkerHandle[] {
    return [...this.#handles.values()].filter(w => w.phase === "ready")
  }

  get processes(): WorkerProcess[] {
    return [...this.#handles.values()].map(w => w.process).filter(p => p !== undefined)
  }

  get status(): WorkerStatus[] {
    return [...this.#handles.values()].map(w => w.status(this.#parts.keeper)).filter(s => s !== undefined)
  }

  get totals(): WorkerTotals {
    const { keeper } = this.#parts
    let requests = this.#served
    for (const w of this.#handles.values()) if (w.process !== undefined) requests += keeper.served(w.index)
    return { requests, starts: this.#starts }
  }

  at(index: number): WorkerHandle | undefined {
    return this.#handles.get(index)
  }

  /** How they are now, for the planner. */
  look(nowMs: number): WorkerView[] {
    const { keeper } = this.#parts
    const measure = nowMs - this.#measuredMs >= memoryMs
    if (measure) this.#measuredMs = nowMs
    return [...this.#handles.values()].map(w => {
      if (w.phase === "ready" && !w.settled) w.settled = keeper.settled(w.index) || nowMs - w.readyMs > settleMs
      if (measure && w.process !== undefined) w.memory = w.process.memory()
      return w.view(keeper)
    })
  }

  async spawn(index: number, by: { launch: Launch; version: number }): Promise<void> {
    const { host, options } = this.#parts
    const jitter = Math.floor(Math.random() * (options.max_requests_jitter + 1))
    const servedMost = options.max_requests === 0 ? 0 : options.max_requests + jitter
    const worker = new WorkerHandle({ index, launch: by.launch, version: by.version, servedMost, nowMs: performance.now() })
    this.#handles.set(index, worker)
    try {
      const { signal } = worker.abort
      const process = await host.spawn(index, { bootMs: options.boot_timeout, launch: by.launch, signal })
      this.#join(worker, process)
    } catch (error) {
      this.#handles.delete(index)
      this.#parts.onBootFailed(worker, error)
    }
  }

  #join(worker: WorkerHandle, process: WorkerProcess): void {
    const { app, keeper, options } = this.#parts
    worker.process = process
    void process.exited.then(end => this.#leave(worker, end))
    worker.readyMs = performance.now()
    worker.enter("ready", worker.readyMs)
    const blocking = this.isBlocking(worker)
    const prefetch = blocking && process.transport === "frames" ? options.ahead : 0
    keeper.open(worker.index, { serial: process.serial, capacity: app.concurrency, blocking, prefetch })
    this.#starts++
    this.publish()
    this.#parts.onReady(worker)
  }

  #leave(worker: WorkerHandle, end: { code: number | null; signal: string | null }): void {
    const { keeper } = this.#parts
    const served = keeper.served(worker.index)
    this.#handles.delete(worker.index)
    this.#served += served
    worker.worked = served > 0 || keeper.busy(worker.index) > 0 || keeper.tunnels(worker.index) > 0
    keeper.sweepWorker(worker.index)
    this.publish()
    this.#parts.onGone(worker, end)
  }

  /** Its requests block a thread each: one past its deadline ends only with the worker. */
  isBlocking(worker: WorkerHandle): boolean {
    return worker.launch.blocking ?? this.#parts.app.runtime === "wsgi"
  }

  /** Takes nothing new until `reopen`. */
  hold(worker: WorkerHandle): void {
    this.#parts.keeper.close(worker.index)
  }

  reopen(worker: WorkerHandle): void {
    if (worker.phase === "ready") this.#parts.keeper.reopen(worker.index, worker.process!.serial)
  }

  /** Takes nothing new from now on. */
  close(worker: WorkerHandle): void {
    this.#parts.keeper.close(worker.index)
    if (worker.phase === "ready") worker.enter("draining", performance.now())
  }

  /** Asked to exit; with `force` by SIGTERM, as one that is stuck reads no frames. */
  finish(worker: WorkerHandle, options: { force: boolean }): void {
    this.#parts.keeper.close(worker.index)
    worker.enter("stopping", performance.now())
    // Fronts let go of their connections: it waits for that before it exits.
    this.publish()
    if (options.force || worker.process?.drain === undefined) worker.process?.kill("SIGTERM")
    else worker.process.drain()
  }

  kill(worker: WorkerHandle): void {
    worker.killed = true
    worker.abort.abort()
    worker.process?.kill("SIGKILL")
  }

  killAll(): void {
    for (const worker of this.#handles.values()) this.kill(worker)
  }

  publish(): void {
    const infos: WorkerInfo[] = []
    for (const w of this.#handles.values()) if (w.info !== undefined && w.phase !== "stopping") infos.push(w.info)
    this.#parts.host.publish(infos)
  }
}
