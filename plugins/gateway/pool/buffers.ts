import type { AppSpec, Exchange, Logger, Reply, SlotClaims } from "edge"
import { AnswerSpool, ByteStream, receiveBody, SpoolDisk } from "edge"
import type { PoolOptions } from "./options.ts"

/** Runtimes whose programs run one request at a time, each in a thread or a process. */
const blockingRuntimes: ReadonlySet<string> = new Set(["wsgi", "fastcgi", "uwsgi"])

export interface BuffersOptions {
  readonly app: AppSpec
  readonly claims: SlotClaims
  readonly log: Logger
  /** Indexes of the workers that are connected. */
  indexes(): readonly number[]
}

/** Keeps what slow clients send and take, so that they hold no worker (nginx does the same before gunicorn). */
export class Buffers {
  readonly #options: PoolOptions["buffer"]
  readonly #runtimeBlocks: boolean
  readonly #parts: BuffersOptions
  readonly #disk: SpoolDisk

  constructor(parts: BuffersOptions) {
    this.#options = (parts.app.options.gateway as PoolOptions).buffer
    this.#runtimeBlocks = blockingRuntimes.has(parts.app.runtime)
    this.#parts = parts
    this.#disk = new SpoolDisk(this.#options.disk, error =>
      parts.log.warn("answers cannot be kept on the disk: slow clients hold their workers", { error: String(error) }),
    )
  }

  /** A request whose body still comes, for an app that must not wait for it. */
  keeps(x: Exchange): boolean {
    return x.body !== null && !x.body.ready && (this.#options.requests ?? this.#blocking)
  }

  /** The same request, with all of its body. */
  async receive(x: Exchange): Promise<Exchange> {
    const body = await receiveBody(x.body!, { memory: this.#options.memory, onAbort: f => x.carrier.onAbort(f) })
    // It may never be sent: every worker was busy, or the client is gone.
    x.onEnd(() => body.cancel())
    return x.with({ body })
  }

  /**
   * An answer that came whole, or is a stream of events (it lives from being new, and has no end), is as it was. Every other
   * goes through at once while the client takes it, also one without a length: only what the client does not take is kept.
   */
  readonly answer = (reply: Reply): Reply => {
    const { body } = reply
    if (!(body instanceof ByteStream) || !(this.#options.answers ?? this.#blocking) || isLive(reply)) return reply
    reply.body = new AnswerSpool(body, { memory: this.#options.memory, disk: this.#disk })
    return reply
  }

  get #blocking(): boolean {
    return this.#runtimeBlocks || this.#parts.indexes().some(index => this.#parts.claims.blocking(index))
  }
}

/** `X-Accel-Buffering: no` is how apps ask nginx for it. */
function isLive({ headers }: Reply): boolean {
  const type = headers.get("content-type") ?? ""
  return /^(?:text\/event-stream|multipart\/x-mixed-replace)\b/i.test(type) || headers.get("x-accel-buffering")?.toLowerCase() === "no"
}
