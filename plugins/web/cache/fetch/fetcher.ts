/** Who asks the origin: one for all who want the same, each for itself, or nobody as it is on disk. */
import { type Answer, asReply, type Awaitable, type Handler, HeaderList, PASS } from "edge"
import { now } from "../clock.ts"
import type { CacheEntry } from "../store/entry.ts"
import { Fact } from "../key/request-facts.ts"
import { type FlightResult, SingleFlight } from "./single-flight.ts"
import { forwardHead } from "./head.ts"
import type { ResponseStore } from "../store/response-store.ts"
import { withStatus } from "../reply/with-status.ts"
import type { CacheContext, Lookup } from "../context.ts"
import { HitForMiss } from "../policy/hit-for-miss.ts"
import { release, respond, respondFilling } from "../reply/respond.ts"
import { type FetchJob, OriginFetch, type OriginFetchHost } from "./origin-fetch.ts"
import { fits, selectorsOf, variantKey } from "../key/vary.ts"

/** A follower whose leader failed, or whose answer did not fit, looks again so often. */
const MOST_TRIES = 2

/** What such a request is answered with is nobody else's (RFC 9111 5.2.1.5): nobody may be made to wait for it. */
function refusesStore({ x, facts }: Lookup): boolean {
  return (facts & Fact.Control) !== 0 && x.headers.get("cache-control")?.toLowerCase().includes("no-store") === true
}

export class Fetcher implements OriginFetchHost {
  readonly next: Handler
  readonly context: CacheContext
  readonly store: ResponseStore
  /** What is not to be kept is not waited for either. */
  readonly hitForMiss = new HitForMiss()
  readonly #flights = new Map<string, SingleFlight>()

  constructor(next: Handler, { context, store }: { context: CacheContext; store: ResponseStore }) {
    this.next = next
    this.context = context
    this.store = store
  }

  /** The answer to a GET or HEAD for which nothing fresh is in memory. */
  fetch(lookup: Lookup, entry: CacheEntry | undefined, tries = 0): Awaitable<Answer> {
    if (tries === 0) this.context.counts.misses++
    if (lookup.x.method === "HEAD") return this.head(lookup, entry)
    const key = this.#keyOf(lookup)
    if (entry === undefined && this.hitForMiss.has(key)) return this.#ask(lookup, { key, entry, flight: undefined, direct: true })
    const alone = this.context.options.collapseMs === 0 || tries > MOST_TRIES || refusesStore(lookup)
    if (alone) return this.#lead(lookup, { key, entry, flight: undefined })
    const inFlight = this.#flights.get(key)
    if (inFlight !== undefined) return this.#follow(lookup, inFlight, tries)
    // A range of what is not stored is asked for as it is: others may want other ranges.
    if (lookup.facts & Fact.Range && entry === undefined) return this.#lead(lookup, { key, entry, flight: undefined })
    return this.#lead(lookup, { key, entry, flight: this.#begin(key) })
  }

  /** In the background, at most once at a time. */
  refresh(lookup: Lookup, entry: CacheEntry): void {
    const key = this.#keyOf(lookup)
    if (this.#flights.has(key)) return
    const job = { key, entry, flight: this.#begin(key) }
    void (async () => {
      try {
        const answer = await this.#ask(lookup, job)
        if (answer !== PASS) release(await asReply(answer))
      } catch (error) {
        this.context.log.debug("a stale answer could not be refreshed", { url: lookup.base, error })
      }
    })()
  }

  /** A request with Authorization: its answer is kept only where it says that all may have it. */
  forOne(lookup: Lookup): Awaitable<Answer> {
    this.context.counts.misses++
    if (lookup.x.method === "HEAD") return forwardHead(lookup, { ...this.#headOptions, entry: undefined })
    return this.#ask(lookup, { key: this.#keyOf(lookup), entry: undefined, flight: undefined, direct: true })
  }

  head(lookup: Lookup, entry: CacheEntry | undefined): Awaitable<Answer> {
    const { disk, memory, purges } = this.context
    if (disk === undefined || entry !== undefined) return forwardHead(lookup, { ...this.#headOptions, entry })
    return disk.find(lookup).then(found => {
      if (found === undefined || purges.covers(found)) return forwardHead(lookup, { ...this.#headOptions, entry: undefined })
      memory.put(found)
      return (found.isFresh(now()) ? respond(lookup.x, found, lookup.facts) : null) ?? forwardHead(lookup, { ...this.#headOptions, entry: found })
    })
  }

  get #headOptions() {
    const { next, context, store } = this
    return { next, context, store }
  }

  #keyOf({ x, base, extra }: Lookup): string {
    const names = this.context.memory.get(base)?.names ?? []
    return `${base}\n${extra}\n${variantKey(selectorsOf(names, x.headers))}`
  }

  // Leading ---------------------------------------------------------------------------------------------------------

  #begin(key: string): SingleFlight {
    const flight = new SingleFlight()
    this.#flights.set(key, flight)
    return flight
  }

  #lead(lookup: Lookup, job: FetchJob): Awaitable<Answer> {
    const { disk, memory, purges } = this.context
    if (disk === undefined || job.entry !== undefined) return this.#ask(lookup, job)
    return disk.find(lookup).then(found => {
      if (found === undefined || purges.covers(found)) return this.#ask(lookup, job)
      memory.put(found)
      return this.#onDisk(lookup, { job, found })
    })
  }

  #onDisk(lookup: Lookup, { job, found }: { job: FetchJob; found: CacheEntry }): Awaitable<Answer> {
    const fresh = found.isFresh(now())
    const usable = fresh || (!found.terms.noCache && found.staleMs(now()) < found.terms.swrMs)
    const reply = usable ? respond(lookup.x, found, lookup.facts) : null
    if (reply === null) return this.#ask(lookup, { ...job, entry: found })
    this.settle(job, { kind: "entry", entry: found, outcome: fresh ? "hit" : "updating" })
    found.uses++
    if (fresh) return reply
    this.refresh(lookup, found)
    return withStatus(this.context.status, reply, { entry: found, outcome: "updating" })
  }

  #ask(lookup: Lookup, job: FetchJob): Awaitable<Answer> {
    return new OriginFetch(this, lookup, job).start()
  }

  settle({ key, flight }: FetchJob, result: FlightResult): void {
    if (flight === undefined) return
    // Whoever comes while the body does joins too.
    if (result.kind !== "filling" && this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.settle(result)
  }

  // Following -------------------------------------------------------------------------------------------------------

  async #follow(lookup: Lookup, flight: SingleFlight, tries: number): Promise<Answer> {
    const result = await flight.join(this.context.options.collapseMs)
    const { x, facts, extra } = lookup
    if (result.kind === "entry") {
      const { entry, outcome } = result
      if (entry.extra === extra && fits(entry, x.headers)) {
        entry.uses = Math.min(3, entry.uses + 1)
        const reply = respond(x, entry, facts)
        if (reply !== null) return withStatus(this.context.status, reply, { entry, outcome, more: { collapsed: true } })
      }
      return this.fetch(lookup, undefined, tries + 1)
    }
    if (result.kind === "filling") {
      const { fill, preview } = result
      if (!preview.fits(x.headers, extra)) return this.fetch(lookup, undefined, tries + 1)
      const lines = [...preview.lines]
      this.context.status.add(new HeaderList(lines), "miss", { collapsed: true })
      return respondFilling(x, fill, { status: preview.status, lines, facts })
    }
    if (result.kind === "each") {
      const stored = this.context.memory.get(lookup.base)?.select(x.headers, { extra, ranged: false })
      const reply = stored?.isFresh(now()) === true ? respond(x, stored, facts) : null
      return reply ?? this.fetch(lookup, stored, MOST_TRIES + 1)
    }
    // One of those who waited tries again, for all of them; twice is enough.
    if (tries >= 1) throw result.error
    return this.fetch(lookup, undefined, tries + 1)
  }
}

