/** Takes an answer that may be kept: at once, or as its body comes. */
import { ByteStream, HeaderList, HttpError, type Reply } from "edge"
import { now } from "./clock.ts"
import { Entry } from "./entry.ts"
import { Fill } from "./fill.ts"
import type { Landing } from "./flight.ts"
import type { Draft, Keeper } from "./keeper.ts"
import { linesOfOne } from "./lines.ts"
import { justCome } from "./marked.ts"
import type { Asked, CacheParts } from "./parts.ts"
import { respondFilling } from "./respond.ts"
import type { Outcome } from "./status.ts"
import { fits } from "./vary.ts"

export interface Keeping {
  readonly asked: Asked
  readonly draft: Draft
  readonly reply: Reply
  readonly outcome: Outcome
  readonly parts: CacheParts
  readonly keeper: Keeper
  /** Those who wait for it. */
  land(landing: Landing): void
  /** It turned out to be too large. */
  tooLarge(): void
}

/** The answer for the one who asked; null when there is no room for it, and `reply` is as it was. */
export function keep(keeping: Keeping): Reply | null {
  const { asked, draft, reply, outcome, parts, keeper, land } = keeping
  const { body } = reply
  if (body instanceof ByteStream) return keepStream(keeping, body)
  if (body !== null && typeof body !== "string" && !(body instanceof Uint8Array)) return null
  const bytes = typeof body === "string" ? Buffer.from(body) : body
  const size = bytes?.byteLength ?? 0
  if (size > parts.options.maxEntry || (size > 0 && declared(reply) !== undefined && declared(reply) !== size)) return null
  const entry = new Entry({ ...draft, body: bytes })
  const stored = keeper.keep(entry)
  land(landingOf(entry, "miss"))
  return justCome(parts.status, asked, { entry, from: reply.headers, outcome, more: { stored } })
}

/** What is stale on arrival helps nobody else: each must ask (RFC 9111 4). */
export function landingOf(entry: Entry, outcome: Outcome): Landing {
  return entry.isFresh(now()) ? { kind: "entry", entry, outcome } : { kind: "each" }
}

function keepStream(keeping: Keeping, body: ByteStream): Reply | null {
  const { asked, draft, reply, outcome, parts, land } = keeping
  const fill = toFill(keeping, body)
  if (fill === null) return null
  const { lines } = draft
  const own = [...lines, ...linesOfOne(reply.headers, draft.terms.strip)]
  const headers = new HeaderList(own)
  const age = reply.headers.getAll("age")[0]
  if (age !== undefined) headers.append("Age", age)
  const { selectors, extra, status, terms } = draft
  if (fill.length >= 0 && !terms.noCache && terms.bornMs + terms.freshMs > now()) {
    const preview = { status, lines: [...lines], fits: (of: HeaderList, own: string) => own === extra && fits({ selectors, language: "" }, of) }
    land({ kind: "filling", fill, preview })
  }
  parts.status.add(headers, outcome, { stored: true })
  const answer = respondFilling(asked.x, fill, { status, lines: own, facts: asked.facts })
  answer.reason = answer.status === reply.status ? reply.reason : undefined
  fill.start()
  return answer
}

/** One of known length has all of its room at once: those who join must be able to rely on it. */
function toFill({ draft, reply, parts, keeper, land, tooLarge }: Keeping, body: ByteStream): Fill | null {
  const { maxEntry } = parts.options
  const length = lengthOf(reply, body)
  if (length === null || length > maxEntry || (length >= 0 && !keeper.reserve(length))) return null
  let taken = Math.max(0, length)
  return new Fill(body, {
    length,
    reserve: bytes => {
      if (length >= 0) return true
      if (taken + bytes > maxEntry || !keeper.reserve(bytes)) return false
      taken += bytes
      return true
    },
    done: bytes => {
      keeper.unreserve(taken)
      const entry = new Entry({ ...draft, body: bytes })
      keeper.keep(entry)
      land(landingOf(entry, "miss"))
    },
    failed: why => {
      keeper.unreserve(taken)
      if (why !== "too large") return land({ kind: "failed", error: new HttpError(502, "the answer was cut", { cause: why }) })
      tooLarge()
      land({ kind: "each" })
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
