/**
 * Lines that a program printed, put together to what it said: a traceback is one entry with one level, not twelve. A line goes on with
 * the entry before it when it is indented, or when Python's rules for tracebacks say so. An entry waits a moment for more.
 */
import type { Level } from "../../log/logger.ts"

export interface Entry {
  /** Lines joined by line breaks. */
  readonly text: string
  /** Undefined: the program does not say. */
  readonly level: Level | undefined
  /** It named the level as sd-daemon(3) has it: the log may leave it out by that. */
  readonly named: boolean
}

/** traceback.print_exc() writes line by line; a log is read later than that. */
const WAIT_MS = 50
/** A program that prints indented lines for ever must not fill our memory. */
const MOST_BYTES = 65_536
const TRACEBACK = "Traceback (most recent call last):"
const CHAINED = /^(?:During handling of the above exception, another exception occurred|The above exception was the direct cause of the following exception):$/
/** By the digit of a line that begins with `<3>`, as sd-daemon(3) has it. */
const LEVEL_OF: readonly Level[] = ["error", "error", "error", "error", "warn", "info", "info", "debug"]
/** Python's logging and those who write like it: `ERROR:root:`, `[2026-01-31 12:00:00] ERROR in app:`, `2026-01-31 12:00:00,123 WARNING x`. */
const WORD = /^(?:\[[^\]]{1,40}\]\s*|\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+\s+)*\[?(CRITICAL|FATAL|ERROR|WARNING|WARN|INFO|DEBUG)\b/
const WORDS: Readonly<Record<string, Level>> = { CRITICAL: "error", FATAL: "error", ERROR: "error", WARNING: "warn", WARN: "warn", INFO: "info", DEBUG: "debug" }

/** Where a traceback stands: its frames, its last line, a blank line behind that, the words that join it to the next. */
type State = "plain" | "frames" | "over" | "blank" | "chained"

/** Of one stream. */
export class Entries {
  readonly #onEntry: (entry: Entry) => void
  #lines: string[] = []
  #bytes = 0
  #level: Level | undefined
  #named = false
  #state: State = "plain"
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(onEntry: (entry: Entry) => void) {
    this.#onEntry = onEntry
  }

  /** Without its line break. Returns the text of the line, without the mark of its level. */
  line(line: string): string {
    const digit = /^<([0-7])>/.exec(line)?.[1]
    if (digit === undefined) {
      if (!this.#goesOn(line)) this.#begin(line, undefined)
      return line
    }
    const level = LEVEL_OF[Number(digit)]!
    const goesOn = line[3] === "\t" && this.#named && this.#level === level && this.#bytes < MOST_BYTES
    const text = line.slice(line[3] === "\t" ? 4 : 3)
    if (goesOn) this.#add(text)
    else this.#begin(text, level)
    return text
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#lines.length === 0) return
    const lines = this.#lines
    while (lines.length > 1 && lines.at(-1) === "") lines.pop()
    this.#lines = []
    const level = this.#named ? this.#level : levelOf(lines)
    this.#onEntry({ text: lines.join("\n"), level, named: this.#named })
  }

  #begin(text: string, level: Level | undefined): void {
    this.flush()
    this.#bytes = 0
    this.#level = level
    this.#named = level !== undefined
    this.#state = text === TRACEBACK ? "frames" : "plain"
    this.#add(text)
    this.#timer = setTimeout(() => this.flush(), WAIT_MS)
  }

  #add(text: string): void {
    this.#lines.push(text)
    this.#bytes += text.length
  }

  #goesOn(line: string): boolean {
    if (this.#lines.length === 0 || this.#named || this.#bytes >= MOST_BYTES) return false
    const next = this.#next(line)
    if (next === undefined) return false
    this.#state = next
    this.#add(line)
    return true
  }

  /** The state behind this line; undefined when it begins an entry of its own. */
  #next(line: string): State | undefined {
    const state = this.#state
    if (line === TRACEBACK) return state === "plain" || state === "chained" ? "frames" : undefined
    if (/^[ \t]/.test(line)) return state === "frames" || state === "over" ? state : state === "plain" ? "plain" : undefined
    if (state === "frames") return "over"
    if (line === "") return state === "over" ? "blank" : state === "chained" ? "chained" : undefined
    return state === "blank" && CHAINED.test(line) ? "chained" : undefined
  }
}

function levelOf(lines: readonly string[]): Level | undefined {
  const word = WORD.exec(lines[0]!)?.[1]
  const level = word === undefined ? undefined : WORDS[word]
  // The line before it may be somebody else's.
  return level !== "warn" && lines.includes(TRACEBACK) ? "error" : level
}
