import type { Socket } from "bun"
import type { Accepted } from "../accepted.ts"
import { HeadError } from "../../codec/header-block.ts"
import { headRules, RequestHeadReader } from "../../codec/request-head.ts"
import type { ConnectionFacts } from "../connection-facts.ts"
import { HttpError } from "../../message/errors.ts"
import { InputBuffer } from "./input-buffer.ts"
import { makeExchange, unreadExchange } from "./make-exchange.ts"
import { ClientSocket } from "./client-socket.ts"
import type { Output } from "./output.ts"
import { Timeouts, Wait } from "./timeouts.ts"
import { RequestBody } from "./request-body.ts"
import type { BodyHost } from "./request-body.ts"
import { Tunnel } from "./tunnel.ts"
import type { TunnelHost } from "./tunnel.ts"
import { RequestCycle } from "./request-cycle.ts"
import type { RequestCycleHost } from "./request-cycle.ts"
import { isPreface } from "../http2/preface.ts"
import { ownReply, plainReply, refusal } from "../../message/own-replies.ts"
import { logProblem, reportEnd } from "../protocol-host.ts"
import type { ProtocolHost } from "../protocol-host.ts"
import type { ReplyBody } from "../../message/reply.ts"
import { ByteStream } from "../../message/stream.ts"
import type { ByteDuplex } from "../../message/stream.ts"

/** What to do with a connection whose client starts in HTTP/2. One function for all: there are many idle connections. */
export type ToHttp2 = (socket: Socket<unknown>, from: { readonly facts: ConnectionFacts; readonly chunk: Buffer }) => void

/** How often a connection that is not read is looked at: has its client left? */
const peekMs = 1000

/**
 * One HTTP/1.1 connection (RFC 9112). Requests are answered one after the other: what a client pipelines waits as
 * bytes, so answers are in order, a handler never runs ahead of the one before, and memory is bounded.
 */
export class Http1 implements Accepted, RequestCycleHost, BodyHost, TunnelHost {
  readonly #host: ProtocolHost
  readonly #client: ClientSocket
  readonly #facts: ConnectionFacts
  readonly #reader: RequestHeadReader
  readonly #toHttp2: ToHttp2 | undefined
  readonly out: Output
  readonly #input: InputBuffer
  readonly #timeouts = new Timeouts(this)
  #cycle: RequestCycle | undefined
  #body: RequestBody | undefined
  #tunnel: Tunnel | undefined
  #running = false
  /** No more requests: close once everything is sent. */
  #closing = false
  /** Bytes of the client may still be under way: closing now would reset the connection over our answer. */
  #lingering = false
  /** Whoever took the connection over has sent everything. */
  #finished = false
  #continueSent = false
  /** Requests so far, and at the last rest. */
  requests = 0
  #restedAt = 0

  /** `toHttp2`: what to do with a client that starts in HTTP/2; without it that is an error. */
  constructor(socket: Socket<unknown>, facts: ConnectionFacts, host: ProtocolHost, toHttp2?: ToHttp2) {
    this.#host = host
    this.#toHttp2 = toHttp2
    this.#client = new ClientSocket(socket, facts.secure)
    this.#facts = facts
    this.out = this.#client.out
    const rules = headRules(host.limits, facts.trusted)
    this.#reader = new RequestHeadReader(rules)
    this.#input = new InputBuffer(rules.headBytes)
    this.#timeouts.start(Wait.Idle, host.limits.headTimeoutMs)
  }

  /** A request is being answered, or bytes of one were received. */
  get busy(): boolean {
    return this.#cycle !== undefined || !this.#input.empty || this.#body !== undefined || this.out.blocked
  }
  /** Taken over, or an answer is under way that may take long. */
  get long(): boolean {
    return this.#tunnel !== undefined || (this.#cycle !== undefined && !this.#cycle.waiting)
  }

  get idleSince(): number {
    if (this.busy || this.#tunnel !== undefined || this.#timeouts.wait !== Wait.Idle) return Infinity
    const { headTimeoutMs, idleTimeoutMs } = this.#host.limits
    return this.#timeouts.deadline - (this.requests === 0 ? headTimeoutMs : idleTimeoutMs)
  }

  // From the socket -------------------------------------------------------------------------------------------------

  data(chunk: Buffer): void {
    if (this.#lingering || this.#client.closed) return
    if (this.#tunnel !== undefined) return this.#tunnel.incoming.feed(chunk)
    if (this.requests === 0 && chunk[0] === 80 && this.#toHttp2 !== undefined && isPreface(chunk)) return this.#toHttp2(this.#client.socket, { facts: this.#facts, chunk })
    this.out.cork()
    try {
      const at = this.#body === undefined ? 0 : this.#feedBody(this.#body, chunk)
      if (at < chunk.length) this.#append(chunk, at)
      this.#run()
    } finally {
      this.out.uncork()
    }
    this.#settle()
  }

  drain(): void {
    // The client has taken something: its time runs anew.
    if (this.#timeouts.wait === Wait.Send) this.#timeouts.none()
    if (this.#client.closed || !this.out.drain()) return this.#settle()
    this.#tunnel?.drained()
    this.#cycle?.writable()
    this.#proceed()
  }

  /**
   * The client closed its side. Nearly always it is gone, and nobody would read what is still asked for; one that only
   * half-closed (RFC 9112, 9.6) is waited for where `halfCloseMs` says so.
   */
  end(): void {
    this.#client.inputEnded = true
    if (this.#tunnel !== undefined) {
      this.#tunnel.incoming.over()
      return this.#settle()
    }
    if (this.#lingering) return this.#client.close()
    const body = this.#body
    if (body !== undefined && !body.complete) {
      body.break(new HttpError(400, "the body ended early", { close: true }))
      this.#closing = true
      if (this.#cycle?.waiting === false && this.#host.limits.halfCloseMs === 0) return this.#left()
    } else if (this.#cycle !== undefined && this.#host.limits.halfCloseMs === 0) return this.#left()
    else if (this.#free && !this.#input.empty) this.#reject(400, "the head ended early")
    this.#settle()
  }

  /** A client that is gone as far as we are concerned: who works for it is told now, not when a write fails. */
  #left(): void {
    this.#client.close()
    this.gone()
  }

  /** The socket is closed; nothing can be sent any more. */
  gone(): void {
    if (this.#client.closed) return
    this.#client.gone()
    this.#timeouts.end()
    const error = new Error("the client closed the connection")
    this.#body?.break(error)
    this.#tunnel?.closed()
    this.#cycle?.abort(error)
    this.#input.take()
    this.#reader.forget()
  }

  rest(): void {
    if (this.#restedAt === this.requests && this.#cycle === undefined) this.#reader.forget()
    this.#restedAt = this.requests
  }

  // Requests --------------------------------------------------------------------------------------------------------

  #feedBody(body: RequestBody, chunk: Buffer): number {
    if (body.complete) return 0
    this.#timeouts.count(chunk.length)
    const end = body.feed(chunk, 0)
    if (body.complete || body.broken) this.#bodyDone()
    return end
  }

  #append(chunk: Buffer, at: number): void {
    this.#input.append(chunk, at)
    if (!this.#free && this.#input.size > this.#host.limits.pipelineBytes) this.hold(true)
  }

  /** Goes on with what was received, outside of `data`. */
  #proceed(): void {
    this.out.cork()
    try {
      this.#run()
    } finally {
      this.out.uncork()
    }
    this.#settle()
  }

  #run(): void {
    if (this.#running) return
    this.#running = true
    try {
      while (this.#input.ready && this.#free) this.#next()
    } finally {
      this.#running = false
    }
    // What was pipelined is used up, and no body or tunnel has asked to wait.
    if (this.#client.paused && this.#free) this.hold(false)
  }

  /** The next request may be read. */
  get #free(): boolean {
    return this.#cycle === undefined && this.#body === undefined && !this.#closing && !this.#client.closed && !this.out.blocked
  }

  #next(): void {
    let complete: boolean
    try {
      complete = this.#input.readHead(this.#reader)
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      return this.#reject(error.status, error.message)
    }
    if (complete) this.#begin()
    else if (this.#client.inputEnded) this.#reject(400, "the head ended early")
  }

  /** Starts the exchange whose head was just read. */
  #begin(): void {
    const { method, target, minor, block } = this.#reader
    this.requests++
    const cycle = (this.#cycle = new RequestCycle(this, {
      isHead: method === "HEAD",
      minor,
      keepAlive: !block.close && (minor === 1 || block.keepAlive) && method !== "CONNECT",
      server: this.#host.limits.server,
    }))
    const length = block.chunked ? -1 : block.contentLength
    const body = block.chunked || length > 0 ? (this.#body = new RequestBody(this, length)) : undefined
    this.#continueSent = block.expect === "" || minor === 0
    const x = (cycle.x = makeExchange(this.#reader, { facts: this.#facts, cycle, body }))
    if (body !== undefined) this.#feedRest(body)
    if (x.path === "" || method === "TRACE") cycle.answered(ownReply(method, target) ?? plainReply(400))
    else this.#handle(cycle)
  }

  #handle(cycle: RequestCycle): void {
    let answer
    try {
      answer = this.#host.handler(cycle.x)
    } catch (error) {
      return cycle.failed(error)
    }
    if (answer instanceof Promise) cycle.answeredLater(answer)
    else cycle.answered(answer)
  }

  #feedRest(body: RequestBody): void {
    this.#input.feed(body)
    if (body.complete || body.broken) this.#bodyDone()
  }

  /** A request that is not understood: one answer, and the connection ends, because the next one's start is unknown. */
  #reject(status: number, why: string): void {
    const cycle = (this.#cycle = new RequestCycle(this, { isHead: false, minor: 1, keepAlive: false, server: this.#host.limits.server }))
    cycle.x = unreadExchange(this.#facts, cycle)
    this.#closing = this.#lingering = true
    this.#input.take()
    this.#host.log.debug("a request was refused", { status, why, peer: this.#facts.peer })
    cycle.answered(refusal(status, why))
  }

  // For the request cycle -------------------------------------------------------------------------------------------

  keep(reply: ReplyBody): boolean {
    const body = this.#body
    // An echo, made of the body as it comes: it will not be asked for later.
    if (body !== undefined && reply === body) this.#askForBody()
    if (this.#closing || this.#host.leaving || (this.#client.inputEnded && this.#input.empty)) return false
    if (body === undefined || body.complete) return body?.broken !== true
    if (body.broken || !this.#continueSent) return false
    // A stream may be made of the body too.
    return reply instanceof ByteStream || body.wanted || body.left <= this.#host.limits.drainBytes
  }

  ended(cycle: RequestCycle, error?: unknown): void {
    reportEnd(this.#host, cycle.x, { status: cycle.status, bytesOut: cycle.bytesOut, error, headers: cycle.headers })
    if (this.#cycle !== cycle) return
    this.#cycle = undefined
    if (!cycle.keepAlive) this.#closing = true
    if (this.#body !== undefined) this.#leaveBody(this.#body)
    if (!this.#running) this.#proceed()
  }

  /** The answer is complete and the body is not: its rest is dropped if it is small, else the connection ends. */
  #leaveBody(body: RequestBody): void {
    if (body.complete) this.#body = undefined
    else if (this.#closing || body.broken || !this.#continueSent || body.left > this.#host.limits.drainBytes) {
      this.#closing = this.#lingering = true
      this.#body = undefined
    }
    body.break(new Error("the answer was complete before the body"))
    body.cancel()
    this.hold(false)
  }

  takeOver(cycle: RequestCycle): ByteDuplex | null {
    if (this.#client.closed || this.#cycle !== cycle || this.#body !== undefined) return null
    const tunnel = (this.#tunnel = new Tunnel(this))
    this.#client.probe()
    const rest = this.#input.take()
    if (rest !== undefined) tunnel.incoming.feed(rest)
    if (this.#client.inputEnded) tunnel.incoming.over()
    return tunnel
  }

  cut(hard: boolean): void {
    this.#closing = true
    this.#input.take()
    // What was sent so far may arrive, but where only the close ends the body it must not look like one.
    if (hard) this.destroy()
  }

  blocked(): void {
    this.#settle()
  }

  problem(cycle: RequestCycle, message: string, error: unknown): void {
    logProblem(this.#host, cycle.x, { message, error })
  }

  // For the body and the tunnel -------------------------------------------------------------------------------------

  bodyLimit(): number {
    const limit = this.#cycle?.x.bodyLimit ?? -1
    return limit >= 0 ? limit : this.#host.limits.bodyBytes
  }

  bodyWanted(): void {
    if (this.#cycle?.waiting === true) this.#askForBody()
    this.#settle()
  }

  #askForBody(): void {
    if (this.#continueSent || this.#body === undefined) return
    this.#continueSent = true
    if (this.#body.received === 0) this.out.text("HTTP/1.1 100 Continue\r\n\r\n")
  }

  #bodyDone(): void {
    if (this.#cycle === undefined) this.#body = undefined
    this.hold(false)
  }

  hold(on: boolean): void {
    if (!this.#client.hold(on)) return
    this.#timeouts.held()
    this.#settle()
  }

  finish(): void {
    this.#finished = true
    this.#settle()
  }

  destroy(): void {
    this.#client.destroy()
  }

  // Time and closing ------------------------------------------------------------------------------------------------

  /** Sets the deadline that fits the state; closes when there is nothing left to do. */
  #settle(): void {
    // Inside cork and uncork the answer has not left yet; whoever uncorks comes here.
    if (this.#client.closed || this.out.corked) return
    if (this.out.closed) return this.destroy()
    if (this.out.blocked) return this.#timeouts.startOnce(Wait.Send, this.#host.limits.sendTimeoutMs)
    if (this.#tunnel !== undefined) return this.#settleTunnel()
    const body = this.#body
    if (this.#cycle !== undefined || (body !== undefined && !body.complete)) this.#settleBusy(body)
    else if (this.#closing && this.#lingering && !this.#client.inputEnded) this.#linger()
    else if (this.#closing) this.#client.close()
    else this.#settleFree()
  }

  /** A request is being received or answered. */
  #settleBusy(body: RequestBody | undefined): void {
    const { bodyRate, halfCloseMs } = this.#host.limits
    const receiving = body !== undefined && !body.complete && (body.wanted || this.#cycle === undefined)
    if (receiving) this.#timeouts.startBody(bodyRate.overMs, this.#client.paused)
    else if (this.#client.paused && halfCloseMs === 0) this.#timeouts.startOnce(Wait.Peek, peekMs)
    else if (this.#client.inputEnded && this.#cycle?.waiting === true) this.#timeouts.startOnce(Wait.HalfClosed, halfCloseMs)
    else this.#timeouts.none()
  }

  /** Between requests. */
  #settleFree(): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#host.limits
    if (!this.#input.empty && !this.#client.inputEnded) this.#timeouts.startOnce(Wait.Head, headTimeoutMs)
    else if (this.#client.inputEnded || (this.#host.closingIdle && this.requests > 0)) this.#client.close()
    else if (this.requests > 0) this.#timeouts.start(Wait.Idle, idleTimeoutMs)
  }

  #settleTunnel(): void {
    this.#timeouts.none()
    if (!this.#finished) return
    if (this.#client.inputEnded) this.#client.close()
    else this.#client.shut()
  }

  timeOut(wait: Wait): void {
    if (this.#client.closed) return
    if (wait === Wait.Head) {
      this.#reject(408, "the head took too long")
      this.#settle()
    } else if (wait === Wait.Body) this.#lookAtRate()
    else if (wait === Wait.Peek) this.#peek()
    else if (wait === Wait.Send || wait === Wait.Linger) this.destroy()
    else this.#client.close()
  }

  #lookAtRate(): void {
    const body = this.#body
    if (body !== undefined && this.#timeouts.isSlow(this.#host.limits.bodyRate)) {
      body.broken = this.#closing = this.#lingering = true
      body.break(new HttpError(408, "the body came too slowly", { close: true }))
      if (this.#cycle === undefined) this.#body = undefined
    }
    this.#settle()
  }

  /** The end of the client's side stands behind bytes that nobody wants yet. */
  #peek(): void {
    if (this.#client.paused && this.#client.peerClosed) this.#left()
    else this.#settle()
  }

  /** Says that no more comes, and reads on a little, so that the client is not reset before it has read the answer. */
  #linger(): void {
    if (!this.#client.shut()) return
    this.hold(false)
    this.#timeouts.start(Wait.Linger, this.#host.limits.lingerMs)
  }

  /** From a listener that leaves: closes unless something is under way. */
  leave(): void {
    if (!this.busy && this.#tunnel === undefined) this.#client.close()
  }

  serverClosing(): void {
    this.#tunnel?.serverClosing()
  }
}
