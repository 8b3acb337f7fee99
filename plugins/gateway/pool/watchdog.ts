import type { Logger, WorkerReport } from "edge"
import type { Workers } from "./workers.ts"
import type { WorkerHandle } from "./worker-handle.ts"

/** How long a worker may take to answer a ping, or to say what it is doing. */
const answerMs = 3000
/** Its replacement is started when it has not answered by then. */
const firstMs = 800
/** A process that a connection was lost to may be dead: its exit is heard within this. */
const lostMs = 300

export interface WatchdogParts {
  readonly workers: Workers
  readonly log: Logger
  /** Something changed: plan again. */
  onChange(): void
}

/** What fronts tell of workers that do not do as they should. */
export class Watchdog {
  readonly #workers: Workers
  readonly #log: Logger
  readonly #onChange: () => void

  constructor(parts: WatchdogParts) {
    this.#workers = parts.workers
    this.#log = parts.log
    this.#onChange = () => parts.onChange()
  }

  heard(report: WorkerReport): void {
    const worker = this.#workers.at(report.index)
    if (worker?.process?.serial !== report.serial || worker.phase === "stopping") return
    if (report.kind === "lost") void this.#lost(worker, report.detail)
    else if (this.#workers.isBlocking(worker)) void this.#late(worker, report.detail)
    else if (!worker.asked && this.#canAsk(worker)) void this.#ask(worker, report.detail)
  }

  /**
   * A request is past its deadline in an event loop, which gives it up; the worker is replaced only if its loop does not
   * turn any more. Until it has said so nothing new goes there.
   */
  async #ask(worker: WorkerHandle, detail: string): Promise<void> {
    worker.asked = true
    this.#workers.hold(worker)
    const answers = worker.process!.ping!(answerMs).then(() => true, () => false)
    const soon = await Promise.race([answers, Bun.sleep(firstMs)])
    if (this.#workers.at(worker.index) !== worker) return
    if (soon === true) {
      worker.asked = false
      this.#workers.reopen(worker)
      return
    }
    this.#workers.close(worker)
    this.#onChange()
    const stack = worker.process!.stack(answerMs - firstMs).catch(() => "")
    const fields = { worker: worker.index, pid: worker.process!.pid }
    // It ends what it has, like any other that is replaced.
    if (await answers) return this.#log.warn(`worker slow to answer, it is replaced: ${detail}`, fields)
    this.#stuck(worker, { detail, stack: await stack, requests: Infinity })
  }

  /**
   * A request is past its deadline in a thread, which cannot be told to stop: the worker is replaced, its other threads may
   * end what they have.
   */
  async #late(worker: WorkerHandle, detail: string): Promise<void> {
    worker.late++
    if (worker.late > 1) {
      // its stack was asked for already; one more that is not waited for
      if (worker.stuck > 0) worker.stuck = Math.max(worker.stuck, worker.late)
      return
    }
    this.#workers.close(worker)
    // a replacement starts while the stack is asked for
    this.#onChange()
    const stack = await worker.process!.stack(answerMs).catch(() => "")
    this.#stuck(worker, { detail, stack, requests: worker.late })
  }

  /** `requests` of it are not waited for. Only now: it may be sent SIGTERM from here on, which would have ended what the stack shows. */
  #stuck(worker: WorkerHandle, { detail, stack, requests }: { detail: string; stack: string; requests: number }): void {
    this.#log.error(`worker stuck: ${detail}`, { worker: worker.index, pid: worker.process!.pid, ...(stack !== "" && { stack }) })
    worker.stuck = requests
    this.#onChange()
  }

  /** A front lost its connection. Most often the process just died, which its exit tells a moment later. */
  async #lost(worker: WorkerHandle, detail: string): Promise<void> {
    await Bun.sleep(lostMs)
    if (worker.phase !== "ready" || this.#workers.at(worker.index) !== worker) return
    const fields = { worker: worker.index, pid: worker.process!.pid }
    this.#log.warn(`connection to a worker lost: ${detail}`, fields)
    if (await this.#answers(worker)) return
    this.#log.error("worker does not answer", fields)
    worker.stuck = Infinity
    this.#workers.finish(worker, { force: true })
    this.#onChange()
  }

  #canAsk({ process }: WorkerHandle): boolean {
    return process?.transport === "frames" && process.ping !== undefined
  }

  /** A program that speaks HTTP cannot be asked: it has the benefit of the doubt. */
  async #answers(worker: WorkerHandle): Promise<boolean> {
    return this.#canAsk(worker) ? worker.process!.ping!(answerMs).then(() => true, () => false) : true
  }
}
