/** A worker's end of the frames: accepts fronts and the supervisor, and gives each request to one handler. */
import type { Handler } from "../http/middleware/chain.ts"
import type { Exchange } from "../http/message/exchange.ts"
import { CANCEL, CREDIT, DATA, DRAIN, ERROR, FrameError, REQUEST, STACK } from "./codec.ts"
import type { Frame } from "./codec.ts"
import { Link, linkHandlers } from "./link.ts"
import type { Hello } from "./link.ts"
import { Serving } from "./serving.ts"

export interface FrameServerOptions {
  /** Listening socket handed on by the supervisor (3), or a path to listen on. */
  readonly fd?: number
  readonly unix?: string
  readonly hello: Pick<Hello, "name" | "concurrency" | "ws">
  readonly handler: Handler
  /** Logs what the handler threw; the client gets a 500. */
  onError(error: unknown, x: Exchange): void
  /** Everything is answered after DRAIN, or after the supervisor is gone: time to exit. */
  onIdle?(why: "drained" | "orphaned"): void
}

/** After DRAIN: how long a front may keep a connection that has nothing under way, in ms. */
const lingerMs = 2000
/** How often to look whether the last answers were taken, in ms. */
const unsentMs = 20

export class FrameServer {
  readonly #options: FrameServerOptions
  readonly #connections = new Set<ServerConnection>()
  readonly #listener: { stop(close?: boolean): void }
  #active = 0
  #supervisors = 0
  #leaving: "drained" | "orphaned" | undefined
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(options: FrameServerOptions) {
    this.#options = options
    const where = options.fd === undefined ? { unix: options.unix! } : ({ fd: options.fd } as unknown as { unix: string })
    this.#listener = Bun.listen<Link>({
      ...where,
      socket: {
        ...linkHandlers,
        open: socket => {
          const connection = new ServerConnection(this)
          const link = (connection.link = socket.data = new Link(socket, connection))
          this.#connections.add(connection)
          link.greet({ role: "worker", pid: process.pid, ...options.hello })
        },
      },
    })
  }

  /** Exchanges under way over all connections. */
  get active(): number {
    return this.#active
  }

  get options(): FrameServerOptions {
    return this.#options
  }

  /** What this process is doing, for STACK: one that can answer is in no loop, so the exchanges are all there is to say. */
  describe(): string {
    const lines = [...this.#connections].flatMap(connection => connection.describe())
    return [`${this.#active} exchange${this.#active === 1 ? "" : "s"}, event loop free`, ...lines].join("\n")
  }

  /** Takes no new connection, finishes what it has, then calls `onIdle`. */
  drain(why: "drained" | "orphaned" = "drained"): void {
    if (this.#leaving !== undefined) return
    this.#leaving = why
    this.#listener.stop(false)
    this.#leave()
  }

  /** Closes everything now. */
  stop(): void {
    this.#listener.stop(true)
    for (const connection of this.#connections) connection.link.close()
  }

  began(): void {
    this.#active++
    for (const connection of this.#connections) connection.link.writer.depth = this.#active
  }

  ended(): void {
    this.#active--
    for (const connection of this.#connections) connection.link.writer.depth = this.#active
    this.#leave()
  }

  greeted(connection: ServerConnection): void {
    if (connection.supervisor) this.#supervisors++
  }

  gone(connection: ServerConnection): void {
    this.#connections.delete(connection)
    if (connection.supervisor && --this.#supervisors === 0 && this.#leaving === undefined) this.drain("orphaned")
    else this.#leave()
  }

  /** A request may have crossed our leaving, so fronts close first, or had nothing to say for a while. */
  #leave(): void {
    clearTimeout(this.#linger)
    if (this.#leaving === undefined || this.#active > 0) return
    const fronts = [...this.#connections].some(connection => !connection.supervisor)
    this.#linger = setTimeout(() => this.#left(), fronts ? lingerMs : 0)
  }

  #left(): void {
    // An answer that a slow front has not taken yet would be cut by our exit.
    const unsent = [...this.#connections].some(connection => connection.link.writer.pending > 0)
    if (unsent) this.#linger = setTimeout(() => this.#left(), unsentMs)
    else this.#options.onIdle?.(this.#leaving!)
  }
}

/** One front (or the supervisor), as the worker sees it. */
export class ServerConnection {
  readonly server: FrameServer
  link!: Link
  supervisor = false
  readonly #serving = new Map<number, Serving>()

  constructor(server: FrameServer) {
    this.server = server
  }

  hello(hello: Hello): void {
    this.supervisor = hello.role === "supervisor"
    this.server.greeted(this)
  }

  pong(): void {}

  describe(): string[] {
    return Array.from(this.#serving.values(), serving => serving.describe())
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case REQUEST:
        return this.#request(frame)
      case DATA:
        return this.#serving.get(frame.id)?.data(frame)
      case CANCEL:
        return this.#serving.get(frame.id)?.cancel()
      case CREDIT:
        return this.#serving.get(frame.id)?.grant(frame.head)
      case ERROR:
        return this.#serving.get(frame.id)?.cancel()
      case STACK:
        this.#onlySupervisor()
        this.link.writer.frame(STACK, { payload: Buffer.from(this.server.describe()) })
        return
      case DRAIN:
        this.#onlySupervisor()
        return this.server.drain()
      default:
        throw new FrameError(`a front does not send frame type ${frame.type}`)
    }
  }

  closed(): void {
    for (const serving of this.#serving.values()) serving.lost()
    this.server.gone(this)
  }

  #onlySupervisor(): void {
    if (!this.supervisor) throw new FrameError("only the supervisor may ask that")
  }

  #request(frame: Frame): void {
    const { id } = frame
    if (this.#serving.has(id)) throw new FrameError(`id ${id} is taken`)
    const serving = new Serving(this.link, frame, {
      onError: this.server.options.onError,
      ended: () => {
        this.#serving.delete(id)
        this.server.ended()
      },
    })
    this.#serving.set(id, serving)
    this.server.began()
    serving.run(this.server.options.handler)
  }
}
