import { closeSync, constants, fstatSync, openSync, write } from "node:fs"
import type { Logger } from "./logger.ts"

/** Bytes that may wait for a slow disk or pipe; lines past it are dropped and counted, never the server stopped. */
const MAX_WAITING = 8 * 1024 * 1024
/** Writers that share a pipe are only atomic up to PIPE_BUF (pipe(7)); files opened with O_APPEND always are. */
const PIPE_BUF = 4096
const FLUSH_MS = 100

/** Hears once that lines are being lost, and once how many were, when there is room again. */
export interface LossTold {
  failing(why: string): void
  wellAgain(lost: number): void
}

/** Whole lines to a file or a descriptor, in batches, without ever blocking the event loop. */
export class LineSink {
  #fd: number
  #owned: boolean
  #batch: number
  #waiting = ""
  #writing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Lines lost since the last one that was written. */
  #lost = 0
  #failing = false
  /** The last write stopped within a line. */
  #torn = false
  #idle: (() => void)[] = []

  /**
   * `path` is a file, or "-" for standard output, "stderr" for standard error. Throws when it cannot be opened.
   * `follow: false` refuses a link: root must not write where another user's link points.
   */
  constructor(
    readonly path: string,
    readonly options: { readonly follow?: boolean; readonly told?: LossTold } = {},
  ) {
    ;[this.#fd, this.#owned, this.#batch] = open(path, options.follow ?? true)
  }

  line(text: string): void {
    if (this.#waiting.length > MAX_WAITING) {
      this.#lose(1, "its reader is too slow")
      return
    }
    this.#waiting += text + "\n"
    this.#timer ??= setTimeout(this.#flush, FLUSH_MS)
  }

  /** Opens the path anew, after a rotation (USR1). Keeps the old descriptor when that fails. */
  reopen(): void {
    if (!this.#owned) return
    const old = this.#fd
    ;[this.#fd, this.#owned, this.#batch] = open(this.path, this.options.follow ?? true)
    // A batch may be on its way to the old one.
    void this.#settled().then(() => closeSync(old))
  }

  /** Resolves when everything was written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#flush()
    await this.#settled()
    if (this.#lost > 0) this.options.told?.wellAgain(this.#lost)
    if (this.#owned) closeSync(this.#fd)
  }

  #lose(lines: number, why: string): void {
    this.#lost += lines
    if (!this.#failing) this.options.told?.failing(why)
    this.#failing = true
  }

  #well(): void {
    const lost = this.#lost
    this.#lost = 0
    this.#failing = false
    this.options.told?.wellAgain(lost)
  }

  #settled(): Promise<void> {
    return this.#writing ? new Promise(resolve => this.#idle.push(resolve)) : Promise.resolve()
  }

  #flush = (): void => {
    this.#timer = undefined
    if (this.#writing || this.#waiting === "") return
    const bytes = Buffer.from(this.#torn ? `\n${this.#waiting}` : this.#waiting)
    this.#waiting = ""
    this.#writing = true
    this.#write(this.#fd, bytes, 0)
  }

  #write(fd: number, bytes: Buffer, from: number): void {
    const to = this.#batch > 0 ? lineEnd(bytes, from, this.#batch) : bytes.length
    write(fd, bytes, from, to - from, null, (error, written) => {
      if (error !== null && error.code === "EAGAIN") {
        setTimeout(() => this.#write(fd, bytes, from), 10)
        return
      }
      if (error !== null) {
        // A half line is closed by the next batch; it is one of the lost.
        if (from > 0) this.#torn = bytes[from - 1] !== 10
        this.#lose(lines(bytes, from), error.message)
      } else if (from + written < bytes.length) {
        this.#write(fd, bytes, from + written)
        return
      } else {
        this.#torn = false
        if (this.#failing) this.#well()
      }
      this.#writing = false
      for (const done of this.#idle.splice(0)) done()
      this.#flush()
    })
  }
}

/** Line ends from `from` on; the one that only closes a half line is none. */
function lines(bytes: Buffer, from: number): number {
  let count = from === 0 && bytes[0] === 10 ? -1 : 0
  for (let i = from; i < bytes.length; i++) if (bytes[i] === 10) count++
  return count
}

/** What the event log is told of another log's losses. */
export function tellLosses(log: Logger, path: string): LossTold {
  return {
    failing: why => log.error("a log cannot be written, its lines are lost", { file: path, why }),
    wellAgain: lost => log.warn("lines of a log were lost", { file: path, lost }),
  }
}

function open(path: string, follow: boolean): [fd: number, owned: boolean, batch: number] {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
  const flags = O_WRONLY | O_APPEND | O_CREAT | (follow ? 0 : O_NOFOLLOW)
  const fd = path === "-" ? 1 : path === "stderr" ? 2 : openSync(path, flags, 0o640)
  return [fd, fd > 2, fstatSync(fd).isFile() ? 0 : PIPE_BUF]
}

/** The end of the last whole line within `most` bytes of `from`, or of the first line when that is longer. */
function lineEnd(bytes: Buffer, from: number, most: number): number {
  if (bytes.length - from <= most) return bytes.length
  const last = bytes.lastIndexOf(10, from + most - 1)
  if (last >= from) return last + 1
  const next = bytes.indexOf(10, from)
  return next < 0 ? bytes.length : next + 1
}
