/** The worker pools: one per app whose gateway has processes. They belong to the supervisor and survive reloads. */
import { chownSync } from "node:fs"
import { AppLog } from "../log/app-log.ts"
import type { Cgroups } from "./cgroup.ts"
import type { AppUse } from "../../control.ts"
import type { ConfigJson } from "../../config/config.ts"
import type { Logger } from "../../log/logger.ts"
import type { PlannedApp } from "../../generation/plan.ts"
import type { Launch } from "../../contract/runtime.ts"
import type { SharedPage, Supervision, WorkerHost, WorkerInfo, WorkerProcess, WorkerReport, WorkerStatus } from "../../contract/gateway.ts"
import { createPage } from "../../slots/page.ts"
import { fingerprint } from "./fingerprint.ts"
import type { Guard } from "../reaper.ts"
import { findIdentity, type Identity, isRoot } from "../../system/identity.ts"
import type { AppState } from "../fronts/messages.ts"
import { Nursery } from "./preload/fork-server.ts"
import { type RunFolder, writeFiles } from "../run-folder.ts"
import { superviseApp } from "./supervision.ts"
import type { WorkerEvents } from "../hook-host.ts"
import { startWorker, type WorkerOptions } from "./spawn.ts"

export interface PoolParts {
  readonly app: PlannedApp
  readonly folder: RunFolder
  readonly guard: Guard
  readonly log: Logger
  /** Who the fronts run as, when they change user. */
  readonly fronts: Identity | undefined
  /** Config that a third party's gateway is set up from, in a child of its own. */
  readonly config: ConfigJson
  /** Its workers changed: the fronts must know. */
  onChange(pool: Pool): void
  readonly onWorker: WorkerEvents
  readonly cgroups: Cgroups
}

/** An app that did not boot at the start is tried again after so long, and then ever later. */
const RETRY_MS = 1000
const MOST_RETRY_MS = 30_000

export class Pool implements WorkerHost {
  readonly name: string
  readonly log: Logger
  readonly #parts: PoolParts
  readonly #identity: Identity | undefined
  readonly #run: ReturnType<RunFolder["poolFolder"]>
  readonly #written = new WeakSet<Launch>()
  readonly #running = new Set<WorkerProcess>()
  #app: PlannedApp
  #launch: Launch
  #fingerprint: string
  #supervision: Supervision | undefined
  #workers: readonly WorkerInfo[] = []
  #page: { readonly path: string; readonly max: number; readonly shared: SharedPage } | undefined
  readonly #file: AppLog | undefined
  readonly #cgroup: string | undefined
  readonly #nurseries = new Map<Launch, Nursery>()
  /** Aborted when the pool is stopped before it has started. */
  readonly #cut = new AbortController()
  #serial = 0
  #stopped = false
  #retry: ReturnType<typeof setTimeout> | undefined
  #heard: (report: WorkerReport) => void = () => {}
  #frontGone: (front: number) => void = () => {}

  constructor(parts: PoolParts) {
    const { app, folder, log, fronts } = parts
    const { name, user, group } = app.spec
    this.#parts = parts
    this.#app = app
    this.#launch = app.launch!
    this.name = name
    this.log = log.with({ app: name })
    // Without a user of its own an app runs as the fronts do: as root only when nothing else was asked for.
    this.#identity = !isRoot() ? undefined : user === undefined ? fronts : findIdentity(user, group)
    this.#run = folder.poolFolder(this.#identity, fronts)
    this.#fingerprint = fingerprint(app.spec.dir)
    this.#file = app.spec.log === undefined ? undefined : new AppLog(app.spec.log, this.log)
    this.#cgroup = this.#joinGroup()
  }

  /** Without a group the app runs all the same: said once, where it is looked for. */
  #joinGroup(): string | undefined {
    const { cgroup } = this.#app.spec.limits ?? {}
    if (cgroup === undefined) return undefined
    try {
      return this.#parts.cgroups.group(this.name, cgroup)
    } catch (error) {
      this.log.warn(`the limits of \`cgroup\` are not in force: ${(error as Error).message}`)
      return undefined
    }
  }

  /** Everything that the app is, but how its workers are started: what a roll cannot change needs another pool. */
  fits(app: PlannedApp): boolean {
    return Bun.deepEquals(shape(app), shape(this.#app))
  }

  /** Whether its workers run other code or settings than they would be started with now. */
  stale(app: PlannedApp): boolean {
    return !Bun.deepEquals(app.launch, this.#launch) || fingerprint(app.spec.dir) !== this.#fingerprint
  }

  get state(): AppState {
    return { workers: this.#workers, ...(this.#page !== undefined && { page: this.#page.path }) }
  }

  get spec(): PlannedApp["spec"] {
    return this.#app.spec
  }

  /** Resolves when the app can serve; rejects with what its first worker said. */
  async start(): Promise<void> {
    this.#supervision = await superviseApp(this.#app, {
      host: this,
      launch: this.#launch,
      config: this.#parts.config,
      pagePath: () => this.#page?.path,
      onLost: error => this.#lost(error),
    })
    if (this.#stopped) await this.#supervision.stop(AbortSignal.abort())
  }

  /** At the start of the server one app that cannot boot does not keep the others down: it is said, and tried again. */
  async startOrRetry(delayMs = RETRY_MS): Promise<void> {
    try {
      await this.start()
      if (delayMs > RETRY_MS) this.log.info("the app serves now")
    } catch (error) {
      if (this.#stopped) return
      // What follows the first line is the worker's output, which is in the log by now.
      const [why] = (error as Error).message.split("\n")
      this.log.error(`the app cannot start, next try in ${delayMs / 1000} s: ${why}`)
      this.#retry = setTimeout(() => void this.startOrRetry(Math.min(2 * delayMs, MOST_RETRY_MS)), delayMs)
    }
  }

  /** A third party's gateway is gone, and its workers with it. */
  #lost(error: Error): void {
    this.#supervision = undefined
    this.publish([])
    if (this.#stopped) return
    this.log.error(`${error.message}; starting it again`)
    this.#retry = setTimeout(() => void this.startOrRetry(2 * RETRY_MS), RETRY_MS)
  }

  /** Replaces the workers one at a time; rejects and keeps the old ones when the new code cannot boot. */
  async roll(app: PlannedApp): Promise<void> {
    clearTimeout(this.#retry)
    const launch = app.launch!
    const files = fingerprint(app.spec.dir)
    if (this.#supervision === undefined) {
      this.#launch = launch
      await this.startOrThrow()
    } else await this.#supervision.roll(launch)
    this.#app = app
    this.#launch = launch
    this.#fingerprint = files
  }

  /** A start that was asked for: its failure is told to who asked, and the app is still tried again. */
  async startOrThrow(): Promise<void> {
    try {
      await this.start()
    } catch (error) {
      this.#retry = setTimeout(() => void this.startOrRetry(2 * RETRY_MS), RETRY_MS)
      throw error
    }
  }

  scale(workers: number): void {
    this.#supervision?.scale(workers)
  }

  status(): readonly WorkerStatus[] {
    return this.#supervision?.status() ?? []
  }

  /** Stacks of all workers, by index. */
  async stacks(): Promise<readonly { readonly index: number; readonly pid: number; readonly stack: string }[]> {
    return await Promise.all([...this.#running].map(stackOf))
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    // Nobody waits for an app that still boots.
    if (this.#supervision === undefined) this.#cut.abort()
    await this.#supervision?.stop(deadline)
    await Promise.all([...this.#nurseries.values()].map(nursery => nursery.stop()))
    await this.#file?.close()
  }

  reopenLog(): void {
    try {
      this.#file?.reopen()
    } catch (error) {
      this.log.error(`the app's log cannot be opened anew; the old file goes on: ${(error as Error).message}`)
    }
  }

  /** What it used in all, for `edge status`. */
  get use(): AppUse {
    const workers = this.status()
    const totals = this.#supervision?.totals?.()
    return {
      ...totals,
      memory: workers.reduce((sum, { memory }) => sum + memory, 0),
      ...(this.#cgroup !== undefined && { cgroup: this.#parts.cgroups.use(this.#cgroup) }),
    }
  }

  report(report: WorkerReport): void {
    this.#heard(report)
  }

  frontGone(front: number): void {
    this.#frontGone(front)
  }

  // What the gateway's supervising half is given -----------------------------------------------------------------------

  async spawn(index: number, options: { bootMs?: number; launch?: Launch; signal?: AbortSignal } = {}): Promise<WorkerProcess> {
    const launch = options.launch ?? this.#launch
    if (launch.files !== undefined && !this.#written.has(launch)) {
      writeFiles(this.#run.path, launch.files, this.#identity)
      this.#written.add(launch)
    }
    const how = {
      app: this.#app.spec,
      launch,
      index,
      serial: ++this.#serial,
      run: this.#run.path,
      identity: this.#identity,
      fronts: this.#parts.fronts,
      guard: this.#parts.guard,
      log: this.log,
      file: this.#file,
      cgroup: this.#cgroup,
      bootMs: options.bootMs,
      signal: options.signal === undefined ? this.#cut.signal : AbortSignal.any([options.signal, this.#cut.signal]),
    }
    const worker = launch.preload === true ? await this.#nursery(how).fork(how) : await startWorker(how)
    this.#running.add(worker)
    const info = toInfo(worker)
    this.#parts.onWorker.ready(info)
    void worker.exited.then(end => {
      this.#running.delete(worker)
      this.#parts.onWorker.exit({ ...info, ...end })
    })
    return worker
  }

  /** The warm parent of a launch; a new one when the last has ended. */
  #nursery(how: WorkerOptions): Nursery {
    const { launch } = how
    const known = this.#nurseries.get(launch)
    if (known !== undefined) return known
    for (const other of this.#nurseries.values()) other.retire()
    const nursery = new Nursery({ ...how, index: how.index, serial: ++this.#serial, signal: undefined }, () => {
      if (this.#nurseries.get(launch) === nursery) this.#nurseries.delete(launch)
    })
    nursery.ready.catch(() => {})
    this.#nurseries.set(launch, nursery)
    return nursery
  }

  publish(workers: readonly WorkerInfo[]): void {
    this.#workers = workers.map(toInfo)
    this.#parts.onChange(this)
  }

  async page(max: number): Promise<SharedPage> {
    if (this.#page?.max === max) return this.#page.shared
    const path = `${this.#run.page}-${max}`
    const shared = createPage(path, { workers: max, capacity: this.#app.spec.concurrency })
    const { fronts } = this.#parts
    if (fronts !== undefined && isRoot()) chownSync(path, fronts.uid, fronts.gid)
    this.#page = { path, max, shared }
    return shared
  }

  onReport(f: (report: WorkerReport) => void): void {
    this.#heard = f
  }

  onFrontGone(f: (front: number) => void): void {
    this.#frontGone = f
  }
}

/** Objects of a gateway may carry more than crosses. */
function toInfo({ app, index, serial, pid, transport, address }: WorkerInfo): WorkerInfo {
  return { app, index, serial, pid, transport, address }
}

async function stackOf(worker: WorkerProcess) {
  return { index: worker.index, pid: worker.pid, stack: await worker.stack() }
}

/** Names the parts that fronts and the gateway were set up with; the rest reaches workers through their launch. */
function shape({ spec, external }: PlannedApp): unknown {
  const { name, runtime, gateway, concurrency, timeoutMs, user, group, limits, log, options } = spec
  return { name, runtime, gateway, concurrency, timeoutMs, user, group, limits, log, gateways: options.gateway, external }
}
