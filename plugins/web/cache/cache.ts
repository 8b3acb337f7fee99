/** The middleware: what is stored and fresh is answered at once; everything else goes to the Fetcher. */
import { after, type Answer, type Awaitable, type Exchange, type Handler, HttpError, type Reply } from "edge"
import { now } from "./clock.ts"
import { type Directives, noDirectives, parseDirectives, seconds } from "./policy/directives.ts"
import type { CacheEntry } from "./store/entry.ts"
import { Fact, factsOf } from "./key/request-facts.ts"
import { Fetcher } from "./fetch/fetcher.ts"
import { invalidated, isSafe } from "./purge/invalidation.ts"
import { ResponseStore } from "./store/response-store.ts"
import { baseKey } from "./key/key.ts"
import { withStatus } from "./reply/with-status.ts"
import type { CacheContext, Lookup } from "./context.ts"
import { storePost } from "./store/store-post.ts"
import { answerPurge } from "./purge/purge-method.ts"
import { respond } from "./reply/respond.ts"

export class ResponseCache {
  readonly #next: Handler
  readonly #context: CacheContext
  readonly #store: ResponseStore
  readonly #fetcher: Fetcher
  readonly #onBypass = { change: (reply: Reply) => this.#mark(reply) }

  constructor(next: Handler, context: CacheContext) {
    this.#next = next
    this.#context = context
    this.#store = new ResponseStore(context)
    this.#fetcher = new Fetcher(next, { context, store: this.#store })
  }

  readonly handle: Handler = x => {
    const { method } = x
    if (method !== "GET" && method !== "HEAD") return this.#other(x)
    let facts = factsOf(x)
    // What answers is told who asks, by an access check in front of us: as if the client had said so itself.
    if (x.access?.personal === true) facts |= Fact.Authorization
    const { memory } = this.#context
    // HTTP/1.0 without Host: whose answer it is, nobody knows.
    if (facts & (Fact.Unkeyed | Fact.Origin) || x.body !== null || x.host === "" || this.#context.bypass(x, facts)) return this.#pass(x)
    const target = this.#context.targetOf(x.target)
    const base = baseKey(x, target)
    const extra = this.#context.extraOf(x, facts)
    const entry = memory.get(base)?.select(x.headers, { extra, ranged: (facts & Fact.Range) !== 0 })
    if (entry !== undefined && now() < entry.freshUntilMs && (facts & (Fact.Authorization | Fact.Control)) === 0) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) return reply
    }
    return this.#notAtOnce({ x, facts, target, base, extra }, entry)
  }

  #hit(x: Exchange, entry: CacheEntry, facts: Fact): Reply | null {
    if (entry.uses < 3) entry.uses++
    const reply = respond(x, entry, facts)
    if (reply !== null) this.#context.counts.hits++
    return reply
  }

  #notAtOnce(lookup: Lookup, entry: CacheEntry | undefined): Awaitable<Answer> {
    const { x, facts } = lookup
    if (entry === undefined) return this.#missing(lookup)
    // It may be somebody's own, whatever is stored: only what says that it is for all is.
    if (facts & Fact.Authorization && !entry.terms.forAll) return this.#fetcher.forOne(lookup)
    const nowMs = now()
    const control = this.#control(lookup)
    if (isUsable(entry, { control, nowMs })) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) return reply
      return this.#fetcher.fetch(lookup, undefined)
    }
    if (control.has("only-if-cached")) throw new HttpError(504, "nothing stored may be used, and nothing else is asked for")
    const staleMs = entry.staleMs(nowMs)
    if (staleMs >= 0 && staleMs < entry.terms.swrMs && !control.has("no-cache")) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) {
        this.#fetcher.refresh(lookup, entry)
        return withStatus(this.#context.status, reply, { entry, outcome: "updating" })
      }
    }
    return x.method === "HEAD" ? this.#fetcher.head(lookup, entry) : this.#fetcher.fetch(lookup, entry)
  }

  #missing(lookup: Lookup): Awaitable<Answer> {
    if (this.#control(lookup).has("only-if-cached")) throw new HttpError(504, "nothing is stored, and nothing else is asked for")
    if (lookup.facts & Fact.Authorization) return this.#fetcher.forOne(lookup)
    return this.#fetcher.fetch(lookup, undefined)
  }

  /** What the client's Cache-Control asks for, where the config lets it. */
  #control({ x, facts }: Lookup): Directives {
    if (!this.#context.options.requestControl || (facts & Fact.Control) === 0) return noDirectives
    const text = x.headers.get("cache-control")
    if (text !== null) return parseDirectives(text)
    return x.headers.get("pragma")?.toLowerCase().includes("no-cache") === true ? new Map([["no-cache", true]]) : noDirectives
  }

  #pass(x: Exchange): Awaitable<Answer> {
    this.#context.counts.bypassed++
    return after(() => this.#next(x), this.#onBypass)
  }

  #mark(reply: Reply): Reply {
    // One that many share keeps its bytes as they are.
    if (!reply.shared) this.#context.status.add(reply.headers, "bypass")
    return reply
  }

  #other(x: Exchange): Awaitable<Answer> {
    if (x.method === "PURGE" && this.#context.options.purgeToken !== undefined) return answerPurge(x, this.#context)
    if (isSafe(x.method)) return this.#next(x)
    const met = x.access?.met
    return after(() => this.#next(x), {
      change: reply => {
        const bases = invalidated(x, reply, target => this.#context.targetOf(target))
        if (bases.length > 0) this.#context.invalidate(bases)
        return x.method === "POST" && x.access?.met === met && this.#context.options.methods.has("POST") ? storePost(x, reply, { context: this.#context, store: this.#store }) : reply
      },
    })
  }
}

/** RFC 9111 4.2 and 5.2.1. */
function isUsable(entry: CacheEntry, { control, nowMs }: { control: Directives; nowMs: number }): boolean {
  if (control.has("no-cache") || entry.terms.noCache) return false
  const maxAge = seconds(control, "max-age")
  if (maxAge !== undefined && nowMs - entry.bornMs > maxAge * 1000) return false
  const staleMs = entry.staleMs(nowMs)
  if (staleMs + (seconds(control, "min-fresh") ?? 0) * 1000 < 0) return true
  if (!control.has("max-stale") || entry.terms.strict) return false
  return control.get("max-stale") === true || staleMs <= seconds(control, "max-stale")! * 1000
}
