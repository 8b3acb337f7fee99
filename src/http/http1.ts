import type { Socket } from "bun"
import type { Accepted } from "./accepted.ts"
import type { Handler } from "./chain.ts"
import { clock } from "./clock.ts"
import type { Timed } from "./clock.ts"
import { HeadError } from "./codec/header-block.ts"
import { RequestHeadReader } from "./codec/request-head.ts"
import type { ConnectionFacts } from "./connection-facts.ts"
import { HttpError } from "./errors.ts"
import { Exchange } from "./exchange.ts"
import type { ExchangeEnd } from "./exchange.ts"
import { HeaderList } from "./headers.ts"
import { isPreface } from "./http2/preface.ts"
import { Output } from "./http1/output.ts"
import { RequestBody } from "./http1/request-body.ts"
import type { BodyHost } from "./http1/request-body.ts"
import { Tunnel } from "./http1/tunnel.ts"
import type { TunnelHost } from "./http1/tunnel.ts"
import { plainReply, Turn } from "./http1/turn.ts"
import type { TurnHost } from "./http1/turn.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "../log/logger.ts"
import { normalizePath } from "./path.ts"
import { Reply } from "./reply.ts"
import type { ByteDuplex } from "./stream.ts"

/** What the listener gives to all of its connections. */
export interface Http1Host {
  readonly handler: Handler
  readonly limits: Limits
  readonly log: Logger
  readonly onExchangeEnd: ((x: Exchange, end: ExchangeEnd) => void) | undefined
  /** No more requests on kept connections: every answer says `Connection: close`. */
  readonly leaving: boolean
}

/** What a deadline is for. */
const enum Wait {
  Idle,
  Head,
  Body,
  Send,
  Linger,
  HalfClosed,
}

/**
 * One HTTP/1.1 connection (RFC 9112). Requests are answered one after the other: what a client pipelines waits as
 * bytes, so answers are in order, a handler never runs ahead of the one before, and memory is bounded.
 */
export class Http1 implements Accepted, TurnHost, BodyHost, TunnelHost, Timed {
  readonly #host: Http1Host
  readonly #socket: Socket<unknown>
  readonly #facts: ConnectionFacts
  readonly #reader: RequestHeadReader
  readonly #toHttp2: ((chunk: Buffer) => void) | undefined
  readonly out: Output
  /** Received and not yet read: from #at on. */
  #input: Buffer | undefined
  #at = 0
  /** The bytes of #input end in the middle of a head, and no line has ended since it was last read. */
  #partial = false
  #turn: Turn | undefined
  #body: RequestBody | undefined
  #tunnel: Tunnel | undefined
  #running = false
  /** No more requests: close once everything is sent. */
  #closing = false
  /** Bytes of the client may still be under way: closing now would reset the connection over our answer. */
  #lingering = false
  #shut = false
  #inputEnded = false
  #paused = false
  #continueSent = false
  closed = false
  /** Requests so far. */
  requests = 0
  deadline = Infinity
  dueTick = -1
  #wait = Wait.Head
  /** Bytes of the body in this window of time, and whether it was we who did not read. */
  #windowBytes = 0
  #windowHeld = false

  /** `toHttp2`: what to do with a client that starts in HTTP/2; without it that is an error. */
  constructor(socket: Socket<unknown>, facts: ConnectionFacts, host: Http1Host, toHttp2?: (chunk: Buffer) => void) {
    this.#host = host
    this.#toHttp2 = toHttp2
    this.#socket = socket
    this.#facts = facts
    this.out = new Output(socket)
    const { headBytes, headFields, underscores } = host.limits
    this.#reader = new RequestHeadReader({ headBytes, headFields, underscores, trusted: facts.trusted })
    this.#arm(Wait.Idle, host.limits.headTimeoutMs)
  }

  /** A request is being answered, or bytes of one were received. */
  get busy(): boolean {
    return this.#turn !== undefined || this.#input !== undefined || this.#body !== undefined || this.out.blocked
  }
  /** Taken over, or an answer is under way that may take long. */
  get long(): boolean {
    return this.#tunnel !== undefined || (this.#turn !== undefined && !this.#turn.waiting)
  }

  // From the socket -------------------------------------------------------------------------------------------------

  data(chunk: Buffer): void {
    if (this.#lingering || this.closed) return
    if (this.#tunnel !== undefined) return this.#tunnel.incoming.feed(chunk)
    if (this.requests === 0 && chunk[0] === 80 && this.#toHttp2 !== undefined && isPreface(chunk)) return this.#toHttp2(chunk)
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
    if (this.#wait === Wait.Send) this.deadline = Infinity
    if (this.closed || !this.out.drain()) return this.#settle()
    this.#tunnel?.drained()
    this.#turn?.writable()
    this.#proceed()
  }

  /** The client closed its side. It may still read: an answer under way is completed. */
  end(): void {
    this.#inputEnded = true
    if (this.#tunnel !== undefined) {
      this.#tunnel.incoming.over()
      return this.#settle()
    }
    if (this.#lingering) return this.#close()
    const body = this.#body
    if (body !== undefined && !body.complete) {
      body.break(new HttpError(400, "the body ended early", { close: true }))
      this.#closing = true
    } else if (this.#turn === undefined && this.#input !== undefined) this.#reject(400, "the head ended early")
    this.#settle()
  }

  /** The socket is closed; nothing can be sent any more. */
  gone(): void {
    if (this.closed) return
    this.closed = true
    this.out.closed = true
    this.deadline = Infinity
    clock.forget(this)
    const error = new Error("the client closed the connection")
    this.#body?.break(error)
    this.#tunnel?.closed()
    this.#turn?.abort(error)
    this.#input = undefined
    this.#reader.forget()
  }

  // Requests --------------------------------------------------------------------------------------------------------

  #feedBody(body: RequestBody, chunk: Buffer): number {
    if (body.complete) return 0
    this.#windowBytes += chunk.length
    const end = body.feed(chunk, 0)
    if (body.complete || body.broken) this.#bodyDone()
    return end
  }

  #append(chunk: Buffer, at: number): void {
    const have = this.#input
    if (have === undefined) {
      this.#input = chunk
      this.#at = at
      this.#partial = false
    } else {
      // Read again only when a line has ended: one byte at a time must not cost a parse each.
      if (this.#partial && chunk.indexOf(10, at) >= 0) this.#partial = false
      this.#input = Buffer.concat([have.subarray(this.#at), chunk.subarray(at)])
      this.#at = 0
      if (this.#input.length >= this.#host.limits.headBytes) this.#partial = false
    }
    if (!this.#free && this.#input.length - this.#at > this.#host.limits.pipelineBytes) this.hold(true)
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
      while (this.#input !== undefined && this.#free && !this.#partial) this.#next(this.#input)
    } finally {
      this.#running = false
    }
    // What was pipelined is used up, and no body or tunnel has asked to wait.
    if (this.#paused && this.#free) this.hold(false)
  }

  /** The next request may be read. */
  get #free(): boolean {
    return this.#turn === undefined && this.#body === undefined && !this.#closing && !this.closed && !this.out.blocked
  }

  #next(input: Buffer): void {
    let end: number
    try {
      end = this.#reader.read(input, this.#at)
    } catch (error) {
      if (!(error instanceof HeadError)) throw error
      return this.#reject(error.status, error.message)
    }
    if (end < 0) {
      this.#partial = true
      // The rest of a large chunk is not kept alive by the first bytes of a head.
      if (this.#at > 0) this.#input = Buffer.from(input.subarray(this.#at))
      this.#at = 0
      return
    }
    if (end === input.length) this.#input = undefined
    else this.#at = end
    this.#begin()
  }

  /** Starts the exchange whose head was just read. */
  #begin(): void {
    const { method, target, minor, host, block } = this.#reader
    this.requests++
    const turn = (this.#turn = new Turn(this, {
      isHead: method === "HEAD",
      minor,
      keepAlive: !block.close && (minor === 1 || block.keepAlive) && method !== "CONNECT",
      server: this.#host.limits.server,
    }))
    const length = block.chunked ? -1 : block.contentLength
    const body = block.chunked || length > 0 ? (this.#body = new RequestBody(this, length)) : undefined
    this.#continueSent = block.expect === "" || minor === 0
    const mark = target.indexOf("?")
    const raw = mark < 0 ? target : target.slice(0, mark)
    const path = normalizePath(raw)
    turn.x = new Exchange(
      method,
      target,
      path ?? "/",
      mark < 0 ? "" : target.slice(mark + 1),
      host,
      HeaderList.shared(block.flat),
      minor === 1 ? "1.1" : "1.0",
      this.#facts,
      turn,
      body ?? null,
      performance.now(),
    )
    if (body !== undefined && this.#input !== undefined) this.#feedRest(body, this.#input)
    const own = path === null ? ownAnswer(method, target) : method === "TRACE" ? notAllowed() : undefined
    if (own !== undefined) turn.answered(own)
    else this.#handle(turn)
  }

  #handle(turn: Turn): void {
    let answer
    try {
      answer = this.#host.handler(turn.x)
    } catch (error) {
      return turn.failed(error)
    }
    if (answer instanceof Promise) turn.answeredLater(answer)
    else turn.answered(answer)
  }

  #feedRest(body: RequestBody, input: Buffer): void {
    const end = body.feed(input, this.#at)
    if (end === input.length) this.#input = undefined
    else this.#at = end
    if (body.complete || body.broken) this.#bodyDone()
  }

  /** A request that is not understood: one answer, and the connection ends, because the next one's start is unknown. */
  #reject(status: number, why: string): void {
    const { limits } = this.#host
    const turn = (this.#turn = new Turn(this, { isHead: false, minor: 1, keepAlive: false, server: limits.server }))
    turn.x = new Exchange("-", "-", "/", "", "", new HeaderList(), "1.1", this.#facts, turn, null, performance.now())
    this.#closing = this.#lingering = true
    this.#input = undefined
    this.#host.log.debug("a request was refused", { status, why, peer: this.#facts.peer })
    const reply = plainReply(status)
    reply.body = `${String(reply.body).trimEnd()}: ${why}\n`
    turn.answered(reply)
  }

  // For the turn ----------------------------------------------------------------------------------------------------

  keep(streaming: boolean): boolean {
    // The answer is probably made of the body as it comes; it will not be asked for later.
    if (streaming) this.#askForBody()
    if (this.#closing || this.#host.leaving || (this.#inputEnded && this.#input === undefined)) return false
    const body = this.#body
    if (body === undefined || body.complete) return !(body?.broken ?? false)
    if (body.broken || !this.#continueSent) return false
    return streaming || body.wanted || body.left <= this.#host.limits.drainBytes
  }

  ended(turn: Turn, error?: unknown): void {
    const { x } = turn
    const { onExchangeEnd } = this.#host
    if (x.ends !== null || onExchangeEnd !== undefined) this.#report(turn, error, onExchangeEnd)
    if (this.#turn !== turn) return
    this.#turn = undefined
    if (!turn.keepAlive) this.#closing = true
    const body = this.#body
    if (body !== undefined) this.#leaveBody(body)
    if (!this.#running) this.#proceed()
  }

  #report(turn: Turn, error: unknown, all: Http1Host["onExchangeEnd"]): void {
    const { x, status, bytesOut } = turn
    const end: ExchangeEnd = { status, bytesOut, ms: performance.now() - x.startMs, error }
    for (const f of x.ends === null ? [] : x.ends) {
      try {
        f(end)
      } catch (e) {
        this.problem(turn, "an end listener failed", e)
      }
    }
    all?.(x, end)
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

  takeOver(turn: Turn): ByteDuplex | null {
    if (this.closed || this.#turn !== turn || this.#body !== undefined) return null
    const tunnel = (this.#tunnel = new Tunnel(this))
    const rest = this.#input?.subarray(this.#at)
    this.#input = undefined
    if (rest !== undefined) tunnel.incoming.feed(rest)
    if (this.#inputEnded) tunnel.incoming.over()
    return tunnel
  }

  cut(hard: boolean): void {
    this.#closing = true
    this.#input = undefined
    // What was sent so far may arrive, but where only the close ends the body it must not look like one.
    if (hard) this.destroy()
  }

  blocked(): void {
    this.#settle()
  }

  problem(turn: Turn, message: string, error: unknown): void {
    const { x } = turn
    this.#host.log.error(message, { method: x.method, host: x.host, target: x.target, peer: x.peer, error })
  }

  // For the body and the tunnel -------------------------------------------------------------------------------------

  bodyLimit(): number {
    const limit = this.#turn?.x.bodyLimit ?? -1
    return limit >= 0 ? limit : this.#host.limits.bodyBytes
  }

  bodyWanted(): void {
    if (this.#turn?.waiting === true) this.#askForBody()
    this.#settle()
  }

  #askForBody(): void {
    if (this.#continueSent || this.#body === undefined) return
    this.#continueSent = true
    if (this.#body.received === 0) this.out.text("HTTP/1.1 100 Continue\r\n\r\n")
  }

  #bodyDone(): void {
    if (this.#turn === undefined) this.#body = undefined
    this.hold(false)
  }

  hold(on: boolean): void {
    if (on === this.#paused || this.closed) return
    this.#paused = on
    this.#windowHeld = true
    if (on) this.#socket.pause()
    else this.#socket.resume()
    this.#settle()
  }

  finish(): void {
    this.#shut = true
    this.#settle()
  }

  destroy(): void {
    if (!this.closed) this.#socket.terminate()
  }

  // Time and closing ------------------------------------------------------------------------------------------------

  /** Sets the deadline that fits the state; closes when there is nothing left to do. */
  #settle(): void {
    // Inside cork and uncork the answer has not left yet; whoever uncorks comes here.
    if (this.closed || this.out.corked) return
    const { limits } = this.#host
    if (this.out.closed) return this.#socket.terminate()
    if (this.out.blocked) return this.#armOnce(Wait.Send, limits.sendTimeoutMs)
    if (this.#tunnel !== undefined) return this.#settleTunnel()
    const body = this.#body
    if (this.#turn !== undefined || (body !== undefined && !body.complete)) {
      if (body !== undefined && !body.complete && (body.wanted || this.#turn === undefined)) return this.#armBody()
      if (this.#inputEnded && this.#turn?.waiting === true) return this.#armOnce(Wait.HalfClosed, limits.halfCloseMs)
      this.deadline = Infinity
    } else if (this.#closing && this.#lingering && !this.#inputEnded) this.#linger()
    else if (this.#closing) this.#close()
    else if (this.#input !== undefined) this.#armOnce(Wait.Head, limits.headTimeoutMs)
    else if (this.#inputEnded) this.#close()
    else if (this.requests === 0) return
    else if (this.#host.leaving) this.#close()
    else this.#arm(Wait.Idle, limits.idleTimeoutMs)
  }

  #settleTunnel(): void {
    this.deadline = Infinity
    if (!this.#shut) return
    if (this.#inputEnded) this.#close()
    else this.#socket.shutdown()
  }

  #arm(wait: Wait, ms: number): void {
    this.#wait = wait
    this.deadline = performance.now() + ms
    clock.watch(this)
  }

  /** Not put off by what comes in between. */
  #armOnce(wait: Wait, ms: number): void {
    if (this.#wait !== wait || this.deadline === Infinity) this.#arm(wait, ms)
  }

  #armBody(): void {
    if (this.#wait === Wait.Body && this.deadline !== Infinity) return
    this.#windowBytes = 0
    this.#windowHeld = this.#paused
    this.#arm(Wait.Body, this.#host.limits.bodyRate.overMs)
  }

  onDeadline(): void {
    if (this.closed) return
    switch (this.#wait) {
      case Wait.Head:
        this.#reject(408, "the head took too long")
        return this.#settle()
      case Wait.Body:
        return this.#lookAtRate()
      case Wait.HalfClosed:
        return this.#close()
      case Wait.Send:
      case Wait.Linger:
        return this.destroy()
      default:
        return this.#close()
    }
  }

  #lookAtRate(): void {
    const { bytesPerSecond, overMs } = this.#host.limits.bodyRate
    const slow = !this.#windowHeld && this.#windowBytes < (bytesPerSecond * overMs) / 1000
    const body = this.#body
    this.deadline = Infinity
    if (!slow || body === undefined) return this.#settle()
    body.broken = true
    this.#closing = this.#lingering = true
    body.break(new HttpError(408, "the body came too slowly", { close: true }))
    if (this.#turn === undefined) this.#body = undefined
    this.#settle()
  }

  /** Says that no more comes, and reads on a little, so that the client is not reset before it has read the answer. */
  #linger(): void {
    if (!this.#shut) {
      this.#shut = true
      this.#socket.shutdown()
      if (this.#paused) this.hold(false)
      this.#arm(Wait.Linger, this.#host.limits.lingerMs)
    }
  }

  #close(): void {
    if (!this.closed) this.#socket.end()
  }

  /** From a listener that leaves: closes unless something is under way. */
  leave(): void {
    if (!this.busy && this.#tunnel === undefined) this.#close()
  }
}

/** What the engine itself answers: `null` paths never reach a handler. */
function ownAnswer(method: string, target: string): Reply {
  if (method === "CONNECT") return plainReply(501)
  if (target === "*") return new Reply(204, new HeaderList(["Allow", methods]))
  return plainReply(400)
}

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/** TRACE shows a client's cookies to its scripts. */
function notAllowed(): Reply {
  const reply = plainReply(405)
  reply.headers.set("Allow", methods)
  return reply
}
