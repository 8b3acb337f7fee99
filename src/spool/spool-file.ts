/** A file without a name, for bytes that wait for a slow client: it is gone with its last descriptor, however we end. */
import { closeSync, existsSync, openSync, read, unlinkSync, writev } from "node:fs"
import { join } from "node:path"
import { HttpError } from "../http/message/errors.ts"
import { tempFolder } from "../system/temp-folder.ts"

/** Private to the process (0700), below TMPDIR; made when the first body needs it, and again when somebody swept it. */
let folder: string | undefined
let made = 0

/** Linux takes 1024 at once. */
const mostPieces = 1024

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
  append(pieces: readonly Uint8Array[], done: (error: Error | null) => void): void {
    this.writing = true
    // Joining them would cost a copy, and as much memory again until the collector comes.
    this.#write(pieces.length > mostPieces ? [Buffer.concat(pieces)] : pieces, this.size, done)
  }

  #write(pieces: readonly Uint8Array[], at: number, done: (error: Error | null) => void): void {
    writev(this.#fd, pieces, at, (error, n) => {
      const rest = error === null ? withoutFirst(pieces, n) : []
      // A disk that fills up takes a part, and says why at the next.
      if (rest.length > 0 && n > 0 && !this.#closed) return this.#write(rest, at + n, done)
      this.writing = false
      if (this.#closed) return this.close()
      if (error === null && rest.length === 0) this.size = at + n
      done(error ?? (rest.length > 0 ? new Error("the disk takes no more") : null))
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

function withoutFirst(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let at = 0
  while (at < pieces.length && bytes >= pieces[at]!.length) bytes -= pieces[at++]!.length
  const rest = pieces.slice(at)
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes)
  return rest
}

/** What a client is told whose body cannot be kept (RFC 4918, 11.5). */
export function noRoom(cause: Error): HttpError {
  const { code } = cause as NodeJS.ErrnoException
  const full = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG"
  return new HttpError(full ? 507 : 503, `a request's body cannot be kept: ${code ?? cause.message}`, { cause, close: true })
}
