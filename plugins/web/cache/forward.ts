/** The client's own request, sent on without the arguments that are ignored; it ends with the client. */
import { after, type Answer, type Awaitable, type Exchange, type Handler, type Reply } from "edge"
import { now } from "./clock.ts"
import { noDirectives, parseDirectives } from "./directives.ts"
import type { Entry } from "./entry.ts"
import { Fact } from "./facts.ts"
import type { Keeper } from "./keeper.ts"
import type { Asked, CacheParts } from "./parts.ts"
import type { Answered } from "./policy.ts"

export function ownRequest({ x, target }: Asked): Exchange {
  if (target === x.target) return x
  const mark = target.indexOf("?")
  return x.with({ target, query: mark < 0 ? "" : target.slice(mark + 1) })
}

/** What is known when the head of an answer is there. */
export function answeredBy(reply: Reply, { asked, requestMs }: { asked: Asked; requestMs: number }): Answered {
  const { x, facts } = asked
  const control = facts & Fact.Control ? x.headers.get("cache-control") : null
  return {
    status: reply.status,
    headers: reply.headers,
    facts,
    asked: control === null ? noDirectives : parseDirectives(control),
    requestMs,
    responseMs: now(),
  }
}

export interface HeadRoad {
  readonly next: Handler
  readonly parts: CacheParts
  readonly keeper: Keeper
  /** What is stored for GET, and stale. */
  readonly entry: Entry | undefined
}

/** HEAD is sent on as it is; what it says may freshen a stored answer to GET (RFC 9111 4.3.5). */
export function forwardHead(asked: Asked, { next, parts, keeper, entry }: HeadRoad): Awaitable<Answer> {
  const requestMs = now()
  const met = asked.x.access?.met
  return after(() => next(ownRequest(asked)), {
    change: reply => {
      if (entry !== undefined && asked.x.access?.met !== met) keeper.drop(entry)
      else if (entry !== undefined && reply.status === 200) freshen(entry, { keeper, answered: answeredBy(reply, { asked, requestMs }) })
      if (!reply.shared) parts.status.add(reply.headers, entry === undefined ? "miss" : "expired")
      return reply
    },
  })
}

function freshen(entry: Entry, { keeper, answered }: { keeper: Keeper; answered: Answered }): void {
  const { headers } = answered
  const length = headers.get("content-length")
  const same =
    (headers.get("etag") ?? entry.etag) === entry.etag &&
    (headers.get("last-modified") ?? entry.lastModified) === entry.lastModified &&
    (length === null || Number(length) === (entry.body?.byteLength ?? 0))
  if (!same) return keeper.drop(entry)
  const fresh = keeper.freshened(entry, answered)
  if (!fresh.keep || !keeper.keep(fresh.entry)) keeper.drop(entry)
}
