/** A front's (or the supervisor's) connection to one worker: many exchanges at once over one stream of frames. */
import type { Exchange } from "../http/message/exchange.ts"
import type { Reply } from "../http/message/reply.ts"
import { CREDIT, DATA, DRAIN, EARLY, ERROR, FrameError, MESSAGE, PING, RESPONSE, STACK, textOf } from "./codec.ts"
import type { Frame } from "./codec.ts"
import { Call, WorkerLost } from "./call.ts"
import { Link, linkHandlers } from "./link.ts"
import type { Hello, LinkOwner } from "./link.ts"
import { SocketCall } from "./socket-call.ts"
import type { SocketLimits } from "./socket-session.ts"

export interface FrameClientOptions {
  /** Unix socket of the worker. */
  readonly path: string
  /** Who we are, for the worker's log. */
  readonly name: string
  readonly role?: "front" | "supervisor"
  readonly id?: string
  readonly weight?: number
  /** From the moment the worker has all of a request until the head of its answer, in ms: then 504 and CANCEL. 0 or absent: none. */
  readonly timeoutMs?: number
  /** Until the worker's HELLO, in ms. */
  readonly helloMs?: number
  /** For WebSockets; see SocketLimits for what holds without. */
  readonly sockets?: SocketLimits
  /** The connection is gone without `close`. */
  onLost?(error: Error): void
  /** An exchange passed its deadline, with its client or without; the worker may be stuck. */
  onTimeout?(x: Exchange): void
}

/** How often deadlines are looked at, in ms: the grain of a 504. */
const sweepMs = 100

/** Speaks frames to one worker; an Upstream. */
export class FrameClient {
  readonly id: string
  readonly weight: number
  readonly #options: FrameClientOptions
  readonly #calls = new Map<number, Call | SocketCall>()
  #link: Link | undefined
  #hello: Hello | undefined
  #lastId = 0
  #depth = 0
  #down = true
  #retiring = false
  #sweep: ReturnType<typeof setInterval> | undefined
  #pings: { sent: number; resolve(ms: number): void; reject(error: Error): void }[] = []
  #stacks: { resolve(text: string): void; reject(error: Error): void }[] = []
  #ready = Promise.withResolvers<void>()

  private constructor(options: FrameClientOptions) {
    this.#options = options
    this.id = options.id ?? options.path
    this.weight = options.weight ?? 1
  }

  /** Resolves once the worker said HELLO. */
  static async connect(options: FrameClientOptions): Promise<FrameClient> {
    const client = new FrameClient(options)
    // A failed connect also rejects Bun.connect, which is what is awaited then.
    client.#ready.promise.catch(() => {})
    const timer = setTimeout(() => client.#lost(new Error("the worker does not say HELLO")), options.helloMs ?? 30_000)
    try {
      await Bun.connect<Link>({
        unix: options.path,
        socket: {
          ...linkHandlers,
          open: socket => {
            client.#link = socket.data = new Link(socket, client.#owner())
            client.#link.greet({ role: options.role ?? "front", name: options.name, pid: process.pid })
          },
          connectError: (_socket, error) => client.#ready.reject(error),
        },
      })
      await client.#ready.promise
    } finally {
      clearTimeout(timer)
    }
    return client
  }

  /** What the worker said of itself. */
  get hello(): Hello {
    return this.#hello!
  }

  /** Exchanges that the worker has not ended yet. */
  get active(): number {
    return this.#calls.size
  }

  /** What is under way. */
  get exchanges(): readonly Exchange[] {
    return Array.from(this.#calls.values(), ({ x }) => x)
  }

  /** Exchanges of the worker over all fronts, as its last frame said. */
  get depth(): number {
    return this.#depth
  }

  get down(): boolean {
    return this.#down || this.#retiring
  }

  /** The connection is gone. */
  get gone(): boolean {
    return this.#down
  }

  /**
   * Sends the exchange; resolves with the head of the answer. Rejects with WorkerLost when the worker is gone before,
   * HttpError 502 when it could not answer, 504 past the deadline. `done` is called once when the worker has ended the
   * exchange (which is later than the answer to a cancelled one) or is gone: its slot is free then.
   */
  send(x: Exchange, done?: () => void): Promise<Reply> {
    return this.#call(x, { done, socket: false })
  }

  /**
   * As `send`, for a request that wants to become a WebSocket: resolves with 101 once the worker accepted it and the
   * client was told; `done` is called when the WebSocket is over on both sides.
   */
  socket(x: Exchange, done?: () => void): Promise<Reply> {
    return this.#call(x, { done, socket: true })
  }

  #call(x: Exchange, { done, socket }: { done: (() => void) | undefined; socket: boolean }): Promise<Reply> {
    const link = this.#link!
    if (this.down) {
      done?.()
      return Promise.reject(new WorkerLost("the worker is gone", { sent: false, bodyTaken: 0, before: 0 }))
    }
    const id = this.#nextId()
    const options = {
      id,
      link,
      timeoutMs: this.#timeout(),
      ended: () => {
        this.#calls.delete(id)
        if (this.#retiring && this.#calls.size === 0) this.close()
        done?.()
      },
    }
    const call = socket ? new SocketCall(x, { ...options, limits: this.#options.sockets }) : new Call(x, options)
    this.#calls.set(id, call)
    return call.start()
  }

  /** Takes a request back, as if its client were gone; a worker that has not begun it will not. */
  recall(x: Exchange): void {
    for (const call of this.#calls.values()) if (call.x === x) call.recall()
  }

  /** Sends nothing new and closes once what is under way is over. */
  retire(): void {
    this.#retiring = true
    if (this.#calls.size === 0) this.close()
  }

  /** Closes now; exchanges under way fail. */
  close(): void {
    this.#retiring = true
    this.#link?.close()
  }

  /** Milliseconds until the worker answered. */
  ping(timeoutMs = 5000): Promise<number> {
    const payload = Buffer.from(String(this.#pings.length))
    return this.#ask(timeoutMs, "ping", (resolve, reject) => {
      this.#pings.push({ sent: performance.now(), resolve, reject })
      this.#link!.writer.frame(PING, { payload })
    })
  }

  /** What every thread of the worker is doing. */
  stack(timeoutMs = 5000): Promise<string> {
    return this.#ask(timeoutMs, "stack", (resolve, reject) => {
      this.#stacks.push({ resolve, reject })
      this.#link!.writer.frame(STACK, {})
    })
  }

  /** Tells the worker to finish what it has and exit. */
  drain(): void {
    this.#link!.writer.frame(DRAIN, {})
  }

  #ask<T>(timeoutMs: number, what: string, ask: (resolve: (v: T) => void, reject: (e: Error) => void) => void) {
    return new Promise<T>((resolve, reject) => {
      if (this.#down) return reject(new Error("the worker is gone"))
      const timer = setTimeout(() => reject(new Error(`no answer to ${what} in ${timeoutMs} ms`)), timeoutMs)
      ask(
        value => (clearTimeout(timer), resolve(value)),
        error => (clearTimeout(timer), reject(error)),
      )
    })
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0
    while (this.#lastId === 0 || this.#calls.has(this.#lastId))
    return this.#lastId
  }

  #timeout(): number {
    const { timeoutMs } = this.#options
    if (timeoutMs === undefined || timeoutMs <= 0) return Infinity
    this.#sweep ??= setInterval(() => this.#expire(), Math.min(sweepMs, timeoutMs))
    return timeoutMs
  }

  #expire(): void {
    const now = performance.now()
    for (const call of this.#calls.values()) {
      if (call.expire(now)) this.#options.onTimeout?.(call.x)
    }
    if (this.#calls.size === 0) this.#stopSweep()
  }

  #stopSweep(): void {
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  #owner(): LinkOwner {
    return {
      hello: hello => {
        if (hello.role !== "worker") throw new FrameError("the peer is no worker")
        this.#hello = hello
        this.#down = false
        this.#ready.resolve()
      },
      frame: frame => this.#frame(frame),
      pong: (_payload, depth) => {
        this.#depth = depth
        const ping = this.#pings.shift()
        ping?.resolve(performance.now() - ping.sent)
      },
      closed: error => this.#lost(error),
    }
  }

  #frame(frame: Frame): void {
    this.#depth = frame.depth
    if (frame.type === STACK) {
      this.#stacks.shift()?.resolve(textOf(frame))
      return
    }
    const call = this.#calls.get(frame.id)
    if (call === undefined) return // over: this frame crossed its end
    switch (frame.type) {
      case RESPONSE:
        return call.response(frame)
      case DATA:
        return call.data(frame)
      case CREDIT:
        return call.grant(frame.head)
      case MESSAGE:
        if (!(call instanceof SocketCall)) throw new FrameError("MESSAGE for a request")
        return call.message(frame)
      case EARLY:
        return call.early(frame)
      case ERROR:
        return call.failed(textOf(frame))
      default:
        throw new FrameError(`a worker does not send frame type ${frame.type}`)
    }
  }

  #lost(error: Error | undefined): void {
    const wasUp = !this.#down
    this.#down = true
    this.#stopSweep()
    const why = error ?? new Error("the connection was closed")
    this.#ready.reject(why)
    for (const waiting of [...this.#pings, ...this.#stacks]) waiting.reject(why)
    this.#pings = []
    this.#stacks = []
    let before = 0
    for (const call of this.#calls.values()) call.lost(why, { before: before++, leaving: this.#retiring })
    this.#link?.close()
    if (wasUp && !this.#retiring) this.#options.onLost?.(why)
  }
}
