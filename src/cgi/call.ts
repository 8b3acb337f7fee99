/** One request to a FastCGI or uwsgi server and its answer. */
import type { ResponseHead, ResponseHeadReader } from "../http/codec/response-head.ts"
import { HttpError } from "../http/message/errors.ts"
import type { Exchange } from "../http/message/exchange.ts"
import type { Reply } from "../http/message/reply.ts"
import type { ByteSink, ByteStream } from "../http/message/stream.ts"
import { receiveBody } from "../spool/request-spool.ts"
import { Answer, type AnswerHost } from "../http/upstream/answer.ts"
import type { ConnectionUser, UpstreamConnection } from "../http/upstream/connection.ts"
import { leftUnread, UpstreamError, type UpstreamFault } from "../http/upstream/error.ts"
import { beginRequest, CgiHead, RecordReader, stdin, stdinEnd } from "./fastcgi.ts"
import { cgiParams } from "./params.ts"
import type { ScriptFacts } from "./params.ts"
import { uwsgiPacket } from "./uwsgi.ts"

export type CgiProtocol = { readonly name: "fastcgi" } | { readonly name: "uwsgi"; readonly modifier1: number }

export interface CgiCallHost {
  readonly options: {
    readonly target: { readonly id: string }
    readonly protocol: CgiProtocol
    readonly headMs: number
    readonly keepIdle: number
    script(x: Exchange): ScriptFacts
    onStderr(text: string): void
  }
  readonly connectMs: number
  readonly heads: ResponseHeadReader
  acquire(fresh: boolean): UpstreamConnection
  connect(connection: UpstreamConnection): void
  release(connection: UpstreamConnection): void
}

export interface CgiCallOf {
  readonly x: Exchange
  resolve(reply: Reply): void
  reject(error: Error): void
  readonly over: (() => void) | undefined
}

/** Bytes of an answer that are taken from the server while the client is slow: its process is soon free again. */
const holdBytes = 262_144
/** Of a body without a length, which CGI does not know. */
const memoryBytes = 65_536
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])

export class CgiCall implements ConnectionUser, AnswerHost, ByteSink {
  readonly holdBytes = holdBytes
  readonly #host: CgiCallHost
  readonly #of: CgiCallOf
  readonly #answer: Answer
  readonly #cgi: { readonly head: CgiHead; readonly records: RecordReader } | undefined
  #connection: UpstreamConnection | null = null
  #body: ByteStream | null = null
  #request: Buffer | null = null
  #opened = false
  #bodyTaken = false
  /** The body is sent, or nobody wants more of it. */
  #sent = false
  /** The client has all of the answer, or will get no more. */
  #answered = false
  #paused = false
  /** The client is gone; the program is not done. */
  #orphan = false
  #over = false

  constructor(host: CgiCallHost, of: CgiCallOf) {
    this.#host = host
    this.#of = of
    this.#answer = new Answer(this, of.x.method)
    if (host.options.protocol.name === "fastcgi") {
      this.#cgi = {
        head: new CgiHead(),
        records: new RecordReader({
          stdout: bytes => this.#stdout(bytes),
          stderr: bytes => host.options.onStderr(bytes.toString().trimEnd()),
          ended: error => this.#ended(error),
        }),
      }
    }
  }

  get heads(): ResponseHeadReader {
    return this.#host.heads
  }

  async start(): Promise<void> {
    const { x } = this.#of
    x.carrier.onAbort(() => this.#clientGone())
    try {
      this.#body = x.body !== null && x.body.length < 0 ? await receiveBody(x.body, { memory: memoryBytes, onAbort: f => x.carrier.onAbort(f) }) : x.body
      if (this.#over) return this.#body?.cancel()
      const { options } = this.#host
      const params = cgiParams(x, { script: options.script(x), length: this.#body?.length ?? null })
      this.#request =
        options.protocol.name === "uwsgi" ? uwsgiPacket(params, options.protocol) : beginRequest(params, { keep: options.keepIdle > 0 })
    } catch (error) {
      return this.#refuse(error as Error)
    }
    this.#use(this.#host.acquire(false))
  }

  #use(connection: UpstreamConnection): void {
    this.#connection = connection
    connection.taken = 0
    connection.user = this
    if (connection.open) return this.onOpen()
    connection.limit(this.#host.connectMs)
    this.#host.connect(connection)
  }

  // The request -------------------------------------------------------------------------------------------------------------

  onOpen(): void {
    this.#opened = true
    const connection = this.#connection!
    connection.limit(this.#host.options.headMs)
    connection.write(this.#request!)
    if (this.#body === null) return this.end()
    this.#bodyTaken = true
    this.#body.pipe(this)
  }

  data(chunk: Uint8Array): void {
    if (this.#sent || this.#connection === null) return
    this.#connection.write(this.#cgi === undefined ? chunk : stdin(chunk))
    // The client's pace is its listener's business: the server's time runs from the end of the body.
    if (this.#answer.head === null) this.#connection.limit(this.#host.options.headMs)
    if (this.#connection.waiting) this.#body!.pause()
  }

  end(): void {
    if (this.#sent) return
    this.#sent = true
    // From here on the time is the program's.
    if (this.#answer.head === null) this.#connection?.limit(this.#host.options.headMs)
    if (this.#cgi !== undefined) this.#connection?.write(stdinEnd())
  }

  fail(error: Error): void {
    this.#refuse(error instanceof HttpError ? error : new HttpError(400, error.message, { cause: error }))
  }

  onDrain(): void {
    if (!this.#sent) this.#body?.resume()
  }

  // The answer --------------------------------------------------------------------------------------------------------------

  onData(chunk: Buffer): void {
    // The first that the program says: by the next it notices that nobody listens, and its process is free.
    if (this.#orphan) return this.#break(undefined)
    try {
      if (this.#cgi === undefined) this.#read(chunk)
      else this.#cgi.records.push(chunk)
    } catch (error) {
      this.#fail("protocol", { message: (error as Error).message, cause: error })
    }
  }

  #stdout(bytes: Buffer): void {
    const piece = this.#cgi!.head.push(bytes)
    if (piece !== null) this.#read(piece)
  }

  #read(bytes: Buffer): void {
    if (!this.#answered && bytes.length > 0) this.#answer.read(bytes)
  }

  interim(head: ResponseHead): void {
    if (head.status !== 100) throw new Error(`its answer has status ${head.status}`)
  }

  switched(): void {
    throw new Error("it switched protocols unasked")
  }

  replied(reply: Reply): void {
    if (!this.#paused) this.#connection?.limit(Infinity)
    // A program has no connection of its own to speak of.
    reply.closes = this.#answer.head?.closes === true
    this.#of.resolve(reply)
  }

  progress(): void {}

  /** FastCGI says itself when the request has ended; a server may work on after its answer. */
  completed(): void {
    this.#answered = true
    this.#connection?.limit(Infinity)
    if (this.#cgi === undefined) {
      this.#connection?.close()
      this.#finish()
    }
  }

  #ended(error: string | undefined): void {
    if (error !== undefined) return this.#fail("status", { message: error })
    if (!this.#answered) {
      if (this.#answer.head === null) return this.#fail("protocol", { message: "it ended without an answer" })
      if (!this.#answer.untilClose) return this.#fail("closed", { message: "its answer is shorter than its Content-Length" })
      this.#answer.end()
    }
    const connection = this.#connection
    this.#connection = null
    // A body that was not read to its end would be taken for the next request.
    if (connection !== null) {
      if (this.#sent && !connection.waiting && this.#host.options.keepIdle > 0) {
        connection.resume()
        this.#host.release(connection)
      } else connection.close()
    }
    this.#finish()
  }

  pauseAnswer(): void {
    this.#paused = true
    this.#connection?.pause()
  }

  resumeAnswer(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection?.resume()
  }

  abandon(error: Error): void {
    if (this.#over) return
    this.#break(error)
  }

  // The end -----------------------------------------------------------------------------------------------------------------

  onEof(): void {
    if (this.#cgi === undefined && this.#answer.untilClose && !this.#answered) return this.#answer.end()
    this.onClosed(undefined)
  }

  onClosed(cause: Error | undefined): void {
    if (this.#over) return
    if (this.#orphan) return this.#break(undefined)
    const why = cause === undefined ? "" : `: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`
    if (this.#answered) this.#break(undefined)
    else if (this.#answer.head !== null) this.#fail("closed", { message: `it broke its answer off${why}`, cause })
    else if (!this.#opened) this.#fail("connect", { message: `no connection${why}`, cause })
    else if (this.#mayRetry(cause)) this.#again()
    else this.#fail("closed", { message: `it closed the connection without an answer${why}`, cause })
  }

  /**
   * A kept connection may have been closed while the request was on its way. Not when it was read: a script that kills its
   * process would kill the next one too.
   */
  #mayRetry(cause: Error | undefined): boolean {
    const unread = this.#connection!.taken === 0 || this.#leftUnread(cause)
    return unread && this.#connection!.uses > 0 && !this.#answer.heard && !this.#bodyTaken && idempotent.has(this.#of.x.method)
  }

  /** FastCGI's programs read the end of their input when they like: a reset does not say that they had not begun. */
  #leftUnread(cause: unknown): boolean {
    return this.#cgi === undefined && leftUnread(cause)
  }

  #again(): void {
    this.#connection!.close()
    this.#sent = false
    this.#opened = false
    this.#use(this.#host.acquire(true))
  }

  onTimeout(): void {
    if (this.#orphan) this.#break(undefined)
    // The program has all that came: its time has not begun.
    else if (!this.#sent && this.#body?.hungry === true) this.#connection!.limit(this.#host.options.headMs)
    else if (!this.#opened) this.#fail("connect_timeout", { message: "no connection in time" })
    else this.#fail("head_timeout", { message: "no answer in time" })
  }

  /**
   * A program of CGI's kind hears nothing of a connection that ends while it works: its process stays taken until it
   * answers, or until its deadline, when its manager ends it. The slot with it, so that nobody is sent to wait behind.
   */
  #clientGone(): void {
    if (this.#over || this.#orphan) return
    const error = new HttpError(499, "the client is gone")
    if (!this.#opened || !this.#sent || this.#connection === null || this.#answer.head !== null) return this.#refuse(error)
    this.#orphan = true
    this.#of.reject(error)
  }

  #fail(fault: UpstreamFault, { message, cause }: { message: string; cause?: unknown }): void {
    const unsent = this.#connection === null || this.#connection.taken === 0
    const unread = !this.#answer.heard && this.#leftUnread(cause)
    this.#refuse(new UpstreamError(fault, message, { upstream: this.#host.options.target.id, unsent, unread, bodyTaken: this.#bodyTaken, cause }))
  }

  #refuse(error: Error): void {
    if (this.#over) return
    const { body } = this.#answer
    this.#break(error)
    if (body !== null && !this.#answered) body.break(error)
    else this.#of.reject(error)
  }

  #break(error: Error | undefined): void {
    this.#connection?.destroy()
    this.#connection = null
    if (!this.#sent) this.#body?.cancel(error)
    this.#sent = true
    this.#finish()
  }

  #finish(): void {
    if (this.#over) return
    this.#over = true
    this.#answer.stop()
    this.#of.over?.()
  }
}
