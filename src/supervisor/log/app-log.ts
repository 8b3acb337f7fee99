/** An app's own log file: what its workers print, with the time and the worker. Opened anew on USR1. */
import type { Logger } from "../../log/logger.ts"
import { LineSink, tellLosses } from "../../log/sink.ts"

export class AppLog {
  readonly #sink: LineSink

  /** Throws when it cannot be opened. */
  constructor(path: string, log: Logger) {
    this.#sink = new LineSink(path, { follow: false, told: tellLosses(log, path) })
  }

  /** What goes on behind a line break is indented. */
  line(text: string, worker: { readonly index: number | string; readonly pid: number }): void {
    this.#sink.line(`${new Date().toISOString()} [${worker.index}/${worker.pid}] ${text.replaceAll("\n", "\n    ")}`)
  }

  reopen(): void {
    this.#sink.reopen()
  }

  close(): Promise<void> {
    return this.#sink.close()
  }
}
