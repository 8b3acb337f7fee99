/** Takes an answer that may be kept: at once, or as its body comes. */
import { ByteStream, HeaderList, HttpError, type Reply } from "edge"
import { now } from "../clock.ts"
import { CacheEntry } from "./entry.ts"
import { Fill } from "./fill.ts"
import type { FlightResult } from "../fetch/single-flight.ts"
import type { Draft, ResponseStore } from "./response-store.ts"
import { linesOfOne } from "./stored-headers.ts"
import { fromOrigin } from "../reply/with-status.ts"
import type { CacheContext, Lookup } from "../context.ts"
import { respondFilling } from "../reply/respond.ts"
import type { Outcome } from "../reply/cache-status.ts"
import { fits } from "../key/vary.ts"

export interface StoreJob {
  readonly lookup: Lookup
  readonly draft: Draft
  readonly reply: Reply
  readonly outcome: Outcome
  readonly context: CacheContext
  readonly store: ResponseStore
  /** Those who wait for it. */
  settle(result: FlightResult): void
  /** It turned out to be too large. */
  tooLarge(): void
}

/** The answer for the one who asked; null when there is no room for it, and `reply` is as it was. */
export function storeResponse(job: StoreJob): Reply | null {
  const { lookup, draft, reply, outcome, context, store, settle } = job
  const { body } = reply
  if (body instanceof ByteStream) return storeStream(job, body)
  if (body !== null && typeof body !== "string" && !(body instanceof Uint8Array)) return null
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  const size = bytes?.byteLength ?? 0
  if (size > context.options.maxEntry || (size > 0 && declared(reply) !== undefined && declared(reply) !== size)) return null
  const entry = new CacheEntry({ ...draft, body: bytes })
  const stored = store.put(entry)
  settle(flightResultOf(entry, "miss"))
  return fromOrigin(context.status, lookup, { entry, from: reply.headers, outcome, more: { stored } })
}

/** What is stale on arrival helps nobody else: each must ask (RFC 9111 4). */
export function flightResultOf(entry: CacheEntry, outcome: Outcome): FlightResult {
  return entry.isFresh(now()) ? { kind: "entry", entry, outcome } : { kind: "each" }
}

function storeStream(job: StoreJob, body: ByteStream): Reply | null {
  const { lookup, draft, reply, outcome, context, settle } = job
  const fill = toFill(job, body)
  if (fill === null) return null
  const { lines } = draft
  const own = [...lines, ...linesOfOne(reply.headers, draft.terms.strip)]
  const headers = new HeaderList(own)
  const age = reply.headers.getAll("age")[0]
  if (age !== undefined) headers.append("Age", age)
  const { selectors, extra, status, terms } = draft
  if (fill.length >= 0 && !terms.noCache && terms.bornMs + terms.freshMs > now()) {
    const preview = { status, lines: [...lines], fits: (of: HeaderList, own: string) => own === extra && fits({ selectors, language: "" }, of) }
    settle({ kind: "filling", fill, preview })
  }
  context.status.add(headers, outcome, { stored: true })
  const answer = respondFilling(lookup.x, fill, { status, lines: own, facts: lookup.facts })
  answer.reason = answer.status === reply.status ? reply.reason : undefined
  fill.start()
  return answer
}

/** One of known length has all of its room at once: those who join must be able to rely on it. */
function toFill({ draft, reply, context, store, settle, tooLarge }: StoreJob, body: ByteStream): Fill | null {
  const { maxEntry } = context.options
  const length = lengthOf(reply, body)
  if (length === null || length > maxEntry || (length >= 0 && !store.reserve(length))) return null
  let taken = Math.max(0, length)
  return new Fill(body, {
    length,
    reserve: bytes => {
      if (length >= 0) return true
      if (taken + bytes > maxEntry || !store.reserve(bytes)) return false
      taken += bytes
      return true
    },
    done: bytes => {
      store.unreserve(taken)
      const entry = new CacheEntry({ ...draft, body: bytes })
      store.put(entry)
      settle(flightResultOf(entry, "miss"))
    },
    failed: why => {
      store.unreserve(taken)
      if (why !== "too large") return settle({ kind: "failed", error: new HttpError(502, "the answer was cut", { cause: why }) })
      tooLarge()
      settle({ kind: "each" })
    },
  })
}

/** Bytes of the body, -1 where nobody said; null where what was said is not true, which the engine refuses. */
function lengthOf(reply: Reply, { length }: ByteStream): number | null {
  const said = declared(reply)
  if (said === undefined || said === length) return length
  return length < 0 && said >= 0 ? said : null
}

/** Content-Length; NaN when it is none. */
function declared({ headers }: Reply): number | undefined {
  const text = headers.get("content-length")
  return text === null ? undefined : /^\d{1,15}$/.test(text) ? Number(text) : NaN
}
