import type { Accepted } from "./accepted.ts"
import { clock } from "../../system/clock.ts"
import type { Timed } from "../../system/clock.ts"
import { quickAck } from "./tls.ts"
import type { TlsSocket } from "./tls.ts"

/** A socket in the middle of its TLS handshake: counted, so that a leaving front waits for it, and not waited on for ever. */
export class Handshake implements Accepted, Timed {
  readonly requests = 0
  readonly long = false
  readonly idleSince = performance.now()
  readonly #socket: TlsSocket
  deadline: number
  dueTick = -1

  constructor(socket: TlsSocket, timeoutMs: number) {
    this.#socket = socket
    this.deadline = this.idleSince + timeoutMs
    clock.watch(this)
    quickAck(socket)
  }

  onDeadline(): void {
    this.destroy()
  }

  /** Over, well or badly: the clock lets go. */
  gone(): void {
    this.deadline = Infinity
    clock.forget(this)
  }

  data(): void {}
  drain(): void {}

  end(): void {
    this.destroy()
  }

  leave(): void {}

  destroy(): void {
    this.#socket.terminate()
  }
}
