/** Hand-made exchanges and answers, for tests of plugins without a socket. */
import {
  type Answer,
  asReply,
  type Awaitable,
  type ByteDuplex,
  ByteStream,
  type Connection,
  Exchange,
  type ExchangeEnd,
  type Handler,
  HeaderList,
  PASS,
  Reply,
} from "edge"
import { readSync } from "node:fs"
import { normalizePath } from "../../src/http/message/path.ts"

export interface ExchangeOptions {
  method?: string
  host?: string
  headers?: Record<string, string> | readonly (readonly [string, string])[]
  body?: string | Uint8Array | ByteStream
  conn?: Partial<Connection>
  httpVersion?: "1.0" | "1.1" | "2" | "3"
  startMs?: number
  upgrade?(): ByteDuplex | null
}

/** A request as an engine would hand it on; `abort()` and `end()` play the client and the engine. */
export class TestExchange extends Exchange {
  readonly interim: { status: number; headers: HeaderList }[]
  readonly #aborts: (() => void)[]

  constructor(target: string, o: ExchangeOptions = {}) {
    const [raw = "", query = ""] = target.split(/\?(.*)/s)
    const path = normalizePath(raw)
    if (path === null) throw new Error(`an engine refuses the target ${target}`)
    const host = o.host ?? "example.com"
    const headers = HeaderList.from(o.headers)
    if (host !== "" && !headers.has("host")) headers.append("Host", host)
    const conn = { peer: "192.0.2.1", peerPort: 50_000, local: "127.0.0.1:8080", secure: false, trusted: false, tls: undefined, ...o.conn }
    const interim: TestExchange["interim"] = []
    const aborts: (() => void)[] = []
    const carrier = {
      upgrade: () => o.upgrade?.() ?? null,
      early: (status: number, lines: HeaderList) => void interim.push({ status, headers: lines }),
      onAbort: (f: () => void) => void aborts.push(f),
    }
    const body = o.body === undefined || o.body instanceof ByteStream ? (o.body ?? null) : streamOf([o.body])
    super(o.method ?? "GET", target, path, query, host, headers, o.httpVersion ?? "1.1", conn, carrier, body, o.startMs ?? performance.now())
    this.interim = interim
    this.#aborts = aborts
  }

  abort(): void {
    for (const f of this.#aborts) f()
  }

  finish(end: Partial<ExchangeEnd> = {}): void {
    for (const f of this.ends ?? []) f({ status: 200, bytesOut: 0, ms: 1, ...end })
  }
}

export function exchange(target: string, options: ExchangeOptions = {}): TestExchange {
  return new TestExchange(target, options)
}

/** A body that comes in these pieces, each in a turn of its own; `length` is what a sender would have announced. */
export function streamOf(chunks: readonly (string | Uint8Array)[], length = -1): ByteStream {
  const source = new ReadableStream<Uint8Array>(
    {
      async start(controller) {
        for (const chunk of chunks) {
          controller.enqueue(typeof chunk === "string" ? Buffer.from(chunk) : chunk)
          await new Promise(resolve => setImmediate(resolve))
        }
        controller.close()
      },
    },
    { highWaterMark: 1 },
  )
  return ByteStream.from(source, length)
}

/** What a client would see. */
export interface Seen {
  readonly status: number
  readonly headers: HeaderList
  readonly body: Buffer
  readonly text: string
  /** As it stands pre-serialised, or null. */
  readonly wire: string | null
}

/** Runs the handler as an engine would, and reads the body to its end; null when it passes. */
export async function seen(handler: Handler, x: Exchange): Promise<Seen | null> {
  const answer = await (handler(x) as Awaitable<Answer>)
  if (answer === PASS) return null
  const reply = await asReply(answer)
  const wire = reply.wire === null ? null : reply.wire.bytes.toString("latin1")
  const bodyless = x.method === "HEAD" || reply.status === 304 || reply.status === 204
  if (bodyless) release(reply)
  const body = bodyless ? Buffer.alloc(0) : await bytesOf(reply)
  return { status: reply.status, headers: reply.headers, body, text: body.toString(), wire }
}

/** As `seen`, where passing is a failure. */
export async function ask(handler: Handler, target: string, options: ExchangeOptions = {}): Promise<Seen> {
  const got = await seen(handler, exchange(target, options))
  if (got === null) throw new Error(`${options.method ?? "GET"} ${target}: nobody answered`)
  return got
}

export async function bytesOf(reply: Reply): Promise<Buffer> {
  const { body } = reply
  if (body === null) return Buffer.alloc(0)
  if (typeof body === "string") return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body)
  if (body instanceof ByteStream) return Buffer.from(await body.bytes())
  const buffer = Buffer.alloc(body.end - body.start)
  let done = 0
  try {
    while (done < buffer.length) {
      const read = readSync(body.fd, buffer, done, buffer.length - done, body.start + done)
      if (read === 0) throw new Error("the file is shorter than announced")
      done += read
    }
  } finally {
    body.close()
  }
  return buffer
}

/** Lets go of a body that is not sent, as an engine does. */
export function release({ body }: Reply): void {
  if (body === null || typeof body === "string" || body instanceof Uint8Array) return
  if (body instanceof ByteStream) body.cancel()
  else body.close()
}
