import type { Socket } from "bun"
import { canSendFiles, sendFile } from "./sendfile.ts"

/** Bytes up to this size are moved behind each other for one write; above it the copy costs more than a second write. */
const moveLimit = 32_768
/** What is moved together: one for the process, used like a stack, because everything between cork and uncork is synchronous. */
const batch = Buffer.allocUnsafeSlow(262_144)
let batchEnd = 0
/** The output that is corked on top. */
let owner: Output | undefined
function setOwner(output: Output | undefined): void {
  owner = output
}

/**
 * The sending side of one socket. A write is a system call and nine tenths of a small answer's cost, so between `cork`
 * and `uncork` everything is put behind each other and leaves in one. What the socket does not take is kept and goes
 * out on `drain`.
 */
export class Output {
  readonly #socket: Socket<unknown>
  #depth = 0
  #under: Output | undefined
  #base = 0
  #from = 0
  #to = 0
  /** Not yet taken by the socket, in order. */
  #tail: Uint8Array[] = noTail
  /** The socket did not take all that was offered, and its caller keeps the rest. */
  #full = false
  /** The socket is gone: bytes are dropped. */
  closed = false
  /** `sendFile` may be tried. */
  readonly takesFiles: boolean

  /** `secure`: the socket encrypts. */
  constructor(socket: Socket<unknown>, secure = true) {
    this.#socket = socket
    this.takesFiles = !secure && canSendFiles
  }

  /** The peer is slow: wait for `drain` to return true. */
  get blocked(): boolean {
    return this.#full || this.#tail.length > 0
  }

  get corked(): boolean {
    return this.#depth > 0
  }

  cork(): void {
    if (this.#depth++ > 0) return
    this.#under = owner
    setOwner(this)
    this.#base = this.#from = this.#to = batchEnd
  }

  uncork(): void {
    if (--this.#depth > 0) return
    this.#flush()
    batchEnd = this.#base
    setOwner(this.#under)
    this.#under = undefined
  }

  /** Latin-1 text. */
  text(text: string): void {
    if (!this.#room(text.length)) this.#send(Buffer.from(text, "latin1"), 0)
    else batchEnd = this.#to += batch.latin1Write(text, this.#to)
  }

  /** UTF-8 text of `size` bytes. */
  utf8(text: string, size: number): void {
    if (!this.#room(size)) this.#send(Buffer.from(text), 0)
    else batchEnd = this.#to += batch.utf8Write(text, this.#to)
  }

  /** `unstable`: so many bytes at the front may be changed by their owner once this returns. False: wait for `drain`, or for the end. */
  bytes(bytes: Uint8Array, unstable = 0): boolean {
    const size = bytes.byteLength
    if (size <= moveLimit && this.#room(size)) {
      batch.set(bytes, this.#to)
      batchEnd = this.#to += size
    } else this.#send(bytes, unstable)
    return this.#tail.length === 0 && !this.closed
  }

  /** Bytes of `bytes` that the socket took at once; the caller keeps the rest. Nothing may wait in front. */
  offer(bytes: Uint8Array, from: number, size: number): number {
    this.#flush()
    if (this.closed || this.#tail.length > 0) return 0
    const taken = this.#socket.write(bytes, from, size)
    this.#full = taken >= 0 && taken < size
    if (taken >= 0) return taken
    this.closed = true
    return 0
  }

  /** So many bytes of a file, from `at`, went to the socket within the kernel; 0 when it takes none, or cannot. */
  sendFile(file: number, at: number, size: number): number {
    this.#flush()
    if (this.closed || this.#tail.length > 0) return 0
    return sendFile((this.#socket as Socket<unknown> & { readonly fd: number }).fd, { file, at, size })
  }

  /** The socket can take more; true when nothing waits any longer. */
  drain(): boolean {
    this.#full = false
    const tail = this.#tail
    let i = 0
    while (i < tail.length) {
      const bytes = tail[i]!
      const taken = this.closed ? bytes.byteLength : this.#socket.write(bytes, 0, bytes.byteLength)
      if (taken < 0) this.closed = true
      else if (taken < bytes.byteLength) {
        tail[i] = bytes.subarray(taken)
        break
      } else i++
    }
    if (i === tail.length) this.#tail = noTail
    else if (i > 0) tail.splice(0, i)
    return this.#tail.length === 0
  }

  /** True when `size` bytes can be put into the batch now. */
  #room(size: number): boolean {
    if (owner !== this || this.#tail.length > 0 || size > moveLimit) return false
    if (this.#to + size > batch.length) {
      this.#flush()
      if (this.#base + size > batch.length || this.#tail.length > 0) return false
      batchEnd = this.#from = this.#to = this.#base
    }
    return true
  }

  #flush(): void {
    const from = this.#from
    const size = this.#to - from
    if (size === 0 || this.#depth < 0) return
    this.#from = this.#to
    if (this.closed) return
    const taken = this.#socket.write(batch, from, size)
    if (taken < 0) this.closed = true
    else if (taken < size) this.#keep(Buffer.from(batch.subarray(from + taken, from + size)))
  }

  #send(bytes: Uint8Array, unstable: number): void {
    this.#flush()
    if (this.closed) return
    const size = bytes.byteLength
    const taken = this.#tail.length > 0 ? 0 : this.#socket.write(bytes, 0, size)
    if (taken < 0) this.closed = true
    else if (taken < size) {
      if (taken < unstable) this.#keep(Buffer.from(bytes.subarray(taken, unstable)))
      this.#keep(bytes.subarray(Math.max(taken, unstable)))
    }
  }

  #keep(bytes: Uint8Array): void {
    if (this.#tail === noTail) this.#tail = []
    this.#tail.push(bytes)
  }
}

const noTail: Uint8Array[] = []
