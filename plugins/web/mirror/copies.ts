import { ByteStream, Exchange, HeaderList, HttpUpstream, type ByteSink, type Logger } from "edge"

/** Sends copies of requests and throws the answers away. Never more than `most` at once: what is over is left out. */
export class Copies {
  readonly #upstream: HttpUpstream
  readonly #most: number
  readonly #log: Logger
  #active = 0
  #leftOut = 0
  #failed = 0
  #saidAt = -Infinity

  constructor(upstream: HttpUpstream, { most, log }: { most: number; log: Logger }) {
    this.#upstream = upstream
    this.#most = most
    this.#log = log
  }

  send(x: Exchange, body: Uint8Array | null): void {
    if (this.#active >= this.#most) {
      this.#leftOut++
      return this.#say("no room")
    }
    this.#active++
    this.#upstream.send(copyOf(x, body)).then(
      reply => {
        if (reply.body instanceof ByteStream) reply.body.pipe(new Drain(reply.body, () => this.#active--))
        else this.#active--
      },
      (error: Error) => {
        this.#active--
        this.#failed++
        this.#say(error.message)
      },
    )
  }

  close(): void {
    this.#upstream.close()
  }

  /** Once a minute at most: a shadow that is down is worth a line, not one for each request. */
  #say(why: string): void {
    const now = performance.now()
    if (now - this.#saidAt < 60_000) return
    this.#saidAt = now
    this.#log.warn("copies of requests were not answered", { upstream: this.#upstream.id, failed: this.#failed, leftOut: this.#leftOut, why })
    this.#failed = this.#leftOut = 0
  }
}

/** Of the original it shares what was said, and nothing that lives: neither its connection nor its end. */
function copyOf(x: Exchange, body: Uint8Array | null): Exchange {
  const headers = HeaderList.from(x.headers)
  headers.delete("upgrade")
  headers.delete("expect")
  const stream = body === null ? null : new OneChunk(body)
  const copy = new Exchange(x.method, x.target, x.path, x.query, x.host, headers, x.httpVersion, x.conn, silent, stream, x.startMs)
  copy.prefix = x.prefix
  return copy
}

const silent = { upgrade: () => null, early: () => {}, onAbort: () => {} }

class OneChunk extends ByteStream {
  readonly length: number
  #bytes: Uint8Array
  #sink: ByteSink | null = null
  #paused = false
  #sent = false

  constructor(bytes: Uint8Array) {
    super()
    this.#bytes = bytes
    this.length = bytes.byteLength
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    if (this.length > 0) sink.data(this.#bytes)
    this.#sent = true
    if (!this.#paused) this.#end()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    if (this.#sent) this.#end()
  }

  cancel(): void {
    this.#sink = null
  }

  #end(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end()
  }
}

/** Bytes of an answer that are read to keep its connection; past it that is cheaper to make anew. */
const drainBytes = 1024 * 1024

class Drain implements ByteSink {
  #left = drainBytes
  #over = false
  constructor(
    readonly source: ByteStream,
    readonly onOver: () => void,
  ) {}
  data(chunk: Uint8Array): void {
    this.#left -= chunk.byteLength
    if (this.#left >= 0 || this.#over) return
    this.source.cancel()
    this.end()
  }
  end(): void {
    if (this.#over) return
    this.#over = true
    this.onOver()
  }
  fail(): void {
    this.end()
  }
}
