/** Asks the origin: one request for all who want the same, conditions of our own, stale answers where it fails. */
import { after, type Answer, asReply, bodyLength, type Awaitable, ByteStream, type Exchange, type Handler, HeaderList, HttpError, PASS, Reply } from "edge"
import { now } from "./clock.ts"
import { detach, finish } from "./detached.ts"
import { noDirectives, parseDirectives } from "./directives.ts"
import { Entry, type Partial } from "./entry.ts"
import { Fact } from "./facts.ts"
import { Fill } from "./fill.ts"
import { Flight, type Landing } from "./flight.ts"
import type { Draft, Keeper } from "./keeper.ts"
import type { Asked, CacheParts } from "./parts.ts"
import { Passes } from "./passes.ts"
import type { Answered } from "./policy.ts"
import { release, respond, respondFilling, unchanged } from "./respond.ts"
import type { Outcome, Said } from "./status.ts"
import { fits, selectorsOf, variantKey } from "./vary.ts"

/** One request to the origin. */
interface Trip {
  readonly asked: Asked
  /** Stale, and asked about; its conditions stand in the request. */
  readonly entry: Entry | undefined
  readonly key: string
  readonly flight: Flight | undefined
  readonly inner: Exchange
  readonly requestMs: number
}

/** What is to be asked for, and for whom. */
interface Asking {
  readonly key: string
  readonly entry: Entry | undefined
  readonly flight: Flight | undefined
  /** As the client asked, for it alone: with its conditions, and over when it is gone. */
  readonly direct?: boolean
}

/** A follower whose leader failed, or whose answer did not fit, looks again so often. */
const MOST_TRIES = 2

export class Fetcher {
  readonly #next: Handler
  readonly #parts: CacheParts
  readonly #keeper: Keeper
  readonly #flights = new Map<string, Flight>()
  /** What is not to be kept is not waited for either. */
  readonly #passes = new Passes()

  constructor(next: Handler, { parts, keeper }: { parts: CacheParts; keeper: Keeper }) {
    this.#next = next
    this.#parts = parts
    this.#keeper = keeper
  }

  /** The answer to a GET or HEAD for which nothing fresh is in memory. */
  fetch(asked: Asked, entry: Entry | undefined, tries = 0): Awaitable<Answer> {
    if (asked.x.method === "HEAD") return this.#headMissing(asked, entry)
    const key = this.#keyOf(asked)
    if (entry === undefined && this.#passes.has(key)) return this.#lead(asked, { key, entry, flight: undefined, direct: true })
    const alone = this.#parts.options.collapseMs === 0 || tries > MOST_TRIES
    if (alone) return this.#lead(asked, { key, entry, flight: undefined })
    const flying = this.#flights.get(key)
    if (flying !== undefined) return this.#follow(asked, flying, tries)
    // A range of what is not stored is asked for as it is: others may want other ranges.
    if (asked.facts & Fact.Range && entry === undefined) return this.#lead(asked, { key, entry, flight: undefined })
    const flight = new Flight()
    this.#flights.set(key, flight)
    return this.#lead(asked, { key, entry, flight })
  }

  /** In the background, at most once at a time. */
  refresh(asked: Asked, entry: Entry): void {
    const key = this.#keyOf(asked)
    if (this.#flights.has(key)) return
    const flight = new Flight()
    this.#flights.set(key, flight)
    void (async () => {
      try {
        const answer = await this.#ask(asked, { key, entry, flight })
        if (answer !== PASS) release(await asReply(answer))
      } catch (error) {
        this.#parts.log.debug("a stale answer could not be refreshed", { url: asked.base, error })
      }
    })()
  }

  /** A request with Authorization: its answer is kept only where it says that all may have it. */
  forOne(asked: Asked): Awaitable<Answer> {
    if (asked.x.method === "HEAD") return this.head(asked, undefined)
    return this.#lead(asked, { key: this.#keyOf(asked), entry: undefined, flight: undefined, direct: true })
  }

  #headMissing(asked: Asked, entry: Entry | undefined): Awaitable<Answer> {
    const { disk, memory, purges } = this.#parts
    if (disk === undefined || entry !== undefined) return this.head(asked, entry)
    return disk.find(asked).then(found => {
      if (found === undefined || purges.covers(found)) return this.head(asked, undefined)
      memory.put(found)
      return (found.isFresh(now()) ? respond(asked.x, found, asked.facts) : null) ?? this.head(asked, found)
    })
  }

  /** HEAD is sent on as it is; what it says may freshen a stored answer to GET (RFC 9111 4.3.5). */
  head(asked: Asked, entry: Entry | undefined): Awaitable<Answer> {
    const requestMs = now()
    const inner = ownRequest(asked)
    return after(() => this.#next(inner), {
      change: reply => {
        if (entry !== undefined && reply.status === 200) this.#freshenByHead(asked, { entry, reply, requestMs })
        if (!reply.shared) this.#parts.status.add(reply.headers, entry === undefined ? "miss" : "expired")
        return reply
      },
    })
  }

  /** An answer to POST that says it is what GET would give (RFC 9110 9.3.3). */
  keepPost(x: Exchange, reply: Reply): Reply {
    const target = this.#parts.targetOf(x.target)
    const scheme = x.scheme
    const base = `${scheme}://${x.headers.get("host")?.toLowerCase() ?? x.host}${target}`
    const location = reply.headers.get("content-location")
    const explicit = /(?:max-age|s-maxage)\s*=/i.test(reply.headers.get("cache-control") ?? "") || reply.headers.has("expires")
    if (reply.status !== 200 || location === null || !explicit || URL.parse(location, base)?.href !== URL.parse(base)?.href) return reply
    const asked: Asked = { x, facts: Fact.None, target, base, extra: this.#parts.extraOf(x, Fact.None) }
    const answered = this.#answered(asked, { reply, requestMs: now() })
    const terms = this.#keeper.judge(answered)
    if (terms === null) return reply
    return this.#keep({ asked, entry: undefined, key: "", flight: undefined, inner: x, requestMs: answered.requestMs }, {
      draft: this.#keeper.draft(asked, { answered, terms }),
      reply,
    }) ?? reply
  }

  /** The same answer, with what the cache did to it. */
  marked(reply: Reply, { entry, outcome, more }: { entry: Entry; outcome: Outcome; more?: Said }): Reply {
    const own = new Reply(reply.status, HeaderList.from(reply.headers), reply.body)
    this.#parts.status.replace(own.headers, outcome, more)
    own.bornSec = entry.prepared.bornSec
    return own
  }

  /** Of an answer that the origin gave to this very request: Age is the one that came with it, if any (RFC 9111 5.1). */
  #justCome({ asked }: Trip, { entry, headers, outcome, stored }: { entry: Entry; headers: HeaderList; outcome: Outcome; stored: boolean }): Reply {
    const reply = respond(asked.x, entry, asked.facts) ?? entry.prepared.reply()
    const own = this.marked(reply, { entry, outcome, more: { stored } })
    own.bornSec = undefined
    const age = headers.getAll("age")[0]
    if (age !== undefined) own.headers.set("Age", age)
    return own
  }

  // Leading ---------------------------------------------------------------------------------------------------------

  #keyOf({ x, base, extra }: Asked): string {
    const names = this.#keeper.group(base)?.names ?? []
    return `${base}\n${extra}\n${variantKey(selectorsOf(names, x.headers))}`
  }

  #lead(asked: Asked, of: Asking): Awaitable<Answer> {
    const { disk } = this.#parts
    if (disk === undefined || of.entry !== undefined || of.direct === true) return this.#ask(asked, of)
    return disk.find(asked).then(found => {
      if (found === undefined || this.#parts.purges.covers(found)) return this.#ask(asked, of)
      this.#parts.memory.put(found)
      return this.#onDisk(asked, { of, found })
    })
  }

  #onDisk(asked: Asked, { of, found }: { of: Asking; found: Entry }): Awaitable<Answer> {
    const fresh = found.isFresh(now())
    const usable = fresh || (!found.terms.noCache && found.staleMs(now()) < found.terms.swrMs)
    const reply = usable ? respond(asked.x, found, asked.facts) : null
    if (reply === null) return this.#ask(asked, { ...of, entry: found })
    this.#land(of, { kind: "entry", entry: found, outcome: fresh ? "hit" : "updating" })
    found.uses++
    if (fresh) return reply
    this.refresh(asked, found)
    return this.marked(reply, { entry: found, outcome: "updating" })
  }

  #ask(asked: Asked, { key, entry, flight, direct = false }: Asking): Awaitable<Answer> {
    const { x, target, facts } = asked
    const whole = entry !== undefined || (facts & Fact.Range) === 0
    const inner = direct ? ownRequest(asked) : detach(x, { target, whole, add: entry === undefined ? [] : conditionsOf(entry) })
    const trip: Trip = { asked, entry, key, flight, inner, requestMs: now() }
    let answer: Awaitable<Answer>
    try {
      answer = this.#next(inner)
    } catch (error) {
      return this.#failed(trip, error)
    }
    if (!(answer instanceof Promise)) return this.#got(trip, answer)
    return answer.then(
      got => this.#got(trip, got),
      error => this.#failed(trip, error),
    )
  }

  #land({ key, flight }: Pick<Trip, "key" | "flight">, landing: Landing): void {
    if (flight === undefined) return
    // Whoever comes while the body does joins too.
    if (landing.kind !== "filling" && this.#flights.get(key) === flight) this.#flights.delete(key)
    flight.land(landing)
  }

  #got(trip: Trip, answer: Answer): Awaitable<Answer> {
    if (answer === PASS) {
      this.#land(trip, { kind: "each" })
      return PASS
    }
    try {
      const reply = asReply(answer)
      if (!(reply instanceof Promise)) return this.#received(trip, reply)
      return reply.then(
        got => this.#received(trip, got),
        error => this.#failed(trip, error),
      )
    } catch (error) {
      return this.#failed(trip, error)
    }
  }

  #failed(trip: Trip, error: unknown): Reply {
    const { entry, asked } = trip
    const status = error instanceof HttpError ? error.status : 500
    if (trip.inner !== asked.x) finish(trip.inner, { status, bytesOut: 0, error })
    const stale = status >= 500 ? this.#stale(trip) : null
    if (stale !== null) {
      this.#land(trip, { kind: "entry", entry: entry!, outcome: "stale" })
      return stale
    }
    this.#parts.log.debug("the origin gave no answer", { url: asked.base, error })
    this.#land(trip, { kind: "failed", error })
    throw error
  }

  /** The stored answer where it may stand in for an error (RFC 5861 4). */
  #stale({ entry, asked }: Trip): Reply | null {
    if (entry === undefined || entry.terms.noCache || entry.staleMs(now()) >= entry.terms.sieMs) return null
    const reply = respond(asked.x, entry, asked.facts)
    return reply === null ? null : this.marked(reply, { entry, outcome: "stale" })
  }

  // What came -------------------------------------------------------------------------------------------------------

  #received(trip: Trip, reply: Reply): Awaitable<Answer> {
    const { asked, entry, inner } = trip
    // Memory and files of our own: another copy of them would serve nobody.
    if (reply.shared && isHeld(reply)) return this.#notOurs(trip, reply)
    if (inner !== asked.x && inner.ends !== null) asked.x.onEnd(end => finish(inner, end))
    const answered = this.#answered(asked, { reply, requestMs: trip.requestMs })
    if (reply.status === 304 && entry !== undefined) return this.#freshened(trip, answered)
    if (isError(reply.status)) {
      const stale = this.#stale(trip)
      if (stale !== null) {
        release(reply)
        this.#land(trip, { kind: "entry", entry: entry!, outcome: "stale" })
        return stale
      }
    }
    const partial = reply.status === 206 ? partialOf(asked, reply) : undefined
    const terms = reply.status === 206 && partial === undefined ? null : this.#keeper.judge(answered)
    if (terms === null) return this.#notKept(trip, reply)
    const draft = this.#keeper.draft(asked, { answered, terms, partial })
    return this.#keep(trip, { draft, reply }) ?? this.#notKept(trip, reply)
  }

  #answered({ x, facts }: Asked, { reply, requestMs }: { reply: Reply; requestMs: number }): Answered {
    const control = facts & Fact.Control ? x.headers.get("cache-control") : null
    const asked = control === null ? noDirectives : parseDirectives(control)
    return { status: reply.status, headers: reply.headers, method: x.method, facts, asked, requestMs, responseMs: now() }
  }

  #freshened(trip: Trip, answered: Answered): Reply {
    const { entry } = trip
    const fresh = this.#keeper.freshened(entry!, answered)
    fresh.entry.uses = entry!.uses
    const kept = fresh.keep && this.#keeper.keep(fresh.entry)
    if (!kept) this.#keeper.drop(entry!)
    this.#landEntry(trip, fresh.entry, "revalidated")
    return this.#justCome(trip, { entry: fresh.entry, headers: answered.headers, outcome: "revalidated", stored: kept })
  }

  /** What is stale on arrival helps nobody else: each must ask (RFC 9111 4). */
  #landEntry(trip: Trip, entry: Entry, outcome: Outcome): void {
    this.#land(trip, entry.isFresh(now()) ? { kind: "entry", entry, outcome } : { kind: "each" })
  }

  /** Null: there is no room for it. */
  #keep(trip: Trip, { draft, reply }: { draft: Draft; reply: Reply }): Reply | null {
    const { body } = reply
    const { maxEntry } = this.#parts.options
    if (body instanceof ByteStream) return this.#keepStream(trip, { draft, reply, body })
    if (body !== null && typeof body !== "string" && !(body instanceof Uint8Array)) return null
    const bytes = typeof body === "string" ? Buffer.from(body) : body
    if (bytes !== null && bytes.byteLength > maxEntry) return null
    const entry = new Entry({ ...draft, body: bytes })
    const stored = this.#keeper.keep(entry)
    this.#landEntry(trip, entry, "miss")
    return this.#justCome(trip, { entry, headers: reply.headers, outcome: outcomeOf(trip), stored })
  }

  #keepStream(trip: Trip, { draft, reply, body }: { draft: Draft; reply: Reply; body: ByteStream }): Reply | null {
    const { maxEntry } = this.#parts.options
    const { length } = body
    if (length > maxEntry || (length >= 0 && !this.#keeper.reserve(length))) return null
    let taken = Math.max(0, length)
    let size = 0
    const free = () => {
      this.#keeper.unreserve(taken)
      taken = 0
    }
    const fill = new Fill(body, {
      length,
      reserve: bytes => {
        size += bytes
        if (length >= 0) return true
        if (size > maxEntry || !this.#keeper.reserve(bytes)) return false
        taken += bytes
        return true
      },
      done: bytes => {
        free()
        const entry = new Entry({ ...draft, body: bytes })
        this.#keeper.keep(entry)
        this.#landEntry(trip, entry, "miss")
      },
      failed: why => {
        free()
        if (why === "too large") this.#passes.add(trip.key)
        this.#land(trip, why === "too large" ? { kind: "each" } : { kind: "failed", error: new HttpError(502, "the answer was cut", { cause: why }) })
      },
    })
    const lines = [...draft.lines]
    const headers = new HeaderList(lines)
    const age = reply.headers.getAll("age")[0]
    if (age !== undefined) headers.append("Age", age)
    const { selectors, extra, status } = draft
    if (length >= 0 && !draft.terms.noCache && draft.terms.bornMs + draft.terms.freshMs > now()) {
      const preview = { status, lines: [...lines], fits: (of: HeaderList, own: string) => own === extra && fits({ selectors, language: "" }, of) }
      this.#land(trip, { kind: "filling", fill, preview })
    }
    this.#parts.status.add(headers, outcomeOf(trip), { stored: true })
    const own = respondFilling(trip.asked.x, fill, { status, lines, facts: trip.asked.facts })
    own.reason = own.status === reply.status ? reply.reason : undefined
    fill.start()
    return own
  }

  /** It goes to the one who asked for it. */
  #notKept(trip: Trip, reply: Reply): Reply {
    const { asked, entry, key, inner } = trip
    // Many who wait for what none of them gets would be served one after the other. Others may still have it stored.
    if (!isOfOne(asked.facts)) this.#passes.add(key, isError(reply.status) ? SHORT_MS : undefined)
    // It was replaced by something that is not to be kept.
    if (entry !== undefined && reply.status < 500) this.#keeper.drop(entry)
    this.#land(trip, { kind: "each" })
    const whole = inner.headers !== asked.x.headers
    const held = whole && asked.facts & Fact.Condition && reply.status === 200 ? unchanged(asked.x, reply.headers) : null
    if (held !== null) release(reply)
    const own = held ?? reply
    if (!own.shared || !isHeld(own)) this.#parts.status.add(own.headers, outcomeOf(trip))
    return own
  }

  #notOurs(trip: Trip, reply: Reply): Awaitable<Answer> {
    const { asked, entry, key } = trip
    this.#passes.add(key)
    if (entry !== undefined) this.#keeper.drop(entry)
    this.#land(trip, { kind: "each" })
    if (trip.inner.headers === asked.x.headers) return reply
    // Its own handler knows more of ranges and conditions than we took off.
    release(reply)
    return this.#next(asked.x)
  }

  #freshenByHead(asked: Asked, { entry, reply, requestMs }: { entry: Entry; reply: Reply; requestMs: number }): void {
    const answered = this.#answered(asked, { reply, requestMs })
    const { headers } = reply
    const length = headers.get("content-length")
    const same =
      (headers.get("etag") ?? entry.etag) === entry.etag &&
      (headers.get("last-modified") ?? entry.lastModified) === entry.lastModified &&
      (length === null || Number(length) === (entry.body?.byteLength ?? 0))
    if (!same) return this.#keeper.drop(entry)
    const fresh = this.#keeper.freshened(entry, answered)
    if (!fresh.keep || !this.#keeper.keep(fresh.entry)) this.#keeper.drop(entry)
  }

  // Following -------------------------------------------------------------------------------------------------------

  async #follow(asked: Asked, flight: Flight, tries: number): Promise<Answer> {
    const landing = await flight.join(this.#parts.options.collapseMs)
    const { x, facts, extra } = asked
    if (landing.kind === "entry") {
      const { entry, outcome } = landing
      if (entry.extra === extra && fits(entry, x.headers)) {
        entry.uses = Math.min(3, entry.uses + 1)
        const reply = respond(x, entry, facts)
        if (reply !== null) return this.marked(reply, { entry, outcome, more: { collapsed: true } })
      }
      return this.fetch(asked, undefined, tries + 1)
    }
    if (landing.kind === "filling") {
      const { fill, preview } = landing
      if (!preview.fits(x.headers, extra)) return this.fetch(asked, undefined, tries + 1)
      const lines = [...preview.lines]
      this.#parts.status.add(new HeaderList(lines), "miss", { collapsed: true })
      return respondFilling(x, fill, { status: preview.status, lines, facts })
    }
    if (landing.kind === "each") {
      const stored = this.#keeper.group(asked.base)?.select(x.headers, { extra, ranged: false })
      const reply = stored?.isFresh(now()) === true ? respond(x, stored, facts) : null
      return reply ?? this.fetch(asked, stored, MOST_TRIES + 1)
    }
    // One of those who waited tries again, for all of them; twice is enough.
    if (tries >= 1) throw landing.error
    return this.fetch(asked, undefined, tries + 1)
  }
}

/** The client's own request, which ends with it. */
function ownRequest({ x, target }: Asked): Exchange {
  if (target === x.target) return x
  const mark = target.indexOf("?")
  return x.with({ target, query: mark < 0 ? "" : target.slice(mark + 1) })
}

/** What such a request is answered with says little about what others are. */
function isOfOne(facts: Fact): boolean {
  return (facts & (Fact.Authorization | Fact.Control | Fact.Range)) !== 0
}

/** Errors of the origin pass sooner than what it does not want kept. */
const SHORT_MS = 1000

function outcomeOf({ entry }: Trip): Outcome {
  return entry === undefined ? "miss" : "expired"
}

/** RFC 9111 4.3.1. */
function conditionsOf({ etag, lastModified }: Entry): string[] {
  const lines: string[] = []
  if (etag !== "") lines.push("If-None-Match", etag)
  if (lastModified !== "") lines.push("If-Modified-Since", lastModified)
  return lines
}

function isError(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504)
}

/** In memory or in a file here. */
function isHeld({ body, wire }: Reply): boolean {
  return wire !== null || (body !== null && typeof body === "object" && "fd" in body) || body instanceof Uint8Array
}

/** Which bytes a 206 to a range holds; undefined for what cannot be used again. */
function partialOf({ facts }: Asked, reply: Reply): Partial | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers.get("content-range") ?? "")
  if (match === null || (facts & Fact.Range) === 0) return undefined
  const partial = { start: Number(match[1]), end: Number(match[2]) + 1, size: Number(match[3]) }
  const length = bodyLength(reply.body)
  // One that says other than it does would make us answer with other bytes than were asked for.
  return partial.start < partial.end && partial.end <= partial.size && length === partial.end - partial.start ? partial : undefined
}
