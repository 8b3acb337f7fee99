import type { Logger, WorkerReport } from "edge"
import type { Crew } from "./crew.ts"
import type { Member } from "./member.ts"

/** How long a worker may take to answer a ping, or to say what it is doing. */
const answerMs = 3000
/** A process that a connection was lost to may be dead: its exit is heard within this. */
const lostMs = 300

export interface TroubleParts {
  readonly crew: Crew
  readonly log: Logger
  /** Something changed: plan again. */
  onChange(): void
}

/** What fronts tell of workers that do not do as they should. */
export class Trouble {
  readonly #crew: Crew
  readonly #log: Logger
  readonly #onChange: () => void

  constructor(parts: TroubleParts) {
    this.#crew = parts.crew
    this.#log = parts.log
    this.#onChange = () => parts.onChange()
  }

  heard(report: WorkerReport): void {
    const member = this.#crew.at(report.index)
    if (member?.process?.serial !== report.serial || member.phase === "stopping") return
    if (report.kind === "stuck") void this.#late(member, report.detail)
    else void this.#lost(member, report.detail)
  }

  /**
   * A request is past its deadline. Threads cannot be told to stop: the worker is replaced, its other threads may end
   * what they have. An event loop gives one request up, and is replaced only if it does not turn any more.
   */
  async #late(member: Member, detail: string): Promise<void> {
    const blocking = this.#crew.isBlocking(member)
    if (!blocking && (await this.#answers(member))) return
    member.late++
    if (member.late > 1) {
      // its stack was asked for already; one more that is not waited for
      if (member.stuck > 0) member.stuck = Math.max(member.stuck, member.late)
      return
    }
    this.#crew.close(member)
    // a replacement starts while the stack is asked for
    this.#onChange()
    const stack = await member.process!.stack(answerMs).catch(() => "")
    this.#log.error(`worker stuck: ${detail}`, { worker: member.index, pid: member.process!.pid, ...(stack !== "" && { stack }) })
    // Only now: it may be sent SIGTERM from here on, which would have ended what the stack shows.
    member.stuck = blocking ? member.late : Infinity
    this.#onChange()
  }

  /** A front lost its connection. Most often the process just died, which its exit tells a moment later. */
  async #lost(member: Member, detail: string): Promise<void> {
    await Bun.sleep(lostMs)
    if (member.phase !== "ready" || this.#crew.at(member.index) !== member) return
    const fields = { worker: member.index, pid: member.process!.pid }
    this.#log.warn(`connection to a worker lost: ${detail}`, fields)
    if (await this.#answers(member)) return
    this.#log.error("worker does not answer", fields)
    member.stuck = Infinity
    this.#crew.finish(member, { force: true })
    this.#onChange()
  }

  /** A program that speaks HTTP cannot be asked: it has the benefit of the doubt. */
  async #answers(member: Member): Promise<boolean> {
    const process = member.process!
    if (process.transport !== "frames" || process.ping === undefined) return true
    return process.ping(answerMs).then(() => true, () => false)
  }
}
