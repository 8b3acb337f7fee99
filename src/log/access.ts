import { isatty } from "node:tty"
import type { Exchange, ExchangeEnd } from "../http/message/exchange.ts"
import { toLine, type Line } from "./format.ts"
import type { Logger } from "./logger.ts"
import { LineSink, tellLosses } from "./sink.ts"

export interface AccessSettings {
  /** A file, or "-" for standard output. */
  readonly path: string
  /** "json", "combined", "common", "short", "off", or a line with {names} (format.ts). Undefined: "json", in edge dev "short". */
  readonly format: string | undefined
  /** With "json": these fields only. */
  readonly fields: readonly string[]
  /** Query parameters whose values are not written. */
  readonly redact: readonly string[]
  readonly maskIp: boolean
  /** Share of the answers below 400 that are written, 0 to 1. */
  readonly sample: number
  /** Longer ones are told to the event log too, and always written; 0: none. */
  readonly slowMs: number
}

/** All that are open in this process, for `reopenAccessLogs`. */
const open = new Set<AccessLog>()

/** One line a request, written in batches when the answer has ended. */
export class AccessLog {
  readonly #sink: LineSink | null
  readonly #line: Line
  readonly #sample: number
  readonly #slowMs: number
  readonly #log: Logger | undefined

  /** Throws when the file cannot be opened. */
  constructor(settings: AccessSettings, { log, dev = false }: { log?: Logger; dev?: boolean } = {}) {
    const { path, fields, redact, maskIp, sample, slowMs } = settings
    const format = settings.format ?? (dev && fields.length === 0 ? "short" : "json")
    this.#sink = format === "off" ? null : new LineSink(path, log === undefined ? {} : { told: tellLosses(log, path) })
    const colour = path === "-" && isatty(1) && !process.env["NO_COLOR"]
    this.#line = toLine(format === "off" ? "json" : format, { fields, hiding: { redact, maskIp }, colour })
    this.#sample = sample
    this.#slowMs = slowMs === 0 ? Infinity : slowMs
    this.#log = log
    open.add(this)
  }

  readonly write = (x: Exchange, end: ExchangeEnd): void => {
    // A tunnel is open as long as its ends like it to be.
    const slow = end.ms >= this.#slowMs && end.status !== 101
    if (slow) this.#tellSlow(x, end)
    if (this.#sink === null) return
    if (this.#sample < 1 && !slow && end.status < 400 && end.error === undefined && Math.random() >= this.#sample) return
    this.#sink.line(this.#line(x, end))
  }

  #tellSlow(x: Exchange, { status, ms }: ExchangeEnd): void {
    const id = x.vars?.get("request_id")
    this.#log?.warn("slow request", {
      method: x.method,
      host: x.host,
      path: x.path,
      status,
      ms: Math.round(ms),
      ...(x.upstream !== "" && { upstream: x.upstream }),
      ...(id !== undefined && { id }),
    })
  }

  reopen(): void {
    this.#sink?.reopen()
  }

  async close(): Promise<void> {
    open.delete(this)
    await this.#sink?.close()
  }
}

/** Undefined when there is nothing to write: the listener then spends nothing on it. */
export function openAccessLog(settings: AccessSettings, options: { log: Logger; dev: boolean }): AccessLog | undefined {
  return settings.format === "off" && settings.slowMs === 0 ? undefined : new AccessLog(settings, options)
}

/** After a rotation (USR1). Throws the first error, when all were tried. */
export function reopenAccessLogs(): void {
  const errors: unknown[] = []
  for (const log of open) {
    try {
      log.reopen()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}
