import { ResponseHeadReader } from "../codec/response-head.ts"
import { type ProxyVersion, writeProxyHeader } from "../codec/proxy-protocol.ts"
import type { Exchange } from "../message/exchange.ts"
import type { Reply } from "../message/reply.ts"
import { Call } from "./call.ts"
import type { CallHost, CallLimits } from "./call-host.ts"
import { Connector, type UpstreamTls } from "./connect.ts"
import { UpstreamConnection } from "./connection.ts"
import type { UpstreamError } from "./error.ts"
import { defaultHead, RequestHead, type HeadRules } from "./request-head.ts"
import type { UpstreamTarget } from "./target.ts"

export interface HttpUpstreamOptions {
  readonly target: UpstreamTarget
  readonly weight?: number
  readonly limits?: Partial<CallLimits>
  readonly head?: Partial<HeadRules>
  readonly tls?: UpstreamTls
  /** Each request on a connection of its own, which begins with a PROXY header that names the client. */
  readonly proxyProtocol?: ProxyVersion
  /**
   * Default true: a safe request whose kept connection ends is sent again on a fresh one. False: only when it cannot have
   * been begun, so that one that kills the upstream's process does not kill two.
   */
  readonly repeats?: boolean
  /** Connections kept while idle; default 64. */
  readonly keepIdle?: number
  /** How long one is kept; default 30 s. What the upstream says by `Keep-Alive: timeout` goes before it. */
  readonly keepIdleMs?: number
  /** Connections that may be in the making at once; default 1024. */
  readonly maxConnecting?: number
  /** An answer broke off after its head was passed on; errors before that are thrown by `send`. */
  onBrokenAnswer?(error: UpstreamError): void
}

const defaults: CallLimits = { connectMs: 5000, headMs: 30_000, readMs: 300_000, tunnelMs: Infinity, holdBytes: 65_536, headBytes: 65_536, headFields: 256 }

/** A server that speaks HTTP/1.1, over TCP, TLS or a unix socket, and the connections kept to it. */
export class HttpUpstream implements CallHost {
  readonly id: string
  /** Changed by whoever lets it start slowly. */
  weight: number
  readonly repeats: boolean
  readonly limits: CallLimits
  readonly head: RequestHead
  readonly heads: ResponseHeadReader
  /** Exchanges on it now, tunnels too. */
  active = 0
  saysContinue = true
  /** Set by whoever watches its health. */
  down = false
  #options: HttpUpstreamOptions
  /** Last in, first out: the one used last is the least likely to have been closed, and the others can go. */
  #idle: UpstreamConnection[] = []
  #connector: Connector
  #keepIdle: number
  #keepIdleMs: number
  #closed = false

  constructor(options: HttpUpstreamOptions) {
    this.#options = options
    this.id = options.target.id
    this.weight = options.weight ?? 1
    this.repeats = options.repeats ?? true
    this.limits = { ...defaults, ...options.limits }
    this.head = new RequestHead(options.target, { ...defaultHead, ...options.head })
    this.heads = new ResponseHeadReader(this.limits, options.head?.via)
    this.#connector = new Connector(options.target, { tls: options.tls ?? {}, most: options.maxConnecting ?? 1024 })
    // One connection speaks for one client.
    this.#keepIdle = options.proxyProtocol === undefined ? (options.keepIdle ?? 64) : 0
    if (options.proxyProtocol !== undefined && options.target.secure) throw new Error("the PROXY protocol is for http upstreams: its header would have to come before TLS")
    this.#keepIdleMs = options.keepIdleMs ?? 30_000
  }

  /**
   * Rejects with UpstreamError when the upstream fails, with HttpError when the request or the client does. `over` is
   * called once, when nothing of the exchange is left here: its body sent on or given up, its tunnel closed.
   */
  readonly send = (x: Exchange, over?: () => void): Promise<Reply> => {
    this.active++
    return new Promise((resolve, reject) => new Call(this, { x, resolve, reject, over }).start())
  }

  get target(): UpstreamTarget {
    return this.#options.target
  }

  /** Connections kept now. */
  get idle(): number {
    return this.#idle.length
  }

  /** Closes what is idle and keeps nothing any more; calls that run end as they would. */
  close(): void {
    this.#closed = true
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  // For its calls ---------------------------------------------------------------------------------------------------

  acquire(fresh: boolean): UpstreamConnection {
    const kept = fresh ? undefined : this.#idle.pop()
    if (kept !== undefined) {
      kept.uses++
      return kept
    }
    return new UpstreamConnection(this.#forget)
  }

  preface(x: Exchange): Buffer | null {
    const { proxyProtocol, target } = this.#options
    if (proxyProtocol === undefined) return null
    const { ip, conn } = x
    const from = ip === "unix" ? null : { address: ip, port: ip === conn.peer ? conn.peerPort : 0 }
    return writeProxyHeader(proxyProtocol, { from, to: { address: target.hostname, port: target.port } })
  }

  connect(connection: UpstreamConnection): void {
    this.#connector.connect(connection)
  }

  release(connection: UpstreamConnection): void {
    // A second less than the upstream allows: it must not close while our next request is on its way.
    const idleMs = Math.min(this.#keepIdleMs, connection.idleMs - 1000)
    if (this.#closed || this.#idle.length >= this.#keepIdle || idleMs <= 0) {
      connection.close()
      return
    }
    connection.limit(idleMs)
    this.#idle.push(connection)
  }

  ended(): void {
    this.active--
  }

  brokeOff(error: UpstreamError): void {
    this.#options.onBrokenAnswer?.(error)
  }

  readonly #forget = (connection: UpstreamConnection): void => {
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
  }
}
