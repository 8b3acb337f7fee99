import type { ResponseHead, ResponseHeadReader } from "../codec/response-head.ts"
import { HttpError } from "../message/errors.ts"
import { HeaderList } from "../message/headers.ts"
import { Reply } from "../message/reply.ts"
import { Answer, type AnswerHost } from "./answer.ts"
import type { CallHost, CallOf } from "./call-host.ts"
import { scratch, type ConnectionUser, type UpstreamConnection } from "./connection.ts"
import { leftUnread, UpstreamError, type UpstreamFault } from "./error.ts"
import { RequestBody, type BodySender } from "./request-body.ts"
import { switchingHead, Tunnel } from "./tunnel.ts"

/** Methods that may be sent twice (RFC 9110, 9.2.2). */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])

/**
 * How long an upstream may take to say 100 (Continue) before the body is sent without it (RFC 9110, 10.1.1). Many never say it:
 * one that let it pass is not waited for again, until it says it once.
 */
const continueMs = 200

/** One request to an upstream and its answer: which connection, which phase, and how it ends. */
export class Call implements ConnectionUser, BodySender, AnswerHost {
  #host: CallHost
  #of: CallOf
  #connection: UpstreamConnection | null = null
  #request: RequestBody | null = null
  #answer: Answer
  #upgrade = ""
  /** The client's 100 (Continue) is held back until the upstream gives it. */
  #awaitsContinue = false
  #requestSent = false
  #opened = false
  #retried = false
  #paused = false
  #over = false

  constructor(host: CallHost, of: CallOf) {
    this.#host = host
    this.#of = of
    this.#answer = new Answer(this, of.x.method)
  }

  start(): void {
    this.#of.x.carrier.onAbort(() => this.#clientGone())
    // Gone already, and said so at once.
    if (!this.#over) this.#use(this.#host.acquire(false))
  }

  #use(connection: UpstreamConnection): void {
    this.#connection = connection
    connection.taken = 0
    connection.user = this
    if (connection.open) this.onOpen()
    else {
      connection.limit(this.#host.limits.connectMs)
      this.#host.connect(connection)
    }
  }

  // The request -----------------------------------------------------------------------------------------------------

  onOpen(): void {
    this.#opened = true
    const { x } = this.#of
    const { head } = this.#host
    let length: number
    try {
      const text = head.write(x)
      if (text.length > scratch.length) throw new HttpError(431, "the head of the request is too large to be sent on")
      length = scratch.latin1Write(text, 0)
    } catch (error) {
      // Nothing was sent: the connection is as good as before.
      this.#giveBack()
      this.#refuse(error as Error)
      return
    }
    this.#upgrade = head.upgrade
    const connection = this.#connection!
    const preface = this.#host.preface(x)
    if (preface !== null) {
      connection.write(preface)
      // It is not of the request: that is as unsent as before.
      connection.taken = 0
    }
    if (x.body === null) {
      connection.write(scratch, length)
      this.requestSent()
      return
    }
    this.#request ??= new RequestBody(x.body, this)
    this.#awaitsContinue = head.expects && !this.#request.piped && this.#host.saysContinue
    if (this.#awaitsContinue) {
      connection.write(scratch, length)
      connection.limit(continueMs)
    } else this.#sendBody(length)
  }

  #sendBody(headBytes: number): void {
    this.#awaitsContinue = false
    this.#connection!.limit(Infinity)
    try {
      this.#request!.start(this.#connection!, headBytes)
    } catch (cause) {
      // Somebody in front of us has read the body.
      return this.#refuse(new HttpError(500, "the body of the request cannot be sent on", { cause }))
    }
    if (!this.#over && !this.#requestSent && this.#connection?.waiting === true) this.#connection.limit(this.#host.limits.readMs)
  }

  requestSent(): void {
    this.#requestSent = true
    if (this.#answer.head === null) this.#connection?.limit(this.#host.limits.headMs)
  }

  onDrain(): void {
    if (this.#request === null || this.#requestSent) return
    // What comes next is up to the client, whose pace is its listener's business.
    if (this.#answer.head === null) this.#connection!.limit(Infinity)
    this.#request.drained()
  }

  // The answer ------------------------------------------------------------------------------------------------------

  get heads(): ResponseHeadReader {
    return this.#host.heads
  }

  get holdBytes(): number {
    return this.#host.limits.holdBytes
  }

  onData(chunk: Buffer): void {
    try {
      this.#answer.read(chunk)
    } catch (error) {
      this.#fail("protocol", { message: (error as Error).message, cause: error })
    }
  }

  /** 100 opens the body, whose reading makes the listener say 100 itself; other 1xx are passed on (RFC 9110, 15.2). */
  interim(head: ResponseHead): void {
    if (head.status !== 100) return this.#of.x.early(head.status, HeaderList.shared(head.flat))
    this.#host.saysContinue = true
    if (this.#awaitsContinue) this.#sendBody(0)
  }

  switched(head: ResponseHead, rest: Buffer): void {
    if (this.#upgrade === "") return this.#fail("protocol", { message: "it switched protocols unasked" })
    if (!isAsked(head.upgrade, this.#upgrade)) return this.#fail("protocol", { message: `it switched to ${JSON.stringify(head.upgrade)}, asked for ${JSON.stringify(this.#upgrade)}` })
    const duplex = this.#of.x.upgrade()
    if (duplex === null) return this.#fail("protocol", { message: "the client's connection cannot switch protocols" })
    const connection = this.#connection!
    this.#connection = null
    this.#over = true
    duplex.write(Buffer.from(switchingHead(head, this.#upgrade), "latin1"))
    new Tunnel(connection, { duplex, idleMs: this.#host.limits.tunnelMs, onEnd: () => this.#ended() }).start(rest)
    this.#of.resolve(new Reply(101, HeaderList.shared(head.flat)))
  }

  replied(reply: Reply): void {
    this.#of.resolve(reply)
  }

  progress(): void {
    if (!this.#paused) this.#connection!.limit(this.#host.limits.readMs)
  }

  completed(more: boolean): void {
    const sent = this.#requestSent && !this.#connection!.waiting
    if (!sent) this.#connection!.destroy()
    else if (more || !this.#answer.head!.persistent) this.#connection!.close()
    else this.#giveBack()
    this.#connection = null
    // The upstream answered before it read it all: what is left of the body would only be thrown away there.
    this.#request?.stop()
    this.#finish()
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
    this.#connection?.limit(this.#host.limits.readMs)
  }

  // The end ---------------------------------------------------------------------------------------------------------

  onEof(): void {
    if (this.#answer.untilClose) this.#answer.end()
    else this.onClosed(undefined)
  }

  onClosed(cause: Error | undefined): void {
    const why = cause === undefined ? "" : `: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`
    if (this.#answer.head !== null) this.#fail("closed", { message: `it broke its answer off${why}`, cause })
    else if (!this.#opened) this.#fail("connect", { message: `no connection${why}`, cause })
    else if (this.#mayRetry(cause)) {
      this.#retried = true
      this.#requestSent = false
      this.#opened = false
      this.#connection!.close()
      this.#use(this.#host.acquire(true))
    } else this.#fail("closed", { message: `it closed the connection without an answer${why}`, cause })
  }

  onTimeout(): void {
    if (!this.#opened) this.#fail("connect_timeout", { message: "no connection in time" })
    else if (this.#awaitsContinue) {
      this.#host.saysContinue = false
      this.#sendBody(0)
    } else if (this.#answer.head !== null) this.#fail("read_timeout", { message: "its answer stopped" })
    else if (!this.#requestSent) this.#fail("send_timeout", { message: "it does not take the request" })
    else this.#fail("head_timeout", { message: "no answer in time" })
  }

  /**
   * A kept connection may have been closed by the upstream while the request was on its way. Once, on a fresh one, it
   * is sent again where that cannot do a thing twice (RFC 9112, 9.3.1).
   */
  #mayRetry(cause: Error | undefined): boolean {
    if (this.#retried || this.#answer.heard || this.#connection!.uses === 0) return false
    if (this.#request !== null && this.#request.taken) return false
    // Without its body the upstream had no whole request to act on.
    if (this.#connection!.taken === 0 || this.#awaitsContinue) return true
    return idempotent.has(this.#of.x.method) && (this.#host.repeats || leftUnread(cause))
  }

  #fail(fault: UpstreamFault, { message, cause }: { message: string; cause?: unknown }): void {
    if (this.#over) return
    const untaken = this.#connection === null || this.#connection.taken === 0
    const error = new UpstreamError(fault, message, {
      upstream: this.#host.id,
      unsent: !this.#retried && untaken,
      unread: !this.#host.repeats && !this.#answer.heard && (untaken || (this.#of.x.body === null && leftUnread(cause))),
      bodyTaken: this.#request !== null && this.#request.piped,
      cause,
    })
    this.#refuse(error)
    if (this.#answer.body !== null) this.#host.brokeOff(error)
  }

  /** The receiver wants no more, and knows it. */
  abandon(error: Error): void {
    if (this.#over) return
    this.#break()
    this.#request?.stop(error)
  }

  #clientGone(): void {
    if (!this.#over) this.#refuse(new HttpError(499, "the client is gone"))
  }

  trailers(given: HeaderList | undefined): HeaderList | undefined {
    return this.#host.head.trailers(this.#of.x, given)
  }

  /** The client, not the upstream, broke its body off. */
  requestBroken(error: Error): void {
    if (!this.#over) this.#refuse(error)
  }

  /** Ends the call without an answer, or with one that must not look complete. */
  #refuse(error: Error): void {
    this.#break()
    this.#request?.stop(error)
    if (this.#answer.body !== null) this.#answer.body.break(error)
    else this.#of.reject(error)
  }

  #break(): void {
    this.#connection?.destroy()
    this.#connection = null
    this.#finish()
  }

  #giveBack(): void {
    const connection = this.#connection!
    this.#connection = null
    connection.user = null
    connection.resume()
    const keepSec = this.#answer.head?.keepAliveSec ?? -1
    if (keepSec >= 0) connection.idleMs = keepSec * 1000
    this.#host.release(connection)
  }

  #finish(): void {
    this.#over = true
    this.#answer.stop()
    this.#ended()
  }

  #ended(): void {
    this.#host.ended()
    this.#of.over?.()
  }
}

/**
 * RFC 9110, 7.8: to one of those that the client named; several, in layers. Silence is taken for what was asked. Anything else would
 * carry a protocol that nobody here looked at.
 */
function isAsked(got: string, asked: string): boolean {
  const named = new Set(asked.toLowerCase().split(",").map(one => one.trim()))
  return got === "" || got.toLowerCase().split(",").every(one => named.has(one.trim()))
}
