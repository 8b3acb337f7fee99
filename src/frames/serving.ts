/** One exchange inside a worker, from REQUEST to the END of both sides. */
import { asReply, PASS } from "../http/middleware/chain.ts"
import type { Answer, Awaitable, Handler } from "../http/middleware/chain.ts"
import { HttpError } from "../http/message/errors.ts"
import { Exchange } from "../http/message/exchange.ts"
import type { Carrier } from "../http/message/exchange.ts"
import type { HeaderList } from "../http/message/headers.ts"
import { bodyLength, Reply } from "../http/message/reply.ts"
import { ByteStream } from "../http/message/stream.ts"
import { EARLY, ERROR, FrameError, RESPONSE } from "./codec.ts"
import type { Frame } from "./codec.ts"
import { discard, streamOf } from "./bodies.ts"
import { Incoming, Outgoing, startCredit } from "./flow.ts"
import { decodeRequestHead, encodeResponseHead } from "./heads.ts"
import type { Link } from "./link.ts"

export interface ServingOptions {
  onError(error: unknown, x: Exchange): void
  /** Called once, when both sides ended it or the connection is gone. */
  ended(): void
}

export class Serving implements Carrier {
  readonly #link: Link
  readonly #id: number
  readonly #options: ServingOptions
  readonly #x: Exchange
  #request: Incoming | null = null
  #response: Outgoing | null = null
  #requestOver: boolean
  #responseOver = false
  #aborted = false
  #over = false
  #onAbort: (() => void)[] | undefined

  constructor(link: Link, frame: Frame, options: ServingOptions) {
    this.#link = link
    this.#id = frame.id
    this.#options = options
    const at = frame.start + frame.head
    const head = decodeRequestHead(frame.bytes, { start: frame.start, stop: at })
    if (head.length !== null || !frame.end) {
      this.#request = new Incoming(link, frame.id, { length: head.length ?? -1, onCancel: () => {} })
      if (frame.stop > at) this.#request.push(frame.bytes.subarray(at, frame.stop))
      if (frame.end) this.#request.finish()
    }
    this.#requestOver = frame.end
    const conn = {
      peer: head.ip,
      peerPort: head.port,
      local: head.local,
      secure: head.scheme === "https",
      trusted: false,
      tls: undefined,
    }
    this.#x = new Exchange(
      head.method,
      head.target,
      head.path,
      head.query,
      hostName(head.host),
      head.headers,
      head.httpVersion,
      conn,
      this,
      this.#request,
      performance.now(),
    )
    this.#x.prefix = head.prefix
  }

  run(handler: Handler): void {
    let answer: Awaitable<Answer>
    try {
      answer = handler(this.#x)
    } catch (error) {
      return this.#threw(error)
    }
    if (answer instanceof Promise) {
      answer.then(
        value => this.#answer(value),
        error => this.#threw(error),
      )
    } else this.#answer(answer)
  }

  /** `GET /path, 12 ms, answering`; without the query, where secrets may stand. */
  describe(): string {
    const { method, path, startMs } = this.#x
    const state = this.#response === null ? "no answer yet" : "answering"
    return `${method} ${path}, ${Math.round(performance.now() - startMs)} ms, ${state}`
  }

  // The Carrier of the app's Exchange.

  upgrade(): null {
    return null
  }

  early(status: number, headers: HeaderList): void {
    if (this.#over || this.#response !== null || status < 100 || status > 199 || status === 101) return
    this.#link.writer.head(EARLY, this.#id, { head: encodeResponseHead(status, "", headers.flat), end: false, body: null })
  }

  onAbort(f: () => void): void {
    if (this.#aborted) f()
    else (this.#onAbort ??= []).push(f)
  }

  // What the front says.

  data(frame: Frame): void {
    if (this.#requestOver) throw new FrameError("DATA after END")
    if (frame.stop > frame.start) this.#request!.push(frame.bytes.subarray(frame.start, frame.stop))
    if (!frame.end) return
    this.#requestOver = true
    if (this.#responseOver) this.#request!.fail(new Error("the rest of the body was not asked for"))
    else this.#request!.finish()
    this.#finish()
  }

  grant(bytes: number): void {
    this.#response?.grant(bytes)
  }

  /** The client is gone or the deadline passed. The app is told; its answer, if it still comes, is not sent. */
  cancel(): void {
    if (this.#over) return
    this.#abort(new Error("the client is gone"))
    if (!this.#responseOver) this.#link.writer.frame(ERROR, { id: this.#id, end: true, payload: cancelled })
    this.#requestOver = this.#responseOver = true
    this.#finish()
  }

  lost(): void {
    this.#abort(new Error("the front is gone"))
    this.#requestOver = this.#responseOver = true
    this.#finish()
  }

  #abort(error: Error): void {
    this.#aborted = true
    this.#request?.fail(error)
    this.#response?.stop(error)
    for (const f of this.#onAbort ?? []) {
      try {
        f()
      } catch (thrown) {
        this.#options.onError(thrown, this.#x)
      }
    }
  }

  // The answer.

  #answer(answer: Answer): void {
    let reply: Awaitable<Reply>
    try {
      reply = answer === PASS ? Reply.text(404, "Not Found\n") : asReply(answer)
    } catch (error) {
      return this.#threw(error)
    }
    if (reply instanceof Promise) {
      reply.then(
        value => this.#send(value),
        error => this.#threw(error),
      )
    } else this.#send(reply)
  }

  #threw(error: unknown): void {
    if (error instanceof HttpError && error.status < 500) return this.#send(Reply.text(error.status, `${error.message}\n`))
    if (!this.#aborted) this.#options.onError(error, this.#x)
    this.#send(Reply.text(500, "Internal Server Error\n"))
  }

  #send(reply: Reply): void {
    const { body } = reply
    if (this.#over) return discard(body)
    const bodiless = this.#x.method === "HEAD" || reply.status === 204 || reply.status === 304
    let head: string
    try {
      const lines = withLength(reply, bodiless)
      head = encodeResponseHead(reply.status, reply.reason ?? "", reply.closes ? [...lines, "Connection", "close"] : lines)
    } catch (error) {
      discard(body)
      return this.#threw(error)
    }
    const small = typeof body === "string" ? body.length * 3 <= startCredit : body instanceof Uint8Array && body.length <= startCredit
    if (body === null || bodiless || small) {
      if (bodiless) discard(body)
      const bytes = bodiless ? null : (body as string | Uint8Array | null)
      this.#link.writer.head(RESPONSE, this.#id, { head, end: true, body: bytes })
      this.#responseSent()
      return
    }
    this.#response = new Outgoing(this.#link, this.#id, {
      source: streamOf(body),
      sent: () => this.#responseSent(),
      fail: error => this.#responseFailed(error),
    })
    this.#response.begin(RESPONSE, head)
  }

  #responseSent(): void {
    this.#responseOver = true
    this.#finish()
  }

  #responseFailed(error: Error): void {
    this.#options.onError(error, this.#x)
    this.#link.writer.frame(ERROR, { id: this.#id, end: true, payload: Buffer.from("the app's body failed") })
    this.#requestOver = true
    this.#responseSent()
  }

  #finish(): void {
    if (this.#over || !this.#requestOver || !this.#responseOver) return
    this.#over = true
    this.#options.ended()
  }
}

const cancelled = Buffer.from("cancelled")

/** The header lines, with Content-Length where the front cannot know it: streams that say it, and answers to HEAD. */
function withLength(reply: Reply, bodiless: boolean): readonly string[] {
  const { body, headers } = reply
  if (body === null || reply.status === 204 || reply.status === 304) return headers.flat
  if (!bodiless && !(body instanceof ByteStream) && (typeof body === "string" || body instanceof Uint8Array)) return headers.flat
  const length = bodyLength(body)
  return length < 0 || headers.has("content-length") ? headers.flat : [...headers.flat, "Content-Length", String(length)]
}

let lastHost = ""
let lastName = ""

/** Nearly all requests of an app have one Host. */
function hostName(host: string): string {
  if (host === lastHost) return lastName
  const colon = host.lastIndexOf(":")
  const name = colon > host.lastIndexOf("]") ? host.slice(0, colon) : host
  lastHost = host
  return (lastName = name.toLowerCase())
}
