import type { Exchange, ExchangeEnd } from "../http/exchange.ts"
import { LineSink } from "./sink.ts"

export interface AccessSettings {
  /** A file, or "-" for standard output. */
  readonly path: string
  readonly format: "json" | "combined" | "off"
}

/** One line a request, written in batches when the answer has ended. */
export class AccessLog {
  readonly #sink: LineSink
  readonly #format: (x: Exchange, end: ExchangeEnd) => string

  constructor(sink: LineSink, format: "json" | "combined") {
    this.#sink = sink
    this.#format = format === "json" ? jsonLine : combinedLine
  }

  write = (x: Exchange, end: ExchangeEnd): void => {
    this.#sink.line(this.#format(x, end))
  }

  reopen(): void {
    this.#sink.reopen()
  }

  /** Lines that were lost because the target was too slow or full, since the last call. */
  takeDropped(): number {
    return this.#sink.takeDropped()
  }

  close(): Promise<void> {
    return this.#sink.close()
  }
}

/** Undefined when the config says "off": the listener then spends nothing on it. */
export function openAccessLog(settings: AccessSettings): AccessLog | undefined {
  return settings.format === "off" ? undefined : new AccessLog(new LineSink(settings.path), settings.format)
}

function jsonLine(x: Exchange, end: ExchangeEnd): string {
  return (
    `{"ts":"${nowIso()}","ip":${quote(x.ip)},"method":${quote(x.method)},"host":${quote(x.host)}` +
    `,"target":${quote(x.target)},"http":"${x.httpVersion}","scheme":"${x.scheme}","status":${end.status}` +
    `,"bytes":${end.bytesOut},"ms":${end.ms.toFixed(2)}` +
    optional(x, ',"referer":', "referer") +
    optional(x, ',"ua":', "user-agent") +
    (x.vars === undefined ? "" : requestId(x.vars)) +
    (end.error === undefined ? "}" : `,"error":${JSON.stringify(String(end.error))}}`)
  )
}

function optional(x: Exchange, key: string, header: string): string {
  const value = x.headers.get(header)
  return value === null ? "" : key + JSON.stringify(value)
}

function requestId(vars: ReadonlyMap<string, unknown>): string {
  const id = vars.get("request_id")
  return typeof id === "string" ? `,"id":${quote(id)}` : ""
}

/** JSON.stringify costs 60 ns even for short plain text; targets and addresses nearly always are. */
function quote(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c < 32 || c > 126 || c === 34 || c === 92) return JSON.stringify(text)
  }
  return '"' + text + '"'
}

/** The Combined Log Format of Apache's mod_log_config. */
function combinedLine(x: Exchange, end: ExchangeEnd): string {
  const request = `${x.method} ${x.target} HTTP/${x.httpVersion}`
  return (
    `${x.ip} - - [${nowCommon()}] "${escape(request)}" ${end.status} ${end.bytesOut === 0 ? "-" : end.bytesOut}` +
    ` "${escape(x.headers.get("referer") ?? "-")}" "${escape(x.headers.get("user-agent") ?? "-")}"`
  )
}

/** As mod_log_config does: quotes and backslashes with a backslash, the unprintable as \xhh. */
function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/["\\\u0000-\u001f\u007f-\uffff]/g, c =>
    c === '"' || c === "\\" ? "\\" + c : "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"),
  )
}

let second = 0
let iso = ""
let common = ""
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** Both forms are made once a second: at 100,000 lines a second the clock would cost more than the line. */
function tick(): void {
  const now = Date.now()
  const s = Math.floor(now / 1000)
  if (s === second) return
  second = s
  const date = new Date(now)
  iso = date.toISOString().slice(0, 19) + "Z"
  common = `${iso.slice(8, 10)}/${MONTHS[date.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`
}

function nowIso(): string {
  tick()
  return iso
}

function nowCommon(): string {
  tick()
  return common
}
