/** Tells the plugins' hooks what happens, in a child that runs their code as the fronts' user. */
import { HOOK_MS, type HookName } from "../registry/hooks.ts"
import type { HooksStart } from "../processes/hooks.ts"
import type { Logger } from "../log/logger.ts"
import type { Plan } from "../generation/plan.ts"
import type { WorkerExit } from "../contract/plugin.ts"
import type { WorkerInfo } from "../contract/gateway.ts"
import { describeExit } from "./fronts/front-process.ts"
import { Rpc } from "../system/rpc.ts"
import { selfArgv } from "../system/self.ts"

/** What pools tell. */
export interface WorkerEvents {
  ready(worker: WorkerInfo): void
  exit(worker: WorkerExit): void
}

/** A child that ended is started again after this. */
const AGAIN_MS = 1000

export class HookHost implements WorkerEvents {
  /** Of the config that serves. */
  #child: HookChild | undefined
  /** Of the config that is being set up. */
  #next: HookChild | undefined
  #serves = false

  /** Loads the hooks of a plan; what happens from now on is told to them. */
  async prepare(plan: Plan, options: { log: Logger; dev: boolean }): Promise<{ commit(): void; rollback(): void }> {
    const child = plan.hooks ? new HookChild({ config: plan.config, dev: options.dev }, options.log) : undefined
    await child?.started.catch((error: unknown) => {
      child.stop()
      throw error
    })
    this.#next = child
    return {
      commit: () => {
        const old = this.#child
        this.#next = undefined
        this.#child = child
        old?.stop()
        child?.tell(this.#serves ? "on_reload" : "on_start")
        this.#serves = true
      },
      rollback: () => {
        this.#next = undefined
        child?.stop()
      },
    }
  }

  ready(worker: WorkerInfo): void {
    ;(this.#next ?? this.#child)?.tell("worker_ready", worker)
  }

  exit(worker: WorkerExit): void {
    ;(this.#next ?? this.#child)?.tell("worker_exit", worker)
  }

  async beforeReload(): Promise<void> {
    await this.#child?.ask("pre_reload")
  }

  async stop(): Promise<void> {
    await this.#child?.ask("on_stop")
    this.#child?.stop()
    this.#next?.stop()
  }
}

class HookChild {
  readonly #start: HooksStart
  readonly #log: Logger
  #process!: Bun.Subprocess
  #rpc!: Rpc
  #stopped = false
  /** The plugins are loaded. */
  started: Promise<void>

  constructor(start: HooksStart, log: Logger) {
    this.#start = start
    this.#log = log
    this.started = this.#spawn()
  }

  #spawn(): Promise<void> {
    const rpc = (this.#rpc = new Rpc(message => {
      if (child.exitCode === null && child.signalCode === null) child.send(message)
    }, {}))
    const child = (this.#process = Bun.spawn(selfArgv("__hooks"), {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
      serialization: "json",
      ipc: message => rpc.receive(message as never),
    }))
    void child.exited.then(() => this.#ended(rpc, { code: child.exitCode, signal: child.signalCode as string | null }))
    return rpc.call("start", this.#start)
  }

  /** Nobody waits for it. */
  tell(hook: HookName, ...args: unknown[]): void {
    this.#rpc.tell("hook", hook, ...args)
  }

  /** Resolves when the hooks have ended; a child that hangs is ended. */
  async ask(hook: HookName): Promise<void> {
    const child = this.#process
    const timer = setTimeout(() => {
      this.#log.error(`the hooks ${hook} hang; their process is ended`)
      child.kill("SIGKILL")
    }, 2 * HOOK_MS)
    await this.#rpc.call("hook", hook).catch(() => {})
    clearTimeout(timer)
  }

  /** After what it was told already. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    const child = this.#process
    const timer = setTimeout(() => child.kill("SIGKILL"), HOOK_MS)
    void this.#rpc
      .call("flush")
      .catch(() => {})
      .then(() => child.kill("SIGKILL"))
    void child.exited.then(() => clearTimeout(timer))
  }

  #ended(rpc: Rpc, exit: { code: number | null; signal: string | null }): void {
    rpc.close(new Error(`the hooks' process ${describeExit(exit)}`))
    if (this.#stopped) return
    this.#log.error(`the hooks' process ${describeExit(exit)}; starting it again`)
    this.#againLater()
  }

  #againLater(): void {
    setTimeout(() => {
      if (this.#stopped) return
      try {
        this.started = this.#spawn()
        this.started.catch((error: unknown) => this.#log.error("the hooks cannot be loaded", { error }))
      } catch (error) {
        // Out of processes or descriptors: that may pass.
        this.#log.error("the hooks' process cannot be started; tried again", { error })
        this.#againLater()
      }
    }, AGAIN_MS)
  }
}
