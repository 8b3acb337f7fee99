/** One exchange on a FrameClient, from REQUEST to the END of both sides. */
import type { Exchange } from "../http/message/exchange.ts"
import { HttpError } from "../http/message/errors.ts"
import { HeaderList } from "../http/message/headers.ts"
import { Reply } from "../http/message/reply.ts"
import { CANCEL, DATA, FrameError, REQUEST } from "./codec.ts"
import type { Frame } from "./codec.ts"
import { Incoming, Outgoing } from "./flow.ts"
import { decodeResponseHead, encodeRequestHead } from "./heads.ts"
import type { ResponseHead } from "./heads.ts"
import type { Link } from "./link.ts"

export interface LostFacts {
  /** The worker may have seen it. */
  readonly sent: boolean
  /** Bytes of the body that cannot be read again. */
  readonly bodyTaken: number
  /** Requests of ours that were sent before it and had not ended. */
  readonly before: number
}

/** The worker went away before it answered. */
export class WorkerLost extends HttpError {
  constructor(
    message: string,
    readonly safeToRetry: LostFacts,
  ) {
    super(502, message)
  }
}

/** Largest number in a frame. */
const mostMs = 0x7fff_ffff

export interface CallOptions {
  readonly id: number
  readonly link: Link
  /** Until the head of the answer, in ms; Infinity for none. */
  readonly timeoutMs: number
  /** It wants to become a WebSocket: our side stays open behind the head. */
  readonly socket?: boolean
  /** Called once, when the worker has ended the exchange and we have, or the connection is gone. */
  ended(): void
}

/** More than the time between two looks at the deadlines: they are never early. */
const graceMs = 200

export class Call {
  readonly x: Exchange
  readonly #id: number
  readonly #link: Link
  readonly #ended: () => void
  readonly #socket: boolean
  readonly #timeoutMs: number
  /** By performance.now. */
  #deadline: number
  /** The deadline passed, which is told once. */
  #late = false
  #request: Outgoing | null = null
  /** The worker has heard of it, or will: its REQUEST is there in what the link writes. */
  #sent = false
  #at = 0
  #end = 0
  #requestOver = false
  #response: Incoming | null = null
  #answered = false
  #responseOver = false
  #cancelled = false
  #over = false
  #resolve!: (reply: Reply) => void
  #reject!: (error: Error) => void

  constructor(x: Exchange, options: CallOptions) {
    this.x = x
    this.#id = options.id
    this.#link = options.link
    this.#timeoutMs = options.timeoutMs
    this.#deadline = options.timeoutMs === Infinity ? Infinity : performance.now() + options.timeoutMs
    this.#ended = options.ended
    this.#socket = options.socket ?? false
  }

  start(): Promise<Reply> {
    return new Promise<Reply>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.x.carrier.onAbort(() => this.#give(new HttpError(499, "the client is gone")))
      // Gone already, and said so at once: while a middleware worked, or between two workers.
      if (this.#over) return
      try {
        this.#begin()
      } catch (error) {
        this.#request?.stop()
        this.#requestOver = this.#responseOver = true
        this.#finish()
        return reject(error)
      }
    })
  }

  #begin(): void {
    const head = encodeRequestHead(this.x, this.#socket)
    const source = this.x.body
    this.#at = this.#link.writer.at
    if (source === null) {
      this.#link.writer.head(REQUEST, this.#id, { head, end: !this.#socket, body: null })
      this.#sent = true
      this.#end = this.#link.writer.at
      this.#requestOver = !this.#socket
      return
    }
    this.#request = new Outgoing(this.#link, this.#id, {
      source,
      sent: () => this.#requestSent(),
      fail: error => this.#requestFailed(error),
    })
    this.#sent = this.#request.begin(REQUEST, head)
  }

  /**
   * True when the deadline passed just now. It is the worker's: it holds when the client has left, as the slot is taken
   * until the worker lets go of it. A worker that has a request but not its whole body waits for the client, so its time
   * begins anew; not while it does not take what is there.
   */
  expire(now: number): boolean {
    if (this.#late || this.#over || (this.#answered && !this.#cancelled)) return false
    if (this.#request?.hungry === true) this.#deadline = now + this.#timeoutMs + graceMs
    if (now < this.#deadline) return false
    this.#late = true
    this.#give(new HttpError(504, "the app did not answer in time"))
    return true
  }

  /** From here on somebody else speaks for it (a WebSocket was accepted); false when it was given up meanwhile. */
  handOver(reply: Reply): boolean {
    if (this.#cancelled || this.#over || this.#answered) return false
    this.#over = this.#answered = true
    this.#resolve(reply)
    return true
  }

  recall(): void {
    this.#give(new HttpError(499, "taken back"))
  }

  response(frame: Frame): void {
    if (this.#answered) throw new FrameError("a second RESPONSE")
    this.#answered = true
    const at = frame.start + frame.head
    if (this.#cancelled) {
      if (frame.end) this.#responseEnded()
      else this.#drop().push(frame.bytes.subarray(at, frame.stop))
      return
    }
    let head: ResponseHead
    try {
      head = decodeResponseHead(frame.bytes.latin1Slice(frame.start, at))
      if (head.status < 200) throw new HttpError(502, `the worker's answer has status ${head.status}`)
      this.#answer(head, frame)
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      this.#reject(error)
      this.#cancel()
    }
    if (frame.end) this.#responseEnded()
  }

  #answer(head: ResponseHead, frame: Frame): void {
    const { status, length } = head
    const at = frame.start + frame.head
    const headers = HeaderList.shared(head.flat)
    let body: Reply["body"] = null
    if (this.x.method === "HEAD" || status === 204 || status === 304) {
      if (length >= 0) headers.append("Content-Length", String(length))
      if (!frame.end) this.#cancel()
    } else if (frame.end) {
      if (length >= 0 && length !== frame.stop - at) throw new HttpError(502, "the worker's answer has a wrong length")
      body = frame.stop > at ? frame.bytes.subarray(at, frame.stop) : null
    } else {
      body = this.#response = new Incoming(this.#link, this.#id, { length, onCancel: () => this.#cancel() })
      if (frame.stop > at) this.#response.push(frame.bytes.subarray(at, frame.stop))
    }
    const reply = new Reply(status, headers, body)
    if (head.reason !== "") reply.reason = head.reason
    reply.closes = head.closes
    this.#resolve(reply)
  }

  data(frame: Frame): void {
    if (!this.#answered || this.#responseOver) throw new FrameError("DATA in a wrong state")
    if (frame.stop > frame.start) (this.#response ?? this.#drop()).push(frame.bytes.subarray(frame.start, frame.stop))
    if (!frame.end) return
    this.#response?.finish()
    this.#responseEnded()
  }

  grant(bytes: number): void {
    this.#request?.grant(bytes)
  }

  early(frame: Frame): void {
    if (this.#answered) throw new FrameError("EARLY after RESPONSE")
    if (this.#cancelled) return
    const head = decodeResponseHead(frame.bytes.latin1Slice(frame.start, frame.start + frame.head))
    if (head.status >= 200 || head.status === 101) throw new FrameError(`EARLY with status ${head.status}`)
    this.x.early(head.status, HeaderList.shared(head.flat))
  }

  /** The worker could not answer, or not go on. */
  failed(message: string): void {
    if (this.#response !== null) this.#response.fail(new Error(`the app failed: ${message}`))
    else this.#reject(new HttpError(502, message))
    this.#requestOver = true
    this.#request?.stop()
    this.#responseEnded()
  }

  /** The connection is gone. */
  lost(error: Error, { before }: { before: number }): void {
    const bodyTaken = this.#request?.taken ?? 0
    const { taken } = this.#link.writer
    // A unix socket that is closed with bytes unread resets its peer: the worker has not read the last frame.
    const unread = taken === this.#end && (error as NodeJS.ErrnoException).code === "ECONNRESET"
    const sent = taken > this.#at && !unread
    if (this.#response !== null) this.#response.fail(error)
    else this.#reject(new WorkerLost(`the worker is gone: ${error.message}`, { sent, bodyTaken, before }))
    this.#requestOver = this.#responseOver = true
    this.#request?.stop(error)
    this.#finish()
  }

  /** Ends it for our side: the client is gone, or the deadline passed. */
  #give(error: HttpError): void {
    if (this.#over) return
    this.#reject(error)
    this.#response?.fail(error)
    this.#cancel()
  }

  /** Tells the worker to stop; the id stays taken until it has. */
  #cancel(): void {
    if (this.#cancelled || this.#over || this.#responseOver) return
    this.#cancelled = true
    // A stream may last, but not once it is told that nobody wants it.
    if (this.#answered && this.#timeoutMs !== Infinity) this.#deadline = performance.now() + this.#timeoutMs
    this.#requestOver = true
    this.#request?.stop()
    if (this.#sent) this.#link.writer.frame(CANCEL, { id: this.#id, head: this.#leftMs })
    else {
      this.#responseOver = true
      this.#finish()
    }
  }

  /** What is left to the deadline, which the app has to end by itself once it is told. */
  get #leftMs(): number {
    return this.#deadline === Infinity ? mostMs : Math.min(mostMs, Math.max(0, Math.ceil(this.#deadline - performance.now())))
  }

  /** What still comes for a cancelled answer: granted back, so that the worker gets to its END. */
  #drop(): Incoming {
    if (this.#response === null) {
      this.#response = new Incoming(this.#link, this.#id, { length: -1, onCancel: () => this.#cancel() })
      this.#response.cancel()
    }
    return this.#response
  }

  #requestSent(): void {
    this.#requestOver = true
    // Not when all of it left with the head.
    if (this.#sent && this.#timeoutMs !== Infinity) this.#deadline = performance.now() + this.#timeoutMs
    this.#finish()
  }

  #requestFailed(error: Error): void {
    this.#give(error instanceof HttpError ? error : new HttpError(400, error.message, { cause: error }))
  }

  #responseEnded(): void {
    this.#responseOver = true
    if (!this.#requestOver) {
      // Answered before it read the body: nothing more of it is sent.
      this.#requestOver = true
      this.#request?.stop()
      this.#link.writer.frame(DATA, { id: this.#id, end: true })
    }
    this.#finish()
  }

  #finish(): void {
    if (this.#over || !this.#requestOver || !this.#responseOver) return
    this.#over = true
    this.#ended()
  }
}
