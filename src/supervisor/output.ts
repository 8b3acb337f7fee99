/** A worker's stdout and stderr, line by line: to the log, and the last of it kept for the error when it dies. */
import type { Level, Logger } from "../log/logger.ts"
import type { AppLog } from "./app-log.ts"

const LINE_BYTES = 16_384
const KEPT_LINES = 30
/** By the digit of a line that begins with `<3>`, as sd-daemon(3) has it; no digit: the program does not say. */
const LEVEL_OF: readonly Level[] = ["error", "error", "error", "error", "warn", "info", "info", "debug"]

export type OnLine = (line: string, level?: Level) => void

/** Who printed a line: fields for the event log; index and pid for the app's own file. */
export interface Printer {
  readonly index: number | string
  readonly pid: number
  readonly fields: { readonly pid: number; readonly worker?: number; readonly daemon?: string }
}

/** Takes lines to the app's own file, or to the event log with the level that the line names (info when it names none). */
export function printTo({ log, file }: { readonly log: Logger; readonly file?: AppLog | undefined }, by: () => Printer): OnLine {
  return (line, level) => {
    const { index, pid, fields } = by()
    if (file === undefined) log[level ?? "info"](line, fields)
    else file.line(level === undefined ? line : `${level} ${line}`, { index, pid })
  }
}

export class Output {
  readonly #last: string[] = []
  readonly #onLine: OnLine
  readonly #cutter = new LineCutter(line => this.#line(line))

  constructor(onLine: OnLine) {
    this.#onLine = onLine
  }

  /** What it wrote last, to explain its death. */
  get tail(): string {
    return this.#last.join("\n")
  }

  /** Resolves when the stream ends; it never rejects. */
  async read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    const cutter = new LineCutter(line => this.#line(line))
    try {
      for await (const chunk of stream) cutter.push(decoder.decode(chunk, { stream: true }))
    } catch {
      // The pipe broke: the process is gone, which is reported elsewhere.
    }
    cutter.flush()
  }

  /** For one that comes by other ways than a stream. */
  push(text: string): void {
    this.#cutter.push(text)
  }

  flush(): void {
    this.#cutter.flush()
  }

  #line(line: string): void {
    const whole = line.endsWith("\r") ? line.slice(0, -1) : line
    const digit = /^<([0-7])>/.exec(whole)?.[1]
    const text = digit === undefined ? whole : whole.slice(3)
    this.#last.push(text)
    if (this.#last.length > KEPT_LINES) this.#last.shift()
    this.#onLine(text, digit === undefined ? undefined : LEVEL_OF[Number(digit)])
  }
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
