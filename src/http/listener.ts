import type { Socket, TCPSocketListener } from "bun"
import type { Handler } from "./chain.ts"
import { ConnectionFacts } from "./connection-facts.ts"
import { setForwardedRules } from "./exchange.ts"
import type { Exchange, ExchangeEnd } from "./exchange.ts"
import { forwardedRules } from "./forwarded.ts"
import { Http1 } from "./http1.ts"
import type { Http1Host } from "./http1.ts"
import type { Limits } from "./limits.ts"
import type { Logger } from "../log/logger.ts"

/** Where to accept (one of `fd`, `unix`, `hostname` and `port`), and what answers there. */
export interface ListenOptions {
  /** A descriptor that listens already. */
  readonly fd?: number
  readonly hostname?: string
  /** 0: any free one. */
  readonly port?: number
  readonly unix?: string
  /** As written in the config. */
  readonly address: string
  readonly handler: Handler
  readonly limits: Limits
  /** The peer may say who its client is. */
  trusted(peer: string): boolean
  onExchangeEnd?(x: Exchange, end: ExchangeEnd): void
  readonly log: Logger
}

export interface HttpListener {
  readonly port: number
  /** Open now. */
  readonly connections: number
  /** Accepted so far. */
  readonly accepted: number
  /** Accepts no more; every answer from now on says `Connection: close`. */
  stop(): void
  /** `stop`, then waits for what is under way; resolves when no connection is left. */
  drain(o: { graceMs: number; tunnelGraceMs: number }): Promise<void>
  closeNow(): void
}

/** Connections that the kernel had accepted may surface this long after `stop`, those in a TLS handshake too. */
const lingerMs = 400
/** A connection without a request so far: its first one is probably on its way. */
const firstRequestMs = 3000

export function listen(o: ListenOptions): HttpListener {
  return new Listener(o)
}

class Listener implements HttpListener, Http1Host {
  readonly handler: Handler
  readonly limits: Limits
  readonly log: Logger
  readonly onExchangeEnd: ((x: Exchange, end: ExchangeEnd) => void) | undefined
  leaving = false
  accepted = 0
  readonly #open = new Set<Http1>()
  readonly #socket: TCPSocketListener<Http1>
  #emptied: (() => void) | undefined

  constructor(o: ListenOptions) {
    // One front has one list of trusted proxies.
    setForwardedRules(forwardedRules(o.trusted))
    this.handler = o.handler
    this.limits = o.limits
    this.log = o.log
    this.onExchangeEnd = o.onExchangeEnd
    const facts = { local: o.address, secure: false, trusted: o.trusted }
    const handlers = {
      open: (socket: Socket<Http1>) => {
        this.accepted++
        socket.data = new Http1(socket, new ConnectionFacts(socket, facts), this)
        this.#open.add(socket.data)
      },
      data: (socket: Socket<Http1>, chunk: Buffer) => socket.data.data(chunk),
      drain: (socket: Socket<Http1>) => socket.data.drain(),
      end: (socket: Socket<Http1>) => socket.data.end(),
      close: (socket: Socket<Http1>) => this.#closed(socket.data),
      // Bun reports what our own handlers throw here, and leaves the socket open.
      error: (socket: Socket<Http1>, error: Error) => {
        this.log.error("a connection failed", { error })
        socket.terminate()
      },
    }
    this.#socket = Bun.listen({ ...place(o), allowHalfOpen: true, socket: handlers } as never)
  }

  get port(): number {
    return this.#socket.port
  }

  get connections(): number {
    return this.#open.size
  }

  stop(): void {
    if (this.leaving) return
    this.leaving = true
    this.#socket.stop(false)
  }

  async drain(o: { graceMs: number; tunnelGraceMs: number }): Promise<void> {
    this.stop()
    const start = performance.now()
    const passed = () => performance.now() - start
    await Bun.sleep(lingerMs)
    for (const connection of this.#open) if (connection.requests > 0) connection.leave()
    const step = async (untilMs: number) => {
      if (this.#open.size > 0 && passed() < untilMs) await Promise.race([this.#empty(), Bun.sleep(untilMs - passed())])
    }
    await step(Math.min(o.graceMs, firstRequestMs))
    for (const connection of this.#open) connection.leave()
    await step(o.graceMs)
    for (const connection of this.#open) if (!connection.long) connection.destroy()
    await step(o.tunnelGraceMs)
    this.closeNow()
  }

  closeNow(): void {
    this.leaving = true
    this.#socket.stop(false)
    for (const connection of this.#open) connection.destroy()
  }

  #closed(connection: Http1): void {
    this.#open.delete(connection)
    connection.gone()
    if (this.#open.size === 0) this.#emptied?.()
  }

  #empty(): Promise<void> {
    return new Promise(resolve => (this.#emptied = resolve))
  }
}

function place(o: ListenOptions): object {
  if (o.fd !== undefined) return { fd: o.fd }
  if (o.unix !== undefined) return { unix: o.unix }
  return { hostname: o.hostname ?? "127.0.0.1", port: o.port ?? 0 }
}
