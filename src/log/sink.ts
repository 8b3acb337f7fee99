import { closeSync, constants, fstatSync, openSync, write } from "node:fs"

/** Bytes that may wait for a slow disk or pipe; lines past it are dropped and counted, never the server stopped. */
const MAX_WAITING = 8 * 1024 * 1024
/** Writers that share a pipe are only atomic up to PIPE_BUF (pipe(7)); files opened with O_APPEND always are. */
const PIPE_BUF = 4096
const FLUSH_MS = 100

/** Whole lines to a file or a descriptor, in batches, without ever blocking the event loop. */
export class LineSink {
  #fd: number
  #owned: boolean
  #batch: number
  #waiting = ""
  #writing = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #dropped = 0
  #idle: (() => void)[] = []

  /**
   * `path` is a file, or "-" for standard output, "stderr" for standard error. Throws when it cannot be opened.
   * `follow: false` refuses a link: root must not write where another user's link points.
   */
  constructor(
    readonly path: string,
    readonly options: { readonly follow?: boolean } = {},
  ) {
    ;[this.#fd, this.#owned, this.#batch] = open(path, options.follow ?? true)
  }

  line(text: string): void {
    if (this.#waiting.length > MAX_WAITING) {
      this.#dropped++
      return
    }
    this.#waiting += text + "\n"
    this.#timer ??= setTimeout(this.#flush, FLUSH_MS)
  }

  /** Lines lost because the target was too slow or full, since the last call. */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
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
    if (this.#owned) closeSync(this.#fd)
  }

  #settled(): Promise<void> {
    return this.#writing ? new Promise(resolve => this.#idle.push(resolve)) : Promise.resolve()
  }

  #flush = (): void => {
    this.#timer = undefined
    if (this.#writing || this.#waiting === "") return
    const bytes = Buffer.from(this.#waiting)
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
        for (let i = from; i < bytes.length; i++) if (bytes[i] === 10) this.#dropped++
      } else if (from + written < bytes.length) {
        this.#write(fd, bytes, from + written)
        return
      }
      this.#writing = false
      for (const done of this.#idle.splice(0)) done()
      this.#flush()
    })
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
