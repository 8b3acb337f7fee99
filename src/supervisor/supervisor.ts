/**
 * The process that owns everything and serves nothing: listening sockets, fronts, worker pools, signals, control socket.
 * Signals and commands only queue; one loop acts on them. What takes time (a renewal, the stop) runs beside the loop.
 */
import { availableParallelism } from "node:os"
import { reason } from "../errors.ts"
import type { Logger } from "../log/logger.ts"
import type { Plan } from "../plan.ts"
import type { Command, ControlAnswer, Status } from "../control.ts"
import { blameListen } from "./blame-listen.ts"
import { ControlServer } from "./control-server.ts"
import { EventQueue } from "./events.ts"
import { FrontSet } from "./front-set.ts"
import { Guard } from "./guard.ts"
import { findIdentity, type Identity, isRoot } from "./identity.ts"
import { Inherited } from "./inherited.ts"
import { prepareLog } from "./log-files.ts"
import { PidFile } from "./pid-file.ts"
import { type ConfigSource, makePlanInChild } from "./planner.ts"
import { PoolTable } from "./pool-table.ts"
import { RunFolder } from "./run-folder.ts"
import { SocketTable } from "./socket-table.ts"
import { statusOf } from "./status.ts"

export interface SupervisorOptions {
  readonly source: ConfigSource
  readonly dev: boolean
  /** Control socket instead of the config's. */
  readonly control?: string | undefined
  /** Before there is a config that says how to log. */
  readonly log: Logger
  /** Makes the log that the config asks for. */
  openLog(plan: Plan): Logger
  /** Takes a line for whoever started us: the URLs. */
  say(line: string): void
}

type Event =
  | { readonly type: "signal"; readonly signal: NodeJS.Signals }
  | { readonly type: "command"; readonly command: Command; answer(answer: ControlAnswer): void }
  | { readonly type: "done"; readonly error?: unknown }
  | { readonly type: "files changed" }
  | { readonly type: "stopped" }

/** A renewal that was asked for, and who waits for its outcome. */
interface Wish {
  rollAll: boolean
  readonly waiting: ((answer: ControlAnswer) => void)[]
}

const SIGNALS = ["SIGHUP", "SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU"] as const
/** WebSockets and long downloads may keep so many earlier generations alive; each costs its fronts' memory. */
const MOST_LINGERING = 3
/** Old fronts have taken what was in the accept queue by then; a socket that nobody wants is closed after it. */
const CLOSE_SOCKET_MS = 1000
/** Fronts empty the accept queue within it before everything is closed. */
const HOLD_OFF_MS = 50
/** A front that is told to go may take so much longer than its grace before it is killed. */
const SLACK_MS = 3000

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #events = new EventQueue<Event>()
  readonly #guard = new Guard()
  readonly #folder = new RunFolder(path => this.#guard.start(path))
  readonly #pidFile = new PidFile()
  readonly #sockets: SocketTable
  readonly #inherited: Inherited
  readonly #pools: PoolTable
  readonly #control: ControlServer
  readonly #sets = new Set<FrontSet>()
  readonly #startedAt = Date.now()
  readonly #abort = new AbortController()
  #log: Logger
  #serving: { readonly set: FrontSet; readonly plan: Plan } | undefined
  #generation = 0
  #wish: Wish | undefined
  /** The wish that is being carried out. */
  #renewing: Wish | undefined
  #stopping: "gracefully" | "at once" | undefined
  #exitCode = 0

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#log = options.log
    this.#inherited = new Inherited(process.env, options.log)
    this.#sockets = new SocketTable(this.#inherited)
    this.#pools = new PoolTable({
      folder: this.#folder,
      guard: this.#guard,
      onChange: pool => this.#sets.forEach(set => set.workersChanged(pool)),
    })
    this.#control = new ControlServer((command, answer) => this.#events.push({ type: "command", command, answer }))
  }

  /** Serves until it is told to stop; resolves with the exit code. */
  async run(): Promise<number> {
    const queue = (signal: NodeJS.Signals): void => this.#events.push({ type: "signal", signal })
    for (const signal of SIGNALS) process.on(signal, queue)
    this.#want({ rollAll: false })
    for (;;) {
      const event = await this.#events.next()
      if (event.type === "stopped") break
      this.#act(event)
    }
    for (const signal of SIGNALS) process.off(signal, queue)
    return this.#exitCode
  }

  #act(event: Exclude<Event, { type: "stopped" }>): void {
    switch (event.type) {
      case "signal":
        return this.#onSignal(event.signal)
      case "command":
        return this.#onCommand(event.command, event.answer)
      case "files changed":
        return this.#want({ rollAll: false })
      case "done":
        return this.#renewed(event.error)
    }
  }

  #onSignal(signal: NodeJS.Signals): void {
    switch (signal) {
      case "SIGHUP":
        return this.#want({ rollAll: true })
      case "SIGTERM":
      case "SIGINT":
        return this.#stop(this.#stopping === undefined ? "gracefully" : "at once")
      case "SIGUSR1":
        return this.#reopenLogs()
      case "SIGTTIN":
        return this.#pools.scaleBy(1)
      case "SIGTTOU":
        return this.#pools.scaleBy(-1)
    }
  }

  #onCommand(command: Command, answer: (answer: ControlAnswer) => void): void {
    switch (command.do) {
      case "reload":
        return this.#want({ rollAll: command.apps, answer })
      case "stop":
        answer({ ok: true, pid: process.pid })
        return this.#stop(command.now ? "at once" : "gracefully")
      case "status":
        return void this.#status().then(status => answer({ ok: true, status }))
      case "workers":
        return void this.#pools.workers(command.stack).then(workers => answer({ ok: true, workers }))
      case "scale":
        return answer(this.#pools.scale(command.app, command.workers))
    }
  }

  // Renewal: build new, swap, stop old; a failure keeps the old ----------------------------------------------------------

  /** Wishes that come while one is carried out become one; each gets the outcome of a renewal begun after it. */
  #want(wish: { rollAll: boolean; answer?: (answer: ControlAnswer) => void }): void {
    if (this.#stopping !== undefined) return wish.answer?.({ ok: false, error: "edge is stopping" })
    this.#wish ??= { rollAll: false, waiting: [] }
    this.#wish.rollAll ||= wish.rollAll
    if (wish.answer !== undefined) this.#wish.waiting.push(wish.answer)
    this.#renewNext()
  }

  #renewNext(): void {
    if (this.#renewing !== undefined || this.#wish === undefined) return
    this.#renewing = this.#wish
    this.#wish = undefined
    this.#renew(this.#renewing).then(
      () => this.#events.push({ type: "done" }),
      (error: unknown) => this.#events.push({ type: "done", error }),
    )
  }

  #renewed(error: unknown): void {
    const { waiting } = this.#renewing!
    this.#renewing = undefined
    const first = this.#serving === undefined
    if (error === undefined) {
      for (const answer of waiting) answer({ ok: true, pid: process.pid, generation: this.#generation })
    } else {
      const text = reason(error)
      for (const answer of waiting) answer({ ok: false, error: text })
      if (this.#stopping === undefined) this.#complain(first ? "cannot start" : "reload failed, the old config goes on", text)
      if (first && !this.#options.dev) {
        this.#exitCode = 1
        this.#stop("at once")
      } else this.#serving?.set.showProblem(text)
    }
    this.#renewNext()
  }

  /** A message of the log is one line; errors of a config have one for each place. */
  #complain(what: string, text: string): void {
    const lines = text.split("\n")
    if (lines.length === 1) return this.#log.error(`${what}: ${text}`)
    for (const line of [`${what}:`, ...lines]) this.#log.error(line)
  }

  async #renew(wish: Wish): Promise<void> {
    const undo: (() => unknown)[] = []
    const old = this.#serving
    let plan: Plan | undefined
    try {
      plan = await makePlanInChild({ source: this.#options.source, dev: this.#options.dev }, this.#abort.signal)
      const fronts = frontsIdentity(plan)
      const log = this.#options.openLog(plan)
      prepareLog(plan.log, fronts)
      const sockets = await this.#sockets.prepare(plan.addresses.map(({ address }) => address), {
        dir: plan.config.dir,
        ...(fronts !== undefined && { owner: fronts }),
      })
      undo.push(sockets.rollback)
      const control = await this.#control.prepare(this.#options.control ?? plan.server.control)
      undo.push(control.rollback)
      const pools = await this.#pools.prepare(plan, { fronts, log, first: old === undefined })
      undo.push(pools.rollback)
      const set = this.#newSet(plan, { sockets: sockets.sockets, pools: pools.pools, log })
      undo.push(() => set.kill())
      await set.start()
      await pools.roll(wish.rollAll)
      this.#abort.signal.throwIfAborted()

      // Nothing fails from here on.
      await set.listen()
      this.#serving = { set, plan }
      this.#log = log
      const unwanted = sockets.commit()
      control.commit()
      pools.commit(old?.set.gone)
      this.#pidFile.write(plan.server.pidFile)
      if (old === undefined) this.#inherited.discard(log)
      if (old !== undefined) this.#retire(old.set, plan)
      setTimeout(() => unwanted.forEach(socket => socket.close()), CLOSE_SOCKET_MS).unref()
      this.#announce(plan, new Set(sockets.fresh.map(({ address }) => address)))
    } catch (error) {
      for (const back of undo.toReversed()) await back()
      throw blameListen(error, plan)
    }
  }

  #newSet(plan: Plan, parts: Pick<ConstructorParameters<typeof FrontSet>[0], "sockets" | "pools" | "log">): FrontSet {
    const set = new FrontSet({
      ...parts,
      generation: ++this.#generation,
      count: this.#options.dev ? 1 : plan.server.fronts === "auto" ? Math.min(64, availableParallelism()) : plan.server.fronts,
      config: plan.config,
      dev: this.#options.dev,
      takeNumber: () => this.#freeNumber(),
      onGone: front => this.#pools.frontGone(front.index),
    })
    this.#sets.add(set)
    void set.gone.then(() => this.#sets.delete(set))
    return set
  }

  /** Fronts share pages by number: the lowest that no living front has. */
  #freeNumber(): number {
    const taken = new Set([...this.#sets].flatMap(set => set.fronts.map(front => front.index)))
    for (let number = 0; ; number++) if (!taken.has(number)) return number
  }

  #retire(set: FrontSet, plan: Plan): void {
    const { graceMs, tunnelGraceMs } = plan.server
    set.leave({ graceMs, tunnelGraceMs })
    this.#killLater(set, Math.max(graceMs, tunnelGraceMs) + SLACK_MS)
    const lingering = [...this.#sets].filter(other => other.state === "leaving")
    for (const oldest of lingering.slice(0, -MOST_LINGERING)) {
      oldest.leave({ graceMs: 0, tunnelGraceMs: 0 })
      this.#killLater(oldest, SLACK_MS)
    }
  }

  #killLater(set: FrontSet, ms: number): void {
    const timer = setTimeout(() => set.kill(), Math.min(ms, 2 ** 31 - 1))
    void set.gone.then(() => clearTimeout(timer))
  }

  #announce(plan: Plan, fresh: ReadonlySet<string>): void {
    for (const { address, urls } of plan.addresses) {
      if (!fresh.has(address)) continue
      const port = this.#sockets.all.find(socket => socket.address === address)?.port ?? 0
      // The config may say port 0: the system's choice is what to open.
      for (const url of urls) this.#options.say(`serving ${url.replace(/:0(?=\/|$)/, `:${port}`)}`)
    }
    this.#log.info("serving", { generation: this.#generation, fronts: this.#serving?.set.fronts.length, pid: process.pid })
  }

  // Stop -----------------------------------------------------------------------------------------------------------------

  #stop(how: "gracefully" | "at once"): void {
    const first = this.#stopping === undefined
    if (this.#stopping === "at once") return
    this.#stopping = how
    this.#abort.abort(new Error("edge is stopping"))
    if (how === "at once") this.#hurry()
    if (first) void this.#finish().then(() => this.#events.push({ type: "stopped" }))
  }

  readonly #hurried = new AbortController()

  #hurry(): void {
    this.#hurried.abort()
    for (const set of this.#sets) set.kill()
  }

  /** Fronts first: the requests that they have need the workers. */
  async #finish(): Promise<void> {
    const graceMs = this.#serving?.plan.server.graceMs ?? 0
    if (this.#stopping === "gracefully") {
      this.#log.info("stopping", { graceMs })
      this.#sockets.holdOff()
      await Bun.sleep(HOLD_OFF_MS)
    }
    this.#sockets.closeAll()
    for (const set of this.#sets) {
      set.leave({ graceMs, tunnelGraceMs: graceMs })
      this.#killLater(set, graceMs + SLACK_MS)
    }
    await Promise.all([...this.#sets].map(set => set.gone))
    await this.#pools.stop(AbortSignal.any([this.#hurried.signal, AbortSignal.timeout(graceMs + SLACK_MS)]))
    this.#control.close()
    this.#pidFile.remove()
    this.#guard.close()
    this.#folder.remove()
    this.#log.info("stopped")
  }

  // Small commands -------------------------------------------------------------------------------------------------------

  #reopenLogs(): void {
    const plan = this.#serving?.plan
    if (plan === undefined) return
    prepareLog(plan.log, frontsIdentity(plan))
    for (const set of this.#sets) set.reopenLogs()
  }

  #status(): Promise<Status> {
    return statusOf({
      startedAt: this.#startedAt,
      generation: this.#serving?.set.generation ?? 0,
      plan: this.#serving?.plan,
      sockets: this.#sockets.all,
      sets: [...this.#sets],
      pools: this.#pools.all,
    })
  }
}

/** Who the fronts become; undefined when they stay what we are. */
function frontsIdentity({ server }: Plan): Identity | undefined {
  return isRoot() && server.user !== undefined ? findIdentity(server.user, server.group) : undefined
}
