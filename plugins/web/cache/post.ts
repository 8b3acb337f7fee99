/** An answer to POST that says it is what GET would give, and for how long (RFC 9110 9.3.3). */
import type { Exchange, Reply } from "edge"
import { now } from "./clock.ts"
import { Fact } from "./facts.ts"
import { answeredBy } from "./forward.ts"
import { keep } from "./keep.ts"
import type { Keeper } from "./keeper.ts"
import { baseKey } from "./key.ts"
import { areSendable } from "./lines.ts"
import type { Asked, CacheParts } from "./parts.ts"

export function keepPost(x: Exchange, reply: Reply, { parts, keeper }: { parts: CacheParts; keeper: Keeper }): Reply {
  const target = parts.targetOf(x.target)
  const base = baseKey(x, target)
  const location = reply.headers.get("content-location")
  const explicit = /(?:max-age|s-maxage)\s*=/i.test(reply.headers.get("cache-control") ?? "") || reply.headers.has("expires")
  if (reply.status !== 200 || location === null || !explicit || x.host === "") return reply
  if (URL.parse(location, base)?.href !== URL.parse(base)?.href) return reply
  const asked: Asked = { x, facts: Fact.None, target, base, extra: parts.extraOf(x, Fact.None) }
  const answered = answeredBy(reply, { asked, requestMs: now() })
  const terms = keeper.judge(answered)
  if (terms === null) return reply
  const draft = keeper.draft(asked, { answered, terms })
  if (!areSendable(draft.lines)) return reply
  return keep({ asked, draft, reply, outcome: "miss", parts, keeper, land() {}, tooLarge() {} }) ?? reply
}
