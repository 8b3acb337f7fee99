import type { Logger, WorkerReport } from "edge"
import type { Crew } from "./crew.ts"
import type { Member } from "./member.ts"

/** How long a worker may take to answer a ping, or to say what it is doing. */
const answerMs = 3000
/** Its replacement is started when it has not answered by then. */
const firstMs = 800
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
    if (report.kind === "lost") void this.#lost(member, report.detail)
    else if (this.#crew.isBlocking(member)) void this.#late(member, report.detail)
    else if (!member.asked && this.#canAsk(member)) void this.#ask(member, report.detail)
  }

  /**
   * A request is past its deadline in an event loop, which gives it up; the worker is replaced only if its loop does not
   * turn any more. Until it has said so nothing new goes there.
   */
  async #ask(member: Member, detail: string): Promise<void> {
    member.asked = true
    this.#crew.hold(member)
    const answers = member.process!.ping!(answerMs).then(() => true, () => false)
    const soon = await Promise.race([answers, Bun.sleep(firstMs)])
    if (this.#crew.at(member.index) !== member) return
    if (soon === true) {
      member.asked = false
      this.#crew.reopen(member)
      return
    }
    this.#crew.close(member)
    this.#onChange()
    const stack = member.process!.stack(answerMs - firstMs).catch(() => "")
    const fields = { worker: member.index, pid: member.process!.pid }
    // It ends what it has, like any other that is replaced.
    if (await answers) return this.#log.warn(`worker slow to answer, it is replaced: ${detail}`, fields)
    this.#stuck(member, { detail, stack: await stack, requests: Infinity })
  }

  /**
   * A request is past its deadline in a thread, which cannot be told to stop: the worker is replaced, its other threads may
   * end what they have.
   */
  async #late(member: Member, detail: string): Promise<void> {
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
    this.#stuck(member, { detail, stack, requests: member.late })
  }

  /** `requests` of it are not waited for. Only now: it may be sent SIGTERM from here on, which would have ended what the stack shows. */
  #stuck(member: Member, { detail, stack, requests }: { detail: string; stack: string; requests: number }): void {
    this.#log.error(`worker stuck: ${detail}`, { worker: member.index, pid: member.process!.pid, ...(stack !== "" && { stack }) })
    member.stuck = requests
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

  #canAsk({ process }: Member): boolean {
    return process?.transport === "frames" && process.ping !== undefined
  }

  /** A program that speaks HTTP cannot be asked: it has the benefit of the doubt. */
  async #answers(member: Member): Promise<boolean> {
    return this.#canAsk(member) ? member.process!.ping!(answerMs).then(() => true, () => false) : true
  }
}
