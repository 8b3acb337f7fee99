/**
 * A third party's supervising half, seen from the supervisor: its code runs in a child, as the fronts' user, and asks for
 * what it may have (workers, pages, words to the fronts) call by call. The other end is src/processes/gateway.ts.
 */
import type { ConfigJson } from "../../config/config.ts"
import type { PlannedApp } from "../../generation/plan.ts"
import type { Launch } from "../../contract/runtime.ts"
import type { Supervision, WorkerHost, WorkerInfo, WorkerProcess, WorkerReport, WorkerStatus } from "../../contract/gateway.ts"
import { describeExit } from "../fronts/front-process.ts"
import { Rpc } from "../../system/rpc.ts"
import { selfArgv } from "../../system/self.ts"

export interface ExternalOptions {
  readonly host: WorkerHost
  readonly launch: Launch
  readonly config: ConfigJson
  /** File of the page that `host.page` made. */
  pagePath(): string | undefined
  /** The child ended by itself: nobody watches the workers any more. */
  onLost(error: Error): void
}

/** What the child is told first. */
export interface GatewayStart {
  readonly app: string
  readonly config: ConfigJson
  readonly launch: Launch
}

/** A worker as it crosses: the process itself stays here. */
export type SpawnAnswer = Pick<WorkerProcess, keyof WorkerInfo> & { readonly pings: boolean }

export async function superviseInChild(app: PlannedApp, options: ExternalOptions): Promise<Supervision> {
  const child = new ExternalSupervision(options)
  await child.start({ app: app.spec.name, config: options.config, launch: options.launch })
  return child
}

class ExternalSupervision implements Supervision {
  readonly #options: ExternalOptions
  readonly #process: Bun.Subprocess
  readonly #rpc: Rpc
  readonly #workers = new Map<number, WorkerProcess>()
  readonly #spawns = new Map<number, AbortController>()
  #status: readonly WorkerStatus[] = []
  #state: "starting" | "running" | "stopping" = "starting"

  constructor(options: ExternalOptions) {
    const { host } = options
    this.#options = options
    const send = (message: unknown): void => {
      // An answer may come due when the child is gone; #ended rejects what waits for it.
      if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.send(message)
    }
    this.#rpc = new Rpc(send, {
      spawn: (spawn: number, index: number, how: { bootMs?: number; launch?: Launch }) => this.#spawn(spawn, index, how),
      abort: (spawn: number) => this.#spawns.get(spawn)?.abort(),
      publish: (workers: WorkerInfo[]) => host.publish(workers),
      page: async (max: number) => {
        await host.page(max)
        return options.pagePath()
      },
      kill: (serial: number, signal: NodeJS.Signals) => this.#workers.get(serial)?.kill(signal),
      drain: (serial: number) => this.#workers.get(serial)?.drain?.(),
      stack: (serial: number, timeoutMs?: number) => this.#workers.get(serial)?.stack(timeoutMs) ?? "",
      ping: (serial: number, timeoutMs: number) => this.#workers.get(serial)?.ping?.(timeoutMs),
      status: (status: WorkerStatus[]) => void (this.#status = status),
    })
    this.#process = Bun.spawn(selfArgv("__gateway"), {
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
      serialization: "json",
      ipc: message => this.#rpc.receive(message as never),
    })
    void this.#process.exited.then(() => this.#ended())
    host.onReport((report: WorkerReport) => this.#rpc.tell("report", report))
    host.onFrontGone?.(front => this.#rpc.tell("frontGone", front))
  }

  async start(start: GatewayStart): Promise<void> {
    try {
      await this.#rpc.call("start", start)
      this.#state = "running"
    } catch (error) {
      this.#state = "stopping"
      this.#process.kill("SIGKILL")
      this.#killWorkers()
      throw error
    }
  }

  scale(workers: number): void {
    this.#rpc.tell("scale", workers)
  }

  roll(launch: Launch): Promise<void> {
    return this.#rpc.call("roll", launch)
  }

  status(): readonly WorkerStatus[] {
    return this.#status
  }

  /** A child that does not stop its workers in time is ended together with them. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#state = "stopping"
    const late = new Promise<void>(resolve => {
      if (deadline.aborted) resolve()
      deadline.addEventListener("abort", () => resolve(), { once: true })
    })
    await Promise.race([this.#rpc.call("stop").catch(() => {}), late])
    this.#process.kill("SIGKILL")
    this.#killWorkers()
    await Promise.all([...this.#workers.values()].map(worker => worker.exited))
  }

  async #spawn(spawn: number, index: number, how: { bootMs?: number; launch?: Launch }): Promise<SpawnAnswer> {
    const abort = new AbortController()
    this.#spawns.set(spawn, abort)
    try {
      const worker = await this.#options.host.spawn(index, { ...how, signal: abort.signal })
      const { app, serial, pid, transport, address } = worker
      this.#workers.set(serial, worker)
      void worker.exited.then(end => {
        this.#workers.delete(serial)
        this.#rpc.tell("exited", serial, end)
      })
      return { app, index, serial, pid, transport, address, pings: worker.ping !== undefined }
    } finally {
      this.#spawns.delete(spawn)
    }
  }

  #killWorkers(): void {
    for (const abort of this.#spawns.values()) abort.abort()
    for (const worker of this.#workers.values()) worker.kill("SIGKILL")
  }

  #ended(): void {
    const exit = { code: this.#process.exitCode, signal: this.#process.signalCode as string | null }
    const error = new Error(`the gateway's process ${describeExit(exit)}`)
    this.#rpc.close(error)
    if (this.#state !== "running") return
    this.#state = "stopping"
    this.#killWorkers()
    this.#options.onLost(error)
  }
}
