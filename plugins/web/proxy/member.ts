import type { HttpUpstream } from "edge"

/** One upstream of a proxy, with what is known of its health. */
export interface Member {
  readonly upstream: HttpUpstream
  readonly weight: number
  readonly backup: boolean
  /** The questions of `health.path` go unanswered. */
  failing: boolean
  /** Milliseconds (performance.now) until which it gets nothing, because requests failed; 0: it gets some. */
  restsUntil: number
  /** Failed requests since `failsSince`. */
  fails: number
  failsSince: number
}

export function toMember(upstream: HttpUpstream, of: { weight: number; backup: boolean }): Member {
  return { upstream, weight: of.weight, backup: of.backup, failing: false, restsUntil: 0, fails: 0, failsSince: 0 }
}
