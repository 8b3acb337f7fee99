/** Hand-made exchanges and upstreams that do as a test says, over real sockets. */
import type { Socket } from "bun"
import { Exchange, type Connection } from "../../src/http/message/exchange.ts"
import { HeaderList } from "../../src/http/message/headers.ts"
import type { Reply } from "../../src/http/message/reply.ts"
import { ByteStream, type ByteDuplex, type ByteSink } from "../../src/http/message/stream.ts"
import { parseTarget } from "../../src/http/upstream/target.ts"
import { HttpUpstream, type HttpUpstreamOptions } from "../../src/http/upstream/upstream.ts"

/** One connection that an upstream accepted. */
export class Accepted {
  /** All that came in, Latin-1. */
  text = ""
  ended = false
  closed = false
  #waits: (() => void)[] = []
  constructor(readonly socket: Socket<Accepted>) {}

  write(text: string | Uint8Array): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text)
  }

  changed(): void {
    for (const wake of this.#waits.splice(0)) wake()
  }

  async until(is: (c: Accepted) => boolean): Promise<void> {
    while (!is(this)) await new Promise<void>(resolve => this.#waits.push(resolve))
  }
}

export interface FakeUpstream {
  readonly port: number
  readonly accepted: Accepted[]
  stop(): void
}

/** Calls `onData` whenever bytes came; `c.text` holds all that came so far. */
export function listenRaw(onData: (c: Accepted, chunk: Buffer) => void, onOpen?: (c: Accepted) => void): FakeUpstream {
  const accepted: Accepted[] = []
  const server = Bun.listen<Accepted>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        socket.data = new Accepted(socket)
        accepted.push(socket.data)
        onOpen?.(socket.data)
      },
      data(socket, chunk) {
        socket.data.text += chunk.latin1Slice()
        onData(socket.data, chunk)
        socket.data.changed()
      },
      end(socket) {
        socket.data.ended = true
        socket.data.changed()
      },
      close(socket) {
        socket.data.closed = true
        socket.data.changed()
      },
      error() {},
    },
  })
  return { port: server.port, accepted, stop: () => server.stop(true) }
}

/** An upstream that answers every head with the next of `answers` (the last one again and again). */
export function answering(...answers: string[]): FakeUpstream {
  let n = 0
  return listenRaw(c => {
    let end: number
    while ((end = c.text.indexOf("\r\n\r\n")) >= 0) {
      c.text = c.text.slice(end + 4)
      c.write(answers[Math.min(n++, answers.length - 1)]!)
    }
  })
}

export function upstreamAt(port: number, options: Partial<HttpUpstreamOptions> = {}): HttpUpstream {
  return new HttpUpstream({ target: parseTarget(`http://127.0.0.1:${port}`), ...options })
}

export interface Client {
  readonly x: Exchange
  readonly earlies: [status: number, headers: readonly string[]][]
  /** The client goes away. */
  abort(): void
}

const plain: Connection = { peer: "192.0.2.7", peerPort: 4000, local: "127.0.0.1:8080", secure: false, trusted: false, tls: undefined }

export interface ClientOptions {
  method?: string
  target?: string
  headers?: string[]
  body?: ByteStream | null
  conn?: Partial<Connection>
  duplex?: ByteDuplex
  prefix?: string
  shared?: boolean
  host?: string
}

export function client(o: ClientOptions = {}): Client {
  const aborts: (() => void)[] = []
  const earlies: Client["earlies"] = []
  const target = o.target ?? "/"
  const flat = o.headers ?? ["Host", "example.com"]
  const x = new Exchange(
    o.method ?? "GET",
    target,
    target.split("?")[0]!,
    target.split("?")[1] ?? "",
    o.host ?? "example.com",
    o.shared === true ? HeaderList.shared(flat) : new HeaderList(flat),
    "1.1",
    { ...plain, ...o.conn },
    {
      upgrade: () => o.duplex ?? null,
      early: (status, headers) => earlies.push([status, headers.flat]),
      onAbort: f => aborts.push(f),
    },
    o.body ?? null,
    performance.now(),
  )
  x.prefix = o.prefix ?? ""
  return { x, earlies, abort: () => aborts.forEach(f => f()) }
}

/** A body that a test pushes by hand; counts what its receiver asks for. */
export class Pushed extends ByteStream {
  sink: ByteSink | undefined
  paused = false
  pauses = 0
  cancelled: Error | true | undefined
  #onResume: (() => void)[] = []

  constructor(readonly length = -1, readonly first: Uint8Array[] = [], readonly complete = false) {
    super()
  }

  pipe(sink: ByteSink): void {
    if (this.sink !== undefined) throw new Error("piped twice")
    this.sink = sink
    for (const chunk of this.first) sink.data(chunk)
    if (this.complete) sink.end()
  }

  pause(): void {
    this.paused = true
    this.pauses++
  }

  resume(): void {
    this.paused = false
    for (const wake of this.#onResume.splice(0)) wake()
  }

  cancel(error?: Error): void {
    this.cancelled = error ?? true
    this.resume()
  }

  resumed(): Promise<void> {
    return new Promise(resolve => (this.paused ? this.#onResume.push(resolve) : resolve()))
  }
}

/** A body that is all there when it is first asked for. */
export function whole(text: string, length = text.length): Pushed {
  return new Pushed(length, text === "" ? [] : [Buffer.from(text, "latin1")], true)
}

export interface Received {
  text: string
  trailers: readonly string[]
  error: Error | undefined
}

/** Takes the body of a reply to its end, whichever that is. */
export function take(reply: Reply): Promise<Received> {
  const { body } = reply
  const got: Received = { text: "", trailers: [], error: undefined }
  if (body === null) return Promise.resolve(got)
  if (body instanceof Uint8Array) return Promise.resolve({ ...got, text: Buffer.from(body).latin1Slice() })
  if (!(body instanceof ByteStream)) throw new Error("an upstream answers with bytes or a stream")
  return new Promise(resolve =>
    body.pipe({
      data: chunk => void (got.text += Buffer.from(chunk).latin1Slice()),
      end: trailers => resolve({ ...got, trailers: trailers?.flat ?? [] }),
      fail: error => resolve({ ...got, error }),
    }),
  )
}

export async function settled<T>(promise: Promise<T>): Promise<{ value?: T; error?: Error & { fault?: string; status?: number } }> {
  return promise.then(value => ({ value }), error => ({ error }))
}
