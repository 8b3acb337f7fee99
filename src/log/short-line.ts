/** A line for the person who reads along while a page is being written: `12:00:00 200 GET /posts 1.2 ms 5.1 kB`. */
import type { Exchange, ExchangeEnd } from "../http/message/exchange.ts"

interface ShortLineOptions {
  /** The target as it may be shown: secrets hidden, control characters escaped. */
  target(x: Exchange): string
  /** With the escape sequences of a terminal (ECMA-48 8.3.117). */
  readonly colour: boolean
}

const RED = 31
const GREEN = 32
const YELLOW = 33
const CYAN = 36
const DIM = 2

export function shortLine({ target, colour }: ShortLineOptions): (x: Exchange, end: ExchangeEnd) => string {
  const paint = colour ? (code: number, text: string) => `\u001b[${code}m${text}\u001b[0m` : (_: number, text: string) => text
  return (x, { status, ms, bytesOut, error }) =>
    `${paint(DIM, clock())} ${paint(colourOf(status), String(status))} ${x.method.padEnd(4)} ${target(x)}` +
    ` ${paint(DIM, `${duration(ms)} ${size(bytesOut)}`)}${error === undefined ? "" : ` ${paint(RED, oneLine(error))}`}`
}

function colourOf(status: number): number {
  if (status >= 500) return RED
  if (status >= 400) return YELLOW
  return status >= 300 ? CYAN : GREEN
}

/** The hour where the reader is, as it is on the reader's own screen. */
function clock(): string {
  return new Date().toTimeString().slice(0, 8)
}

function duration(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}

function oneLine(error: unknown): string {
  return JSON.stringify(String(error)).slice(1, -1)
}
