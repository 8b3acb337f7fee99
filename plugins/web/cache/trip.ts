/** One request to the origin, and what becomes of its answer. */
import { type Answer, asReply, type Awaitable, type Exchange, forThisClient, type Handler, HttpError, PASS, type Reply } from "edge"
import { now } from "./clock.ts"
import { detach, finish } from "./detached.ts"
import type { Entry } from "./entry.ts"
import { Fact } from "./facts.ts"
import type { Flight, Landing } from "./flight.ts"
import { answeredBy, ownRequest } from "./forward.ts"
import { keep, landingOf } from "./keep.ts"
import { areSendable } from "./lines.ts"
import type { Keeper } from "./keeper.ts"
import { justCome, marked } from "./marked.ts"
import type { Asked, CacheParts } from "./parts.ts"
import type { Passes } from "./passes.ts"
import type { Answered } from "./policy.ts"
import { conditionsOf, isError, isHeld, isOfOne, partialOf } from "./received.ts"
import { release, respond, unchanged } from "./respond.ts"
import type { Outcome, Said } from "./status.ts"

/** What is to be asked for, and for whom. */
export interface Asking {
  readonly key: string
  /** Stale, and asked about: its conditions stand in the request. */
  readonly entry: Entry | undefined
  /** Those who wait for the answer too. */
  readonly flight: Flight | undefined
  /** As the client asked, for it alone: with its conditions, and over when it is gone. */
  readonly direct?: boolean
}

export interface TripHost {
  readonly next: Handler
  readonly parts: CacheParts
  readonly keeper: Keeper
  readonly passes: Passes
  land(asking: Asking, landing: Landing): void
}

/** Errors of the origin pass sooner than what it does not want kept. */
const SHORT_MS = 1000

export class Trip {
  readonly #host: TripHost
  readonly #asked: Asked
  readonly #asking: Asking
  readonly #inner: Exchange
  readonly #requestMs = now()
  /** Access checks that the client had come to before. */
  readonly #met: number

  constructor(host: TripHost, asked: Asked, asking: Asking) {
    const { entry, direct = false } = asking
    this.#host = host
    this.#asked = asked
    this.#asking = asking
    this.#met = asked.x.access?.met ?? 0
    const whole = entry !== undefined || (asked.facts & Fact.Range) === 0
    this.#inner = direct ? ownRequest(asked) : detach(asked.x, { target: asked.target, whole, add: entry === undefined ? [] : conditionsOf(entry) })
  }

  go(): Awaitable<Answer> {
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
      this.#land({ kind: "each" })
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
    const { x, base } = this.#asked
    const status = error instanceof HttpError ? error.status : 500
    if (this.#inner !== x) finish(this.#inner, { status, bytesOut: 0, error })
    if (this.#isForOne()) {
      this.#forget()
      this.#land({ kind: "each" })
      throw error
    }
    const stale = status >= 500 ? this.#stale() : null
    if (stale !== null) return stale
    this.#host.parts.log.debug("the origin gave no answer", { url: base, error })
    // A refusal is of this client (a limit, a rule), and the others may be let in.
    this.#land(status < 500 || (error instanceof HttpError && error.options.quiet === true) ? { kind: "each" } : { kind: "failed", error })
    throw error
  }

  /** An access check, or another that looks at who asks, stands between here and what answered: it is nobody else's. */
  #isForOne(): boolean {
    const met = this.#inner.access?.met ?? 0
    const own = this.#inner.access !== this.#asked.x.access
    if (met <= (own ? 0 : this.#met)) return false
    // Who stands around us must know too.
    if (own) forThisClient(this.#asked.x)
    return true
  }

  /** It was kept when no check stood there. */
  #forget(): void {
    const { entry, key } = this.#asking
    this.#host.passes.add(key)
    if (entry !== undefined) this.#host.keeper.drop(entry)
  }

  /** The stored answer where it may stand in for an error (RFC 5861 4). */
  #stale(): Reply | null {
    const { entry } = this.#asking
    if (entry === undefined || entry.terms.noCache || entry.staleMs(now()) >= entry.terms.sieMs) return null
    const reply = respond(this.#asked.x, entry, this.#asked.facts)
    if (reply === null) return null
    this.#land({ kind: "entry", entry, outcome: "stale" })
    return marked(this.#host.parts.status, reply, { entry, outcome: "stale" })
  }

  #received(reply: Reply): Awaitable<Answer> {
    const { entry } = this.#asking
    const { keeper } = this.#host
    const { x } = this.#asked
    const inner = this.#inner
    // Memory and files of our own: another copy of them would serve nobody.
    if (reply.shared && isHeld(reply)) return this.#notOurs(reply)
    if (inner !== x && inner.ends !== null) x.onEnd(end => finish(inner, end))
    const answered = answeredBy(reply, { asked: this.#asked, requestMs: this.#requestMs })
    const forOne = this.#isForOne()
    if (forOne && (reply.status !== 304 || entry === undefined)) {
      this.#forget()
      return this.#notKept(reply, { forOne })
    }
    if (reply.status === 304 && entry !== undefined) return this.#freshened(entry, answered, forOne)
    const stale = isError(reply.status) ? this.#stale() : null
    if (stale !== null) {
      release(reply)
      return stale
    }
    const partial = reply.status === 206 ? partialOf(this.#asked, reply) : undefined
    const terms = reply.status === 206 && partial === undefined ? null : keeper.judge(answered)
    if (terms === null) return this.#notKept(reply)
    const draft = keeper.draft(this.#asked, { answered, terms, partial })
    if (!areSendable(draft.lines)) return this.#notKept(reply)
    const { parts, passes } = this.#host
    const kept = keep({
      asked: this.#asked,
      draft,
      reply,
      outcome: this.#outcome,
      parts,
      keeper,
      land: landing => this.#land(landing),
      tooLarge: () => passes.add(this.#asking.key),
    })
    return kept ?? this.#notKept(reply)
  }

  #freshened(entry: Entry, answered: Answered, forOne: boolean): Reply {
    const { keeper, parts } = this.#host
    const fresh = keeper.freshened(entry, answered)
    fresh.entry.uses = entry.uses
    const stored = !forOne && fresh.keep && keeper.keep(fresh.entry)
    if (!stored) keeper.drop(entry)
    this.#land(forOne ? { kind: "each" } : landingOf(fresh.entry, "revalidated"))
    return justCome(parts.status, this.#asked, { entry: fresh.entry, from: answered.headers, outcome: "revalidated", more: { stored } })
  }

  /** It goes to the one who asked for it. */
  #notKept(reply: Reply, said: Said = {}): Reply {
    const { x, facts } = this.#asked
    const { entry, key } = this.#asking
    // Many who wait for what none of them gets would be served one after the other. Others may still have it stored.
    if (!isOfOne(facts)) this.#host.passes.add(key, isError(reply.status) ? SHORT_MS : undefined)
    // It was replaced by something that is not to be kept.
    if (entry !== undefined && reply.status < 500) this.#host.keeper.drop(entry)
    this.#land({ kind: "each" })
    const asWasAsked = this.#inner.headers === x.headers
    const held = !asWasAsked && facts & Fact.Condition && reply.status === 200 ? unchanged(x, reply.headers) : null
    if (held !== null) release(reply)
    const own = held ?? reply
    if (!own.shared || !isHeld(own)) this.#host.parts.status.add(own.headers, this.#outcome, said)
    return own
  }

  #notOurs(reply: Reply): Awaitable<Answer> {
    const { entry, key } = this.#asking
    this.#host.passes.add(key)
    if (entry !== undefined) this.#host.keeper.drop(entry)
    this.#land({ kind: "each" })
    if (this.#inner.headers === this.#asked.x.headers) return reply
    // Its own handler knows more of ranges and conditions than we took off.
    release(reply)
    return this.#host.next(this.#asked.x)
  }

  #land(landing: Landing): void {
    this.#host.land(this.#asking, landing)
  }

  get #outcome(): Outcome {
    return this.#asking.entry === undefined ? "miss" : "expired"
  }
}
