import type { ResponseHead } from "../codec/response-head.ts"
import { reasonOf } from "../message/status.ts"
import type { ByteDuplex, ByteSink } from "../message/stream.ts"
import type { ConnectionUser, UpstreamConnection } from "./connection.ts"

/** The 101 that goes to the client: Connection and Upgrade are of this hop, so ours. */
export function switchingHead(head: ResponseHead, asked: string): string {
  let text = `HTTP/1.1 101 ${head.reason || reasonOf(101)}\r\nConnection: upgrade\r\nUpgrade: ${head.upgrade || asked}\r\n`
  for (let i = 0; i < head.flat.length; i += 2) text += `${head.flat[i]}: ${head.flat[i + 1]}\r\n`
  return text + "\r\n"
}

/** Bytes both ways between a client and an upstream, each no faster than the other takes them; half-closes pass through. */
export class Tunnel implements ConnectionUser, ByteSink {
  #connection: UpstreamConnection
  #duplex: ByteDuplex
  #onEnd: () => void
  #idleMs: number
  #clientDone = false
  #upstreamDone = false
  #over = false

  constructor(connection: UpstreamConnection, to: { duplex: ByteDuplex; idleMs: number; onEnd(): void }) {
    this.#connection = connection
    this.#duplex = to.duplex
    this.#idleMs = to.idleMs
    this.#onEnd = to.onEnd
  }

  /** `first`: what the upstream sent behind its 101. */
  start(first: Buffer): void {
    const connection = this.#connection
    connection.user = this
    connection.limit(this.#idleMs)
    connection.probe()
    this.#duplex.onDrain(() => connection.resume())
    this.#duplex.onClose(() => this.#stop())
    if (first.length > 0) this.onData(first)
    this.#duplex.incoming.pipe(this)
  }

  // Upstream to client ----------------------------------------------------------------------------------------------

  onOpen(): void {}

  onData(chunk: Buffer): void {
    this.#stir()
    if (!this.#duplex.write(chunk)) this.#connection.pause()
  }

  onEof(): void {
    this.#upstreamDone = true
    this.#duplex.end()
    this.#stopWhenDone()
  }

  onClosed(): void {
    this.#stop()
  }

  /** Neither side said anything for so long. */
  onTimeout(): void {
    this.#stop()
  }

  #stir(): void {
    if (this.#idleMs !== Infinity) this.#connection.limit(this.#idleMs)
  }

  // Client to upstream ----------------------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    this.#stir()
    this.#connection.write(chunk)
    if (this.#connection.waiting) this.#duplex.incoming.pause()
  }

  onDrain(): void {
    this.#duplex.incoming.resume()
    this.#stopWhenDone()
  }

  end(): void {
    this.#clientDone = true
    this.#connection.end()
    this.#stopWhenDone()
  }

  fail(): void {
    this.#stop()
  }

  #stopWhenDone(): void {
    if (this.#over || !this.#clientDone || !this.#upstreamDone || this.#connection.waiting) return
    this.#over = true
    this.#connection.close()
    this.#onEnd()
  }

  /** One side is gone: so is the other. */
  #stop(): void {
    if (this.#over) return
    this.#over = true
    this.#connection.destroy()
    this.#duplex.destroy()
    this.#onEnd()
  }
}
