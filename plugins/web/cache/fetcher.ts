/** Who asks the origin: one for all who want the same, each for itself, or nobody as it is on disk. */
import { type Answer, asReply, type Awaitable, type Handler, HeaderList, PASS } from "edge"
import { now } from "./clock.ts"
import type { Entry } from "./entry.ts"
import { Fact } from "./facts.ts"
import { Flight, type Landing } from "./flight.ts"
import { forwardHead } from "./forward.ts"
import type { Keeper } from "./keeper.ts"
import { marked } from "./marked.ts"
import type { Asked, CacheParts } from "./parts.ts"
import { Passes } from "./passes.ts"
import { release, respond, respondFilling } from "./respond.ts"
import { type Asking, Trip, type TripHost } from "./trip.ts"
import { fits, selectorsOf, variantKey } from "./vary.ts"

/** A follower whose leader failed, or whose answer did not fit, looks again so often. */
const MOST_TRIES = 2

/** What such a request is answered with is nobody else's (RFC 9111 5.2.1.5): nobody may be made to wait for it. */
function refusesStore({ x, facts }: Asked): boolean {
  return (facts & Fact.Control) !== 0 && x.headers.get("cache-control")?.toLowerCase().includes("no-store") === true
}

export class Fetcher implements TripHost {
  readonly next: Handler
  readonly parts: CacheParts
  readonly keeper: Keeper
  /** What is not to be kept is not waited for either. */
  readonly passes = new Passes()
  readonly #flights = new Map<string, Flight>()

  constructor(next: Handler, { parts, keeper }: { parts: CacheParts; keeper: Keeper }) {
    this.next = next
    this.parts = parts
    this.keeper = keeper
  }

  /** The answer to a GET or HEAD for which nothing fresh is in memory. */
  fetch(asked: Asked, entry: Entry | undefined, tries = 0): Awaitable<Answer> {
    if (tries === 0) this.parts.counts.misses++
    if (asked.x.method === "HEAD") return this.head(asked, entry)
    const key = this.#keyOf(asked)
    if (entry === undefined && this.passes.has(key)) return this.#ask(asked, { key, entry, flight: undefined, direct: true })
    const alone = this.parts.options.collapseMs === 0 || tries > MOST_TRIES || refusesStore(asked)
    if (alone) return this.#lead(asked, { key, entry, flight: undefined })
    const flying = this.#flights.get(key)
    if (flying !== undefined) return this.#follow(asked, flying, tries)
    // A range of what is not stored is asked for as it is: others may want other ranges.
    if (asked.facts & Fact.Range && entry === undefined) return this.#lead(asked, { key, entry, flight: undefined })
    return this.#lead(asked, { key, entry, flight: this.#begin(key) })
  }

  /** In the background, at most once at a time. */
  refresh(asked: Asked, entry: Entry): void {
    const key = this.#keyOf(asked)
    if (this.#flights.has(key)) return
    const asking = { key, entry, flight: this.#begin(key) }
    void (async () => {
      try {
        const answer = await this.#ask(asked, asking)
        if (answer !== PASS) release(await asReply(answer))
      } catch (error) {
        this.parts.log.debug("a stale answer could not be refreshed", { url: asked.base, error })
      }
    })()
  }

  /** A request with Authorization: its answer is kept only where it says that all may have it. */
  forOne(asked: Asked): Awaitable<Answer> {
    this.parts.counts.misses++
    if (asked.x.method === "HEAD") return forwardHead(asked, { ...this.#road, entry: undefined })
    return this.#ask(asked, { key: this.#keyOf(asked), entry: undefined, flight: undefined, direct: true })
  }

  head(asked: Asked, entry: Entry | undefined): Awaitable<Answer> {
    const { disk, memory, purges } = this.parts
    if (disk === undefined || entry !== undefined) return forwardHead(asked, { ...this.#road, entry })
    return disk.find(asked).then(found => {
      if (found === undefined || purges.covers(found)) return forwardHead(asked, { ...this.#road, entry: undefined })
      memory.put(found)
      return (found.isFresh(now()) ? respond(asked.x, found, asked.facts) : null) ?? forwardHead(asked, { ...this.#road, entry: found })
    })
  }

  get #road() {
    const { next, parts, keeper } = this
    return { next, parts, keeper }
  }

  #keyOf({ x, base, extra }: Asked): string {
    const names = this.parts.memory.get(base)?.names ?? []
    return `${base}\n${extra}\n${variantKey(selectorsOf(names, x.headers))}`
  }

  // Leading ---------------------------------------------------------------------------------------------------------

  #begin(key: string): Flight {
    const flight = new Flight()
    this.#flights.set(key, flight)
    return flight
  }

  #lead(asked: Asked, asking: Asking): Awaitable<Answer> {
    const { disk, memory, purges } = this.parts
    if (disk === undefined || asking.entry !== undefined) return this.#ask(asked, asking)
    return disk.find(asked).then(found => {
      if (found === undefined || purges.covers(found)) return this.#ask(asked, asking)
      memory.put(found)
      return this.#onDisk(asked, { asking, found })
    })
  }

  #onDisk(asked: Asked, { asking, found }: { asking: Asking; found: Entry }): Awaitable<Answer> {
    const fresh = found.isFresh(now())
    const usable = fresh || (!found.terms.noCache && found.staleMs(now()) < found.terms.swrMs)
    const reply = usable ? respond(asked.x, found, asked.facts) : null
    if (reply === null) return this.#ask(asked, { ...asking, entry: found })
    this.land(asking, { kind: "entry", entry: found, outcome: fresh ? "hit" : "updating" })
    found.uses++
    if (fresh) return reply
    this.refresh(asked, found)
    return marked(this.parts.status, reply, { entry: found, outcome: "updating" })
  }

  #ask(asked: Asked, asking: Asking): Awaitable<Answer> {
    return new Trip(this, asked, asking).go()
  }

  land({ key, flight }: Asking, landing: Landing): void {
    if (flight === undefined) return
    // Whoever comes while the body does joins too.
    if (landing.kind !== "filling" && this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.land(landing)
  }

  // Following -------------------------------------------------------------------------------------------------------

  async #follow(asked: Asked, flight: Flight, tries: number): Promise<Answer> {
    const landing = await flight.join(this.parts.options.collapseMs)
    const { x, facts, extra } = asked
    if (landing.kind === "entry") {
      const { entry, outcome } = landing
      if (entry.extra === extra && fits(entry, x.headers)) {
        entry.uses = Math.min(3, entry.uses + 1)
        const reply = respond(x, entry, facts)
        if (reply !== null) return marked(this.parts.status, reply, { entry, outcome, more: { collapsed: true } })
      }
      return this.fetch(asked, undefined, tries + 1)
    }
    if (landing.kind === "filling") {
      const { fill, preview } = landing
      if (!preview.fits(x.headers, extra)) return this.fetch(asked, undefined, tries + 1)
      const lines = [...preview.lines]
      this.parts.status.add(new HeaderList(lines), "miss", { collapsed: true })
      return respondFilling(x, fill, { status: preview.status, lines, facts })
    }
    if (landing.kind === "each") {
      const stored = this.parts.memory.get(asked.base)?.select(x.headers, { extra, ranged: false })
      const reply = stored?.isFresh(now()) === true ? respond(x, stored, facts) : null
      return reply ?? this.fetch(asked, stored, MOST_TRIES + 1)
    }
    // One of those who waited tries again, for all of them; twice is enough.
    if (tries >= 1) throw landing.error
    return this.fetch(asked, undefined, tries + 1)
  }
}

