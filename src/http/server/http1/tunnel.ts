import type { ByteDuplex } from "../../message/stream.ts"
import { InputStream } from "./input-stream.ts"
import type { InputHost } from "./input-stream.ts"
import type { Output } from "./output.ts"

export interface TunnelHost extends InputHost {
  readonly out: Output
  /** Half-close, once everything before it has left. */
  finish(): void
  destroy(): void
}

/** A connection that was taken over: its bytes in both directions (RFC 9110, 7.8). */
export class Tunnel implements ByteDuplex {
  readonly #host: TunnelHost
  readonly incoming: TunnelInput
  #drains: (() => void)[] = []
  #closes: (() => void)[] = []
  #serverClosings: (() => void)[] = []
  #ended = false
  #closed = false

  constructor(host: TunnelHost) {
    this.#host = host
    this.incoming = new TunnelInput(host, -1)
  }

  write(chunk: Uint8Array): boolean {
    if (this.#ended || this.#closed) return true
    return this.#host.out.bytes(chunk)
  }

  onDrain(f: () => void): void {
    this.#drains.push(f)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#host.finish()
  }

  destroy(): void {
    if (!this.#closed) this.#host.destroy()
  }

  onClose(f: () => void): void {
    if (this.#closed) f()
    else this.#closes.push(f)
  }

  onServerClosing(f: () => void): void {
    this.#serverClosings.push(f)
  }

  /** From the listener, a moment before it closes everything. */
  serverClosing(): void {
    for (const f of this.#serverClosings) f()
  }

  /** From the connection: the peer takes bytes again. */
  drained(): void {
    for (const f of this.#drains) f()
  }

  /** From the connection: the socket is gone. */
  closed(): void {
    if (this.#closed) return
    this.#closed = true
    this.incoming.break(new Error("the connection was closed"))
    for (const f of this.#closes) f()
  }
}

/** What the peer sends, until it half-closes. */
class TunnelInput extends InputStream {
  feed(bytes: Uint8Array): void {
    this.push(bytes)
  }
  over(): void {
    this.finish()
  }
}
