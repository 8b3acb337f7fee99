/** One token of RFC 7519 in its compact form (RFC 7515, 3.1): taken apart, its signature and its claims checked. */
import { algorithms } from "./algorithms.ts"
import type { Key } from "./keys.ts"

export type Claims = Readonly<Record<string, unknown>>

/** Why a token is refused; the text is for the client and the log, so it holds nothing of the token. */
export class TokenError extends Error {}

export interface Token {
  readonly alg: string
  readonly kid: string | undefined
  readonly claims: Claims
  readonly signed: Buffer
  readonly signature: Buffer
}

/** Longer ones are no tokens; a request head is bounded, a query too. */
const MOST_LENGTH = 16_384
const compact = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** `allowed`: the algorithms of the config. What the token says only chooses among them. */
export function parseToken(text: string, allowed: readonly string[]): Token {
  const match = text.length > MOST_LENGTH ? null : compact.exec(text)
  if (match === null) throw new TokenError("it is no signed token")
  const [, head = "", body = "", signature = ""] = match
  const { alg, kid, crit } = objectOf(head)
  if (typeof alg !== "string" || !allowed.includes(alg)) throw new TokenError("its algorithm is not accepted")
  // RFC 7515, 4.1.11: what must be understood and is not.
  if (crit !== undefined) throw new TokenError("it has extensions that are not understood")
  return {
    alg,
    kid: typeof kid === "string" ? kid : undefined,
    claims: objectOf(body),
    signed: Buffer.from(`${head}.${body}`, "latin1"),
    signature: Buffer.from(signature, "base64url"),
  }
}

/** The keys that may have signed it: none that is of another kind, for another algorithm or of another name. */
export function keysFor({ alg, kid }: Token, keys: readonly Key[]): readonly Key[] {
  const algorithm = algorithms[alg]!
  return keys.filter(key => (key.alg === undefined || key.alg === alg) && (kid === undefined || key.kid === undefined || key.kid === kid) && algorithm.fits(key.key))
}

export function isSigned({ alg, signed, signature }: Token, keys: readonly Key[]): boolean {
  return keys.some(({ key }) => {
    try {
      return algorithms[alg]!.verify(signed, signature, key)
    } catch {
      // A signature that the library cannot even read.
      return false
    }
  })
}

function objectOf(part: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")))
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Below.
  }
  throw new TokenError("it cannot be read")
}

export interface TimeRules {
  readonly leewayMs: number
  readonly maxAgeMs?: number | undefined
  readonly withoutExp: boolean
}

/** RFC 7519, 4.1.4 to 4.1.6, at `nowMs`. */
export function checkTimes({ exp, nbf, iat }: Claims, { nowMs, rules }: { nowMs: number; rules: TimeRules }): void {
  const { leewayMs, maxAgeMs, withoutExp } = rules
  for (const time of [exp, nbf, iat]) if (time !== undefined && !Number.isFinite(time)) throw new TokenError("its times cannot be read")
  if (exp === undefined && !withoutExp) throw new TokenError("it has no end")
  if (exp !== undefined && (exp as number) * 1000 + leewayMs <= nowMs) throw new TokenError("it has expired")
  if (nbf !== undefined && (nbf as number) * 1000 - leewayMs > nowMs) throw new TokenError("it is not valid yet")
  if (maxAgeMs === undefined) return
  if (iat === undefined || (iat as number) * 1000 - leewayMs > nowMs || (iat as number) * 1000 + maxAgeMs + leewayMs <= nowMs) throw new TokenError("it is too old")
}

/** Whether a claim is one of the values, or a list that has one; `words`: or a text of words that has one (RFC 8693, 4.2). */
export function hasOne(claim: unknown, values: readonly string[], { words = false } = {}): boolean {
  if (Array.isArray(claim)) return claim.some(one => typeof one === "string" && values.includes(one))
  if (typeof claim === "number" || typeof claim === "boolean") return values.includes(String(claim))
  if (typeof claim !== "string") return false
  return values.includes(claim) || (words && claim.split(" ").some(word => values.includes(word)))
}

/** A claim as a header's value; undefined for what cannot be one: objects, control characters, lists whose items have commas. */
export function headerOf(claim: unknown): string | undefined {
  if (Array.isArray(claim)) {
    const items = claim.map(headerOf)
    return items.some(item => item === undefined || item === "" || item.includes(",")) ? undefined : items.join(",")
  }
  if (typeof claim === "number" || typeof claim === "boolean") return String(claim)
  return typeof claim === "string" && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(claim) ? claim : undefined
}
