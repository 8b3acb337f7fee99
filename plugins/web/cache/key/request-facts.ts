/** What of a request's header matters to a cache, found in one pass: it runs for every hit. */
import type { Exchange } from "edge"

export const enum Fact {
  None = 0,
  /** If-None-Match, If-Modified-Since: may be answered by us. */
  Condition = 1,
  Range = 2,
  Authorization = 4,
  Control = 8,
  Cookie = 16,
  /** Fields that make frameworks see another URL, host or method than we do. Their answers must not be shared. */
  Unkeyed = 32,
  /** If-Match, If-Unmodified-Since, Upgrade: for the origin alone. */
  Origin = 64,
  /** X-Forwarded-Host and the like, which only a trusted proxy can have sent: part of the key. */
  Forwarded = 128,
}

const facts = new Map(
  Object.entries({
    range: Fact.Range,
    cookie: Fact.Cookie,
    pragma: Fact.Control,
    upgrade: Fact.Origin,
    "if-match": Fact.Origin,
    "if-range": Fact.Range,
    "if-none-match": Fact.Condition,
    "if-modified-since": Fact.Condition,
    "if-unmodified-since": Fact.Origin,
    authorization: Fact.Authorization,
    "cache-control": Fact.Control,
    forwarded: Fact.Forwarded,
    "x-forwarded-host": Fact.Forwarded,
    "x-forwarded-port": Fact.Forwarded,
    "x-forwarded-prefix": Fact.Forwarded,
    "x-forwarded-scheme": Fact.Unkeyed,
    "x-forwarded-server": Fact.Unkeyed,
    "x-forwarded-ssl": Fact.Unkeyed,
    "front-end-https": Fact.Unkeyed,
    "x-host": Fact.Unkeyed,
    "x-http-host-override": Fact.Unkeyed,
    "x-original-host": Fact.Unkeyed,
    "x-original-url": Fact.Unkeyed,
    "x-original-uri": Fact.Unkeyed,
    "x-rewrite-url": Fact.Unkeyed,
    "x-override-url": Fact.Unkeyed,
    "x-http-method": Fact.Unkeyed,
    "x-http-method-override": Fact.Unkeyed,
    "x-method-override": Fact.Unkeyed,
    "x-url-scheme": Fact.Unkeyed,
  }),
)

/** By length and first letter: nearly every field of a browser ends here, which takes a sixth of the time of a look-up. */
const candidate = new Uint8Array(32 * 32)
for (const name of facts.keys()) candidate[slot(name)] = 1

/** No name above is longer than 31. */
function slot(name: string): number {
  return name.length < 32 ? name.length * 32 + (name.charCodeAt(0) & 31) : 0
}

export function factsOf(x: Exchange): Fact {
  const { flat } = x.headers
  let found = Fact.None
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!
    if (candidate[slot(name)] === 1) found |= facts.get(name.toLowerCase()) ?? Fact.None
  }
  return found
}
