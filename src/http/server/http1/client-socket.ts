import type { Socket } from "bun"
import { Output } from "./output.ts"
import { peerClosed } from "./peer-closed.ts"

/** Silence after which TCP asks whether the peer is still there; the system decides how often before it gives up. */
const probeMs = 60_000

/** The accepted socket and how far it is open. */
export class ClientSocket {
  readonly socket: Socket<unknown>
  readonly out: Output
  /** The socket is gone. */
  closed = false
  /** The client closed its side; it may still read. */
  inputEnded = false
  /** We do not read; then Bun does not show the end of the client's side either. */
  paused = false
  #shut = false

  constructor(socket: Socket<unknown>, secure: boolean) {
    this.socket = socket
    this.out = new Output(socket, secure)
  }

  /** Stops or goes on reading; true when that is a change. */
  hold(on: boolean): boolean {
    if (on === this.paused || this.closed) return false
    this.paused = on
    if (on) this.socket.pause()
    else this.socket.resume()
    return true
  }

  /** The client closed its side, although we do not read. */
  get peerClosed(): boolean {
    return !this.closed && peerClosed((this.socket as Socket<unknown> & { readonly fd: number }).fd)
  }

  /** A peer that vanished without a word is found by TCP within some minutes: a tunnel may be silent for days. */
  probe(): void {
    if (!this.closed) this.socket.setKeepAlive(true, probeMs)
  }

  /** Closes our side; true the first time. */
  shut(): boolean {
    if (this.#shut || this.closed) return false
    this.#shut = true
    this.socket.shutdown()
    return true
  }

  /** Both sides; what was not taken by the socket is lost, and unread bytes of the client reset the connection. */
  close(): void {
    if (!this.closed) this.socket.end()
  }

  /** A reset. */
  destroy(): void {
    if (!this.closed) this.socket.terminate()
  }

  gone(): void {
    this.closed = this.out.closed = true
  }
}
