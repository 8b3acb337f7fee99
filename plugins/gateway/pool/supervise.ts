import type { AppSpec, Launch, Supervision, WorkerHost, WorkerInfo, WorkerProcess, WorkerReport, WorkerStatus } from "edge"
import { SlotKeeper } from "edge"
import { Ghosts } from "./ghosts.ts"
import { Member } from "./member.ts"
import type { PoolOptions } from "./options.ts"
import type { Action, PoolView } from "./plan.ts"
import { backoffMs, crashLoop, plan } from "./plan.ts"
import type { Load } from "./scale.ts"
import { autoscale, noLoad, sampleMs } from "./scale.ts"

/** How long a concurrent worker that missed a deadline may take to answer a ping. */
const pingMs = 3000
const memoryMs = 1000
/** A process that a connection was lost to may be dead: its exit is heard within this. */
const lostMs = 300
/** Fronts that cannot connect to a worker within this do not hold up the leaving of another. */
const settleMs = 2000
/** A worker that was asked to exit and has nothing more to do is killed after this. */
const exitMs = 10_000

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

class PoolSupervisor implements Supervision {
  readonly #app: AppSpec
  readonly #host: WorkerHost
  readonly #options: PoolOptions
  readonly #keeper: SlotKeeper
  readonly #ghosts: Ghosts
  readonly #members = new Map<number, Member>()
  #launch: Launch
  #version = 1
  /** Launches so far; each is a version, also one that was taken back. */
  #versions = 1
  #target: number
  #failures = 0
  #notBeforeMs = 0
  #stopping = false
  /** Waits for `stop`. */
  #empty: (() => void) | undefined
  /** The first start; a failure in it is final. */
  #boot: { resolve(): void; reject(error: unknown): void } | undefined
  #roll: { version: number; before: { launch: Launch; version: number }; resolve(): void; reject(e: unknown): void } | undefined
  #timer: Timer | undefined
  #sampler: Timer | undefined
  #load: Load = noLoad
  #refused = 0
  #memoryMs = 0

  constructor(app: AppSpec, parts: Parts) {
    this.#app = app
    this.#host = parts.host
    this.#options = parts.options
    this.#keeper = parts.keeper
    this.#launch = parts.launch
    this.#target = Math.max(1, parts.options.workers.min)
    this.#ghosts = new Ghosts(parts.keeper, app.timeoutMs)
    parts.host.onReport(report => this.#heard(report))
    parts.host.onFrontGone?.(front => {
      this.#ghosts.add(front, { workers: this.#processes(), nowMs: performance.now() })
    })
  }

  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#boot = { resolve, reject }
    this.#tick()
    try {
      await promise
    } catch (error) {
      this.#boot = undefined
      await this.stop(AbortSignal.abort())
      throw error
    }
    this.#boot = undefined
    this.#sampler = setInterval(() => this.#sample(), sampleMs)
  }

  scale(workers: number): void {
    // some indexes are kept for replacements
    this.#target = Math.max(0, Math.min(Math.floor(workers), this.#keeper.workers - 2))
    this.#failures = 0
    this.#notBeforeMs = 0
    this.#tick()
  }

  /** Replaces every worker by one of the new launch, one at a time. A roll under way is given up for the newer one. */
  roll(launch: Launch): Promise<void> {
    this.#roll?.reject(new Error("a newer reload took its place"))
    const before = this.#roll?.before ?? { launch: this.#launch, version: this.#version }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#launch = launch
    this.#version = ++this.#versions
    this.#failures = 0
    this.#notBeforeMs = 0
    this.#roll = { version: this.#version, before, resolve, reject }
    this.#tick()
    return promise
  }

  status(): readonly WorkerStatus[] {
    return [...this.#members.values()].map(m => m.status(this.#keeper)).filter(s => s !== undefined)
  }

  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping = true
    clearInterval(this.#sampler)
    this.#roll?.reject(new Error("the pool is stopping"))
    this.#roll = undefined
    const gone = new Promise<void>(resolve => (this.#empty = resolve))
    const hurry = () => {
      for (const m of this.#members.values()) this.#kill(m)
    }
    deadline.addEventListener("abort", hurry, { once: true })
    this.#tick()
    if (deadline.aborted) hurry()
    await gone
    deadline.removeEventListener("abort", hurry)
    clearTimeout(this.#timer)
    this.#ghosts.clear()
  }

  // One loop: look, plan, act, look again -----------------------------------------------------------------------------

  #tick(): void {
    clearTimeout(this.#timer)
    const nowMs = performance.now()
    this.#look(nowMs)
    const { actions, waitMs } = plan(this.#view(nowMs))
    for (const action of actions) this.#act(action, nowMs)
    this.#progress()
    if (this.#stopping && this.#members.size === 0) this.#empty?.()
    else this.#timer = setTimeout(() => this.#tick(), waitMs)
  }

  #look(nowMs: number): void {
    const measure = nowMs - this.#memoryMs >= memoryMs
    if (measure) this.#memoryMs = nowMs
    for (const m of this.#members.values()) {
      if (m.phase === "ready" && !m.settled) m.settled = this.#keeper.settled(m.index) || nowMs - m.readyMs > settleMs
      if (measure && m.process !== undefined) m.memory = m.process.memory()
    }
  }

  #view(nowMs: number): PoolView {
    return {
      nowMs,
      target: this.#target,
      version: this.#version,
      workers: [...this.#members.values()].map(m => m.view(this.#keeper)),
      indexes: this.#keeper.workers,
      notBeforeMs: this.#notBeforeMs,
      failures: this.#failures,
      limits: {
        maxMemory: this.#options.max_memory ?? 0,
        lifetimeMs: this.#options.lifetime ?? 0,
        drainMs: this.#options.drain_timeout,
        tunnelMs: Math.max(this.#options.tunnel_grace, this.#options.drain_timeout),
        exitMs,
      },
      stopping: this.#stopping,
    }
  }

  #act(action: Action, nowMs: number): void {
    if (action.do === "spawn") {
      void this.#spawn(action.index, nowMs)
      return
    }
    const member = this.#members.get(action.index)!
    if (action.do === "drain") this.#drain(member, action.why)
    else if (action.do === "finish") this.#finish(member, { force: action.force })
    else {
      this.#host.log.warn(`worker killed: ${action.why}`, { worker: member.index, pid: member.process?.pid })
      this.#kill(member)
    }
  }

  async #spawn(index: number, nowMs: number): Promise<void> {
    const jitter = Math.floor(Math.random() * (this.#options.max_requests_jitter + 1))
    const servedMost = this.#options.max_requests === 0 ? 0 : this.#options.max_requests + jitter
    const member = new Member({ index, version: this.#version, servedMost, nowMs })
    this.#members.set(index, member)
    try {
      const process = await this.#host.spawn(index, {
        bootMs: this.#options.boot_timeout,
        launch: this.#launch,
        signal: member.abort.signal,
      })
      this.#joined(member, process)
    } catch (error) {
      this.#members.delete(index)
      if (!this.#stopping) this.#bootFailed(member, error)
    }
    this.#tick()
  }

  #joined(member: Member, process: WorkerProcess): void {
    const nowMs = performance.now()
    member.process = process
    void process.exited.then(end => this.#gone(member, end))
    if (this.#stopping) {
      member.enter("stopping", nowMs)
      this.#kill(member)
      return
    }
    member.readyMs = nowMs
    member.enter("ready", nowMs)
    const { serial } = process
    const blocking = this.#blocking
    const ahead = blocking && process.transport === "frames" ? this.#options.ahead : 0
    this.#keeper.open(member.index, { serial, capacity: this.#app.concurrency, blocking, ahead })
    this.#publish()
  }

  #drain(member: Member, why: string): void {
    this.#keeper.close(member.index)
    member.enter("draining", performance.now())
    this.#host.log.info(`worker leaves: ${why}`, { worker: member.index, pid: member.process?.pid })
  }

  #finish(member: Member, options: { force: boolean }): void {
    member.enter("stopping", performance.now())
    // Fronts let go of their connections: it waits for that before it exits.
    this.#publish()
    if (options.force || member.process?.drain === undefined) member.process?.kill("SIGTERM")
    else member.process.drain()
  }

  #kill(member: Member): void {
    member.killed = true
    member.abort.abort()
    member.process?.kill("SIGKILL")
  }

  get #blocking(): boolean {
    return this.#launch.blocking ?? this.#app.runtime === "wsgi"
  }

  #publish(): void {
    const infos: WorkerInfo[] = []
    for (const m of this.#members.values()) if (m.info !== undefined && m.phase !== "stopping") infos.push(m.info)
    this.#host.publish(infos)
  }

  #processes(): WorkerProcess[] {
    return [...this.#members.values()].map(m => m.process).filter(p => p !== undefined)
  }

  // What happens to workers -------------------------------------------------------------------------------------------

  #gone(member: Member, end: { code: number | null; signal: string | null }): void {
    this.#members.delete(member.index)
    this.#keeper.sweepWorker(member.index)
    this.#publish()
    const expected = member.phase === "stopping" || this.#stopping
    const fields = { worker: member.index, pid: member.process?.pid, code: end.code, signal: end.signal }
    if (expected) this.#host.log.info("worker ended", fields)
    else {
      this.#host.log.error("worker died", fields)
      const quick = performance.now() - member.readyMs < this.#options.restart.quick
      this.#failed(quick ? this.#failures + 1 : 1)
    }
    this.#tick()
  }

  #bootFailed(member: Member, error: unknown): void {
    if (this.#boot !== undefined) {
      this.#boot.reject(error)
      return
    }
    if (this.#roll !== undefined && member.version === this.#roll.version) {
      const { before, reject } = this.#roll
      this.#roll = undefined
      this.#launch = before.launch
      this.#version = before.version
      reject(error)
      return
    }
    this.#host.log.error("worker cannot start", { worker: member.index, error: String(error) })
    this.#failed(this.#failures + 1)
  }

  #failed(failures: number): void {
    this.#failures = failures
    const waitMs = backoffMs(failures, this.#options.restart)
    this.#notBeforeMs = performance.now() + waitMs
    if (failures === crashLoop)
      this.#host.log.error(`crash loop: workers ended quickly ${failures} times in a row`, { nextStartInMs: waitMs })
  }

  /** Resolves what was waited for: the first start, a roll; and forgives failures after a calm time. */
  #progress(): void {
    const members = [...this.#members.values()]
    const ready = members.filter(m => m.phase === "ready")
    if (this.#boot !== undefined && ready.length >= this.#target) this.#boot.resolve()
    if (this.#roll !== undefined && ready.length >= this.#target && ready.every(m => m.version === this.#version)) {
      this.#roll.resolve()
      this.#roll = undefined
    }
    const nowMs = performance.now()
    const calm = ready.length >= this.#target && ready.every(m => nowMs - m.readyMs > this.#options.restart.quick)
    if (this.#failures > 0 && calm) this.#failures = 0
  }

  #heard(report: WorkerReport): void {
    const member = this.#members.get(report.index)
    if (member?.process?.serial !== report.serial) return
    if (member.phase === "starting" || member.phase === "stopping") return
    if (report.kind === "stuck") void this.#replaceStuck(member, report.detail)
    else void this.#seeLost(member, report.detail)
  }

  /** A front lost its connection. Most often the process just died, which `exited` tells by itself a moment later. */
  async #seeLost(member: Member, detail: string): Promise<void> {
    await Bun.sleep(lostMs)
    if (member.phase !== "ready" || this.#members.get(member.index) !== member) return
    this.#host.log.warn(`connection to a worker lost: ${detail}`, { worker: member.index, pid: member.process!.pid })
    if (await this.#answers(member)) return
    this.#host.log.error("worker does not answer", { worker: member.index, pid: member.process!.pid })
    this.#keeper.close(member.index)
    this.#finish(member, { force: true })
    member.stuck++
    this.#tick()
  }

  /** A program that speaks HTTP cannot be asked: it has the benefit of the doubt. */
  async #answers(member: Member): Promise<boolean> {
    const process = member.process!
    if (process.transport !== "frames" || process.ping === undefined) return true
    return process.ping(pingMs).then(() => true, () => false)
  }

  /**
   * A request is past its deadline. Threads cannot be told to stop: the worker is replaced, its other threads may end
   * what they have. An event loop gives one request up, and is replaced only if it does not turn any more.
   */
  async #replaceStuck(member: Member, detail: string): Promise<void> {
    const process = member.process!
    if (!this.#blocking) {
      const alive = await this.#answers(member)
      if (alive || member.phase !== "ready") return
    }
    member.stuck++
    if (member.stuck > 1) return
    if (member.phase === "ready") {
      this.#keeper.close(member.index)
      member.enter("draining", performance.now())
    }
    const stack = process.stack(pingMs).catch(() => "")
    // the stack first: SIGTERM would end what it shows
    this.#host.log.error(`worker stuck: ${detail}`, { worker: member.index, pid: process.pid, stack: await stack })
    this.#tick()
  }

  #sample(): void {
    const nowMs = performance.now()
    this.#ghosts.sweep({ workers: this.#processes(), nowMs })
    const { min, max } = this.#options.workers
    if (min === max) return
    const ready = [...this.#members.values()].filter(m => m.phase === "ready")
    const refused = this.#keeper.refused()
    const { target, load } = autoscale(this.#load, {
      nowMs,
      min,
      max,
      target: this.#target,
      ready: ready.length,
      busy: ready.reduce((sum, m) => sum + this.#keeper.busy(m.index), 0),
      slots: this.#app.concurrency,
      queued: this.#keeper.queued(),
      refused: Math.max(0, refused - this.#refused),
    })
    this.#load = load
    this.#refused = refused
    if (target === this.#target) return
    this.#host.log.info(`workers: ${this.#target} -> ${target}`, { utilisation: Number(load.utilisation.toFixed(2)) })
    this.#target = target
    this.#tick()
  }
}
