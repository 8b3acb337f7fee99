/** Starts the process that gets and renews certificates whenever something is due. */
import type { Plan } from "../../generation/plan.ts"
import type { Logger } from "../../log/logger.ts"
import type { CertificatesDone } from "../../processes/certificates.ts"
import { describeExit } from "../fronts/front-process.ts"
import { selfArgv } from "../../system/self.ts"

/** A clock that jumps, a store that another machine writes to: a look now and then whatever was said last. */
const LONGEST_MS = 6 * 3_600_000
/** What is under way when it is to end is given up after this. */
const HURRY_MS = 3000
/** After one that ended before it had looked. */
const AGAIN_MS = 10_000

export class CertificateKeeper {
  #plan: Plan | undefined
  #log: Logger | undefined
  #child: Bun.Subprocess | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #stopped = false

  /** From the moment when the fronts serve: authorities come to look. */
  follow(plan: Plan, { log }: { log: Logger }): void {
    const same = Bun.deepEquals(plan.certificates, this.#plan?.certificates) && Bun.deepEquals(plan.server.state, this.#plan?.server.state)
    this.#plan = plan
    this.#log = log
    if (same && this.#child !== undefined) return
    this.#end()
    if (plan.certificates !== undefined) this.#begin()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const child = this.#child
    this.#end()
    await child?.exited
  }

  #begin(): void {
    const { config } = this.#plan!
    let done: CertificatesDone | undefined
    try {
      const child = Bun.spawn(selfArgv("__certificates"), {
        stdio: ["ignore", "inherit", "inherit"],
        detached: true,
        serialization: "json",
        ipc: message => {
          if (message === "hello") child.send(config)
          else done = message as CertificatesDone
        },
      })
      this.#child = child
      void child.exited.then(() => {
        if (this.#child !== child) return
        this.#child = undefined
        const exit = { code: child.exitCode, signal: child.signalCode as string | null }
        if (done === undefined) this.#log?.error(`the process that keeps the certificates ${describeExit(exit)}; starting it again`)
        this.#later(done === undefined ? AGAIN_MS : done.nextAt - Date.now())
      })
    } catch (error) {
      // Out of processes or descriptors: that may pass.
      this.#log?.error("the process that keeps the certificates cannot be started; tried again", { error })
      this.#later(AGAIN_MS)
    }
  }

  #later(ms: number): void {
    if (this.#stopped || this.#plan?.certificates === undefined) return
    this.#timer = setTimeout(() => this.#begin(), Math.min(Math.max(ms, 1000), LONGEST_MS))
  }

  #end(): void {
    clearTimeout(this.#timer)
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    // It gives its locks back; an order under way is in the store, and whoever comes next goes on with it.
    child.kill("SIGTERM")
    const timer = setTimeout(() => child.kill("SIGKILL"), HURRY_MS)
    void child.exited.then(() => clearTimeout(timer))
  }
}
