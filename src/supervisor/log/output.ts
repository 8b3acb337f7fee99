/** A worker's stdout and stderr: entries to the log, and the last lines kept for the error when it dies. */
import { reason } from "../../errors.ts"
import type { Logger } from "../../log/logger.ts"
import type { AppLog } from "./app-log.ts"
import { Entries, type Entry } from "./entries.ts"

const LINE_BYTES = 16_384
const KEPT_LINES = 30

export type OnEntry = (entry: Entry) => void

/** Who printed it: fields for the event log; index and pid for the app's own file. */
export interface Printer {
  readonly index: number | string
  readonly pid: number
  readonly fields: { readonly pid: number; readonly worker?: number; readonly daemon?: string }
}

/**
 * Takes entries to the app's own file, or to the event log. What names its level as sd-daemon(3) has it is left out by
 * `[log] level`; anything else is written whatever that says: only the app knows what it is worth.
 */
export function printTo({ log, file }: { readonly log: Logger; readonly file?: AppLog | undefined }, by: () => Printer): OnEntry {
  return ({ text, level = "info", named }) => {
    const { index, pid, fields } = by()
    if (file !== undefined) return file.line(named ? `${level} ${text}` : text, { index, pid })
    const at = text.indexOf("\n")
    const more = at < 0 ? fields : { ...fields, detail: text.slice(at + 1) }
    const first = at < 0 ? text : text.slice(0, at)
    if (named || log.always === undefined) log[level](first, more)
    else log.always(level, first, more)
  }
}

/** Workers that did not become ready. The message has what they printed last, for who asked; the log has that already. */
export class WorkerFailed extends Error {
  constructor(
    readonly summary: string,
    message: string,
  ) {
    super(message)
  }

  /** Of one worker, with what it `said`. */
  static of(summary: string, said: string): WorkerFailed {
    return new WorkerFailed(summary, said === "" ? summary : `${summary}\n${said}`)
  }

  /** Of several apps, of which each has failed for its reason. */
  static all(errors: readonly unknown[]): unknown {
    if (errors.length === 1) return errors[0]
    const summary = errors.map(error => (error instanceof WorkerFailed ? error.summary : reason(error)))
    return new WorkerFailed(summary.join("\n"), errors.map(reason).join("\n"))
  }
}

export class Output {
  readonly #last: string[] = []
  readonly #onEntry: OnEntry
  /** For what is pushed. */
  readonly #pushed: Stream

  constructor(onEntry: OnEntry) {
    this.#onEntry = onEntry
    this.#pushed = this.#stream()
  }

  /** What it wrote last, to explain its death. */
  get tail(): string {
    return this.#last.join("\n")
  }

  /** Resolves when the stream ends; it never rejects. */
  async read(from: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    const stream = this.#stream()
    try {
      for await (const chunk of from) stream.push(decoder.decode(chunk, { stream: true }))
    } catch {
      // The pipe broke: the process is gone, which is reported elsewhere.
    }
    stream.flush()
  }

  /** For one that comes by other ways than a stream. */
  push(text: string): void {
    this.#pushed.push(text)
  }

  flush(): void {
    this.#pushed.flush()
  }

  #stream(): Stream {
    const entries = new Entries(this.#onEntry)
    const cutter = new LineCutter(line => {
      this.#last.push(entries.line(line.endsWith("\r") ? line.slice(0, -1) : line))
      if (this.#last.length > KEPT_LINES) this.#last.shift()
    })
    const flush = (): void => {
      cutter.flush()
      entries.flush()
    }
    return { push: text => cutter.push(text), flush }
  }
}

interface Stream {
  push(text: string): void
  flush(): void
}

class LineCutter {
  readonly #onLine: (line: string) => void
  #part = ""

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(text: string): void {
    const lines = (this.#part + text).split("\n")
    this.#part = lines.pop()!
    for (const line of lines) this.#onLine(line)
    // A program that never ends its line must not fill our memory.
    while (this.#part.length > LINE_BYTES) {
      this.#onLine(this.#part.slice(0, LINE_BYTES))
      this.#part = this.#part.slice(LINE_BYTES)
    }
  }

  flush(): void {
    if (this.#part !== "") this.#onLine(this.#part)
    this.#part = ""
  }
}
