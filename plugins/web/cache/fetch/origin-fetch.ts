/** One request to the origin, and what becomes of its answer. */
import { type Answer, asReply, type Awaitable, type Exchange, forThisClient, type Handler, HttpError, PASS, type Reply } from "edge"
import { now } from "../clock.ts"
import { detach, finish, ownRequest } from "./origin-request.ts"
import type { CacheEntry } from "../store/entry.ts"
import { Fact } from "../key/request-facts.ts"
import type { FlightResult, SingleFlight } from "./single-flight.ts"
import { storeResponse, flightResultOf } from "../store/store-response.ts"
import { areSendable } from "../store/stored-headers.ts"
import type { ResponseStore } from "../store/response-store.ts"
import { fromOrigin, withStatus } from "../reply/with-status.ts"
import type { CacheContext, Lookup } from "../context.ts"
import type { HitForMiss } from "../policy/hit-for-miss.ts"
import type { OriginResponse } from "../policy/policy.ts"
import { conditionsOf, isError, isHeld, isOfOne, partialOf, toOriginResponse } from "./origin-response.ts"
import { release, respond, unchanged } from "../reply/respond.ts"
import type { Outcome, StatusDetails } from "../reply/cache-status.ts"

/** What is to be asked for, and for whom. */
export interface FetchJob {
  readonly key: string
  /** Stale, and asked about: its conditions stand in the request. */
  readonly entry: CacheEntry | undefined
  /** Those who wait for the answer too. */
  readonly flight: SingleFlight | undefined
  /** As the client asked, for it alone: with its conditions, and over when it is gone. */
  readonly direct?: boolean
}

export interface OriginFetchHost {
  readonly next: Handler
  readonly context: CacheContext
  readonly store: ResponseStore
  readonly hitForMiss: HitForMiss
  settle(job: FetchJob, result: FlightResult): void
}

/** Errors of the origin pass sooner than what it does not want kept. */
const SHORT_MS = 1000

export class OriginFetch {
  readonly #host: OriginFetchHost
  readonly #lookup: Lookup
  readonly #job: FetchJob
  readonly #inner: Exchange
  readonly #requestMs = now()
  /** Access checks that the client had come to before. */
  readonly #met: number

  constructor(host: OriginFetchHost, lookup: Lookup, job: FetchJob) {
    const { entry, direct = false } = job
    this.#host = host
    this.#lookup = lookup
    this.#job = job
    this.#met = lookup.x.access?.met ?? 0
    const whole = entry !== undefined || (lookup.facts & Fact.Range) === 0
    this.#inner = direct ? ownRequest(lookup) : detach(lookup.x, { target: lookup.target, whole, add: entry === undefined ? [] : conditionsOf(entry) })
  }

  start(): Awaitable<Answer> {
    let answer: Awaitable<Answer>
    try {
      answer = this.#host.next(this.#inner)
    } catch (error) {
      return this.#failed(error)
    }
    if (!(answer instanceof Promise)) return this.#got(answer)
    return answer.then(
      got => this.#got(got),
      error => this.#failed(error),
    )
  }

  #got(answer: Answer): Awaitable<Answer> {
    if (answer === PASS) {
      this.#settle({ kind: "each" })
      return PASS
    }
    try {
      const reply = asReply(answer)
      if (!(reply instanceof Promise)) return this.#received(reply)
      return reply.then(
        got => this.#received(got),
        error => this.#failed(error),
      )
    } catch (error) {
      return this.#failed(error)
    }
  }

  #failed(error: unknown): Reply {
    const { x, base } = this.#lookup
    const status = error instanceof HttpError ? error.status : 500
    if (this.#inner !== x) finish(this.#inner, { status, bytesOut: 0, error })
    if (this.#isForOne()) {
      this.#forget()
      this.#settle({ kind: "each" })
      throw error
    }
    const stale = status >= 500 ? this.#stale() : null
    if (stale !== null) return stale
    this.#host.context.log.debug("the origin gave no answer", { url: base, error })
    // A refusal is of this client (a limit, a rule), and the others may be let in.
    this.#settle(status < 500 || (error instanceof HttpError && error.options.quiet === true) ? { kind: "each" } : { kind: "failed", error })
    throw error
  }

  /** An access check, or another that looks at who asks, stands between here and what answered: it is nobody else's. */
  #isForOne(): boolean {
    const met = this.#inner.access?.met ?? 0
    const own = this.#inner.access !== this.#lookup.x.access
    if (met <= (own ? 0 : this.#met)) return false
    // Who stands around us must know too.
    if (own) forThisClient(this.#lookup.x)
    return true
  }

  /** It was kept when no check stood there. */
  #forget(): void {
    const { entry, key } = this.#job
    this.#host.hitForMiss.add(key)
    if (entry !== undefined) this.#host.store.remove(entry)
  }

  /** The stored answer where it may stand in for an error (RFC 5861 4). */
  #stale(): Reply | null {
    const { entry } = this.#job
    if (entry === undefined || entry.terms.noCache || entry.staleMs(now()) >= entry.terms.sieMs) return null
    const reply = respond(this.#lookup.x, entry, this.#lookup.facts)
    if (reply === null) return null
    this.#settle({ kind: "entry", entry, outcome: "stale" })
    return withStatus(this.#host.context.status, reply, { entry, outcome: "stale" })
  }

  #received(reply: Reply): Awaitable<Answer> {
    const { entry } = this.#job
    const { store } = this.#host
    const { x } = this.#lookup
    const inner = this.#inner
    // Memory and files of our own: another copy of them would serve nobody.
    if (reply.shared && isHeld(reply)) return this.#notOurs(reply)
    if (inner !== x && inner.ends !== null) x.onEnd(end => finish(inner, end))
    const response = toOriginResponse(reply, { lookup: this.#lookup, requestMs: this.#requestMs })
    const forOne = this.#isForOne()
    if (forOne && (reply.status !== 304 || entry === undefined)) {
      this.#forget()
      return this.#notKept(reply, { forOne })
    }
    if (reply.status === 304 && entry !== undefined) return this.#freshened(entry, response, forOne)
    const stale = isError(reply.status) ? this.#stale() : null
    if (stale !== null) {
      release(reply)
      return stale
    }
    const partial = reply.status === 206 ? partialOf(this.#lookup, reply) : undefined
    const terms = reply.status === 206 && partial === undefined ? null : store.judge(response)
    if (terms === null) return this.#notKept(reply)
    const draft = store.draft(this.#lookup, { response, terms, partial })
    if (!areSendable(draft.lines)) return this.#notKept(reply)
    const { context, hitForMiss } = this.#host
    const kept = storeResponse({
      lookup: this.#lookup,
      draft,
      reply,
      outcome: this.#outcome,
      context,
      store,
      settle: result => this.#settle(result),
      tooLarge: () => hitForMiss.add(this.#job.key),
    })
    return kept ?? this.#notKept(reply)
  }

  #freshened(entry: CacheEntry, response: OriginResponse, forOne: boolean): Reply {
    const { store, context } = this.#host
    const fresh = store.freshened(entry, response)
    fresh.entry.uses = entry.uses
    const stored = !forOne && fresh.keep && store.put(fresh.entry)
    if (!stored) store.remove(entry)
    this.#settle(forOne ? { kind: "each" } : flightResultOf(fresh.entry, "revalidated"))
    return fromOrigin(context.status, this.#lookup, { entry: fresh.entry, from: response.headers, outcome: "revalidated", more: { stored } })
  }

  /** It goes to the one who asked for it. */
  #notKept(reply: Reply, said: StatusDetails = {}): Reply {
    const { x, facts } = this.#lookup
    const { entry, key } = this.#job
    // Many who wait for what none of them gets would be served one after the other. Others may still have it stored.
    if (!isOfOne(facts)) this.#host.hitForMiss.add(key, isError(reply.status) ? SHORT_MS : undefined)
    // It was replaced by something that is not to be kept.
    if (entry !== undefined && reply.status < 500) this.#host.store.remove(entry)
    this.#settle({ kind: "each" })
    const asWasAsked = this.#inner.headers === x.headers
    const held = !asWasAsked && facts & Fact.Condition && reply.status === 200 ? unchanged(x, reply.headers) : null
    if (held !== null) release(reply)
    const own = held ?? reply
    if (!own.shared || !isHeld(own)) this.#host.context.status.add(own.headers, this.#outcome, said)
    return own
  }

  #notOurs(reply: Reply): Awaitable<Answer> {
    const { entry, key } = this.#job
    this.#host.hitForMiss.add(key)
    if (entry !== undefined) this.#host.store.remove(entry)
    this.#settle({ kind: "each" })
    if (this.#inner.headers === this.#lookup.x.headers) return reply
    // Its own handler knows more of ranges and conditions than we took off.
    release(reply)
    return this.#host.next(this.#lookup.x)
  }

  #settle(result: FlightResult): void {
    this.#host.settle(this.#job, result)
  }

  get #outcome(): Outcome {
    return this.#job.entry === undefined ? "miss" : "expired"
  }
}
