/** CGI knows no body without a length: one that comes in chunks is received first, above 64 kB into a file without a name. */
import { closeSync, openSync, unlinkSync, write } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { streamOf } from "../frames/bodies.ts"
import type { ByteStream } from "../http/stream.ts"

/** Kept in memory up to it. */
const memoryBytes = 65_536

/** Resolves with the same body, its length known; rejects when it fails before its end. */
export function spool(body: ByteStream): Promise<ByteStream> {
  return new Promise((resolve, reject) => new Spool(body, resolve, reject).start())
}

class Spool {
  readonly #body: ByteStream
  readonly #resolve: (body: ByteStream) => void
  readonly #reject: (error: Error) => void
  #held: Uint8Array[] = []
  #heldBytes = 0
  #fd = -1
  #size = 0
  #writing = false
  #ended = false
  #failed = false

  constructor(body: ByteStream, resolve: (body: ByteStream) => void, reject: (error: Error) => void) {
    this.#body = body
    this.#resolve = resolve
    this.#reject = reject
  }

  start(): void {
    this.#body.pipe({
      data: chunk => this.#take(chunk),
      end: () => {
        this.#ended = true
        this.#settle()
      },
      fail: error => this.#fail(error),
    })
  }

  #take(chunk: Uint8Array): void {
    if (this.#failed) return
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes <= memoryBytes) return
    this.#body.pause()
    this.#write()
  }

  #write(): void {
    if (this.#writing) return
    const bytes = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    try {
      if (this.#fd < 0) this.#fd = namelessFile()
    } catch (error) {
      return this.#fail(error as Error)
    }
    this.#writing = true
    write(this.#fd, bytes, 0, bytes.length, this.#size, (error, n) => this.#wrote(error ?? (n < bytes.length ? new Error("the disk is full") : null), n))
  }

  #wrote(error: Error | null, bytes: number): void {
    this.#writing = false
    if (error !== null || this.#failed) return this.#fail(error ?? new Error("given up"))
    this.#size += bytes
    if (this.#heldBytes > memoryBytes) return this.#write()
    this.#body.resume()
    this.#settle()
  }

  #settle(): void {
    if (!this.#ended || this.#writing || this.#failed) return
    if (this.#fd < 0) return this.#resolve(streamOf(Buffer.concat(this.#held)))
    if (this.#heldBytes > 0) return this.#write()
    this.#resolve(streamOf({ fd: this.#fd, start: 0, end: this.#size, close: () => closeSync(this.#fd) }))
  }

  #fail(error: Error): void {
    if (!this.#failed) {
      this.#failed = true
      this.#held = []
      this.#body.cancel(error)
      this.#reject(error)
    }
    if (this.#fd < 0 || this.#writing) return
    closeSync(this.#fd)
    this.#fd = -1
  }
}

function namelessFile(): number {
  const path = join(tmpdir(), `edge-body-${process.pid}-${crypto.randomUUID()}`)
  const fd = openSync(path, "wx+", 0o600)
  unlinkSync(path)
  return fd
}
