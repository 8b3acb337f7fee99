/** The method PURGE, as caches before us have it: one URL, or what its fields name. */
import { timingSafeEqual } from "node:crypto"
import { type Exchange, HttpError, Reply } from "edge"
import type { CacheContext } from "../context.ts"
import type { PurgeSpec } from "./purges.ts"

/**
 * `Surrogate-Key: a b` or `Cache-Tag: a, b` purges tags, `Purge-Prefix: /blog/` what begins so on this host, and without
 * them the URL itself.
 */
export function answerPurge(x: Exchange, { options, purge }: CacheContext): Reply {
  if (!isAllowed(x, options.purgeToken!)) throw new HttpError(401, "a wrong token for PURGE", { headers: [["WWW-Authenticate", "Bearer"]] })
  return Reply.text(200, JSON.stringify({ purged: purge(specOf(x, options.tags)) }), "application/json")
}

function specOf(x: Exchange, fields: readonly string[]): PurgeSpec {
  const tags = fields.flatMap(field => x.headers.getAll(field)).flatMap(value => value.split(/[\s,]+/)).filter(tag => tag !== "")
  if (tags.length > 0) return { tags }
  const prefix = x.headers.get("purge-prefix")
  if (prefix !== null) return { prefixes: [prefix.startsWith("/") ? `${x.host}${prefix}` : prefix] }
  return { urls: [`${x.host}${x.target}`] }
}

/** In constant time: digests of equal length are compared, not the tokens. */
function isAllowed(x: Exchange, token: string): boolean {
  const given = /^Bearer +(.+)$/i.exec(x.headers.get("authorization") ?? "")?.[1] ?? ""
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}
