import { ChunkedReader } from "../codec/chunked.ts"
import type { ResponseHead, ResponseHeadReader } from "../codec/response-head.ts"
import { HttpError } from "../errors.ts"
import type { Exchange } from "../exchange.ts"
import { HeaderList } from "../headers.ts"
import { Reply, type ReplyBody } from "../reply.ts"
import { reasonOf } from "../status.ts"
import { scratch, type ConnectionUser, type UpstreamConnection } from "./connection.ts"
import { UpstreamError, type UpstreamFault } from "./error.ts"
import type { RequestHead } from "./request-head.ts"
import { RequestBody, type BodySender } from "./request-body.ts"
import { ResponseBody, type BodySource } from "./response-body.ts"
import { Tunnel } from "./tunnel.ts"

/** Limits of each phase in ms, and of the head. */
export interface CallLimits {
  readonly connectMs: number
  /** From the last byte of the request to the head of the answer. */
  readonly headMs: number
  /** Between two reads of the answer, and between two writes of the request. */
  readonly readMs: number
  readonly headBytes: number
  readonly headFields: number
}

/** What a call needs of its upstream. */
export interface CallHost {
  readonly id: string
  readonly limits: CallLimits
  readonly head: RequestHead
  readonly answers: ResponseHeadReader
  /** A kept connection, which is open, or a new one, to be connected. */
  acquire(fresh: boolean): UpstreamConnection
  /** Tells the connection's user by `onOpen` or `onClosed`, perhaps at once. */
  connect(connection: UpstreamConnection): void
  /** The connection may serve another call. */
  release(connection: UpstreamConnection): void
  /** The call is over and holds nothing any more. */
  ended(): void
  /** The answer broke off after its head was passed on: nobody else hears of it. */
  brokeOff(error: UpstreamError): void
}

/** Methods that may be sent twice (RFC 9110, 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

/** How long an upstream may take to say 100 (Continue) before the body is sent without it (RFC 9110, 10.1.1). */
const continueMs = 1000

/** One request to an upstream and its answer. */
export class Call implements ConnectionUser, BodySender, BodySource {
  #connection: UpstreamConnection | null = null
  #request: RequestBody | null = null
  #upgrade = ""
  /** The client's 100 (Continue) is held back until the upstream gives it. */
  #awaitsContinue = false
  #requestSent = false
  #opened = false
  #retried = false
  /** Something of an answer came, if only a 1xx. */
  #heard = false
  /** Start of a head that is not complete. */
  #partial: Buffer | null = null
  #head: ResponseHead | null = null
  #reader: ChunkedReader | null = null
  /** Bytes of body to come; -1 until the upstream closes. */
  #left = 0
  #pieces: Buffer[] = []
  #body: ResponseBody | null = null
  #paused = false
  #over = false

  readonly host: CallHost
  readonly x: Exchange
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  readonly #onOver: (() => void) | undefined

  /** `over` is called once, when nothing of the exchange is left: body sent or given up, tunnel closed. */
  constructor(host: CallHost, of: { x: Exchange; resolve(reply: Reply): void; reject(error: Error): void; over?: (() => void) | undefined }) {
    this.host = host
    this.x = of.x
    this.#onOver = of.over
    this.resolve = of.resolve
    this.reject = of.reject
  }

  start(): void {
    this.x.carrier.onAbort(() => this.#clientGone())
    this.#use(this.host.acquire(false))
  }

  #use(connection: UpstreamConnection): void {
    this.#connection = connection
    connection.taken = 0
    connection.user = this
    if (connection.open) this.onOpen()
    else {
      connection.limit(this.host.limits.connectMs)
      this.host.connect(connection)
    }
  }

  // The request -----------------------------------------------------------------------------------------------------

  onOpen(): void {
    this.#opened = true
    const { x, host } = this
    let length: number
    try {
      const text = host.head.write(x)
      if (text.length > scratch.length) throw new HttpError(431, "the head of the request is too large to be sent on")
      length = scratch.latin1Write(text, 0)
    } catch (error) {
      // Nothing was sent: the connection is as good as before.
      this.#giveBack()
      this.#refuse(error as Error)
      return
    }
    this.#upgrade = host.head.upgrade
    const connection = this.#connection!
    if (x.body === null) {
      connection.write(scratch, length)
      this.requestSent()
    } else {
      this.#request ??= new RequestBody(x.body, this)
      this.#awaitsContinue = host.head.expects && !this.#request.piped
      if (this.#awaitsContinue) {
        connection.write(scratch, length)
        connection.limit(continueMs)
      } else this.#sendBody(length)
    }
  }

  #sendBody(headBytes: number): void {
    this.#awaitsContinue = false
    this.#connection!.limit(Infinity)
    this.#request!.start(this.#connection!, headBytes)
    if (!this.#over && !this.#requestSent && this.#connection?.waiting === true) this.#connection.limit(this.host.limits.readMs)
  }

  requestSent(): void {
    this.#requestSent = true
    if (this.#head === null) this.#connection?.limit(this.host.limits.headMs)
  }

  onDrain(): void {
    if (this.#request === null || this.#requestSent) return
    // What comes next is up to the client, whose pace is its listener's business.
    if (this.#head === null) this.#connection!.limit(Infinity)
    this.#request.drained()
  }

  // The answer ------------------------------------------------------------------------------------------------------

  onData(chunk: Buffer): void {
    try {
      if (this.#head === null) this.#readHead(chunk)
      else this.#readBody(chunk, 0)
    } catch (error) {
      this.#fail("protocol", (error as Error).message, error)
    }
  }

  #readHead(chunk: Buffer): void {
    const bytes = this.#partial === null ? chunk : Buffer.concat([this.#partial, chunk])
    let at = 0
    for (;;) {
      const head = this.host.answers.read(bytes, at)
      if (head === null) {
        this.#partial = at === 0 ? bytes : bytes.subarray(at)
        return
      }
      at += head.size
      if (head.status >= 200 || head.status === 101) {
        this.#partial = null
        this.#answer(head, { bytes, at })
        return
      }
      this.#interim(head)
      if (this.#over) return
    }
  }

  /** 100 opens the body, whose reading makes the listener say 100 itself; other 1xx are passed on (RFC 9110, 15.2). */
  #interim(head: ResponseHead): void {
    this.#partial = null
    this.#heard = true
    if (head.status !== 100) this.x.early(head.status, HeaderList.shared(head.flat))
    else if (this.#awaitsContinue) this.#sendBody(0)
  }

  #answer(head: ResponseHead, { bytes, at }: { bytes: Buffer; at: number }): void {
    this.#head = head
    if (head.status === 101) return this.#switch(head, bytes.subarray(at))
    const { method } = this.x
    const bodyless = method === "HEAD" || head.status === 204 || head.status === 304
    if (bodyless) this.#left = 0
    else if (head.chunked) this.#reader = new ChunkedReader()
    else this.#left = head.contentLength
    this.#readBody(bytes, at)
    if (this.#body !== null || this.#over) return
    // Not all there: the rest is streamed.
    this.#body = new ResponseBody(this, head.chunked ? -1 : head.contentLength, this.#pieces)
    this.#pieces = []
    this.#connection!.limit(this.host.limits.readMs)
    this.resolve(this.#reply(this.#body))
  }

  #reply(body: ReplyBody): Reply {
    const head = this.#head!
    const reply = new Reply(head.status, HeaderList.shared(head.flat), body)
    // Of a HEAD or 304 answer the length is told, without a body that would tell it.
    if (head.contentLength >= 0 && (this.x.method === "HEAD" || head.status === 304)) reply.headers.append("Content-Length", String(head.contentLength))
    if (head.reason !== reasonOf(head.status)) reply.reason = head.reason
    return reply
  }

  #readBody(bytes: Buffer, from: number): void {
    const reader = this.#reader
    if (reader !== null) {
      const end = reader.read(bytes, from, this.#take)
      if (this.#over) return
      if (reader.done) this.#complete(end < bytes.length)
      else if (!this.#paused) this.#connection!.limit(this.host.limits.readMs)
      return
    }
    const available = bytes.length - from
    if (this.#left < 0 || available < this.#left) {
      if (available > 0) this.#take(from === 0 ? bytes : bytes.subarray(from))
      if (this.#over) return
      if (this.#left > 0) this.#left -= available
      if (!this.#paused) this.#connection!.limit(this.host.limits.readMs)
      return
    }
    const end = from + this.#left
    if (end > from) this.#take(bytes.subarray(from, end))
    this.#left = 0
    if (!this.#over) this.#complete(end < bytes.length)
  }

  readonly #take = (piece: Buffer): void => {
    if (this.#body !== null) this.#body.push(piece)
    else this.#pieces.push(piece)
  }

  /** The answer is all there. `more`: bytes follow that nobody asked for. */
  #complete(more: boolean): void {
    const head = this.#head!
    const sent = this.#requestSent && !this.#connection!.waiting
    if (sent && head.persistent && !more) this.#giveBack()
    else if (sent) this.#closeInOrder()
    else this.#close()
    // The upstream answered before it read it all: what is left of the body would only be thrown away there.
    this.#request?.stop()
    this.#finish()
    const trailers = this.#reader?.trailers
    if (this.#body !== null) {
      this.#body.finish(trailers)
      return
    }
    const pieces = this.#pieces
    if (trailers !== undefined) {
      // Only a stream carries trailers.
      const body = new ResponseBody(this, -1, pieces)
      this.resolve(this.#reply(body))
      body.finish(trailers)
    } else this.resolve(this.#reply(pieces.length === 0 ? null : pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)))
  }

  /** The upstream changes the protocol: what follows are bytes, both ways. */
  #switch(head: ResponseHead, first: Buffer): void {
    if (this.#upgrade === "") return this.#fail("protocol", "it switched protocols unasked")
    const duplex = this.x.upgrade()
    if (duplex === null) return this.#fail("protocol", "the client's connection cannot switch protocols")
    const connection = this.#connection!
    this.#connection = null
    this.#over = true
    const text = [`HTTP/1.1 101 ${head.reason || reasonOf(101)}`, "Connection: upgrade", `Upgrade: ${head.upgrade || this.#upgrade}`]
    for (let i = 0; i < head.flat.length; i += 2) text.push(`${head.flat[i]}: ${head.flat[i + 1]}`)
    duplex.write(Buffer.from(text.join("\r\n") + "\r\n\r\n", "latin1"))
    const tunnel = new Tunnel(connection, { duplex, onEnd: () => this.#ended() })
    tunnel.start(first)
    this.resolve(this.#reply(null))
  }

  // Flow ------------------------------------------------------------------------------------------------------------

  /** `patient`: a slow client is not the upstream's fault; an answer that nobody takes is ended by the limit. */
  pauseAnswer(patient: boolean): void {
    if (this.#over) return
    this.#paused = true
    this.#connection?.pause()
    if (patient) this.#connection?.limit(Infinity)
  }

  resumeAnswer(): void {
    if (this.#over || !this.#paused) return
    this.#paused = false
    this.#connection?.resume()
    this.#connection?.limit(this.host.limits.readMs)
  }

  // The end ---------------------------------------------------------------------------------------------------------

  onEof(): void {
    if (this.#head !== null && this.#left < 0 && this.#reader === null) this.#complete(true)
    else this.#lost(undefined)
  }

  onClosed(error: Error | undefined): void {
    this.#lost(error)
  }

  onTimeout(): void {
    if (!this.#opened) this.#fail("connect_timeout", "no connection in time")
    else if (this.#awaitsContinue) this.#sendBody(0)
    else if (this.#head !== null) this.#fail("read_timeout", "its answer stopped")
    else if (!this.#requestSent) this.#fail("send_timeout", "it does not take the request")
    else this.#fail("head_timeout", "no answer in time")
  }

  #lost(error: Error | undefined): void {
    const why = error === undefined ? "" : `: ${(error as NodeJS.ErrnoException).code ?? error.message}`
    if (this.#head !== null) this.#fail("closed", `it broke its answer off${why}`, error)
    else if (!this.#opened) this.#fail("connect", `no connection${why}`, error)
    else if (this.#mayRetry()) {
      this.#retried = true
      this.#requestSent = false
      this.#opened = false
      this.#closeInOrder()
      this.#use(this.host.acquire(true))
    } else this.#fail("closed", `it closed the connection without an answer${why}`, error)
  }

  /**
   * A kept connection may have been closed by the upstream while the request was on its way. Once, on a fresh one, it
   * is sent again where that cannot do a thing twice (RFC 9112, 9.3.1).
   */
  #mayRetry(): boolean {
    if (this.#retried || this.#partial !== null || this.#heard || this.#connection!.uses === 0) return false
    if (this.#request !== null && this.#request.taken) return false
    return this.#connection!.taken === 0 || idempotent.has(this.x.method)
  }

  #fail(fault: UpstreamFault, message: string, cause?: unknown): void {
    if (this.#over) return
    const error = new UpstreamError(fault, message, {
      upstream: this.host.id,
      unsent: !this.#retried && (this.#connection === null || this.#connection.taken === 0),
      bodyTaken: this.#request !== null && this.#request.piped,
      cause,
    })
    this.#refuse(error)
    if (this.#body !== null) this.host.brokeOff(error)
  }

  /** The receiver wants no more, and knows it. */
  abandon(error: Error): void {
    if (this.#over) return
    this.#close()
    this.#finish()
    this.#request?.stop(error)
  }

  #clientGone(): void {
    if (!this.#over) this.#refuse(new HttpError(499, "the client is gone"))
  }

  requestBroken(error: Error): void {
    if (!this.#over) this.#refuse(error)
  }

  /** Ends the call without an answer, or with one that must not look complete. */
  #refuse(error: Error): void {
    this.#close()
    this.#finish()
    this.#request?.stop(error)
    if (this.#body !== null) this.#body.break(error)
    else this.reject(error)
  }

  #giveBack(): void {
    const connection = this.#connection!
    this.#connection = null
    connection.user = null
    connection.resume()
    if (this.#head !== null && this.#head.keepAliveSec >= 0) connection.idleMs = this.#head.keepAliveSec * 1000
    this.host.release(connection)
  }

  #closeInOrder(): void {
    this.#connection?.close()
    this.#connection = null
  }

  #close(): void {
    this.#connection?.destroy()
    this.#connection = null
  }

  #finish(): void {
    this.#over = true
    this.#partial = null
    this.#ended()
  }

  #ended(): void {
    this.host.ended()
    this.#onOver?.()
  }
}
