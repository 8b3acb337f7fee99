import type { HeaderList } from "./headers.ts"

/** Takes the bytes of a ByteStream. To slow the source down it calls `pause` and later `resume` on the stream. */
export interface ByteSink {
  data(chunk: Uint8Array): void
  end(trailers?: HeaderList): void
  fail(error: Error): void
}

/**
 * A body on its way: pushed from a socket, a file or a worker into one sink, without becoming a Web stream.
 * `pipe` is called once and may deliver at once, before it returns. A chunk stays valid after `data` returns.
 */
export abstract class ByteStream {
  /** Bytes in all where the sender said so (Content-Length), else -1. */
  abstract readonly length: number
  /** All of it is here: `pipe` delivers it before it returns. */
  get ready(): boolean {
    return false
  }
  /** A reader has all that came, and waits for the sender. */
  get hungry(): boolean {
    return false
  }
  abstract pipe(sink: ByteSink): void
  abstract pause(): void
  abstract resume(): void
  /** The receiver wants no more. The source drains or closes as its protocol asks for. */
  abstract cancel(error?: Error): void

  /** The whole body; rejects when it is longer than `limit` bytes or the source fails. */
  bytes(limit = Infinity): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = []
      let size = 0
      this.pipe({
        data: chunk => {
          size += chunk.byteLength
          if (size > limit) {
            chunks.length = 0
            const error = new RangeError(`body is longer than ${limit} bytes`)
            this.cancel(error)
            reject(error)
          } else chunks.push(chunk)
        },
        end: () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)),
        fail: reject,
      })
    })
  }

  async text(limit = Infinity): Promise<string> {
    return new TextDecoder().decode(await this.bytes(limit))
  }

  /** The same bytes as a Web stream, for apps; the source is paused while nobody pulls. */
  readable(): ReadableStream<Uint8Array> {
    let open = true
    return new ReadableStream<Uint8Array>(
      {
        start: controller => {
          this.pipe({
            data: chunk => {
              if (!open) return
              controller.enqueue(chunk)
              if ((controller.desiredSize ?? 0) <= 0) this.pause()
            },
            end: () => {
              if (open) controller.close()
              open = false
            },
            fail: error => {
              if (open) controller.error(error)
              open = false
            },
          })
        },
        pull: () => this.resume(),
        cancel: reason => {
          open = false
          this.cancel(reason instanceof Error ? reason : new Error(String(reason ?? "cancelled")))
        },
      },
      { highWaterMark: 1 },
    )
  }

  /** A Web stream as a ByteStream. */
  static from(stream: ReadableStream<Uint8Array>, length = -1): ByteStream {
    return new WebByteStream(stream, length)
  }
}

class WebByteStream extends ByteStream {
  #reader: ReadableStreamDefaultReader<Uint8Array>
  #sink: ByteSink | undefined
  #paused = false
  #pulling = false
  #done = false

  constructor(
    stream: ReadableStream<Uint8Array>,
    readonly length: number,
  ) {
    super()
    this.#reader = stream.getReader()
  }

  pipe(sink: ByteSink): void {
    this.#sink = sink
    void this.#pull()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    void this.#pull()
  }

  cancel(error?: Error): void {
    this.#done = true
    this.#reader.cancel(error).catch(() => {})
  }

  async #pull(): Promise<void> {
    if (this.#pulling || this.#sink === undefined) return
    this.#pulling = true
    try {
      while (!this.#paused && !this.#done) {
        const { done, value } = await this.#reader.read()
        if (this.#done) break
        if (done) {
          this.#done = true
          this.#sink.end()
        } else {
          const chunk: unknown = value
          this.#sink.data(typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array))
        }
      }
    } catch (error) {
      if (!this.#done) {
        this.#done = true
        this.#sink.fail(error instanceof Error ? error : new Error(String(error)))
      }
    } finally {
      this.#pulling = false
    }
  }
}

/** Both directions of a connection that was taken over (WebSocket, tunnel). */
export interface ByteDuplex {
  /** Bytes from the peer; ends when it half-closes. */
  readonly incoming: ByteStream
  /** Queues the chunk; false when the peer is slow: wait for `onDrain`. */
  write(chunk: Uint8Array): boolean
  onDrain(f: () => void): void
  /** Half-close: no more bytes from us. */
  end(): void
  /** Close both directions at once. */
  destroy(): void
  onClose(f: () => void): void
  /** The server leaves and will cut the connection in a moment: last words may be written. */
  onServerClosing?(f: () => void): void
}
