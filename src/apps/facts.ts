/** What an app is told beside the standard Request: `info` of fetch, `c.env` of Hono, `server` of Bun's own handlers. */
import type { Server } from "bun"
import type { Exchange } from "../http/message/exchange.ts"
import type { RequestFacts } from "../contract/framework.ts"

type SocketAddress = { address: string; port: number; family: "IPv4" | "IPv6" }

/**
 * What of Bun's Server makes sense behind edge, so that apps written for Bun.serve run unchanged: `server.upgrade`,
 * `publish` and `requestIP` work, ports and reloading are edge's.
 */
export class AppServer {
  readonly #server: Server<unknown> | undefined
  readonly #addresses = new WeakMap<Request, SocketAddress>()
  readonly development = false

  /** `server`: the private one that speaks WebSocket for the app, when it has handlers for it. */
  constructor(server?: Server<unknown>) {
    this.#server = server
  }

  /** Remembers whose request it is; only requests that ask need it, so facts do it late. */
  know(request: Request, address: SocketAddress): void {
    this.#addresses.set(request, address)
  }

  requestIP(request: Request): SocketAddress | null {
    return this.#addresses.get(request) ?? null
  }

  /** False for a request that asks for no WebSocket, or when the app exports no websocket handlers. */
  upgrade(request: Request, options?: { headers?: HeadersInit; data?: unknown }): boolean {
    if (this.#server === undefined || request.headers.get("upgrade") === null) return false
    return this.#server.upgrade(request, options as never)
  }

  publish(topic: string, data: string | Bun.BufferSource, compress?: boolean): number {
    return this.#server?.publish(topic, data, compress) ?? 0
  }

  subscriberCount(topic: string): number {
    return this.#server?.subscriberCount(topic) ?? 0
  }

  get pendingWebSockets(): number {
    return this.#server?.pendingWebSockets ?? 0
  }

  /** Deadlines of requests are the config's. */
  timeout(_request: Request, _seconds: number): void {}
}

export interface FactsOptions {
  readonly server: AppServer
  readonly request: Request
  /** Takes the promises of waitUntil. */
  later(promise: Promise<unknown>): void
}

export class Facts implements RequestFacts {
  readonly ip: string
  readonly scheme: "http" | "https"
  readonly prefix: string
  readonly #port: number
  readonly #options: FactsOptions

  constructor(x: Pick<Exchange, "ip" | "scheme" | "prefix"> & { conn: { peerPort: number } }, options: FactsOptions) {
    this.ip = x.ip
    this.scheme = x.scheme
    this.prefix = x.prefix
    this.#port = x.conn.peerPort
    this.#options = options
  }

  get server(): AppServer {
    const { server, request } = this.#options
    server.know(request, this.#address())
    return server
  }

  waitUntil(promise: Promise<unknown>): void {
    this.#options.later(promise)
  }

  passThroughOnException(): void {}

  // As Bun.serve gives its server as the second argument of fetch.

  requestIP(_request: Request): SocketAddress {
    return this.#address()
  }

  upgrade(request: Request, options?: { headers?: HeadersInit; data?: unknown }): boolean {
    return this.#options.server.upgrade(request, options)
  }

  publish(topic: string, data: string | Bun.BufferSource, compress?: boolean): number {
    return this.#options.server.publish(topic, data, compress)
  }

  timeout(_request: Request, _seconds: number): void {}

  #address(): SocketAddress {
    return { address: this.ip, port: this.#port, family: this.ip.includes(":") ? "IPv6" : "IPv4" }
  }
}
