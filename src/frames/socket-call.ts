/** A request that wants to become a WebSocket: an exchange like any other until the worker accepts it. */
import type { Exchange } from "../http/message/exchange.ts"
import { HeaderList } from "../http/message/headers.ts"
import { Reply } from "../http/message/reply.ts"
import { acceptHead, checkHandshake } from "../websocket/handshake.ts"
import { Call } from "./call.ts"
import type { CallOptions } from "./call.ts"
import { FrameError } from "./codec.ts"
import type { Frame } from "./codec.ts"
import { decodeResponseHead } from "./heads.ts"
import { SocketSession } from "./socket-session.ts"
import type { SocketLimits } from "./socket-session.ts"

export interface SocketCallOptions extends CallOptions {
  readonly limits: SocketLimits | undefined
}

export class SocketCall {
  readonly x: Exchange
  readonly #options: SocketCallOptions
  readonly #call: Call
  #session: SocketSession | undefined

  constructor(x: Exchange, options: SocketCallOptions) {
    this.x = x
    this.#options = options
    this.#call = new Call(x, { ...options, socket: true })
  }

  start(): Promise<Reply> {
    try {
      checkHandshake(this.x)
    } catch (error) {
      this.#options.ended()
      return Promise.reject(error)
    }
    return this.#call.start()
  }

  response(frame: Frame): void {
    if (frame.end || frame.bytes.latin1Slice(frame.start, frame.start + 4) !== "101\0") return this.#call.response(frame)
    if (this.#session !== undefined) throw new FrameError("a second RESPONSE")
    if (frame.stop > frame.start + frame.head) throw new FrameError("a body behind 101")
    const head = decodeResponseHead(frame.bytes.latin1Slice(frame.start, frame.stop))
    // Given up meanwhile: the worker has its CANCEL and will END.
    if (!this.#call.handOver(new Reply(101, HeaderList.shared(head.flat)))) return this.#call.response(frame)
    const duplex = this.x.upgrade()
    duplex?.write(acceptHead(this.x, head.flat))
    this.#session = new SocketSession(duplex, this.#options)
  }

  message(frame: Frame): void {
    if (this.#session === undefined) throw new FrameError("MESSAGE before 101")
    this.#session.message(frame.bytes.subarray(frame.start, frame.stop))
  }

  data(frame: Frame): void {
    if (this.#session === undefined) return this.#call.data(frame)
    if (frame.stop > frame.start) throw new FrameError("DATA in a WebSocket")
    if (frame.end) this.#session.workerEnded()
  }

  grant(bytes: number): void {
    if (this.#session === undefined) this.#call.grant(bytes)
    else this.#session.grant(bytes)
  }

  early(frame: Frame): void {
    if (this.#session !== undefined) throw new FrameError("EARLY after RESPONSE")
    this.#call.early(frame)
  }

  failed(message: string): void {
    if (this.#session === undefined) this.#call.failed(message)
    else this.#session.workerEnded()
  }

  lost(error: Error, how: { before: number; leaving: boolean }): void {
    if (this.#session === undefined) this.#call.lost(error, how)
    else this.#session.lost(how.leaving)
  }

  expire(now: number): boolean {
    return this.#session === undefined && this.#call.expire(now)
  }

  recall(): void {
    if (this.#session === undefined) this.#call.recall()
  }
}
