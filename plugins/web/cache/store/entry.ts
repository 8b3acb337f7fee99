/** One stored answer. */
import { HeaderList, parseHttpDate, Prepared, type Validators } from "edge"
import type { Terms } from "../policy/policy.ts"
import type { Selector } from "../key/vary.ts"

/** Which bytes of how many a partial answer holds; `end` is exclusive. */
export interface ContentRange {
  readonly start: number
  readonly end: number
  readonly size: number
}

export interface EntryFields {
  readonly base: string
  /** Values that config adds to the key. */
  readonly extra: string
  readonly selectors: readonly Selector[]
  readonly status: number
  /** Lines as they are kept: no Age, no hop-by-hop field, with a Date. */
  readonly lines: readonly string[]
  readonly body: Uint8Array | null
  readonly terms: Terms
  readonly storedMs: number
  readonly tags: readonly string[]
  readonly partial?: ContentRange | undefined
  /** Line that a hit adds. */
  readonly hitLine: readonly string[]
}

/** Objects, keys and lists around the bytes, nearly. */
const OVERHEAD = 1500
/** The listener's clock may be half a second late: an age must rather be too high (RFC 9111 4.2.3). */
const CLOCK_LAG_MS = 500

export class CacheEntry implements Validators {
  readonly base: string
  readonly extra: string
  readonly selectors: readonly Selector[]
  readonly status: number
  readonly lines: readonly string[]
  readonly terms: Terms
  readonly storedMs: number
  readonly tags: readonly string[]
  readonly partial: ContentRange | undefined
  readonly prepared: Prepared
  /** Content-Language in lower case, or "". */
  readonly language: string
  readonly etag: string
  readonly lastModified: string
  readonly modifiedSec: number
  readonly changedSec: number
  /** Bytes in memory. */
  readonly cost: number
  readonly bornMs: number
  /** Fresh before, in unix milliseconds; -Infinity for one that is asked for anew each time. */
  readonly freshUntilMs: number
  /** How often it was used since it was last looked at, at most 3; kept here and by the store. */
  uses = 0
  queue: "small" | "main" | undefined
  #notModified: Prepared | undefined

  constructor(made: EntryFields) {
    const { base, extra, selectors, status, lines, body, terms, storedMs, tags, partial, hitLine } = made
    this.base = base
    this.extra = extra
    this.selectors = selectors
    this.status = status
    this.lines = lines
    this.terms = terms
    this.storedMs = storedMs
    this.tags = tags
    this.partial = partial
    this.bornMs = terms.bornMs
    this.freshUntilMs = terms.noCache ? -Infinity : terms.bornMs + terms.freshMs
    const headers = new HeaderList(lines as string[])
    this.language = headers.get("content-language")?.toLowerCase() ?? ""
    this.etag = headers.get("etag") ?? ""
    this.lastModified = headers.get("last-modified") ?? ""
    // Without it, the time of the answer (RFC 9111 4.3.2).
    const modified = parseHttpDate(this.lastModified) ?? parseHttpDate(headers.get("date") ?? "") ?? Math.floor(storedMs / 1000)
    this.modifiedSec = this.changedSec = modified
    const bornSec = Math.floor((terms.bornMs - CLOCK_LAG_MS) / 1000)
    this.prepared = new Prepared(status, [...lines, ...hitLine], body, { bornSec })
    this.cost = this.prepared.bytes + 2 * (base.length + extra.length) + OVERHEAD
  }

  get body(): Uint8Array | null {
    return this.prepared.body
  }

  isFresh(nowMs: number): boolean {
    return nowMs < this.freshUntilMs
  }

  /** Milliseconds that it has been stale. */
  staleMs(nowMs: number): number {
    return nowMs - (this.bornMs + this.terms.freshMs)
  }

  get validators(): boolean {
    return this.etag !== "" || this.lastModified !== ""
  }

  /** What fits the 304 (RFC 9110 15.4.5): all but what is about a body. */
  get notModified(): Prepared {
    if (this.#notModified === undefined) {
      const { flat, bornSec } = this.prepared
      const kept: string[] = []
      for (let i = 0; i < flat.length; i += 2) {
        const name = flat[i]!.toLowerCase()
        if (!name.startsWith("content-") || name === "content-location") kept.push(flat[i]!, flat[i + 1]!)
      }
      this.#notModified = new Prepared(304, kept, null, { bornSec })
    }
    return this.#notModified
  }
}
