import { ByteStream, type ByteSink, type Handler, type HeaderList } from "edge"

/**
 * Waits for the body before it hands the exchange on, as long as that is at most `limit` bytes: a server that serves one
 * request at a time is then not held by a slow upload, and gets a Content-Length. Longer bodies are streamed from there.
 */
export function buffered(limit: number, next: Handler): Handler {
  if (limit === 0) return next
  return function receive(x) {
    // What is longer anyway, or asks first, is not worth the wait.
    if (x.body === null || x.body.length > limit || x.headers.has("expect")) return next(x)
    return hold(x.body, limit).then(body => next(x.with({ body })))
  }
}

/** Resolves when the body has ended or is past `limit`; rejects when it fails before. */
function hold(source: ByteStream, limit: number): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const held = new BufferedBody(source)
    source.pipe({
      data: chunk => {
        held.data(chunk)
        if (held.decided || held.bytesSoFar <= limit) return
        held.decided = true
        source.pause()
        resolve(held)
      },
      end: trailers => {
        held.end(trailers)
        if (!held.decided) held.length = held.bytesSoFar
        held.decided = true
        resolve(held)
      },
      fail: error => {
        if (held.decided) held.fail(error)
        else reject(error)
      },
    })
  })
}

/** A body of which the first part, or all, has been received. */
class BufferedBody extends ByteStream implements ByteSink {
  length = -1
  bytesSoFar = 0
  /** It was handed on. */
  decided = false
  #source: ByteStream
  #sink: ByteSink | null = null
  #held: Uint8Array[] = []
  #paused = false
  #ended = false
  #trailers: HeaderList | undefined
  #error: Error | null = null

  constructor(source: ByteStream) {
    super()
    this.#source = source
    this.length = source.length
  }

  data(chunk: Uint8Array): void {
    this.bytesSoFar += chunk.byteLength
    if (this.#sink !== null && !this.#paused && this.#held.length === 0) this.#sink.data(chunk)
    else this.#held.push(chunk)
  }

  end(trailers?: HeaderList): void {
    this.#ended = true
    this.#trailers = trailers
    this.#deliver()
  }

  fail(error: Error): void {
    this.#error = error
    this.#deliver()
  }

  pipe(sink: ByteSink): void {
    if (this.#sink !== null) throw new Error("the body was read already")
    this.#sink = sink
    this.resume()
  }

  pause(): void {
    this.#paused = true
    this.#source.pause()
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
    if (!this.#paused && !this.#ended && this.#error === null) this.#source.resume()
  }

  cancel(error?: Error): void {
    this.#held = []
    this.#source.cancel(error)
  }

  #deliver(): void {
    const sink = this.#sink
    if (sink === null) return
    while (this.#held.length > 0 && !this.#paused) sink.data(this.#held.shift()!)
    if (this.#held.length > 0) return
    if (this.#error !== null) sink.fail(this.#error)
    else if (this.#ended) sink.end(this.#trailers)
  }
}
