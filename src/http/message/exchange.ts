import type { Access } from "../middleware/access.ts"
import type { HeaderList } from "./headers.ts"
import type { ByteDuplex, ByteStream } from "./stream.ts"

/** What is true of a whole connection; one object shared by its exchanges. */
export interface Connection {
  /** Socket address of the peer without port, or "unix". */
  readonly peer: string
  readonly peerPort: number
  /** The address of our listener, as written in the config. */
  readonly local: string
  readonly secure: boolean
  /** The peer is in `trusted_proxies`: its X-Forwarded-* and Forwarded are believed. */
  readonly trusted: boolean
  readonly tls: TlsFacts | undefined
}

export interface TlsFacts {
  readonly sni: string
  readonly alpn: string
  readonly version: string
  readonly clientCert?: unknown
}

/** How an Exchange reaches the protocol that carries it (HTTP/1.1 engine, adapter to Bun.serve, a test). */
export interface Carrier {
  /** Gives the connection away; null where the protocol cannot. The carrier sends nothing itself after that. */
  upgrade(): ByteDuplex | null
  /** Sends an interim answer (1xx, RFC 9110 15.2). Dropped where the protocol cannot carry it. */
  early(status: number, headers: HeaderList): void
  /** Calls `f` when the client is gone before the answer was complete. */
  onAbort(f: () => void): void
}

export interface ExchangeEnd {
  readonly status: number
  /** Bytes of the body that were written to the client. */
  readonly bytesOut: number
  readonly ms: number
  readonly error?: unknown
  /** Of the answer, as the handler made them. */
  readonly headers?: HeaderList | undefined
}

/** Writes the line of one exchange. */
export interface ExchangeLog {
  write(x: Exchange, end: ExchangeEnd): void
}

/** The standard view is made by whoever knows how; set once by bridge.ts, to keep this file free of it. */
let makeRequest: (x: Exchange) => Request = () => {
  throw new Error("the Request bridge is not loaded")
}
export function setRequestBridge(make: (x: Exchange) => Request): void {
  makeRequest = make
}
/** Names the client (RFC 7239, X-Forwarded-For) for a trusted connection; set once by the listener's trust rules. */
export type ForwardedRules = { ip(x: Exchange): string; scheme(x: Exchange): "http" | "https" | undefined }
let forwarded: ForwardedRules | undefined
export function setForwardedRules(rules: ForwardedRules): void {
  forwarded = rules
}

/** One request on its way down the road. One class with fixed fields, so that every handler sees one shape. */
export class Exchange {
  readonly method: string
  /** As the client wrote it. */
  readonly target: string
  /** In normal form (path.ts): what routers and files use. */
  readonly path: string
  /** What follows "?", raw, without the "?"; "" when there is none. */
  readonly query: string
  /** Lower case, without port; "" only for HTTP/1.0 without Host. */
  readonly host: string
  readonly headers: HeaderList
  readonly httpVersion: "1.0" | "1.1" | "2" | "3"
  readonly conn: Connection
  readonly carrier: Carrier
  /** Null when the request has none. */
  readonly body: ByteStream | null
  /** Milliseconds of the monotonic clock (performance.now) when the head was complete. */
  readonly startMs: number
  /** What `strip` took off the front of the path so far ("" or "/prefix"): SCRIPT_NAME, root_path, X-Forwarded-Prefix. */
  prefix: string
  params: Record<string, string>
  /** Offset in `path` of the "/" before what the route's `*` matched; 0 when the route has none: all of it. */
  restAt: number
  /** Filled by `onEnd`; run by the carrier. Shared with exchanges made by `with`. */
  ends: ((end: ExchangeEnd) => void)[] | null
  #ip: string | undefined
  #scheme: "http" | "https" | undefined
  #request: Request | undefined
  #abort: AbortController | undefined
  #origin: Exchange | undefined
  #bodyLimit: number
  #vars: Map<string, unknown> | undefined
  #upstream: string
  #accessLog: ExchangeLog | null | undefined
  #access: Access | undefined

  constructor(
    method: string,
    target: string,
    path: string,
    query: string,
    host: string,
    headers: HeaderList,
    httpVersion: "1.0" | "1.1" | "2" | "3",
    conn: Connection,
    carrier: Carrier,
    body: ByteStream | null,
    startMs: number,
  ) {
    this.method = method
    this.target = target
    this.path = path
    this.query = query
    this.host = host
    this.headers = headers
    this.httpVersion = httpVersion
    this.conn = conn
    this.carrier = carrier
    this.body = body
    this.startMs = startMs
    this.prefix = ""
    this.params = noParams
    this.restAt = 0
    this.ends = null
    this.#ip = undefined
    this.#scheme = undefined
    this.#request = undefined
    this.#abort = undefined
    this.#origin = undefined
    this.#bodyLimit = -1
    this.#vars = undefined
    this.#upstream = ""
    this.#accessLog = undefined
    this.#access = undefined
  }

  /** What parts tell each other and the log about the request; one for an exchange and those made from it by `with`. */
  get vars(): Map<string, unknown> | undefined {
    return this.#origin === undefined ? this.#vars : this.#origin.#vars
  }
  set vars(vars: Map<string, unknown> | undefined) {
    if (this.#origin === undefined) this.#vars = vars
    else this.#origin.#vars = vars
  }

  get peer(): string {
    return this.conn.peer
  }

  /** Address of the client: the peer, or what a trusted proxy says. */
  get ip(): string {
    return (this.#ip ??= this.conn.trusted && forwarded !== undefined ? forwarded.ip(this) : this.conn.peer)
  }

  get scheme(): "http" | "https" {
    return (this.#scheme ??=
      (this.conn.trusted ? forwarded?.scheme(this) : undefined) ?? (this.conn.secure ? "https" : "http"))
  }

  get tls(): TlsFacts | undefined {
    return this.conn.tls
  }

  /**
   * Largest body in bytes that may be read, -1 for the listener's; a route may lower or raise it before it reads. One for
   * an exchange and those made from it by `with`, because they share the body.
   */
  get bodyLimit(): number {
    return this.#origin === undefined ? this.#bodyLimit : this.#origin.#bodyLimit
  }
  set bodyLimit(bytes: number) {
    if (this.#origin === undefined) this.#bodyLimit = bytes
    else this.#origin.#bodyLimit = bytes
  }

  /** Who was asked for the answer last, for logs: `http://10.0.0.1:80`; "" when it was made here. */
  get upstream(): string {
    return this.#origin === undefined ? this.#upstream : this.#origin.#upstream
  }
  set upstream(id: string) {
    if (this.#origin === undefined) this.#upstream = id
    else this.#origin.#upstream = id
  }

  /** Where its line goes: undefined to the server's access log, null nowhere. */
  get accessLog(): ExchangeLog | null | undefined {
    return this.#origin === undefined ? this.#accessLog : this.#origin.#accessLog
  }
  set accessLog(log: ExchangeLog | null | undefined) {
    if (this.#origin === undefined) this.#accessLog = log
    else this.#origin.#accessLog = log
  }

  /** What access checks did with the request; undefined while it has met none. One for those made from it by `with`. */
  get access(): Access | undefined {
    return this.#origin === undefined ? this.#access : this.#origin.#access
  }
  set access(access: Access | undefined) {
    if (this.#origin === undefined) this.#access = access
    else this.#origin.#access = access
  }

  /** Aborted when the client is gone. */
  get signal(): AbortSignal {
    if (this.#origin !== undefined) return this.#origin.signal
    if (this.#abort === undefined) {
      const abort = (this.#abort = new AbortController())
      this.carrier.onAbort(() => abort.abort(new DOMException("the client is gone", "AbortError")))
    }
    return this.#abort.signal
  }

  /** The standard view, for apps and authors who prefer it. Shares the body: read one of the two. */
  get request(): Request {
    return (this.#request ??= makeRequest(this))
  }

  /** A changed request for the rest of the road: rewrite, strip, mirror, internal redirect. */
  with(change: {
    method?: string
    target?: string
    path?: string
    query?: string
    headers?: HeaderList
    body?: ByteStream | null
    prefix?: string
  }): Exchange {
    const x = new Exchange(
      change.method ?? this.method,
      change.target ?? this.target,
      change.path ?? this.path,
      change.query ?? this.query,
      this.host,
      change.headers ?? this.headers,
      this.httpVersion,
      this.conn,
      this.carrier,
      change.body === undefined ? this.body : change.body,
      this.startMs,
    )
    x.prefix = change.prefix ?? this.prefix
    x.params = this.params
    x.restAt = change.path === undefined ? this.restAt : 0
    x.#origin = this.#origin ?? this
    x.#ip = this.#ip
    x.#scheme = this.#scheme
    return x
  }

  /** Takes over the connection; null where that cannot be. */
  upgrade(): ByteDuplex | null {
    return this.carrier.upgrade()
  }

  early(status: number, headers: HeaderList): void {
    this.carrier.early(status, headers)
  }

  /** Runs `f` when the answer was written or given up (access log, metrics, cache fill). */
  onEnd(f: (end: ExchangeEnd) => void): void {
    const origin = this.#origin ?? this
    ;(origin.ends ??= []).push(f)
  }
}

const noParams: Record<string, string> = Object.freeze({}) as Record<string, string>
