import { readSync } from "node:fs"
import type { FileSlice } from "../../message/reply.ts"
import type { Sender, SenderHost } from "./senders.ts"

/** Bytes per read. One buffer for all: what a socket does not take is read again, a copy from the page cache. */
const fileBuffer = Buffer.allocUnsafeSlow(262_144)
/** A fast client on a fast line would keep the whole front for the time of its file. */
const turnBytes = 2 * 1024 * 1024
/** The system call and what arms the event for more cost as much as copying this. */
const directMin = 65_536

/**
 * A part of a file in constant memory: from the page cache to the socket where the system can (sendfile(2), a quarter of
 * the CPU time), else by read and write (declined: a buffer per slow client, 256 kB each).
 */
export class FileSender implements Sender {
  #at: number
  #read = fileBuffer.length
  #over = false
  #direct: boolean

  constructor(
    readonly host: SenderHost,
    readonly file: FileSlice,
  ) {
    this.#at = file.start
    this.#direct = host.out.takesFiles && file.end - file.start >= directMin
  }

  start(): void {
    const { file, host } = this
    // With its head in one write.
    if (file.end - file.start <= 32_768) {
      const size = this.#fill()
      if (size < 0) return
      host.bytesOut += size
      this.#at += size
      host.out.bytes(fileBuffer.subarray(0, size), size)
      if (this.#at === file.end) return this.#finish()
    }
    this.resume()
  }

  resume = (): void => {
    const { file, host } = this
    let budget = turnBytes
    while (!this.#over && this.#at < file.end) {
      let sent = 0
      if (this.#direct) {
        const asked = Math.min(file.end - this.#at, budget)
        sent = host.out.sendFile(file.fd, this.#at, asked)
        if (sent > 0) {
          host.bytesOut += sent
          this.#at += sent
          if ((budget -= sent) <= 0) return void setImmediate(this.resume)
          if (sent === asked) continue
        }
      }
      // Behind sendfile a single byte: not taken, it makes the socket tell when there is room again.
      const size = this.#fill(this.#direct ? 1 : this.#read)
      if (size < 0) return
      const taken = host.out.offer(fileBuffer, 0, size)
      host.bytesOut += taken
      this.#at += taken
      if (taken < size) {
        // The next read is about what the socket will take, so that little is read twice.
        if (!this.#direct) this.#read = Math.min(fileBuffer.length, Math.max(16_384, taken * 2))
        return host.blocked()
      }
      // There was room, and yet sendfile gave nothing: this kind of file or socket it does not serve.
      if (this.#direct) this.#direct = sent > 0
      else if ((budget -= size) <= 0) return void setImmediate(this.resume)
    }
    if (!this.#over) this.#finish()
  }

  abandon(_error: Error): void {
    if (this.#over) return
    this.#over = true
    this.file.close()
  }

  /** Reads the next bytes, at most `most`, into the common buffer; -1 when that ended the answer. */
  #fill(most = this.#read): number {
    const { file } = this
    let size = 0
    let error = new Error("the file became shorter while it was sent")
    try {
      size = readSync(file.fd, fileBuffer, 0, Math.min(most, file.end - this.#at), this.#at)
    } catch (e) {
      error = e as Error
    }
    if (size > 0 || file.end === this.#at) return size
    this.abandon(error)
    this.host.cut(error)
    return -1
  }

  #finish(): void {
    this.#over = true
    this.file.close()
    this.host.sent()
  }
}
