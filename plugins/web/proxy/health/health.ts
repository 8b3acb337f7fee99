import type { Logger, Upstream } from "edge"
import type { Endpoint } from "../servers/endpoint.ts"

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
  readonly #endpoints = new Map<Upstream, Endpoint>()
  /** Who gets requests now; made anew only when that changes. */
  #open: readonly Upstream[] = []
  /** When to look again: the first of the resting ones may be tried, or the next step of a slow start is due. */
  #nextMs = 0
  /** Some endpoint has a limit of requests at once. */
  #limited = false

  constructor({ rules, log }: { rules: HealthRules; log: Logger }) {
    this.#rules = rules
    this.#log = log
  }

  get endpoints(): readonly Endpoint[] {
    return [...this.#endpoints.values()]
  }

  /** `fresh`: it comes to others that serve already, and starts slowly. */
  add(endpoint: Endpoint, { fresh }: { fresh: boolean }): void {
    this.#endpoints.set(endpoint.upstream, endpoint)
    const now = performance.now()
    if (fresh) endpoint.upSince = now
    this.#refresh(now)
  }

  /** What it has goes on to its end; it gets nothing more. */
  remove(endpoint: Endpoint): void {
    this.#endpoints.delete(endpoint.upstream)
    this.#refresh(performance.now())
  }

  drain(endpoint: Endpoint, draining: boolean): void {
    if (endpoint.draining === draining) return
    endpoint.draining = draining
    const now = performance.now()
    if (!draining) endpoint.upSince = now
    this.#refresh(now)
  }

  weigh(endpoint: Endpoint, weight: number): void {
    endpoint.weight = weight
    this.#refresh(performance.now())
  }

  /** Empty when every one was found down, or is full. */
  get open(): readonly Upstream[] {
    if (this.#nextMs !== Infinity && performance.now() >= this.#nextMs) this.#refresh(performance.now())
    return this.#limited ? this.#open.filter(upstream => !isFull(this.#endpoints.get(upstream)!)) : this.#open
  }

  /** Every endpoint that serves has as many requests as it may. */
  get full(): boolean {
    return this.#limited && this.#open.length > 0
  }

  /** A request failed for the upstream's sake. */
  failed(upstream: Upstream): void {
    const endpoint = this.#endpoints.get(upstream)
    if (endpoint === undefined) return
    endpoint.failures++
    const { maxFails, failMs } = this.#rules
    if (maxFails === 0) return
    const now = performance.now()
    if (now - endpoint.failsSince > failMs) {
      endpoint.fails = 0
      endpoint.failsSince = now
    }
    if (++endpoint.fails < maxFails || endpoint.restsUntil > now) return
    endpoint.restsUntil = now + failMs
    this.#log.warn("upstream rests", { upstream: upstream.id, fails: endpoint.fails, ms: failMs })
    this.#refresh(now)
  }

  /** It answered: failures count only in a row. */
  answered(upstream: Upstream): void {
    const endpoint = this.#endpoints.get(upstream)
    if (endpoint === undefined) return
    endpoint.requests++
    if (endpoint.fails === 0) return
    endpoint.fails = 0
    if (endpoint.restsUntil === 0) return
    endpoint.restsUntil = 0
    this.#refresh(performance.now())
  }

  /** What the prober found. */
  probed(endpoint: Endpoint, failing: boolean): void {
    if (endpoint.failing === failing) return
    endpoint.failing = failing
    const now = performance.now()
    if (failing) this.#log.warn("upstream is down", { upstream: endpoint.upstream.id })
    else {
      endpoint.fails = 0
      endpoint.restsUntil = 0
      endpoint.upSince = now
      this.#log.info("upstream is up", { upstream: endpoint.upstream.id })
    }
    this.#refresh(now)
  }

  #refresh(now: number): void {
    this.#nextMs = Infinity
    const serving = this.endpoints.filter(endpoint => !endpoint.draining)
    for (const endpoint of serving) {
      if (endpoint.restsUntil !== 0 && endpoint.restsUntil <= now) {
        endpoint.restsUntil = 0
        endpoint.fails = 0
        endpoint.upSince = now
      }
      if (endpoint.restsUntil !== 0) this.#nextMs = Math.min(this.#nextMs, endpoint.restsUntil)
      endpoint.upstream.down = endpoint.failing || endpoint.restsUntil !== 0
      endpoint.upstream.weight = endpoint.weight * this.#share(endpoint, now)
    }
    const up = serving.filter(endpoint => !endpoint.upstream.down)
    const trying = up.length > 0 ? up : serving.filter(endpoint => !endpoint.failing)
    const first = trying.filter(endpoint => !endpoint.backup)
    this.#open = (first.length > 0 ? first : trying).map(endpoint => endpoint.upstream)
    this.#limited = serving.some(endpoint => endpoint.most > 0)
  }

  /** From a step more than nothing up to 1. */
  #share(endpoint: Endpoint, now: number): number {
    const { slowMs } = this.#rules
    if (endpoint.upSince === 0 || slowMs === 0) return 1
    const passed = now - endpoint.upSince
    if (passed >= slowMs) {
      endpoint.upSince = 0
      return 1
    }
    this.#nextMs = Math.min(this.#nextMs, now + slowMs / steps)
    return (Math.floor((passed / slowMs) * steps) + 1) / steps
  }
}

function isFull({ most, upstream }: Endpoint): boolean {
  return most > 0 && upstream.active >= most
}
