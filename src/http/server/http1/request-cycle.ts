import { asReply, PASS } from "../../middleware/chain.ts"
import type { Answer } from "../../middleware/chain.ts"
import { HttpError } from "../../message/errors.ts"
import type { Carrier, Exchange } from "../../message/exchange.ts"
import type { HeaderList } from "../../message/headers.ts"
import { plainReply, release } from "../../message/own-replies.ts"
import { Reply } from "../../message/reply.ts"
import type { ReplyBody } from "../../message/reply.ts"
import { ByteStream } from "../../message/stream.ts"
import type { ByteDuplex } from "../../message/stream.ts"
import type { Output } from "./output.ts"
import { BadReply, earlyHead, Framing, replyHead } from "./reply-head.ts"
import type { HeadFacts } from "./reply-head.ts"
import { FileSender } from "./file-sender.ts"
import { StreamSender } from "./senders.ts"
import type { Sender, SenderHost } from "./senders.ts"
import { writeWire } from "./write-wire.ts"

/** What a request cycle needs of its connection. */
export interface RequestCycleHost {
  readonly out: Output
  /** Whether the connection may go on behind an answer with this body; asked before its head is sent. */
  keep(body: ReplyBody): boolean
  /** The answer is complete, or given up (`error`). */
  ended(cycle: RequestCycle, error?: unknown): void
  /** Ends the connection so that the answer does not look complete. */
  cut(hard: boolean): void
  takeOver(cycle: RequestCycle): ByteDuplex | null
  blocked(): void
  problem(cycle: RequestCycle, message: string, error: unknown): void
}

const enum State {
  Waiting,
  Sending,
  TakenOver,
  Done,
}

/** One request and its answer on a connection: from the head of the one to the last byte of the other. */
export class RequestCycle implements Carrier, SenderHost, HeadFacts {
  readonly #host: RequestCycleHost
  readonly out: Output
  readonly isHead: boolean
  readonly minor: 0 | 1
  readonly server: string | undefined
  x!: Exchange
  /** The client wishes to keep the connection; after the head of the answer: it was told so. */
  keepAlive: boolean
  status = 0
  /** Of the answer. */
  headers: HeaderList | undefined = undefined
  bytesOut = 0
  #state = State.Waiting
  #framing = Framing.None
  #sender: Sender | undefined
  #aborts: (() => void)[] | undefined
  #gone = false
  #inSend = false
  #error: unknown

  constructor(host: RequestCycleHost, facts: HeadFacts) {
    this.#host = host
    this.out = host.out
    this.isHead = facts.isHead
    this.minor = facts.minor
    this.keepAlive = facts.keepAlive
    this.server = facts.server
  }

  get ended(): boolean {
    return this.#state === State.Done
  }

  /** The head of the answer is not sent yet. */
  get waiting(): boolean {
    return this.#state === State.Waiting
  }

  // What the handler gave -----------------------------------------------------------------------------------------

  answered(answer: Answer): void {
    if (answer === PASS) return this.#send(plainReply(404))
    let reply: Reply | Promise<Reply>
    try {
      reply = asReply(answer)
    } catch (error) {
      return this.failed(error)
    }
    if (reply instanceof Promise) this.#later(reply)
    else this.#send(reply)
  }

  /** Callbacks are made for those who wait only. */
  answeredLater(answer: Promise<Answer>): void {
    answer.then(
      value => this.answered(value),
      error => this.failed(error),
    )
  }

  #later(reply: Promise<Reply>): void {
    reply.then(
      value => this.#send(value),
      error => this.failed(error),
    )
  }

  failed(error: unknown): void {
    if (this.#state !== State.Waiting) {
      if (this.#state === State.Sending) this.cut(error as Error)
      return
    }
    if (error instanceof HttpError) {
      if (error.options.close === true) this.keepAlive = false
      const reply = plainReply(error.status)
      for (const [name, value] of error.options.headers ?? []) reply.headers.append(name, value)
      if (error.status >= 500) this.#host.problem(this, error.message, error.options.cause ?? error)
      return this.#send(reply)
    }
    this.#host.problem(this, "a handler failed", error)
    this.#send(plainReply(500))
  }

  #send(reply: Reply): void {
    if (this.#state !== State.Waiting || !(reply instanceof Reply)) {
      if (this.#state === State.Waiting) return this.failed(new TypeError("the handler returned no Reply"))
      return release(reply, new Error("the client is gone"))
    }
    this.#state = State.Sending
    this.#inSend = true
    this.keepAlive &&= !reply.closes && this.#host.keep(reply.body)
    this.status = reply.status
    this.headers = reply.headers
    const { wire } = reply
    this.out.cork()
    try {
      if (wire === null) this.#sendParts(reply)
      else this.sent(writeWire(wire, this.out, this))
    } catch (error) {
      this.cut(error as Error)
    } finally {
      this.out.uncork()
    }
    this.#inSend = false
    if (this.ended) this.#host.ended(this, this.#error)
  }

  // The answer ----------------------------------------------------------------------------------------------------

  #sendParts(reply: Reply): void {
    let head
    try {
      head = replyHead(reply, this)
    } catch (error) {
      if (!(error instanceof BadReply)) throw error
      this.#host.problem(this, "an answer was refused", error)
      release(reply, error)
      reply = plainReply(502)
      this.status = 502
      head = replyHead(reply, this)
    }
    if (head.framing === Framing.Close) this.keepAlive = false
    this.#framing = head.framing
    this.out.text(head.text)
    const { body } = reply
    if (head.framing === Framing.None || body === null) {
      if (body !== null) release(reply, new Error("an answer without a body"))
      // A handler that announced a body and gave none.
      if (head.framing === Framing.Length && head.length > 0) return this.cut(new Error("no body for its Content-Length"))
      this.#state = State.Done
    } else if (typeof body === "string") {
      this.out.utf8(body, head.length)
      this.sent(head.length)
    } else if (body instanceof Uint8Array) {
      this.out.bytes(body)
      this.sent(head.length)
    } else {
      this.#sender =
        body instanceof ByteStream ? new StreamSender(this, body, head.framing, head.length) : new FileSender(this, body)
      this.#sender.start()
    }
  }

  /** From a sender: its end, which may come long after #send. */
  sent(bytes?: number): void {
    if (bytes !== undefined) this.bytesOut = bytes
    if (this.#state !== State.Sending) return
    this.#end()
  }

  /** Inside #send it is reported there, once everything has left. */
  #end(error?: unknown): void {
    this.#state = State.Done
    this.#error = error
    if (!this.#inSend) this.#host.ended(this, error)
  }

  cut(error: Error): void {
    if (this.#state === State.Done) return
    this.#host.problem(this, "an answer was cut", error)
    this.#sender?.abandon(error)
    this.#host.cut(this.#framing === Framing.Close)
    this.#end(error)
  }

  blocked(): void {
    this.#host.blocked()
  }

  /** The client has caught up. */
  writable(): void {
    if (this.#state === State.Sending) this.#sender?.resume()
  }

  // The carrier ---------------------------------------------------------------------------------------------------

  upgrade(): ByteDuplex | null {
    if (this.#state !== State.Waiting || this.#gone) return null
    const duplex = this.#host.takeOver(this)
    if (duplex !== null) this.#state = State.TakenOver
    return duplex
  }

  early(status: number, headers: HeaderList): void {
    if (this.#state !== State.Waiting || this.minor === 0 || status < 102 || status > 199) return
    this.out.text(earlyHead(status, headers))
  }

  onAbort(f: () => void): void {
    if (this.#gone) f()
    else if (this.#state !== State.Done) (this.#aborts ??= []).push(f)
  }

  /** The client is gone. */
  abort(error: Error): void {
    if (this.#gone || this.#state === State.Done) return
    this.#gone = true
    const tunnel = this.#state === State.TakenOver
    this.#state = State.Done
    this.#sender?.abandon(error)
    for (const f of this.#aborts ?? []) {
      try {
        f()
      } catch (e) {
        this.#host.problem(this, "an abort listener failed", e)
      }
    }
    if (this.status === 0) this.status = tunnel ? 101 : 499
    this.#end(tunnel ? undefined : error)
  }
}
