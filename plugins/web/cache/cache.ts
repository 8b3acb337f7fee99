/** The middleware: what is stored and fresh is answered at once; everything else goes to the Fetcher. */
import { after, type Answer, type Awaitable, type Exchange, type Handler, HttpError, type Reply } from "edge"
import { now } from "./clock.ts"
import { type Directives, noDirectives, parseDirectives, seconds } from "./directives.ts"
import type { Entry } from "./entry.ts"
import { Fact, factsOf } from "./facts.ts"
import { Fetcher } from "./fetcher.ts"
import { invalidated, isSafe } from "./invalidate.ts"
import { Keeper } from "./keeper.ts"
import { baseKey } from "./key.ts"
import { marked } from "./marked.ts"
import type { Asked, CacheParts } from "./parts.ts"
import { keepPost } from "./post.ts"
import { answerPurge } from "./purge-method.ts"
import { respond } from "./respond.ts"

export class ResponseCache {
  readonly #next: Handler
  readonly #parts: CacheParts
  readonly #keeper: Keeper
  readonly #fetcher: Fetcher
  readonly #onBypass = { change: (reply: Reply) => this.#mark(reply) }

  constructor(next: Handler, parts: CacheParts) {
    this.#next = next
    this.#parts = parts
    this.#keeper = new Keeper(parts)
    this.#fetcher = new Fetcher(next, { parts, keeper: this.#keeper })
  }

  readonly handle: Handler = x => {
    const { method } = x
    if (method !== "GET" && method !== "HEAD") return this.#other(x)
    let facts = factsOf(x)
    // What answers is told who asks, by an access check in front of us: as if the client had said so itself.
    if (x.access?.personal === true) facts |= Fact.Authorization
    const { memory } = this.#parts
    // HTTP/1.0 without Host: whose answer it is, nobody knows.
    if (facts & (Fact.Unkeyed | Fact.Origin) || x.body !== null || x.host === "" || this.#parts.bypass(x, facts)) return this.#pass(x)
    const target = this.#parts.targetOf(x.target)
    const base = baseKey(x, target)
    const extra = this.#parts.extraOf(x, facts)
    const entry = memory.get(base)?.select(x.headers, { extra, ranged: (facts & Fact.Range) !== 0 })
    if (entry !== undefined && now() < entry.freshUntilMs && (facts & (Fact.Authorization | Fact.Control)) === 0) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) return reply
    }
    return this.#notAtOnce({ x, facts, target, base, extra }, entry)
  }

  #hit(x: Exchange, entry: Entry, facts: Fact): Reply | null {
    if (entry.uses < 3) entry.uses++
    const reply = respond(x, entry, facts)
    if (reply !== null) this.#parts.counts.hits++
    return reply
  }

  #notAtOnce(asked: Asked, entry: Entry | undefined): Awaitable<Answer> {
    const { x, facts } = asked
    if (entry === undefined) return this.#missing(asked)
    // It may be somebody's own, whatever is stored: only what says that it is for all is.
    if (facts & Fact.Authorization && !entry.terms.forAll) return this.#fetcher.forOne(asked)
    const nowMs = now()
    const control = this.#control(asked)
    if (isUsable(entry, { control, nowMs })) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) return reply
      return this.#fetcher.fetch(asked, undefined)
    }
    if (control.has("only-if-cached")) throw new HttpError(504, "nothing stored may be used, and nothing else is asked for")
    const staleMs = entry.staleMs(nowMs)
    if (staleMs >= 0 && staleMs < entry.terms.swrMs && !control.has("no-cache")) {
      const reply = this.#hit(x, entry, facts)
      if (reply !== null) {
        this.#fetcher.refresh(asked, entry)
        return marked(this.#parts.status, reply, { entry, outcome: "updating" })
      }
    }
    return x.method === "HEAD" ? this.#fetcher.head(asked, entry) : this.#fetcher.fetch(asked, entry)
  }

  #missing(asked: Asked): Awaitable<Answer> {
    if (this.#control(asked).has("only-if-cached")) throw new HttpError(504, "nothing is stored, and nothing else is asked for")
    if (asked.facts & Fact.Authorization) return this.#fetcher.forOne(asked)
    return this.#fetcher.fetch(asked, undefined)
  }

  /** What the client's Cache-Control asks for, where the config lets it. */
  #control({ x, facts }: Asked): Directives {
    if (!this.#parts.options.requestControl || (facts & Fact.Control) === 0) return noDirectives
    const text = x.headers.get("cache-control")
    if (text !== null) return parseDirectives(text)
    return x.headers.get("pragma")?.toLowerCase().includes("no-cache") === true ? new Map([["no-cache", true]]) : noDirectives
  }

  #pass(x: Exchange): Awaitable<Answer> {
    this.#parts.counts.bypassed++
    return after(() => this.#next(x), this.#onBypass)
  }

  #mark(reply: Reply): Reply {
    // One that many share keeps its bytes as they are.
    if (!reply.shared) this.#parts.status.add(reply.headers, "bypass")
    return reply
  }

  #other(x: Exchange): Awaitable<Answer> {
    if (x.method === "PURGE" && this.#parts.options.purgeToken !== undefined) return answerPurge(x, this.#parts)
    if (isSafe(x.method)) return this.#next(x)
    const met = x.access?.met
    return after(() => this.#next(x), {
      change: reply => {
        const bases = invalidated(x, reply, target => this.#parts.targetOf(target))
        if (bases.length > 0) this.#parts.invalidate(bases)
        return x.method === "POST" && x.access?.met === met && this.#parts.options.methods.has("POST") ? keepPost(x, reply, { parts: this.#parts, keeper: this.#keeper }) : reply
      },
    })
  }
}

/** RFC 9111 4.2 and 5.2.1. */
function isUsable(entry: Entry, { control, nowMs }: { control: Directives; nowMs: number }): boolean {
  if (control.has("no-cache") || entry.terms.noCache) return false
  const maxAge = seconds(control, "max-age")
  if (maxAge !== undefined && nowMs - entry.bornMs > maxAge * 1000) return false
  const staleMs = entry.staleMs(nowMs)
  if (staleMs + (seconds(control, "min-fresh") ?? 0) * 1000 < 0) return true
  if (!control.has("max-stale") || entry.terms.strict) return false
  return control.get("max-stale") === true || staleMs <= seconds(control, "max-stale")! * 1000
}
