import type { Socket } from "bun"
import type { Accepted } from "./accepted.ts"
import { Output } from "./http1/output.ts"

/** The bytes of an accepted socket to another one and back, each no faster than the other takes them. */
export class Splice implements Accepted {
  readonly requests = 0
  readonly long = true
  /** The half inside says when it is idle. */
  readonly idleSince = Infinity
  readonly #socket: Socket<Accepted>
  readonly #out: Output
  #inner: Socket<unknown> | undefined
  #innerOut: Output | undefined
  /** Until the other socket is there. */
  #early: Buffer[]
  #onGone: () => void
  #ended = false
  /** The other socket is closed: once what it sent is out, so is this one. */
  #over = false
  #closed = false

  /** `onInner` hears of the other socket before any byte goes there, `onGone` when the accepted one is closed. */
  constructor(socket: Socket<Accepted>, o: { port: number; first: Buffer; onInner(inner: Socket<unknown>): void; onGone(): void }) {
    this.#socket = socket
    this.#onGone = () => o.onGone()
    this.#out = new Output(socket)
    this.#early = o.first.length > 0 ? [o.first] : []
    Bun.connect({
      hostname: "127.0.0.1",
      port: o.port,
      allowHalfOpen: true,
      socket: {
        open: inner => {
          o.onInner(inner)
          this.#connected(inner)
        },
        data: (_, chunk) => this.#back(chunk),
        drain: () => this.#innerDrained(),
        end: () => this.#innerEnded(),
        close: (_, error) => (error === undefined ? this.#innerGone() : this.destroy()),
        error: () => this.destroy(),
        connectError: () => this.destroy(),
      },
    }).catch(() => this.destroy())
  }

  data(chunk: Buffer): void {
    if (this.#innerOut === undefined) {
      this.#early.push(chunk)
      this.#socket.pause()
    } else if (!this.#innerOut.bytes(chunk)) this.#socket.pause()
  }

  #connected(inner: Socket<unknown>): void {
    if (this.#closed) return void inner.terminate()
    this.#inner = inner
    this.#innerOut = new Output(inner)
    for (const chunk of this.#early.splice(0)) this.#innerOut.bytes(chunk)
    if (!this.#innerOut.blocked) this.#innerDrained()
  }

  #innerDrained(): void {
    if (this.#innerOut?.drain() !== true) return
    this.#socket.resume()
    if (this.#ended) this.#inner?.shutdown()
  }

  #back(chunk: Buffer): void {
    if (!this.#out.bytes(chunk)) this.#inner?.pause()
  }

  drain(): void {
    if (!this.#out.drain()) return
    if (this.#over) this.#close()
    else this.#inner?.resume()
  }

  end(): void {
    this.#ended = true
    if (this.#innerOut !== undefined && !this.#innerOut.blocked) this.#inner?.shutdown()
  }

  /** The server has said all; what it wrote is still sent. */
  #innerEnded(): void {
    if (!this.#out.blocked) this.#socket.shutdown()
  }

  #innerGone(): void {
    this.#over = true
    if (!this.#out.blocked) this.#close()
  }

  #close(): void {
    this.#closed = true
    this.#socket.end()
  }

  gone(): void {
    this.#onGone()
    this.#closed = true
    this.#inner?.terminate()
  }

  leave(): void {}

  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    this.#inner?.terminate()
    this.#socket.terminate()
  }
}
