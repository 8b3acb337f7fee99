import type { Socket } from "bun"
import { clock, type Timed } from "../../system/clock.ts"

/** Who has a connection now: one call, a tunnel, or nobody while it is in the pool. */
export interface ConnectionUser {
  onOpen(): void
  onData(chunk: Buffer): void
  /** All that was written is out. */
  onDrain(): void
  /** The upstream will send no more. */
  onEof(): void
  /** The socket is gone, with an error when it was not closed in order. */
  onClosed(error: Error | undefined): void
  onTimeout(): void
}

/** Head and small body of a request are put together here and leave in one write; used only between two events. */
export const scratch = Buffer.allocUnsafeSlow(32 * 1024)

/** One socket to an upstream, with what it did not take yet. */
export class UpstreamConnection implements Timed {
  deadline = Infinity
  dueTick = -1
  user: ConnectionUser | null = null
  /** Requests sent on it before the present one. */
  uses = 0
  /** Longest idle time in ms that the upstream said it allows (`Keep-Alive: timeout`), or Infinity. */
  idleMs = Infinity
  /** Bytes of the present request that the kernel took. */
  taken = 0
  closed = false
  #socket: Socket<UpstreamConnection> | null = null
  /** What the kernel did not take, oldest first. */
  #tail: Uint8Array[] = []
  #ready = false
  #paused = false
  #ending = false

  constructor(readonly onIdleEnd: (connection: UpstreamConnection) => void) {}

  /** Bytes that wait for the upstream to take them. */
  get waiting(): boolean {
    return this.#tail.length > 0
  }

  get open(): boolean {
    return this.#ready && !this.closed
  }

  /** Sets the time limit of the present phase; Infinity for none. */
  limit(ms: number): void {
    this.deadline = ms === Infinity ? ms : performance.now() + ms
    clock.watch(this)
  }

  /**
   * Sends `length` bytes from the start of `bytes`; what the kernel does not take is kept, copied when `bytes` is the
   * scratch buffer. When the socket is gone nothing is kept, and `onClosed` tells why.
   */
  write(bytes: Uint8Array, length = bytes.byteLength): void {
    if (this.closed || this.#socket === null) return
    let taken = 0
    if (this.#tail.length === 0) {
      taken = this.#socket.write(bytes, 0, length)
      if (taken < 0) return
      this.taken += taken
      if (taken === length) return
    }
    const rest = bytes.subarray(taken, length)
    this.#tail.push(bytes === scratch ? Uint8Array.from(rest) : rest)
  }

  /** A peer that vanished without a word is found by TCP within some minutes. */
  probe(): void {
    if (!this.closed) this.#socket?.setKeepAlive(true, 60_000)
  }

  pause(): void {
    if (this.#paused || this.closed) return
    this.#paused = true
    this.#socket?.pause()
  }

  resume(): void {
    if (!this.#paused || this.closed) return
    this.#paused = false
    this.#socket?.resume()
  }

  /** Half-close, once what waits is out. */
  end(): void {
    this.#ending = true
    if (this.#tail.length === 0) this.#socket?.shutdown()
  }

  /** Closes in order, nothing being on its way; its user hears nothing of it. */
  close(): void {
    this.user = null
    if (this.closed) return
    this.#forget()
    this.#socket?.end()
  }

  /** Breaks off, with a reset that the upstream cannot take for an end; its user hears nothing of it. */
  destroy(): void {
    this.user = null
    if (this.closed) return
    this.#forget()
    this.#socket?.terminate()
  }

  #forget(): void {
    this.closed = true
    this.#tail.length = 0
    this.deadline = Infinity
  }

  // What the socket tells -----------------------------------------------------------------------------------------

  /** The socket is there; with TLS its handshake follows. */
  attached(socket: Socket<UpstreamConnection>): void {
    if (this.closed) socket.terminate()
    else this.#socket = socket
  }

  /** It may be written to. */
  opened(): void {
    if (this.closed) return
    this.#ready = true
    this.user?.onOpen()
  }

  received(chunk: Buffer): void {
    if (this.user !== null) this.user.onData(chunk)
    // Bytes that nobody asked for: they would be taken for the answer to the next request.
    else this.#dropIdle()
  }

  drained(): void {
    if (this.closed || this.#socket === null) return
    const tail = this.#tail
    let sent = 0
    while (sent < tail.length) {
      const piece = tail[sent]!
      const taken = this.#socket.write(piece)
      if (taken < 0) return
      this.taken += taken
      if (taken < piece.byteLength) {
        tail[sent] = piece.subarray(taken)
        break
      }
      sent++
    }
    const before = tail.length
    if (sent > 0) tail.splice(0, sent)
    if (tail.length > 0) return
    if (this.#ending) this.#socket.shutdown()
    if (before > 0) this.user?.onDrain()
  }

  finished(): void {
    if (this.user !== null) this.user.onEof()
    else this.#dropIdle()
  }

  lost(error: Error | undefined): void {
    if (this.closed) return
    this.#forget()
    const { user } = this
    this.user = null
    if (user === null) this.onIdleEnd(this)
    else user.onClosed(error)
  }

  onDeadline(): void {
    this.deadline = Infinity
    if (this.user !== null) this.user.onTimeout()
    else this.#dropIdle()
  }

  #dropIdle(): void {
    this.close()
    this.onIdleEnd(this)
  }
}
