import type { Socket } from "bun"
import type { Accepted } from "./accepted.ts"
import { clock } from "../../system/clock.ts"
import type { Timed } from "../../system/clock.ts"
import { readProxyHeader } from "../codec/proxy-protocol.ts"
import type { ProxySource } from "../codec/proxy-protocol.ts"

export interface PrefaceHost {
  readonly timeoutMs: number
  /** Who it is, and what followed in the same read. */
  onSource(source: ProxySource | null, rest: Buffer): void
  onRefused(why: string): void
}

/** A connection of a trusted balancer until its PROXY header is there. Without one it is closed: nobody else may speak there. */
export class ProxyPreface implements Accepted, Timed {
  readonly requests = 0
  readonly long = false
  readonly idleSince = performance.now()
  readonly #socket: Socket<Accepted>
  readonly #host: PrefaceHost
  #held: Buffer | null = null
  deadline: number
  dueTick = -1

  constructor(socket: Socket<Accepted>, host: PrefaceHost) {
    this.#socket = socket
    this.#host = host
    this.deadline = this.idleSince + host.timeoutMs
    clock.watch(this)
  }

  data(chunk: Buffer): void {
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk])
    let header
    try {
      header = readProxyHeader(bytes)
    } catch (error) {
      this.#host.onRefused((error as Error).message)
      return this.destroy()
    }
    if (header === null) {
      this.#held = bytes
      return
    }
    this.gone()
    this.#host.onSource(header.source, bytes.subarray(header.size))
  }

  onDeadline(): void {
    this.destroy()
  }

  gone(): void {
    this.deadline = Infinity
    clock.forget(this)
  }

  drain(): void {}

  end(): void {
    this.destroy()
  }

  leave(): void {}

  destroy(): void {
    this.gone()
    this.#socket.terminate()
  }
}
