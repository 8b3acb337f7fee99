/** A file without a name, for bytes that wait for a slow client: it is gone with its last descriptor, however we end. */
import { closeSync, existsSync, openSync, read, unlinkSync, write } from "node:fs"
import { join } from "node:path"
import { HttpError } from "../http/errors.ts"
import { tempFolder } from "../system/temp-folder.ts"

/** Private to the process (0700), below TMPDIR; made when the first body needs it, and again when somebody swept it. */
let folder: string | undefined
let made = 0

/** Grows at its end and is read from its front. One write and one read at a time; reads are of what was written. */
export class SpoolFile {
  /** Bytes in the file. */
  size = 0
  /** Where the next read begins. */
  at = 0
  writing = false
  reading = false
  #fd: number
  #closed = false

  /** Throws what the system says: no descriptor, no room, no right. */
  constructor() {
    if (folder === undefined || !existsSync(folder)) folder = tempFolder("spool")
    const path = join(folder, String(made++))
    this.#fd = openSync(path, "wx+", 0o600)
    unlinkSync(path)
  }

  get fd(): number {
    return this.#fd
  }

  get unread(): number {
    return this.size - this.at
  }

  /** All of it or, with an error, nothing. `done` is not called after `close`. */
  append(bytes: Uint8Array, done: (error: Error | null) => void): void {
    this.writing = true
    this.#write(bytes, 0, done)
  }

  #write(bytes: Uint8Array, from: number, done: (error: Error | null) => void): void {
    write(this.#fd, bytes, from, bytes.length - from, this.size + from, (error, n) => {
      // A disk that fills up takes a part, and says why at the next.
      if (error === null && from + n < bytes.length && !this.#closed) return this.#write(bytes, from + n, done)
      this.writing = false
      if (this.#closed) return this.close()
      if (error === null) this.size += bytes.length
      done(error)
    })
  }

  /** Up to `most` bytes from its front. */
  next(most: number, got: (error: Error | null, bytes: Uint8Array) => void): void {
    const buffer = Buffer.allocUnsafeSlow(Math.min(most, this.unread))
    this.reading = true
    read(this.#fd, buffer, 0, buffer.length, this.at, (error, n) => {
      this.reading = false
      if (this.#closed) return this.close()
      this.at += n
      got(error ?? (n === 0 ? new Error("the spool file is shorter than what was written") : null), buffer.subarray(0, n))
    })
  }

  /** The descriptor stays until what is under way has ended. */
  close(): void {
    this.#closed = true
    if (this.writing || this.reading || this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
  }
}

/** What a client is told whose body cannot be kept (RFC 4918, 11.5). */
export function noRoom(cause: Error): HttpError {
  const { code } = cause as NodeJS.ErrnoException
  const full = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG"
  return new HttpError(full ? 507 : 503, `a request's body cannot be kept: ${code ?? cause.message}`, { cause, close: true })
}
