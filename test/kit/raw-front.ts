/** A front that speaks frames by hand: what a test needs to see and to break the worker protocol. */
import type { Socket } from "bun"

export const HELLO = 1
export const REQUEST = 2
export const RESPONSE = 3
export const DATA = 4
export const CANCEL = 5
export const ERROR = 6
export const CREDIT = 7
export const PING = 8
export const PONG = 9
export const EARLY = 10
export const STACK = 11
export const DRAIN = 12
export const MESSAGE = 13
const END = 1

export interface Seen {
  readonly type: number
  readonly id: number
  readonly head: number
  readonly end: boolean
  readonly depth: number
  readonly payload: Buffer
}

export interface Answer {
  readonly status: number
  readonly reason: string
  /** name, value, ... */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** Length of the body, also when it was not kept. */
  readonly bytes: number
  /** Text of the ERROR frame that ended it. */
  readonly error: string | undefined
  /** Frames in all. */
  readonly frames: number
}

export interface Ask {
  method?: string
  path?: string
  target?: string
  query?: string
  prefix?: string
  scheme?: string
  version?: string
  host?: string
  ip?: string
  port?: string
  length?: string
  headers?: readonly string[]
  body?: Uint8Array | string
  /** False: DATA frames follow. */
  end?: boolean
}

export function frame(type: number, o: { id?: number; head?: number; end?: boolean; payload?: Uint8Array | string } = {}) {
  const payload = Buffer.from(o.payload ?? "")
  const bytes = Buffer.alloc(16 + payload.length)
  bytes.writeUInt32LE(payload.length, 0)
  bytes.writeUInt32LE(o.id ?? 0, 4)
  bytes.writeUInt32LE(o.head ?? 0, 8)
  bytes[12] = type
  bytes[13] = o.end === true ? END : 0
  payload.copy(bytes, 16)
  return bytes
}

export function requestFrame(id: number, ask: Ask = {}): Buffer {
  const body = Buffer.from(ask.body ?? "")
  const path = ask.path ?? "/"
  const query = ask.query ?? ""
  const fields = [
    ask.method ?? "GET",
    ask.target ?? (query === "" ? path : `${path}?${query}`),
    path,
    query,
    ask.prefix ?? "",
    ask.scheme ?? "http",
    ask.version ?? "1.1",
    ask.host ?? "example.com:8080",
    ask.ip ?? "192.0.2.7",
    ask.port ?? "5555",
    "127.0.0.1:8080",
    ask.length ?? (body.length > 0 ? String(body.length) : ""),
    ...(ask.headers ?? []),
  ]
  const head = Buffer.from(fields.join("\0"), "latin1")
  return frame(REQUEST, { id, head: head.length, end: ask.end ?? true, payload: Buffer.concat([head, body]) })
}

export class RawFront {
  /** Credit is granted for what an answer sends, at once; off: a client that does not read. */
  granting = true
  /** Credit that the worker has granted, by id. */
  readonly credit = new Map<number, number>()
  closed = false
  #socket!: Socket
  #rest: Buffer = Buffer.alloc(0)
  #queue: Seen[] = []
  #parts: Buffer[] = []
  #sending = false
  #wake: (() => void) | undefined

  static async connect(path: string, role = "front"): Promise<RawFront> {
    const front = new RawFront()
    await front.#open(path)
    front.send(frame(HELLO, { payload: JSON.stringify({ version: 1, role, name: "test" }) }))
    return front
  }

  /** Without HELLO. */
  static async connectSilently(path: string): Promise<RawFront> {
    const front = new RawFront()
    await front.#open(path)
    return front
  }

  async #open(path: string): Promise<void> {
    const over = () => {
      this.closed = true
      this.#wake?.()
    }
    this.#socket = await Bun.connect({
      unix: path,
      socket: {
        binaryType: "buffer",
        data: (_, chunk) => this.#data(chunk),
        drain: () => this.#pump(),
        end: over,
        close: over,
        error: over,
      },
    })
  }

  send(...frames: Uint8Array[]): void {
    for (const bytes of frames) this.#parts.push(Buffer.from(bytes))
    if (!this.#sending) this.#pump()
  }

  #pump(): void {
    this.#sending = true
    while (this.#parts.length > 0) {
      const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
      const n = this.#socket.write(bytes)
      if (n < 0) return
      this.#parts = n < bytes.length ? [bytes.subarray(n)] : []
      if (n < bytes.length) return
    }
    this.#sending = false
  }

  request(id: number, ask: Ask = {}): void {
    this.send(requestFrame(id, ask))
  }

  /** Sends the request and collects the answer. */
  ask(id: number, ask: Ask = {}): Promise<Answer> {
    this.request(id, ask)
    return this.answer(id)
  }

  #data(chunk: Buffer): void {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    while (bytes.length >= 16 && bytes.length >= 16 + bytes.readUInt32LE(0)) {
      const stop = 16 + bytes.readUInt32LE(0)
      this.#seen({
        type: bytes[12]!,
        id: bytes.readUInt32LE(4),
        head: bytes.readUInt32LE(8),
        end: (bytes[13]! & END) !== 0,
        depth: bytes.readUInt16LE(14),
        payload: bytes.subarray(16, stop),
      })
      bytes = bytes.subarray(stop)
    }
    this.#rest = Buffer.from(bytes)
    this.#wake?.()
  }

  #seen(seen: Seen): void {
    if (seen.type === CREDIT) {
      this.credit.set(seen.id, (this.credit.get(seen.id) ?? 0) + seen.head)
    }
    const bytes = seen.type === RESPONSE ? seen.payload.length - seen.head : seen.type === DATA ? seen.payload.length : 0
    if (this.granting && bytes > 0 && !seen.end) this.send(frame(CREDIT, { id: seen.id, head: bytes }))
    this.#queue.push(seen)
  }

  /** The next frame that fits, in the order received; others stay for later. Undefined when the worker closed. */
  async next(fits: (seen: Seen) => boolean = () => true): Promise<Seen | undefined> {
    for (;;) {
      const at = this.#queue.findIndex(fits)
      if (at >= 0) return this.#queue.splice(at, 1)[0]
      if (this.closed) return undefined
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  /** All of an answer. `keep: false` counts the bytes of its body only. */
  async answer(id: number, keep = true): Promise<Answer> {
    let head: string[] = []
    let error: string | undefined
    let bytes = 0
    let frames = 0
    const body: Buffer[] = []
    for (;;) {
      const seen = await this.next(s => s.id === id && (s.type === RESPONSE || s.type === DATA || s.type === ERROR))
      if (seen === undefined) throw new Error(`the worker closed the connection before it answered ${id}`)
      frames++
      if (seen.type === ERROR) error = seen.payload.toString()
      else {
        if (seen.type === RESPONSE) head = seen.payload.toString("latin1", 0, seen.head).split("\0")
        const piece = seen.type === RESPONSE ? seen.payload.subarray(seen.head) : seen.payload
        bytes += piece.length
        if (keep) body.push(piece)
      }
      if (seen.end) break
    }
    const [status = "0", reason = "", ...headers] = head
    return { status: Number(status), reason, headers, body: Buffer.concat(body), error, frames, bytes }
  }

  /** Waits until the worker has granted `bytes` in all. */
  async granted(id: number, bytes: number): Promise<void> {
    while ((this.credit.get(id) ?? 0) < bytes) {
      if (this.closed) throw new Error("the worker closed the connection")
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  close(): void {
    this.#socket.terminate()
    this.closed = true
  }
}

export function header(answer: Pick<Answer, "headers">, name: string): string | undefined {
  const at = answer.headers.findIndex((have, i) => i % 2 === 0 && have.toLowerCase() === name.toLowerCase())
  return at < 0 ? undefined : answer.headers[at + 1]
}
