import type { AppSpec, Exchange, Logger, Reply, WorkerInfo } from "edge"
import { FrameClient, HttpUpstream, parseTarget, SocketRoad, UpstreamError } from "edge"
import { openCgi } from "./cgi-line.ts"
import type { PoolOptions } from "./options.ts"

/** A front's way to one worker. */
export interface WorkerConnection {
  readonly index: number
  readonly serial: number
  /** Nothing can be sent any more. */
  readonly down: boolean
  /** The worker has died, or its connection has. */
  readonly gone: boolean
  /** What is under way on it. */
  readonly exchanges: readonly Exchange[]
  /**
   * How it takes WebSockets: on a road of their own, which needs no slot; by a handshake that holds a slot; or not at
   * all, and then what asks for one is a request like any other.
   */
  readonly sockets: "road" | "slot" | "none"
  /**
   * Resolves with the head of the answer. `over` is called once, when the worker is done with the exchange (later than
   * the answer when its body streams, or when it was cancelled) or is gone.
   */
  send(x: Exchange, over: () => void): Promise<Reply>
  /** Takes a request back that was prefetched; its `over` is called when the worker has let go of it. */
  recall(x: Exchange): void
  /** As `send`, for a request that wants to become a WebSocket; `over` is called when that is closed. */
  socket(x: Exchange, over: () => void): Promise<Reply>
  /** Sends nothing new; closes when what is under way is over. */
  retire(): void
  /** Closes now. */
  close(): void
}

export interface ConnectionOptions {
  readonly app: AppSpec
  readonly worker: WorkerInfo
  readonly front: number
  readonly log: Logger
  lost(connection: WorkerConnection, error: Error): void
  /** A request is past its deadline and was answered 504. */
  stuck(connection: WorkerConnection, x: Exchange): void
}

export async function openConnection(options: ConnectionOptions): Promise<WorkerConnection> {
  const { transport } = options.worker
  if (transport === "frames") return openFrames(options)
  // A CGI-like program sees one request and gives one answer: it has no way to switch protocols.
  return transport === "http" ? new UpstreamConnection(options, openHttp(options), "slot") : new UpstreamConnection(options, openCgi(options), "none")
}

/** How long a worker that is said to answer may take to greet. */
const helloMs = 5000

async function openFrames(options: ConnectionOptions): Promise<WorkerConnection> {
  const { app, worker } = options
  const { websocket } = app.options.gateway as PoolOptions
  let connection: FrameConnection | undefined
  const client = await FrameClient.connect({
    path: worker.address,
    name: `front ${options.front}`,
    role: "front",
    id: `${app.name}/${worker.index}`,
    timeoutMs: app.timeoutMs,
    helloMs,
    sockets: { messageBytes: websocket.max_message, pingMs: websocket.ping },
    onLost: error => connection !== undefined && options.lost(connection, error),
    onTimeout: x => connection !== undefined && options.stuck(connection, x),
  })
  connection = new FrameConnection(client, options)
  return connection
}

/** Many exchanges at once on one connection of frames. */
class FrameConnection implements WorkerConnection {
  readonly index: number
  readonly serial: number
  readonly sockets: WorkerConnection["sockets"]
  readonly #client: FrameClient
  readonly #road: SocketRoad | undefined

  constructor(client: FrameClient, { app, worker }: ConnectionOptions) {
    const { ws, head, messages } = client.hello
    this.index = worker.index
    this.serial = worker.serial
    this.#client = client
    this.#road = ws === undefined ? undefined : new SocketRoad(ws, { timeoutMs: app.timeoutMs, head: head === true })
    this.sockets = ws !== undefined ? "road" : messages === true ? "slot" : "none"
  }

  get down(): boolean {
    return this.#client.down
  }

  get gone(): boolean {
    return this.#client.gone
  }

  get exchanges(): readonly Exchange[] {
    return this.#client.exchanges
  }

  send(x: Exchange, over: () => void): Promise<Reply> {
    return this.#client.send(x, over)
  }

  recall(x: Exchange): void {
    this.#client.recall(x)
  }

  socket(x: Exchange, over: () => void): Promise<Reply> {
    return this.#road === undefined ? this.#client.socket(x, over) : this.#road.send(x, over)
  }

  retire(): void {
    this.#client.retire()
    this.#road?.close()
  }

  close(): void {
    this.#client.close()
    this.#road?.close()
  }
}

function openHttp({ app, worker: { address } }: ConnectionOptions): HttpUpstream {
  return new HttpUpstream({
    target: parseTarget(address.startsWith("/") ? `unix:${address}` : `http://${address}`),
    keepIdle: app.concurrency,
    repeats: false,
    limits: { headMs: app.timeoutMs === 0 ? Infinity : app.timeoutMs },
  })
}

/** A program that speaks HTTP, FastCGI or uwsgi, and the connections kept to it. */
class UpstreamConnection implements WorkerConnection {
  readonly index: number
  readonly serial: number
  readonly sockets: WorkerConnection["sockets"]
  down = false
  readonly gone = false
  readonly #options: ConnectionOptions
  readonly #exchanges = new Set<Exchange>()
  readonly #upstream: { send(x: Exchange, over?: () => void): Promise<Reply>; close(): void }

  constructor(options: ConnectionOptions, upstream: { send(x: Exchange, over?: () => void): Promise<Reply>; close(): void }, sockets: WorkerConnection["sockets"]) {
    const { worker } = options
    this.index = worker.index
    this.serial = worker.serial
    this.#options = options
    this.#upstream = upstream
    this.sockets = sockets
  }

  get exchanges(): readonly Exchange[] {
    return [...this.#exchanges]
  }

  send(x: Exchange, over: () => void): Promise<Reply> {
    this.#exchanges.add(x)
    const ended = (): void => {
      this.#exchanges.delete(x)
      over()
    }
    return this.#upstream.send(x, ended).catch((error: unknown) => this.#failed(error, x))
  }

  /** Nothing is prefetched to such a program: it cannot give back what it has not begun. */
  recall(): void {}

  socket(x: Exchange, over: () => void): Promise<Reply> {
    return this.send(x, over)
  }

  #failed(error: unknown, x: Exchange): never {
    if (error instanceof UpstreamError && error.fault === "head_timeout") this.#options.stuck(this, x)
    // Nothing listens there: without this every retry would meet the same dead worker, as the least busy of all.
    if (error instanceof UpstreamError && error.fault === "connect" && !this.down) {
      this.down = true
      this.#options.lost(this, error)
    }
    throw error
  }

  retire(): void {
    this.down = true
    this.#upstream.close()
  }

  close(): void {
    this.retire()
  }
}
