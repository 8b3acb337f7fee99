/**
 * An open WebSocket between a client and a worker: WebSocket frames on one side, MESSAGE frames on the other
 * (docs/worker-protocol.md, "WebSockets in frames"). Neither side is read faster than the other takes.
 */
import { clock } from "../system/clock.ts"
import type { Timed } from "../system/clock.ts"
import type { ByteDuplex, ByteSink } from "../http/message/stream.ts"
import { closeFrame, closePayload, serverFrame } from "../websocket/frame.ts"
import { BINARY, CLOSE, PING, PONG, TEXT, WebSocketError, WebSocketReader } from "../websocket/reader.ts"
import type { ReaderEvents } from "../websocket/reader.ts"
import { CREDIT, DATA, FrameError, MESSAGE } from "./codec.ts"
import { startCredit } from "./flow.ts"
import type { BodyLink } from "./flow.ts"

export interface SocketLimits {
  /** Largest message of a client in bytes; past it 1009. */
  readonly messageBytes: number
  /** A client that was silent so long is pinged, and given up after as long again. 0: never. */
  readonly pingMs: number
}

export const defaultSocketLimits: SocketLimits = { messageBytes: 16 << 20, pingMs: 30_000 }

export interface SessionOptions {
  readonly id: number
  readonly link: BodyLink
  readonly limits: SocketLimits | undefined
  /** Called once, when both sides ended it or the worker is gone. */
  ended(): void
}

/** On the first byte of a MESSAGE: the message goes on in the next one. */
const MORE = 0x80
/** Largest part of a message in one MESSAGE. */
const partBytes = 65_535
const creditStep = 65_536
/** How long a client may take to answer our close, in ms. */
const closeMs = 5000
const noBytes = Buffer.alloc(0)

/** Bytes for the worker that have no credit yet. */
interface Part {
  readonly kind: number
  bytes: Buffer
  readonly more: boolean
}

export class SocketSession implements ByteSink, ReaderEvents, Timed {
  readonly #duplex: ByteDuplex | null
  readonly #link: BodyLink
  readonly #id: number
  readonly #limits: SocketLimits
  readonly #ended: () => void
  readonly #reader: WebSocketReader
  // To the worker
  #parts: Part[] = []
  #credit = startCredit
  #paused = false
  /** We sent END, the worker sent END. */
  #weEnded = false
  #workerEnded = false
  #over = false
  // To the client
  #goesOn = false
  #window = startCredit
  #eaten = 0
  #blocked = false
  /** The last ping that came while the client took no bytes: only that one is answered (RFC 6455, 5.5.3). */
  #pong: Buffer | undefined
  /** Our close is sent, and the client's has come or the client is gone. */
  #closeSent = false
  #clientGone = false
  /** Silent since our ping. */
  #pinged = false
  deadline = Infinity
  dueTick = -1

  /** `duplex`: the client, or null when it is gone already. */
  constructor(duplex: ByteDuplex | null, options: SessionOptions) {
    this.#duplex = duplex
    this.#link = options.link
    this.#id = options.id
    this.#limits = options.limits ?? defaultSocketLimits
    this.#ended = options.ended
    this.#reader = new WebSocketReader(this, { most: this.#limits.messageBytes })
    if (duplex === null) this.#gone()
    else this.#start(duplex)
  }

  #start(duplex: ByteDuplex): void {
    duplex.onDrain(() => this.#drained())
    duplex.onClose(() => this.#gone())
    duplex.onServerClosing?.(() => this.#close(1012, "the server restarts"))
    this.#listen()
    duplex.incoming.pipe(this)
  }

  // From the client -------------------------------------------------------------------------------------------------------

  data(chunk: Uint8Array): void {
    if (this.#clientGone) return
    this.#pinged = false
    try {
      this.#reader.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    } catch (error) {
      if (!(error instanceof WebSocketError)) throw error
      return this.#broken(error)
    }
    if (!this.#closeSent) this.#listen()
  }

  end(): void {
    this.#gone()
  }

  fail(): void {
    this.#gone()
  }

  part(kind: typeof TEXT | typeof BINARY, bytes: Buffer, more: boolean): void {
    // What comes after our close is not for the app any more.
    if (!this.#closeSent) this.#push({ kind, bytes, more })
  }

  ping(payload: Buffer): void {
    if (this.#closeSent) return
    if (this.#blocked) this.#pong = payload
    else this.#write(128 | PONG, payload)
  }

  pong(): void {}

  /** Answered at once; the app hears of it after the messages before it. */
  close(code: number, reason: Buffer): void {
    this.#clientGone = true
    if (!this.#closeSent) {
      this.#closeSent = true
      this.#send(closeFrame(code))
      this.#push({ kind: CLOSE, bytes: closePayload(code, reason), more: false })
    }
    this.#duplex!.end()
    this.#expect(closeMs)
  }

  /** It broke a rule: what else it sends is not read (RFC 6455, 7.1.7). */
  #broken(error: WebSocketError): void {
    this.#close(error.code, error.message)
    this.#clientGone = true
    this.#duplex!.end()
  }

  /** Without a close: 1006. */
  #gone(): void {
    this.deadline = Infinity
    clock.forget(this)
    if (!this.#clientGone) this.#endToWorker()
    this.#clientGone = this.#closeSent = true
    this.#duplex?.destroy()
  }

  // To the worker ---------------------------------------------------------------------------------------------------------

  #push(part: Part): void {
    if (this.#weEnded) return
    this.#parts.push(part)
    this.#pump()
  }

  grant(bytes: number): void {
    this.#credit += bytes
    if (this.#credit > 0x7fffffff) throw new FrameError("credit overflows")
    this.#pump()
  }

  /** The link takes bytes again. */
  unblock(): void {
    this.#pump()
  }

  #pump(): void {
    const { writer } = this.#link
    let waits = false
    while (this.#parts.length > 0 && !this.#weEnded) {
      const part = this.#parts[0]!
      // The kind's byte spends credit too.
      waits = writer.congested || this.#credit < Math.min(2, part.bytes.length + 1)
      if (waits) break
      const n = Math.min(this.#credit - 1, partBytes, part.bytes.length)
      const rest = n < part.bytes.length
      const payload = Buffer.allocUnsafe(n + 1)
      payload[0] = part.kind | (part.more || rest ? MORE : 0)
      payload.set(part.bytes.subarray(0, n), 1)
      this.#credit -= n + 1
      writer.frame(MESSAGE, { id: this.#id, payload })
      if (rest) part.bytes = part.bytes.subarray(n)
      else this.#parts.shift()
      if (part.kind === CLOSE) this.#endToWorker()
    }
    if (waits && writer.congested) this.#link.whenDrained(this)
    this.#pause(waits)
  }

  #pause(on: boolean): void {
    // After our close nothing of the client is kept, and its own close must be seen.
    if (this.#paused === on || this.#duplex === null || (on && this.#closeSent)) return
    this.#paused = on
    if (on) {
      // Not read, so not heard: its silence says nothing.
      this.deadline = Infinity
      this.#duplex.incoming.pause()
    } else {
      if (!this.#closeSent) this.#listen()
      this.#duplex.incoming.resume()
    }
  }

  #endToWorker(): void {
    if (this.#weEnded) return
    this.#weEnded = true
    this.#parts = []
    this.#link.writer.frame(DATA, { id: this.#id, end: true })
    this.#finish()
  }

  // From the worker -------------------------------------------------------------------------------------------------------

  /** The payload of a MESSAGE. */
  message(payload: Buffer): void {
    this.#window -= payload.length
    if (payload.length === 0 || this.#window < 0) throw new FrameError("a MESSAGE without kind, or more than the credit")
    if (this.#workerEnded) throw new FrameError("MESSAGE after END")
    const kind = payload[0]! & ~MORE
    const data = payload.subarray(1)
    if (kind === CLOSE) this.#closedByWorker(data)
    else if (kind !== TEXT && kind !== BINARY) throw new FrameError(`MESSAGE of kind ${kind}`)
    else if (!this.#closeSent) {
      const more = payload[0]! >= MORE
      this.#write((more ? 0 : 128) | (this.#goesOn ? 0 : kind), data)
      this.#goesOn = more
    }
    this.#eaten += payload.length
    this.#giveCredit()
  }

  #giveCredit(): void {
    if (this.#eaten < creditStep || this.#blocked || this.#workerEnded) return
    this.#link.writer.frame(CREDIT, { id: this.#id, head: this.#eaten })
    this.#window += this.#eaten
    this.#eaten = 0
  }

  #closedByWorker(data: Buffer): void {
    this.#endToWorker()
    this.#close(data.length >= 2 ? data.readUInt16BE(0) : 1005, data.subarray(2))
  }

  /** It sent END, or failed. */
  workerEnded(): void {
    this.#workerEnded = true
    this.#endToWorker()
    this.#close(1011)
    this.#finish()
  }

  /** Its connection is gone; `leaving`: it was going to be replaced. */
  lost(leaving: boolean): void {
    this.#workerEnded = this.#weEnded = true
    this.#close(leaving ? 1012 : 1011)
    this.#finish()
  }

  // To the client ---------------------------------------------------------------------------------------------------------

  /** Closes it from our side: for the worker, for a broken rule of the client, or because we leave. */
  #close(code: number, reason: Uint8Array | string = ""): void {
    if (this.#closeSent) return
    this.#closeSent = true
    this.#send(closeFrame(code, reason))
    this.#push({ kind: CLOSE, bytes: closePayload(code, reason), more: false })
    this.#expect(closeMs)
    this.#pause(false)
  }

  #write(first: number, payload: Uint8Array): void {
    this.#send(serverFrame(first, payload))
  }

  #send(frame: Buffer): void {
    if (this.#duplex !== null && !this.#duplex.write(frame)) this.#blocked = true
  }

  #drained(): void {
    this.#blocked = false
    const pong = this.#pong
    this.#pong = undefined
    if (pong !== undefined) this.ping(pong)
    this.#giveCredit()
  }

  // Time ------------------------------------------------------------------------------------------------------------------

  #listen(): void {
    const { pingMs } = this.#limits
    if (pingMs > 0) this.#expect(pingMs)
  }

  #expect(ms: number): void {
    this.deadline = performance.now() + ms
    if (this.dueTick < 0 || ms === closeMs) clock.watch(this)
  }

  onDeadline(): void {
    if (this.#closeSent || this.#pinged) return this.#gone()
    this.#pinged = true
    // Where it takes nothing, the listener's limit on slow clients holds.
    if (!this.#blocked) this.#write(128 | PING, noBytes)
    this.deadline = performance.now() + this.#limits.pingMs
  }

  #finish(): void {
    if (this.#over || !this.#weEnded || !this.#workerEnded) return
    this.#over = true
    this.#ended()
  }
}
