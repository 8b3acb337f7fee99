/** The daemons and cron jobs of one app, while one version of its code and config is in force. */
import type { CronJob, Daemon, AppSpec } from "../../contract/gateway.ts"
import { nextTime } from "../../apps/attendants.ts"
import type { AttendantStatus } from "../../control.ts"
import type { Logger } from "../../log/logger.ts"
import type { Launch } from "../../contract/runtime.ts"
import { describeExit } from "../fronts/front-process.ts"
import { Output, printTo } from "../log/output.ts"
import { spawnChild, type WorkerOptions } from "../workers/spawn.ts"

/** Longest timer: a job in a month is looked at again in between, and a clock that was set does no harm. */
const MOST_TIMER_MS = 60_000
/** A daemon that ends sooner than this has crashed; the wait until it is started again doubles. */
const QUICK_MS = 10_000
const FIRST_WAIT_MS = 100
const MOST_WAIT_MS = 30_000

export type AttendantParts = Pick<WorkerOptions, "app" | "run" | "identity" | "guard" | "file" | "cgroup"> & {
  readonly log: Logger
  /** For cron; a test has a clock of its own. */
  now?(): Date
}

interface Stoppable {
  readonly status: AttendantStatus
  stop(): Promise<void>
}

export class Attendants {
  readonly #all: Stoppable[] = []

  constructor(parts: AttendantParts) {
    const { daemons = {}, cron = [] } = parts.app.attendants ?? {}
    for (const [name, daemon] of Object.entries(daemons))
      for (let index = 0; index < daemon.count; index++) this.#all.push(new RunningDaemon(name, { daemon, index, parts }))
    for (const job of cron) this.#all.push(new Schedule(job, parts))
  }

  get status(): readonly AttendantStatus[] {
    return this.#all.map(({ status }) => status)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map(one => one.stop()))
  }
}

/** A process in a group of its own, with its lines in the log. */
class Attendant {
  readonly pid: number
  readonly exited: Promise<{ code: number | null; signal: string | null }>

  constructor(name: string, { argv, env, index, parts }: { argv: readonly string[]; env: Readonly<Record<string, string>>; index: number; parts: AttendantParts }) {
    const { app, guard } = parts
    const launch: Launch = { argv, cwd: app.dir, env: { ...app.env, ...env }, transport: "http", socket: "bind" }
    const { child } = spawnChild({ ...parts, launch, index, serial: 0 })
    this.pid = child.pid
    const printer = { index: name, pid: child.pid, fields: { daemon: name, pid: child.pid } }
    const output = new Output(printTo(parts, () => printer))
    const drained = Promise.all([output.read(child.stdout), output.read(child.stderr)])
    this.exited = child.exited.then(async () => {
      this.kill("SIGKILL")
      guard.forget(child.pid)
      await Promise.race([drained, Bun.sleep(500)])
      return { code: child.exitCode, signal: child.signalCode as string | null }
    })
  }

  /** SIGTERM goes to the program; SIGKILL to all that it started. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    try {
      process.kill(signal === "SIGKILL" ? -this.pid : this.pid, signal)
    } catch {
      // Ended meanwhile.
    }
  }

  async end(graceMs: number): Promise<void> {
    this.kill("SIGTERM")
    const late = setTimeout(() => this.kill("SIGKILL"), graceMs)
    await this.exited
    clearTimeout(late)
  }
}

class RunningDaemon implements Stoppable {
  readonly #name: string
  readonly #daemon: Daemon
  readonly #index: number
  readonly #parts: AttendantParts
  #attendant: Attendant | undefined
  #startedMs = 0
  #startedAt = 0
  #starts = 0
  #failures = 0
  #again: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  constructor(name: string, { daemon, index, parts }: { daemon: Daemon; index: number; parts: AttendantParts }) {
    this.#name = daemon.count === 1 ? name : `${name}.${index}`
    this.#daemon = daemon
    this.#index = index
    this.#parts = parts
    this.#start()
  }

  get status(): AttendantStatus {
    const pid = this.#attendant?.pid
    return { name: this.#name, kind: "daemon", starts: this.#starts, ...(pid !== undefined && { pid, startedAt: this.#startedAt }) }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#again)
    await this.#attendant?.end(this.#daemon.stop_timeout)
  }

  #start(): void {
    const { command, env } = this.#daemon
    this.#startedMs = performance.now()
    this.#startedAt = Date.now()
    this.#starts++
    try {
      const attendant = new Attendant(this.#name, {
        argv: command,
        env: { ...env, EDGE_INDEX: String(this.#index) },
        index: this.#index,
        parts: this.#parts,
      })
      this.#attendant = attendant
      void attendant.exited.then(exit => this.#ended(`daemon ${this.#name} ${describeExit(exit)}`))
    } catch (error) {
      this.#ended(`daemon ${this.#name} cannot be started: ${(error as Error).message}`)
    }
  }

  #ended(why: string): void {
    this.#attendant = undefined
    if (this.#stopped) return
    this.#failures = performance.now() - this.#startedMs < QUICK_MS ? this.#failures + 1 : 1
    const waitMs = Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1))
    this.#parts.log.error(`${why}; started again in ${waitMs} ms`)
    this.#again = setTimeout(() => this.#start(), waitMs)
  }
}

class Schedule implements Stoppable {
  readonly #job: CronJob
  readonly #parts: AttendantParts
  readonly #running = new Set<Attendant>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #next: Date | null
  #starts = 0

  constructor(job: CronJob, parts: AttendantParts) {
    this.#job = job
    this.#parts = parts
    this.#next = nextTime(job.at, this.#now())
    this.#wait()
  }

  get status(): AttendantStatus {
    const [pid] = [...this.#running].map(attendant => attendant.pid)
    const next = this.#next === null ? undefined : this.#next.getTime()
    return { name: this.#name, kind: "cron", starts: this.#starts, ...(pid !== undefined && { pid }), ...(next !== undefined && { next }) }
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    // What runs has begun something: it gets its time, as a request does.
    await Promise.all([...this.#running].map(attendant => attendant.end(MOST_WAIT_MS)))
  }

  get #name(): string {
    return this.#job.command.join(" ")
  }

  #now(): Date {
    return this.#parts.now?.() ?? new Date()
  }

  #wait(): void {
    if (this.#next === null) return
    const leftMs = this.#next.getTime() - this.#now().getTime()
    this.#timer = setTimeout(() => this.#look(), Math.max(0, Math.min(MOST_TIMER_MS, leftMs)))
  }

  #look(): void {
    const now = this.#now()
    if (this.#next !== null && now >= this.#next) {
      this.#next = nextTime(this.#job.at, now)
      this.#begin()
    }
    this.#wait()
  }

  #begin(): void {
    const { log } = this.#parts
    const { command, env, overlap, timeout } = this.#job
    if (this.#running.size > 0 && !overlap) return log.warn(`cron: ${this.#name} is left out: the last one still runs`)
    this.#starts++
    try {
      const attendant = new Attendant(this.#name, { argv: command, env, index: 0, parts: this.#parts })
      this.#running.add(attendant)
      const late = setTimeout(() => {
        log.error(`cron: ${this.#name} takes longer than ${timeout / 1000} s and is ended`)
        void attendant.end(FIRST_WAIT_MS * 10)
      }, timeout)
      void attendant.exited.then(exit => {
        clearTimeout(late)
        this.#running.delete(attendant)
        if (exit.code !== 0) log.error(`cron: ${this.#name} ${describeExit(exit)}`)
      })
    } catch (error) {
      log.error(`cron: ${this.#name} cannot be started: ${(error as Error).message}`)
    }
  }
}

/** What must be the same for attendants to stay: else they are started anew. */
export function attendantsShape({ name, dir, env, user, group, limits, log, attendants }: AppSpec): unknown {
  return { name, dir, env, user, group, limits, log, attendants }
}
