import { asReply, PASS } from "../../middleware/chain.ts"
import type { Answer } from "../../middleware/chain.ts"
import { HttpError } from "../../message/errors.ts"
import { type Connection, Exchange } from "../../message/exchange.ts"
import { HeaderList } from "../../message/headers.ts"
import { BadReply } from "../http1/reply-head.ts"
import { ownReply, plainReply, release } from "../../message/own-replies.ts"
import { logProblem, reportEnd } from "../protocol-host.ts"
import type { ProtocolHost, Sent } from "../protocol-host.ts"
import { Reply } from "../../message/reply.ts"
import { RequestCarrier, toExchange } from "./request.ts"
import { clientGone, toResponse } from "./response.ts"
import type { AnswerFacts } from "./server-frames.ts"

/** Counts what is under way on one connection. */
export interface StreamCounter {
  begun(): void
  /** What Bun will not say of the answer of a stream. */
  answer(stream: number, facts: AnswerFacts): void
  /** The body of a stream begins with a byte that is not the answer's. */
  opened(stream: number, onHead: () => void): void
  ended(): void
}

/** Bun's requests of one connection to Exchanges, and the Replies back. Sync in, sync out. */
export class Adapter {
  readonly #host: ProtocolHost
  readonly #conn: Connection
  readonly #counter: StreamCounter

  constructor(host: ProtocolHost, conn: Connection, counter: StreamCounter) {
    this.#host = host
    this.#conn = conn
    this.#counter = counter
  }

  fetch = (request: Request): Response | Promise<Response> => {
    this.#counter.begun()
    let x: Exchange
    try {
      x = toExchange(request, this.#conn, this.#host.limits)
    } catch (error) {
      this.#counter.ended()
      if (!(error instanceof HttpError)) throw error
      // So that the access log shows it, as over HTTP/1.1.
      const unread = new Exchange("-", "-", "", "", "", new HeaderList(), "2", this.#conn, new RequestCarrier(request, 0), null, performance.now())
      reportEnd(this.#host, unread, { status: error.status, bytesOut: 0, error: undefined, headers: undefined })
      return toResponse(plainReply(error.status), { isHead: request.method === "HEAD", server: this.#host.limits.server, onSent() {} })
    }
    return this.#handle(x)
  }

  #handle(x: Exchange): Response | Promise<Response> {
    if (x.path === "" || x.method === "TRACE") return this.#respond(x, ownReply(x.method, x.target) ?? plainReply(400))
    let answer
    try {
      answer = this.#host.handler(x)
    } catch (error) {
      return this.#failed(x, error)
    }
    return answer instanceof Promise ? this.#later(x, answer) : this.#answered(x, answer)
  }

  async #later(x: Exchange, answer: Promise<Answer>): Promise<Response> {
    try {
      const got = await answer
      if (got instanceof Reply && x.carrier instanceof RequestCarrier && x.carrier.gone) return this.#unwanted(x, got)
      return await this.#answered(x, got)
    } catch (error) {
      return this.#failed(x, error)
    }
  }

  /** Bun would not look at the body any more, and what it holds open would stay so. */
  #unwanted(x: Exchange, reply: Reply): Response {
    release(reply)
    this.#ended(x, { status: 499, bytesOut: 0, error: clientGone, headers: undefined })
    return new Response(null, { status: 500 })
  }

  #answered(x: Exchange, answer: Answer): Response | Promise<Response> {
    if (answer === PASS) return this.#respond(x, plainReply(404))
    let reply
    try {
      reply = asReply(answer)
    } catch (error) {
      return this.#failed(x, error)
    }
    return reply instanceof Promise ? this.#later(x, reply) : this.#respond(x, reply)
  }

  #failed(x: Exchange, error: unknown): Response {
    if (!(error instanceof HttpError)) {
      this.#problem(x, "a handler failed", error)
      return this.#respond(x, plainReply(500))
    }
    if (error.status >= 500) this.#problem(x, error.message, error.options.cause ?? error)
    const reply = plainReply(error.status)
    for (const [name, value] of error.options.headers ?? []) reply.headers.append(name, value)
    return this.#respond(x, reply)
  }

  #respond(x: Exchange, reply: Reply): Response {
    if (!(reply instanceof Reply)) return this.#failed(x, new TypeError("the handler returned no Reply"))
    const { status, headers } = reply
    const onSent = (bytesOut: number, error?: Error) => {
      if (error !== undefined && error !== clientGone) this.#problem(x, "an answer was cut", error)
      this.#ended(x, { status, bytesOut, error, headers })
    }
    try {
      const onFacts = (facts: AnswerFacts): void => {
        if (x.carrier instanceof RequestCarrier) this.#counter.answer(x.carrier.stream, facts)
      }
      const opened = (onHead: () => void) => x.carrier instanceof RequestCarrier && (this.#counter.opened(x.carrier.stream, onHead), true)
      return toResponse(reply, { isHead: x.method === "HEAD", server: this.#host.limits.server, onSent, onFacts, opened })
    } catch (error) {
      if (!(error instanceof BadReply)) throw error
      this.#problem(x, "an answer was refused", error)
      return this.#respond(x, plainReply(502))
    }
  }

  #ended(x: Exchange, sent: Sent): void {
    this.#counter.ended()
    reportEnd(this.#host, x, sent)
  }

  #problem(x: Exchange, message: string, error: unknown): void {
    logProblem(this.#host, x, { message, error })
  }
}
