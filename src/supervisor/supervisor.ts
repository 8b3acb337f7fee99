/**
 * The process that owns everything and serves nothing: listening sockets, fronts, worker pools, signals, control socket.
 * Signals and commands only queue; one loop acts on them. What takes time (a renewal, the stop) runs beside the loop.
 */
import type { AppWorkers, Command, ControlAnswer, Status } from "../control.ts"
import { WorkerFailed } from "./log/output.ts"
import { reason } from "../errors.ts"
import type { Logger } from "../log/logger.ts"
import type { Plan } from "../generation/plan.ts"
import { CertificateFiles } from "./certificates/certificate-files.ts"
import { CertificateKeeper } from "./certificates/certificate-keeper.ts"
import { AttendantTable } from "./daemons/attendant-table.ts"
import { Cgroups } from "./workers/cgroup.ts"
import { ControlServer } from "./control/control-server.ts"
import type { Watcher } from "./reload/dev.ts"
import { EventQueue } from "./event-queue.ts"
import { Generations, SLACK_MS } from "./fronts/generations.ts"
import { Guard } from "./reaper.ts"
import { HANDOVER, Handover, type Successor, tellPredecessor } from "./reload/upgrade.ts"
import { HookHost } from "./hook-host.ts"
import { Inherited } from "./sockets/inherited.ts"
import { prepareLogs } from "./log/log-files.ts"
import { Notify } from "./notify.ts"
import { PidFile } from "./pid-file.ts"
import type { ConfigSource } from "./reload/planner.ts"
import { PoolTable } from "./workers/pool-table.ts"
import { frontsIdentity, renew, type RenewalParts, type Serving } from "./reload/reload.ts"
import { RunFolder } from "./run-folder.ts"
import { SocketTable } from "./sockets/socket-table.ts"
import { statusOf } from "./control/status.ts"

export interface SupervisorOptions {
  readonly source: ConfigSource
  readonly dev: boolean
  /** False: an app that cannot boot at the start is the end, as there is nothing else to serve. Default true. */
  readonly patient?: boolean
  /** Control socket instead of the config's. */
  readonly control?: string | undefined
  readonly log: Logger
  /** From now on `log` does what this config says. */
  logAs(plan: Plan): void
  /** Takes a line for whoever started us: the URLs. */
  say(line: string): void
}

type Event =
  | { readonly type: "signal"; readonly signal: NodeJS.Signals }
  | { readonly type: "command"; readonly command: Command; answer(answer: ControlAnswer): void }
  | { readonly type: "renewed"; readonly serving: Serving }
  | { readonly type: "not renewed"; readonly error: unknown }
  | { readonly type: "problem shown"; readonly serving: Serving }
  | { readonly type: "files changed" }
  | { readonly type: "successor serves"; readonly pid: number }
  | { readonly type: "no successor"; readonly error: unknown }
  | { readonly type: "stopped" }

/** A renewal that was asked for, and who waits for its outcome. */
interface Wish {
  rollAll: boolean
  readonly waiting: ((answer: ControlAnswer) => void)[]
}

const SIGNALS = ["SIGHUP", "SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU"] as const
/** Fronts empty the accept queue within it before everything is closed. */
const HOLD_OFF_MS = 50

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #events = new EventQueue<Event>()
  readonly #guard = new Guard()
  readonly #folder = new RunFolder(path => this.#guard.start(path))
  readonly #pidFile = new PidFile()
  readonly #handover = new Handover()
  readonly #inherited: Inherited
  readonly #sockets: SocketTable
  readonly #generations: Generations
  readonly #pools: PoolTable
  readonly #hooks = new HookHost()
  readonly #notify: Notify
  readonly #attendants: AttendantTable
  readonly #certificates = new CertificateKeeper()
  readonly #certificateFiles = new CertificateFiles()
  readonly #control: ControlServer
  readonly #renewalParts: RenewalParts
  #watcher: Watcher | undefined
  readonly #startedAt = Date.now()
  /** Aborted when edge is to stop, and when it is to stop at once. */
  readonly #abort = new AbortController()
  readonly #hurry = new AbortController()
  #log: Logger
  #serving: Serving | undefined
  #wish: Wish | undefined
  /** The wish that is being carried out. */
  #renewing: Wish | undefined
  #renewal: Promise<void> | undefined
  /** "replaced": a successor goes on with the sockets. */
  #stopping: "gracefully" | "at once" | "replaced" | undefined
  /** The new executable that is starting. */
  #successor: Successor | undefined
  #exitCode = 0

  constructor(options: SupervisorOptions) {
    const { dev, source, log } = options
    this.#options = options
    this.#log = log
    this.#inherited = new Inherited(process.env, log)
    this.#notify = new Notify(process.env, log)
    this.#sockets = new SocketTable(this.#inherited)
    this.#generations = new Generations({ dev, onFrontGone: front => this.#pools.frontGone(front) })
    const cgroups = new Cgroups()
    this.#attendants = new AttendantTable({ guard: this.#guard, cgroups })
    this.#pools = new PoolTable({
      folder: this.#folder,
      guard: this.#guard,
      onChange: pool => this.#generations.workersChanged(pool),
      onWorker: this.#hooks,
      cgroups,
    })
    const takesOver = process.env[HANDOVER] !== undefined
    this.#control = new ControlServer((command, answer) => this.#events.push({ type: "command", command, answer }), { takesOver })
    this.#renewalParts = {
      source,
      dev,
      takesOver,
      patient: options.patient !== false && !dev && !takesOver,
      control: options.control,
      sockets: this.#sockets,
      controlServer: this.#control,
      pools: this.#pools,
      folder: this.#folder,
      hooks: this.#hooks,
      attendants: this.#attendants,
      certificates: this.#certificates,
      generations: this.#generations,
      signal: this.#abort.signal,
      log,
      logAs: options.logAs,
    }
  }

  /** Serves until it is told to stop; resolves with the exit code. */
  async run(): Promise<number> {
    const queue = (signal: NodeJS.Signals): void => this.#events.push({ type: "signal", signal })
    for (const signal of SIGNALS) process.on(signal, queue)
    // A defect here must not take the server down: fronts and workers are well.
    process.on("uncaughtException", error => this.#log.error("a defect in the supervisor", { error }))
    process.on("unhandledRejection", error => this.#log.error("a defect in the supervisor", { error }))
    if (this.#options.dev) await this.#watchFiles()
    this.#want({ rollAll: false })
    for (;;) {
      const event = await this.#events.next()
      if (event.type === "stopped") break
      this.#act(event)
    }
    for (const signal of SIGNALS) process.off(signal, queue)
    return this.#exitCode
  }

  /** Whatever goes wrong in one action is that action's failure: fronts and workers are well, and the next event is taken. */
  #act(event: Exclude<Event, { type: "stopped" }>): void {
    try {
      this.#handle(event)
    } catch (error) {
      this.#log.error("a defect in the supervisor", { while: event.type, error })
      if (event.type === "command") event.answer({ ok: false, error: reason(error) })
    }
  }

  #handle(event: Exclude<Event, { type: "stopped" }>): void {
    switch (event.type) {
      case "signal":
        return this.#onSignal(event.signal)
      case "command":
        return this.#onCommand(event.command, event.answer)
      case "files changed":
        return this.#want({ rollAll: false })
      case "successor serves":
        // It was told to go meanwhile.
        if (this.#stopping !== undefined) return
        this.#log.info("a new edge serves in our place", { pid: event.pid })
        this.#notify.replacedBy(event.pid)
        return this.#stop("replaced")
      case "no successor":
        this.#successor = undefined
        return this.#log.error(`not replaced, we go on: ${reason(event.error)}`)
      case "renewed":
        return this.#renewed(event.serving)
      case "not renewed":
        return this.#notRenewed(event.error)
      case "problem shown":
        this.#serving ??= event.serving
        return this.#announce(event.serving)
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
      case "SIGUSR2":
        return this.#handOver()
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
        return answerLater(this.#status().then(status => ({ ok: true, status })), answer)
      case "workers":
        return answerLater(this.#workers(command.stack).then(workers => ({ ok: true, workers })), answer)
      case "scale":
        return answer(this.#pools.scale(command.app, command.workers))
      case "tell":
        return answerLater(this.#tell(command), answer)
    }
  }

  // Renewal ---------------------------------------------------------------------------------------------------------------

  /** Wishes that come while one is carried out become one; each gets the outcome of a renewal begun after it. */
  #want(wish: { rollAll: boolean; answer?: (answer: ControlAnswer) => void }): void {
    if (this.#stopping !== undefined) return wish.answer?.({ ok: false, error: "edge is stopping" })
    if (this.#successor !== undefined) return wish.answer?.({ ok: false, error: "edge is being replaced by a new executable" })
    this.#wish ??= { rollAll: false, waiting: [] }
    this.#wish.rollAll ||= wish.rollAll
    if (wish.answer !== undefined) this.#wish.waiting.push(wish.answer)
    this.#renewNext()
  }

  #renewNext(): void {
    if (this.#renewing !== undefined || this.#wish === undefined) return
    const wish = (this.#renewing = this.#wish)
    this.#wish = undefined
    if (this.#serving !== undefined) this.#notify.reloading()
    this.#renewal = renew(this.#renewalParts, { old: this.#serving, rollAll: wish.rollAll }).then(
      serving => this.#events.push({ type: "renewed", serving }),
      (error: unknown) => this.#events.push({ type: "not renewed", error }),
    )
  }

  #renewed(serving: Serving): void {
    const first = this.#serving === undefined
    this.#serving = serving
    this.#log = serving.log
    if (this.#stopping !== undefined) return this.#answer({ ok: false, error: "edge is stopping" })
    try {
      this.#follow(serving, { first })
    } finally {
      this.#answer({ ok: true, pid: process.pid, generation: serving.set.generation })
    }
  }

  /** What else changes with a config. */
  #follow(serving: Serving, { first }: { first: boolean }): void {
    try {
      this.#pidFile.write(serving.plan.server.pidFile)
    } catch (error) {
      serving.log.error(`the pid file cannot be written: ${reason(error)}`)
    }
    if (first) this.#inherited.discard(serving.log)
    this.#watcher?.follow(serving.plan)
    this.#certificateFiles.follow(serving.set, serving)
    this.#announce(serving)
    if (first) tellPredecessor()
    this.#notify.ready(`serving generation ${serving.set.generation}`)
  }

  #notRenewed(error: unknown): void {
    const text = reason(error)
    if (this.#stopping === undefined) this.#complain(text, error instanceof WorkerFailed ? error.summary : text)
    // For systemd a reload ends with READY, whatever came of it.
    if (this.#serving !== undefined) this.#notify.ready(`the last reload failed: ${text.split("\n")[0]}`)
    this.#answer({ ok: false, error: text })
  }

  #answer(answer: ControlAnswer): void {
    const { waiting } = this.#renewing!
    this.#renewing = undefined
    for (const tell of waiting) tell(answer)
    this.#renewNext()
  }

  /** `text` in the browser of `edge dev`, `brief` in the log. */
  #complain(text: string, brief: string): void {
    const { dev } = this.#options
    const nothing = dev ? "nothing to serve yet, the browser shows why" : "cannot start"
    const what = this.#serving === undefined ? nothing : "reload failed, the old config goes on"
    // A message of the log is one line; the errors of a config have one for each place.
    const lines = brief.includes("\n") ? [`${what}:`, ...brief.split("\n")] : [`${what}: ${brief}`]
    // While somebody writes, a mistake is the way to the next version.
    for (const line of lines) this.#log[dev ? "warn" : "error"](line)
    if (dev) return this.#showProblem(text)
    if (this.#serving !== undefined) return
    this.#exitCode = 1
    this.#stop("at once")
  }

  /** In dev the browser shows what is wrong, until it is right. */
  #showProblem(text: string): void {
    if (this.#serving !== undefined) return this.#serving.set.showProblem(text)
    import("./reload/dev.ts")
      .then(({ serveProblem }) => serveProblem(this.#renewalParts, text))
      .then(
        serving => this.#events.push({ type: "problem shown", serving }),
        (error: unknown) => this.#log.error(reason(error)),
      )
  }

  async #watchFiles(): Promise<void> {
    const { Watcher } = await import("./reload/dev.ts")
    this.#watcher = new Watcher(this.#options.source, () => this.#events.push({ type: "files changed" }))
  }

  #announce({ plan, fresh, set }: Serving): void {
    for (const { address, urls } of plan.addresses) {
      const socket = fresh.find(one => one.address === address)
      if (socket === undefined) continue
      // The config may say port 0: the system's choice is what to open.
      for (const url of urls) this.#options.say(`serving ${url.replace(/:0(?=\/|$)/, `:${socket.port}`)}`)
    }
    this.#log.info("serving", { generation: set.generation, fronts: set.fronts.length, pid: process.pid })
  }

  // Stop -----------------------------------------------------------------------------------------------------------------

  #stop(how: "gracefully" | "at once" | "replaced"): void {
    const first = this.#stopping === undefined
    this.#stopping = how
    if (how !== "replaced") this.#successor?.end()
    this.#abort.abort(new Error("edge is stopping"))
    if (how === "at once") {
      this.#hurry.abort()
      this.#generations.kill()
    }
    if (!first) return
    this.#finish()
      .catch((error: unknown) => this.#log.error("a defect while stopping", { error }))
      .finally(() => this.#events.push({ type: "stopped" }))
  }

  /** Fronts first: the requests that they have need the workers. */
  async #finish(): Promise<void> {
    const { graceMs, tunnelGraceMs } = this.#serving?.plan.server ?? { graceMs: 0, tunnelGraceMs: 0 }
    this.#watcher?.close()
    this.#certificateFiles.stop()
    if (this.#stopping !== "replaced") this.#notify.stopping(graceMs + SLACK_MS)
    const attendants = Promise.all([this.#attendants.stop(), this.#certificates.stop()])
    if (this.#stopping === "replaced") {
      this.#sockets.letGo()
      this.#control.close()
      await this.#generations.end({ graceMs, tunnelGraceMs })
    } else {
      await this.#closeSockets()
      await this.#generations.end({ graceMs, tunnelGraceMs: 0 })
    }
    await this.#pools.stop(AbortSignal.any([this.#hurry.signal, AbortSignal.timeout(graceMs + SLACK_MS)]))
    await attendants
    await this.#renewal
    await this.#hooks.stop()
    this.#sockets.closeAll()
    this.#control.close()
    this.#pidFile.remove()
    this.#guard.close()
    this.#folder.remove()
    this.#log.info("stopped")
  }

  async #closeSockets(): Promise<void> {
    if (this.#stopping === "gracefully") {
      this.#log.info("stopping", { graceMs: this.#serving?.plan.server.graceMs })
      this.#sockets.holdOff()
      await Bun.sleep(HOLD_OFF_MS)
    }
    this.#sockets.closeAll()
  }

  /** Starts the executable that stands at our path now; we leave when it serves. */
  #handOver(): void {
    if (this.#successor !== undefined || this.#stopping !== undefined || this.#serving === undefined || this.#renewing !== undefined) {
      return this.#log.warn("USR2 is for an edge that serves and does nothing else: not now")
    }
    try {
      this.#successor = this.#handover.start(this.#sockets.all)
    } catch (error) {
      return this.#log.error(`not replaced, we go on: ${reason(error)}`)
    }
    this.#successor.serving.then(
      pid => this.#events.push({ type: "successor serves", pid }),
      (error: unknown) => this.#events.push({ type: "no successor", error }),
    )
  }

  // Small commands -------------------------------------------------------------------------------------------------------

  #reopenLogs(): void {
    const plan = this.#serving?.plan
    if (plan === undefined) return
    try {
      prepareLogs(plan, frontsIdentity(plan))
    } catch (error) {
      this.#log.error(`the access log cannot be opened anew: ${reason(error)}`)
    }
    this.#generations.reopenLogs()
    this.#pools.reopenLogs()
    this.#attendants.reopenLogs()
  }

  async #tell({ command, keep }: Command & { do: "tell" }): Promise<ControlAnswer> {
    if (this.#serving === undefined) return { ok: false, error: "edge does not serve yet" }
    const told = await this.#serving.set.tell(command, { keep })
    const refused = told.find(one => "error" in one)
    if (refused !== undefined && "error" in refused) return { ok: false, error: refused.error }
    return { ok: true, told: told.map(one => ("answers" in one ? one.answers : [])) }
  }

  async #workers(stack: boolean): Promise<readonly AppWorkers[]> {
    return this.#pools.workers({ stack, requests: await this.#generations.requests() })
  }

  #status(): Promise<Status> {
    return statusOf({
      startedAt: this.#startedAt,
      generation: this.#serving?.set.generation ?? 0,
      plan: this.#serving?.plan,
      sockets: this.#sockets.all,
      sets: this.#generations.all,
      pools: this.#pools.all,
      attendants: this.#attendants,
    })
  }
}

/** Whoever asked gets an answer, also when there is none. */
function answerLater(answered: Promise<ControlAnswer>, answer: (answer: ControlAnswer) => void): void {
  answered.then(answer, (error: unknown) => answer({ ok: false, error: reason(error) }))
}
