/** An answer to POST that says it is what GET would give, and for how long (RFC 9110 9.3.3). */
import type { Exchange, Reply } from "edge"
import { now } from "../clock.ts"
import { Fact } from "../key/request-facts.ts"
import { toOriginResponse } from "../fetch/origin-response.ts"
import { storeResponse } from "./store-response.ts"
import type { ResponseStore } from "./response-store.ts"
import { baseKey } from "../key/key.ts"
import { areSendable } from "./stored-headers.ts"
import type { CacheContext, Lookup } from "../context.ts"

export function storePost(x: Exchange, reply: Reply, { context, store }: { context: CacheContext; store: ResponseStore }): Reply {
  const target = context.targetOf(x.target)
  const base = baseKey(x, target)
  const location = reply.headers.get("content-location")
  const explicit = /(?:max-age|s-maxage)\s*=/i.test(reply.headers.get("cache-control") ?? "") || reply.headers.has("expires")
  if (reply.status !== 200 || location === null || !explicit || x.host === "") return reply
  if (URL.parse(location, base)?.href !== URL.parse(base)?.href) return reply
  const lookup: Lookup = { x, facts: Fact.None, target, base, extra: context.extraOf(x, Fact.None) }
  const response = toOriginResponse(reply, { lookup, requestMs: now() })
  const terms = store.judge(response)
  if (terms === null) return reply
  const draft = store.draft(lookup, { response, terms })
  if (!areSendable(draft.lines)) return reply
  return storeResponse({ lookup, draft, reply, outcome: "miss", context, store, settle() {}, tooLarge() {} }) ?? reply
}
