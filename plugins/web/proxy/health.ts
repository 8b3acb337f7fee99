import type { Logger, Upstream } from "edge"
import type { Member } from "./member.ts"

export interface HealthRules {
  readonly maxFails: number
  readonly failMs: number
}

/**
 * Which upstreams get requests. An upstream rests after `maxFails` failed requests within `failMs`, for that long; one
 * that the prober found down waits until it is found up. When all rest, all are tried: a wrong guess must not be an outage.
 */
export class Health {
  #members: readonly Member[]
  #rules: HealthRules
  #log: Logger
  #byUpstream: ReadonlyMap<Upstream, Member>
  /** Who gets requests now; made anew only when that changes. */
  #open: readonly Upstream[] = []
  /** When the first of the resting ones may be tried again. */
  #nextMs = 0

  constructor(members: readonly Member[], { rules, log }: { rules: HealthRules; log: Logger }) {
    this.#members = members
    this.#rules = rules
    this.#log = log
    this.#byUpstream = new Map(members.map(member => [member.upstream, member]))
    this.#refresh(0)
  }

  /** Empty when every one was found down. */
  get open(): readonly Upstream[] {
    if (this.#nextMs !== Infinity && performance.now() >= this.#nextMs) this.#refresh(performance.now())
    return this.#open
  }

  /** A request failed for the upstream's sake. */
  failed(upstream: Upstream): void {
    const member = this.#byUpstream.get(upstream)
    const { maxFails, failMs } = this.#rules
    if (member === undefined || maxFails === 0) return
    const now = performance.now()
    if (now - member.failsSince > failMs) {
      member.fails = 0
      member.failsSince = now
    }
    if (++member.fails < maxFails || member.restsUntil > now) return
    member.restsUntil = now + failMs
    this.#log.warn("upstream rests", { upstream: upstream.id, fails: member.fails, ms: failMs })
    this.#refresh(now)
  }

  /** It answered: failures count only in a row. */
  answered(upstream: Upstream): void {
    const member = this.#byUpstream.get(upstream)
    if (member === undefined || member.fails === 0) return
    member.fails = 0
    if (member.restsUntil === 0) return
    member.restsUntil = 0
    this.#refresh(performance.now())
  }

  /** What the prober found. */
  found(member: Member, failing: boolean): void {
    if (member.failing === failing) return
    member.failing = failing
    if (failing) this.#log.warn("upstream is down", { upstream: member.upstream.id })
    else {
      member.fails = 0
      member.restsUntil = 0
      this.#log.info("upstream is up", { upstream: member.upstream.id })
    }
    this.#refresh(performance.now())
  }

  #refresh(now: number): void {
    this.#nextMs = Infinity
    for (const member of this.#members) {
      if (member.restsUntil !== 0 && member.restsUntil <= now) {
        member.restsUntil = 0
        member.fails = 0
      }
      if (member.restsUntil !== 0) this.#nextMs = Math.min(this.#nextMs, member.restsUntil)
      member.upstream.down = member.failing || member.restsUntil !== 0
    }
    const up = this.#members.filter(member => !member.upstream.down)
    const trying = up.length > 0 ? up : this.#members.filter(member => !member.failing)
    const first = trying.filter(member => !member.backup)
    this.#open = (first.length > 0 ? first : trying).map(member => member.upstream)
  }
}
