import type { Logger, Upstream } from "edge"
import type { Member } from "./member.ts"

export interface HealthRules {
  readonly maxFails: number
  readonly failMs: number
  /** How long one that came up gets less than its share; 0: not at all. */
  readonly slowMs: number
}

/** Steps in which a slow start goes up. */
const steps = 20

/**
 * Which upstreams get requests. An upstream rests after `maxFails` failed requests within `failMs`, for that long; one
 * that the prober found down waits until it is found up. When all rest, all are tried: a wrong guess must not be an outage.
 */
export class Health {
  #rules: HealthRules
  #log: Logger
  readonly #members = new Map<Upstream, Member>()
  /** Who gets requests now; made anew only when that changes. */
  #open: readonly Upstream[] = []
  /** When to look again: the first of the resting ones may be tried, or the next step of a slow start is due. */
  #nextMs = 0
  /** Some member has a limit of requests at once. */
  #limited = false

  constructor({ rules, log }: { rules: HealthRules; log: Logger }) {
    this.#rules = rules
    this.#log = log
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  /** `fresh`: it comes to others that serve already, and starts slowly. */
  add(member: Member, { fresh }: { fresh: boolean }): void {
    this.#members.set(member.upstream, member)
    const now = performance.now()
    if (fresh) member.upSince = now
    this.#refresh(now)
  }

  /** What it has goes on to its end; it gets nothing more. */
  remove(member: Member): void {
    this.#members.delete(member.upstream)
    this.#refresh(performance.now())
  }

  drain(member: Member, draining: boolean): void {
    if (member.draining === draining) return
    member.draining = draining
    const now = performance.now()
    if (!draining) member.upSince = now
    this.#refresh(now)
  }

  weigh(member: Member, weight: number): void {
    member.weight = weight
    this.#refresh(performance.now())
  }

  /** Empty when every one was found down, or is full. */
  get open(): readonly Upstream[] {
    if (this.#nextMs !== Infinity && performance.now() >= this.#nextMs) this.#refresh(performance.now())
    return this.#limited ? this.#open.filter(upstream => !isFull(this.#members.get(upstream)!)) : this.#open
  }

  /** Every member that serves has as many requests as it may. */
  get full(): boolean {
    return this.#limited && this.#open.length > 0
  }

  /** A request failed for the upstream's sake. */
  failed(upstream: Upstream): void {
    const member = this.#members.get(upstream)
    if (member === undefined) return
    member.failures++
    const { maxFails, failMs } = this.#rules
    if (maxFails === 0) return
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
    const member = this.#members.get(upstream)
    if (member === undefined) return
    member.requests++
    if (member.fails === 0) return
    member.fails = 0
    if (member.restsUntil === 0) return
    member.restsUntil = 0
    this.#refresh(performance.now())
  }

  /** What the prober found. */
  found(member: Member, failing: boolean): void {
    if (member.failing === failing) return
    member.failing = failing
    const now = performance.now()
    if (failing) this.#log.warn("upstream is down", { upstream: member.upstream.id })
    else {
      member.fails = 0
      member.restsUntil = 0
      member.upSince = now
      this.#log.info("upstream is up", { upstream: member.upstream.id })
    }
    this.#refresh(now)
  }

  #refresh(now: number): void {
    this.#nextMs = Infinity
    const serving = this.members.filter(member => !member.draining)
    for (const member of serving) {
      if (member.restsUntil !== 0 && member.restsUntil <= now) {
        member.restsUntil = 0
        member.fails = 0
        member.upSince = now
      }
      if (member.restsUntil !== 0) this.#nextMs = Math.min(this.#nextMs, member.restsUntil)
      member.upstream.down = member.failing || member.restsUntil !== 0
      member.upstream.weight = member.weight * this.#share(member, now)
    }
    const up = serving.filter(member => !member.upstream.down)
    const trying = up.length > 0 ? up : serving.filter(member => !member.failing)
    const first = trying.filter(member => !member.backup)
    this.#open = (first.length > 0 ? first : trying).map(member => member.upstream)
    this.#limited = serving.some(member => member.most > 0)
  }

  /** From a step more than nothing up to 1. */
  #share(member: Member, now: number): number {
    const { slowMs } = this.#rules
    if (member.upSince === 0 || slowMs === 0) return 1
    const passed = now - member.upSince
    if (passed >= slowMs) {
      member.upSince = 0
      return 1
    }
    this.#nextMs = Math.min(this.#nextMs, now + slowMs / steps)
    return (Math.floor((passed / slowMs) * steps) + 1) / steps
  }
}

function isFull({ most, upstream }: Member): boolean {
  return most > 0 && upstream.active >= most
}
