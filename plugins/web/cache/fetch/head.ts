/** HEAD requests, sent on as they are. */
import { after, type Answer, type Awaitable, type Handler } from "edge"
import { now } from "../clock.ts"
import type { CacheEntry } from "../store/entry.ts"
import type { ResponseStore } from "../store/response-store.ts"
import type { CacheContext, Lookup } from "../context.ts"
import type { OriginResponse } from "../policy/policy.ts"
import { ownRequest } from "./origin-request.ts"
import { toOriginResponse } from "./origin-response.ts"

export interface HeadOptions {
  readonly next: Handler
  readonly context: CacheContext
  readonly store: ResponseStore
  /** What is stored for GET, and stale. */
  readonly entry: CacheEntry | undefined
}

/** HEAD is sent on as it is; what it says may freshen a stored answer to GET (RFC 9111 4.3.5). */
export function forwardHead(lookup: Lookup, { next, context, store, entry }: HeadOptions): Awaitable<Answer> {
  const requestMs = now()
  const met = lookup.x.access?.met
  return after(() => next(ownRequest(lookup)), {
    change: reply => {
      if (entry !== undefined && lookup.x.access?.met !== met) store.remove(entry)
      else if (entry !== undefined && reply.status === 200) freshen(entry, { store, response: toOriginResponse(reply, { lookup, requestMs }) })
      if (!reply.shared) context.status.add(reply.headers, entry === undefined ? "miss" : "expired")
      return reply
    },
  })
}

function freshen(entry: CacheEntry, { store, response }: { store: ResponseStore; response: OriginResponse }): void {
  const { headers } = response
  const length = headers.get("content-length")
  const same =
    (headers.get("etag") ?? entry.etag) === entry.etag &&
    (headers.get("last-modified") ?? entry.lastModified) === entry.lastModified &&
    (length === null || Number(length) === (entry.body?.byteLength ?? 0))
  if (!same) return store.remove(entry)
  const fresh = store.freshened(entry, response)
  if (!fresh.keep || !store.put(fresh.entry)) store.remove(entry)
}
