/** What the origin answered, and what of it matters to a cache. */
import { bodyLength, type Reply } from "edge"
import type { CacheEntry, ContentRange } from "../store/entry.ts"
import { Fact } from "../key/request-facts.ts"
import { now } from "../clock.ts"
import type { Lookup } from "../context.ts"
import { noDirectives, parseDirectives } from "../policy/directives.ts"
import type { OriginResponse } from "../policy/policy.ts"

/** What is known when the head of an answer is there. */
export function toOriginResponse(reply: Reply, { lookup, requestMs }: { lookup: Lookup; requestMs: number }): OriginResponse {
  const { x, facts } = lookup
  const control = facts & Fact.Control ? x.headers.get("cache-control") : null
  return {
    status: reply.status,
    headers: reply.headers,
    facts,
    requestControl: control === null ? noDirectives : parseDirectives(control),
    requestMs,
    responseMs: now(),
  }
}

/** What such a request is answered with says little about what others are. */
export function isOfOne(facts: Fact): boolean {
  return (facts & (Fact.Authorization | Fact.Control | Fact.Range)) !== 0
}

/** RFC 9111 4.3.1. */
export function conditionsOf({ etag, lastModified }: CacheEntry): string[] {
  const lines: string[] = []
  if (etag !== "") lines.push("If-None-Match", etag)
  if (lastModified !== "") lines.push("If-Modified-Since", lastModified)
  return lines
}

export function isError(status: number): boolean {
  return status === 500 || (status >= 502 && status <= 504)
}

/** In memory or in a file here. */
export function isHeld({ body, wire }: Reply): boolean {
  return wire !== null || (body !== null && typeof body === "object" && "fd" in body) || body instanceof Uint8Array
}

/** Which bytes a 206 to a range holds; undefined for what cannot be used again. */
export function partialOf({ facts }: Lookup, reply: Reply): ContentRange | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(reply.headers.get("content-range") ?? "")
  if (match === null || (facts & Fact.Range) === 0) return undefined
  const partial = { start: Number(match[1]), end: Number(match[2]) + 1, size: Number(match[3]) }
  const length = bodyLength(reply.body)
  // One that says other than it does would make us answer with other bytes than were asked for.
  return partial.start < partial.end && partial.end <= partial.size && length === partial.end - partial.start ? partial : undefined
}
