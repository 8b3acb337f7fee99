import type { PartCommand } from "../../contract/plugin.ts"
import type { AppState, FromFront, FrontStart, FrontStats, Told, ToFront } from "./messages.ts"
import { residentBytes } from "../../system/memory.ts"
import { selfArgv } from "../../system/self.ts"

/** What one front says to all. */
export type Cast = FromFront & { type: "cast" }

export interface FrontExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface FrontOptions {
  /** Unique among living fronts. */
  readonly index: number
  /** Asked for when the child can take it, so that it is never out of date. */
  start(): Omit<FrontStart, "sockets" | "front">
  /** The i-th descriptor becomes 3 + i in the child. */
  readonly sockets: readonly { readonly address: string; readonly fd: number }[]
  onReport(message: FromFront & { type: "report" }): void
  /** It says something to all the others. */
  onCast(message: Cast): void
  onExit(exit: FrontExit): void
}

/** One front, seen from the supervisor. */
export class FrontProcess {
  readonly index: number
  /** By a clock that nobody sets. */
  readonly #startedMs = performance.now()
  /** Set up and started, accepting nothing. Rejects with what the front said, or that it died. */
  readonly ready: Promise<void>
  readonly exited: Promise<FrontExit>
  #process: Bun.Subprocess
  #listening = Promise.withResolvers<void>()
  #pings = new Map<number, () => void>()
  #stats = new Map<number, (stats: FrontStats) => void>()
  #told = new Map<number, (told: Told) => void>()
  #asked = 0
  /** It was given its start; what is sent before that it could not place. */
  #started = false

  constructor(options: FrontOptions) {
    this.index = options.index
    const ready = Promise.withResolvers<void>()
    this.ready = ready.promise
    this.ready.catch(() => {})
    this.#listening.promise.catch(() => {})
    const sockets = options.sockets.map(({ address }, i) => ({ address, fd: 3 + i }))
    const receive = (message: FromFront): void => {
      if (message.type === "hello") this.#start({ ...options.start(), front: this.index, sockets })
      else if (message.type === "ready") ready.resolve()
      else if (message.type === "failed") {
        const error = new Error(message.error)
        ready.reject(error)
        this.#listening.reject(error)
      }
      else if (message.type === "listening") this.#listening.resolve()
      else if (message.type === "pong") this.#pings.get(message.id)?.()
      else if (message.type === "report") options.onReport(message)
      else if (message.type === "cast") options.onCast(message)
      else if (message.type === "told") {
        this.#told.get(message.id)?.(message.told)
        this.#told.delete(message.id)
      }
      else {
        const { stats } = message
        // Out of descriptors it cannot read its own.
        this.#stats.get(message.id)?.(stats.memory > 0 ? stats : { ...stats, memory: residentBytes(stats.pid) })
        this.#stats.delete(message.id)
      }
    }
    this.#process = Bun.spawn(selfArgv("__front"), {
      stdio: ["ignore", "inherit", "inherit", ...options.sockets.map(({ fd }) => fd)],
      // A session of its own: Ctrl-C reaches the supervisor alone, which then stops in order.
      detached: true,
      serialization: "json",
      ipc: receive,
    } as Bun.SpawnOptions.OptionsObject<"ignore", "inherit", "inherit">)
    this.exited = this.#process.exited.then(() => ({ code: this.#process.exitCode, signal: this.#process.signalCode as string | null }))
    void this.exited.then(exit => {
      const error = new Error(`front ${this.#process.pid} ${describeExit(exit)} before it was ready`)
      ready.reject(error)
      this.#listening.reject(error)
      options.onExit(exit)
    })
  }

  get pid(): number {
    return this.#process.pid
  }

  /** In ms. */
  get age(): number {
    return performance.now() - this.#startedMs
  }

  /** Accepts from now on; resolves when it does. */
  listen(): Promise<void> {
    this.#send({ type: "listen" })
    return this.#listening.promise
  }

  /** Finish what you have and go. */
  leave(times: { graceMs: number; tunnelGraceMs: number }): void {
    if (this.#started) this.#send({ type: "leave", ...times })
    else this.kill()
  }

  workers(app: string, state: AppState): void {
    this.#send({ type: "workers", app, state })
  }

  cast(message: Cast): void {
    this.#send(message)
  }

  reopen(): void {
    this.#send({ type: "reopen" })
  }

  files(files: FrontStart["files"]): void {
    this.#send({ type: "files", files })
  }

  /** In dev: what to show instead of the site, null for the site itself. */
  problem(text: string | null): void {
    this.#send({ type: "problem", text })
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.#process.kill(signal)
  }

  /** Whether it answers in time. */
  ping(timeoutMs: number): Promise<boolean> {
    const id = ++this.#asked
    return new Promise(resolve => {
      const done = (well: boolean): void => {
        clearTimeout(timer)
        this.#pings.delete(id)
        resolve(well)
      }
      const timer = setTimeout(() => done(false), timeoutMs)
      this.#pings.set(id, () => done(true))
      this.#send({ type: "ping", id })
    })
  }

  /** Undefined when it does not answer in time: a front that is busy for a second is a finding of its own. */
  stats(timeoutMs = 1000, { requests = false } = {}): Promise<FrontStats | undefined> {
    const id = ++this.#asked
    return new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#stats.delete(id)
        resolve(undefined)
      }, timeoutMs)
      this.#stats.set(id, stats => {
        clearTimeout(timer)
        resolve(stats)
      })
      this.#send({ type: "stats", id, ...(requests && { requests }) })
    })
  }

  /** Gives a command to the parts that take it. */
  tell(command: PartCommand, timeoutMs = 5000): Promise<Told> {
    // It will be given what the set was told with its start.
    if (!this.#started) return Promise.resolve({ answers: [] })
    const id = ++this.#asked
    return new Promise(resolve => {
      const done = (told: Told): void => {
        clearTimeout(timer)
        this.#told.delete(id)
        resolve(told)
      }
      const timer = setTimeout(() => done({ error: `front ${this.pid} does not answer` }), timeoutMs)
      this.#told.set(id, done)
      this.#send({ type: "tell", id, command })
    })
  }

  #start(start: FrontStart): void {
    this.#started = true
    this.#send({ type: "start", start })
  }

  #send(message: ToFront): void {
    if (!this.#started || this.#process.exitCode !== null || this.#process.signalCode !== null) return
    try {
      this.#process.send(message)
    } catch {
      // It is dying; `onExit` follows.
    }
  }
}

export function describeExit({ code, signal }: FrontExit): string {
  return signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`
}
