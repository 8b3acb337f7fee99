/** Which fields may come behind a body (RFC 9110, 6.5). */
import { HeaderList } from "../message/headers.ts"
import { isForged, isPlain } from "./alike.ts"
import { validName, validValue } from "./fields.ts"

/**
 * Framing, routing, authentication and what changes how the content is read never come late (RFC 9110, 6.5.1), nor what only we or
 * a trusted proxy may say: apps and upstreams that merge trailers into the head would believe it.
 */
export function mayTrail(name: string): boolean {
  return !never.has(name.toLowerCase()) && isPlain(name) && !isForged(name, false)
}

const never = new Set(
  ("transfer-encoding content-length connection keep-alive proxy-connection te trailer upgrade host expect " +
    "max-forwards range if-match if-none-match if-modified-since if-unmodified-since if-range cache-control pragma age " +
    "expires date location retry-after vary warning authorization proxy-authorization proxy-authenticate " +
    "www-authenticate cookie set-cookie content-encoding content-type content-range content-location forwarded " +
    "x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-prefix x-real-ip proxy").split(" "),
)

/** The names of a Trailer field (RFC 9110, 6.6.2) that may come, as one value; "" for none. */
export function trailerNames(value: string): string {
  return value
    .split(",")
    .map(name => name.trim())
    .filter(name => validName(name) && mayTrail(name))
    .join(", ")
}

/** Undefined for none that can be sent. `beside`: of a request, those that its head says, or that we said or took off, go. */
export function sendableTrailers(trailers: HeaderList | undefined, beside?: HeaderList): HeaderList | undefined {
  if (trailers === undefined) return undefined
  const kept = new HeaderList()
  for (const [name, value] of trailers) {
    if (!validName(name) || !validValue(value)) return undefined
    if (mayTrail(name) && beside?.claims(name) !== true) kept.append(name, value)
  }
  return kept.size === 0 ? undefined : kept
}
