/** Layer 1: what listens, and who answers. */
import type { Handler } from "../http/middleware/chain.ts"
import type { Exchange } from "../http/message/exchange.ts"
import type { Reply } from "../http/message/reply.ts"
import type { TlsOptions } from "../http/server/tls.ts"
import type { CertificatePlan } from "./certificates.ts"
import type { DnsProvider } from "./dns.ts"
import type { SharedPage } from "./gateway.ts"

export interface Web {
  readonly bindings: readonly Binding[]
  /** Absolute paths of log files: made for the fronts' user at the start, after a reload and after USR1. */
  readonly logFiles?: readonly string[]
  /** Certificates that edge gets and renews itself. */
  readonly certificates?: CertificatePlan
  /** Who proves names by DNS for them. */
  readonly dns?: DnsProvider
}

/** One address, as in the config ("127.0.0.1:8080", "[::]:80", "unix:run/x.sock"), and what answers there. */
export interface Binding {
  readonly address: string
  readonly handler: Handler
  readonly tls?: TlsOptions
  /** Trusted peers are balancers, and begin each connection with a PROXY header. */
  readonly proxyProtocol?: boolean
  /** What to print when it is listening: "http://example.com:8080/". */
  readonly urls?: readonly string[]
}

export interface Balancer {
  /** Synchronous: the upstream for this exchange, or undefined when none can take it. */
  pick(upstreams: readonly Upstream[], x: Exchange): Upstream | undefined
  /** The upstream that was picked has answered: its answer may be changed, as by a cookie that says who it was. */
  answered?(upstream: Upstream, on: { readonly x: Exchange; readonly reply: Reply }): void
}

/** One place that answers: a server behind the proxy, or a worker. */
export interface Upstream {
  readonly id: string
  readonly send: Handler
  /** Exchanges on it now. */
  readonly active: number
  readonly weight: number
  readonly down: boolean
}

/** A page that the fronts share. */
export interface FrontPage extends SharedPage {
  /** Mapped when first asked for, which is not before `start`. */
  readonly words: Int32Array
  /** Number of this front, unique among living ones, 0 to 63. */
  readonly front: number
}
