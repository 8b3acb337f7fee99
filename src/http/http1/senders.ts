import { readSync } from "node:fs"
import { lastChunk } from "../codec/chunked.ts"
import { validName, validValue } from "../codec/fields.ts"
import type { HeaderList } from "../headers.ts"
import type { FileSlice } from "../reply.ts"
import type { ByteSink, ByteStream } from "../stream.ts"
import type { Output } from "./output.ts"
import { Framing } from "./reply-head.ts"

/** What a sender tells the turn it works for. */
export interface SenderHost {
  readonly out: Output
  bytesOut: number
  /** The whole body was handed over. */
  sent(): void
  /** The body cannot be completed: the client must see that it is not. */
  cut(error: Error): void
  /** The client is slow, or gone; `resume` is called when it has caught up. */
  blocked(): void
}

/** Sends a body that takes more than one step. */
export interface Sender {
  start(): void
  resume(): void
  /** The client is gone. */
  abandon(error: Error): void
}

/** A body that comes by and by. */
export class StreamSender implements Sender, ByteSink {
  #over = false
  #paused = false
  constructor(
    readonly host: SenderHost,
    readonly stream: ByteStream,
    readonly framing: Framing,
    /** Bytes that were announced, or -1. */
    readonly length: number,
  ) {}

  start(): void {
    this.stream.pipe(this)
  }

  data(chunk: Uint8Array): void {
    const size = chunk.byteLength
    if (this.#over || size === 0) return
    const { host } = this
    const { out } = host
    if (this.length >= 0 && host.bytesOut + size > this.length) {
      return this.#fail(new Error("the body is longer than its Content-Length"), true)
    }
    host.bytesOut += size
    out.cork()
    if (this.framing === Framing.Chunked) {
      out.text(size.toString(16) + "\r\n")
      out.bytes(chunk)
      out.text("\r\n")
    } else out.bytes(chunk)
    out.uncork()
    // The close comes as an event of its own: a source that gives its bytes in one go must not wait for that.
    if (out.closed) {
      this.#stop(new Error("the client is gone"))
      return host.blocked()
    }
    if (!out.blocked || this.#paused) return
    this.#paused = true
    this.stream.pause()
    host.blocked()
  }

  end(trailers?: HeaderList): void {
    if (this.#over) return
    if (this.length >= 0 && this.host.bytesOut < this.length) {
      return this.#fail(new Error("the body is shorter than its Content-Length"), false)
    }
    this.#over = true
    if (this.framing === Framing.Chunked) this.host.out.text(lastChunk(trailers === undefined ? undefined : sendable(trailers)))
    this.host.sent()
  }

  fail(error: Error): void {
    if (!this.#over) this.#fail(error, false)
  }

  resume(): void {
    this.#paused = false
    if (!this.#over) this.stream.resume()
  }

  abandon(error: Error): void {
    if (!this.#over) this.#stop(error)
  }

  #fail(error: Error, cancel: boolean): void {
    if (cancel) this.#stop(error)
    this.#over = true
    this.host.cut(error)
  }

  #stop(error: Error): void {
    this.#over = true
    this.stream.cancel(error)
  }
}

function sendable(trailers: HeaderList): HeaderList | undefined {
  for (const [name, value] of trailers) if (!validName(name) || !validValue(value)) return undefined
  return trailers
}

/** Bytes per read. One buffer for all: what a socket does not take is read again, a copy from the page cache. */
const fileBuffer = Buffer.allocUnsafeSlow(262_144)
/** A fast client on a fast line would keep the whole front for the time of its file. */
const turnBytes = 2 * 1024 * 1024

/** A part of a file, read and written in constant memory (declined: a buffer per slow client, 256 kB each). */
export class FileSender implements Sender {
  #at: number
  #read = fileBuffer.length
  #over = false

  constructor(
    readonly host: SenderHost,
    readonly file: FileSlice,
  ) {
    this.#at = file.start
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
      const size = this.#fill()
      if (size < 0) return
      const taken = host.out.offer(fileBuffer, 0, size)
      host.bytesOut += taken
      this.#at += taken
      if (taken < size) {
        // The next read is about what the socket will take, so that little is read twice.
        this.#read = Math.min(fileBuffer.length, Math.max(16_384, taken * 2))
        return host.blocked()
      }
      if ((budget -= size) <= 0) return void setImmediate(this.resume)
    }
    if (!this.#over) this.#finish()
  }

  abandon(_error: Error): void {
    if (this.#over) return
    this.#over = true
    this.file.close()
  }

  /** Reads the next bytes into the common buffer; -1 when that ended the answer. */
  #fill(): number {
    const { file } = this
    let size = 0
    let error = new Error("the file became shorter while it was sent")
    try {
      size = readSync(file.fd, fileBuffer, 0, Math.min(this.#read, file.end - this.#at), this.#at)
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
