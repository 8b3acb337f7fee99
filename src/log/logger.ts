import { writeSync } from "node:fs"

/** What the kernel hands to its parts and to plugins. Fields are plain values; a message never carries secrets. */
export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** Writes it whatever the level of the log is: what an app printed. */
  always?: ((level: Level, message: string, fields?: Fields) => void) | undefined
  /** A logger that adds these fields to every line. */
  with(fields: Fields): Logger
}
export type Fields = Record<string, unknown>

export const LEVELS = ["debug", "info", "warn", "error"] as const
export type Level = (typeof LEVELS)[number]

/** Read with every line: whoever changes them changes the loggers that have them. */
export interface LogSettings {
  level: Level
  format: "text" | "json"
  /** Takes one line without its end. Default: standard error, at once. */
  readonly write?: (line: string) => void
}

export function createLogger(settings: LogSettings, fields: Fields = {}): Logger {
  const always = (level: Level, message: string, more?: Fields): void => {
    const format = settings.format === "json" ? formatJson : formatText
    const line = format(level, message, more === undefined ? fields : { ...fields, ...more })
    if (settings.write === undefined) toStderr(line, format)
    else settings.write(line)
  }
  const at = (level: Level) => {
    const rank = LEVELS.indexOf(level)
    return (message: string, more?: Fields): void => {
      if (rank >= LEVELS.indexOf(settings.level)) always(level, message, more)
    }
  }
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    always,
    with: more => createLogger(settings, { ...fields, ...more }),
  }
}

/** Lines that standard error did not take; said by the first that it takes again. */
let lost = 0
/** The last one stopped within. */
let torn = false

/**
 * Events are rare and must not be lost in a crash: written at once. Requests go to the access log (access.ts). When standard
 * error is full or gone there is nowhere to say so, and the server goes on.
 */
function toStderr(line: string, format: typeof formatText): void {
  const before = lost === 0 ? "" : `${format("warn", "lines of this log were lost, it could not be written", { lost })}\n`
  const bytes = Buffer.from(`${torn ? "\n" : ""}${before}${line}\n`)
  let at = 0
  try {
    while (at < bytes.length) at += writeSync(2, bytes, at)
    lost = 0
    torn = false
  } catch {
    lost++
    if (at > 0) torn = bytes[at - 1] !== 10
  }
}

function formatJson(level: Level, message: string, fields: Fields): string {
  return JSON.stringify({ ts: new Date().toISOString(), level, message, ...plain(fields) })
}

function formatText(level: Level, message: string, fields: Fields): string {
  let line = `${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}`
  let block = ""
  for (const [name, value] of Object.entries(plain(fields))) {
    const text = typeof value === "string" ? value : JSON.stringify(value)
    if (text === undefined) continue
    if (name === "detail" || text.includes("\n")) block += `\n    ${text.trimEnd().replaceAll("\n", "\n    ")}`
    else line += ` ${name}=${/[\s"=]/.test(text) ? JSON.stringify(text) : text}`
  }
  return line + block
}

/** A line end inside a message would let its sender forge log lines. */
function oneLine(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, c => (c === "\t" ? " " : JSON.stringify(c).slice(1, -1)))
}

function plain(fields: Fields): Fields {
  const out: Fields = {}
  for (const [name, value] of Object.entries(fields)) {
    out[name] = value instanceof Error ? (value.stack ?? `${value.name}: ${value.message}`) : value
  }
  return out
}
