import type { Http2Upstream, HttpUpstream } from "edge"

export type Server = HttpUpstream | Http2Upstream

/** One upstream of a proxy, with what is known of its health. */
export interface Endpoint {
  readonly upstream: Server
  /** As the config says; the upstream's own may be less while it starts slowly. */
  weight: number
  readonly backup: boolean
  /** Requests at once, in each front; 0: any number. */
  readonly most: number
  /** It gets nothing new: somebody wants to take it off. */
  draining: boolean
  /** The questions of `health.path` go unanswered. */
  failing: boolean
  /** Milliseconds (performance.now) until which it gets nothing, because requests failed; 0: it gets some. */
  restsUntil: number
  /** Failed requests since `failsSince`. */
  fails: number
  failsSince: number
  /** When it came up after it was down or new; 0: it was there from the start. */
  upSince: number
  /** Since the front began. */
  requests: number
  failures: number
}

export interface ServerRules {
  readonly weight: number
  readonly backup: boolean
  readonly most: number
}

export function toEndpoint(upstream: Server, { weight, backup, most }: ServerRules): Endpoint {
  return {
    upstream,
    weight,
    backup,
    most,
    draining: false,
    failing: false,
    restsUntil: 0,
    fails: 0,
    failsSince: 0,
    upSince: 0,
    requests: 0,
    failures: 0,
  }
}
