import type { AppSpec, Launch, SlotKeeper, WorkerHost, WorkerInfo, WorkerProcess, WorkerStatus, WorkerTotals } from "edge"
import { Member } from "./member.ts"
import type { PoolOptions } from "./options.ts"
import type { WorkerView } from "./plan.ts"

/** How often memory is read. */
const memoryMs = 1000
/** Fronts that cannot connect to a worker within this do not hold up the leaving of another. */
const settleMs = 2000

export interface CrewParts {
  readonly app: AppSpec
  readonly host: WorkerHost
  readonly options: PoolOptions
  readonly keeper: SlotKeeper
  /** It answers. */
  onReady(member: Member): void
  onBootFailed(member: Member, error: unknown): void
  /** Its process is gone, as asked or not. */
  onGone(member: Member, end: { code: number | null; signal: string | null }): void
}

/** The workers of a pool: starts them, shows them to fronts, lets them go. Decides nothing. */
export class Crew {
  readonly #parts: CrewParts
  readonly #members = new Map<number, Member>()
  #measuredMs = 0
  /** Of workers that are gone. */
  #served = 0
  #starts = 0

  constructor(parts: CrewParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#members.size
  }

  get ready(): Member[] {
    return [...this.#members.values()].filter(m => m.phase === "ready")
  }

  get processes(): WorkerProcess[] {
    return [...this.#members.values()].map(m => m.process).filter(p => p !== undefined)
  }

  get status(): WorkerStatus[] {
    return [...this.#members.values()].map(m => m.status(this.#parts.keeper)).filter(s => s !== undefined)
  }

  get totals(): WorkerTotals {
    const { keeper } = this.#parts
    let requests = this.#served
    for (const m of this.#members.values()) if (m.process !== undefined) requests += keeper.served(m.index)
    return { requests, starts: this.#starts }
  }

  at(index: number): Member | undefined {
    return this.#members.get(index)
  }

  /** How they are now, for the planner. */
  look(nowMs: number): WorkerView[] {
    const { keeper } = this.#parts
    const measure = nowMs - this.#measuredMs >= memoryMs
    if (measure) this.#measuredMs = nowMs
    return [...this.#members.values()].map(m => {
      if (m.phase === "ready" && !m.settled) m.settled = keeper.settled(m.index) || nowMs - m.readyMs > settleMs
      if (measure && m.process !== undefined) m.memory = m.process.memory()
      return m.view(keeper)
    })
  }

  async spawn(index: number, by: { launch: Launch; version: number }): Promise<void> {
    const { host, options } = this.#parts
    const jitter = Math.floor(Math.random() * (options.max_requests_jitter + 1))
    const servedMost = options.max_requests === 0 ? 0 : options.max_requests + jitter
    const member = new Member({ index, launch: by.launch, version: by.version, servedMost, nowMs: performance.now() })
    this.#members.set(index, member)
    try {
      const { signal } = member.abort
      const process = await host.spawn(index, { bootMs: options.boot_timeout, launch: by.launch, signal })
      this.#join(member, process)
    } catch (error) {
      this.#members.delete(index)
      this.#parts.onBootFailed(member, error)
    }
  }

  #join(member: Member, process: WorkerProcess): void {
    const { app, keeper, options } = this.#parts
    member.process = process
    void process.exited.then(end => this.#leave(member, end))
    member.readyMs = performance.now()
    member.enter("ready", member.readyMs)
    const blocking = this.isBlocking(member)
    const ahead = blocking && process.transport === "frames" ? options.ahead : 0
    keeper.open(member.index, { serial: process.serial, capacity: app.concurrency, blocking, ahead })
    this.#starts++
    this.publish()
    this.#parts.onReady(member)
  }

  #leave(member: Member, end: { code: number | null; signal: string | null }): void {
    const { keeper } = this.#parts
    const served = keeper.served(member.index)
    this.#members.delete(member.index)
    this.#served += served
    member.worked = served > 0 || keeper.busy(member.index) > 0 || keeper.tunnels(member.index) > 0
    keeper.sweepWorker(member.index)
    this.publish()
    this.#parts.onGone(member, end)
  }

  /** Its requests block a thread each: one past its deadline ends only with the worker. */
  isBlocking(member: Member): boolean {
    return member.launch.blocking ?? this.#parts.app.runtime === "wsgi"
  }

  /** Takes nothing new until `reopen`. */
  hold(member: Member): void {
    this.#parts.keeper.close(member.index)
  }

  reopen(member: Member): void {
    if (member.phase === "ready") this.#parts.keeper.reopen(member.index, member.process!.serial)
  }

  /** Takes nothing new from now on. */
  close(member: Member): void {
    this.#parts.keeper.close(member.index)
    if (member.phase === "ready") member.enter("draining", performance.now())
  }

  /** Asked to exit; with `force` by SIGTERM, as one that is stuck reads no frames. */
  finish(member: Member, options: { force: boolean }): void {
    this.#parts.keeper.close(member.index)
    member.enter("stopping", performance.now())
    // Fronts let go of their connections: it waits for that before it exits.
    this.publish()
    if (options.force || member.process?.drain === undefined) member.process?.kill("SIGTERM")
    else member.process.drain()
  }

  kill(member: Member): void {
    member.killed = true
    member.abort.abort()
    member.process?.kill("SIGKILL")
  }

  killAll(): void {
    for (const member of this.#members.values()) this.kill(member)
  }

  publish(): void {
    const infos: WorkerInfo[] = []
    for (const m of this.#members.values()) if (m.info !== undefined && m.phase !== "stopping") infos.push(m.info)
    this.#parts.host.publish(infos)
  }
}
