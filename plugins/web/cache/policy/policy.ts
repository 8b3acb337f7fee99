/** May this answer be kept, and how long is it good? (RFC 9111 3 and 4.2, RFC 5861) Pure. */
import type { HeaderList } from "edge"
import { parseDate } from "./dates.ts"
import { type Directives, fieldNames, noDirectives, parseAge, parseDirectives, parseTargeted, seconds } from "./directives.ts"
import { Fact } from "../key/request-facts.ts"
import { varyNames } from "../key/vary.ts"

export interface Rules {
  /** Milliseconds by status for answers that say nothing; 0 for none. */
  defaultTtl(status: number): number
  readonly heuristicMs: number
  readonly swrMs: number
  readonly sieMs: number
  readonly ignore: ReadonlySet<string>
  readonly targeted: readonly string[]
}

export interface OriginResponse {
  readonly status: number
  readonly headers: HeaderList
  /** Of the request. */
  readonly facts: Fact
  /** The client's Cache-Control. */
  readonly requestControl: Directives
  /** Unix milliseconds. */
  readonly requestMs: number
  readonly responseMs: number
}

/** What is known of an answer that is kept. All in milliseconds. */
export interface Terms {
  /** Unix time at which its age was 0. */
  readonly bornMs: number
  readonly freshMs: number
  /** How long past that it may be used while a new one is fetched, and when none can be had. */
  readonly swrMs: number
  readonly sieMs: number
  /** Never to be used stale, even if a client would take it. */
  readonly strict: boolean
  /** Asked for anew each time, however fresh. */
  readonly noCache: boolean
  /** Requests with Authorization may have it. */
  readonly forAll: boolean
  /** Fields that are for the first client alone and not kept, in lower case. */
  readonly strip: readonly string[]
  readonly vary: readonly string[]
}

/** Statuses that may be kept without being told so (RFC 9110 15.1). */
const heuristicStatuses = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
/** Those whose meaning we heed, for must-understand. */
const understood = new Set([...heuristicStatuses, 206, 302, 303, 307])

/** What is left to one client: on its own answer, and on nobody else's. */
const counts = ["ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]

/** Null: not to be kept. */
export function decide(response: OriginResponse, rules: Rules): Terms | null {
  const { status, headers, facts, requestControl } = response
  if (status < 200 || status > 599 || status === 304 || requestControl.has("no-store")) return null
  const cc = directivesOf(headers, rules)
  const { directives } = cc
  if (directives.has("no-store") && !(directives.has("must-understand") && understood.has(status))) return null
  if (directives.get("private") === true) return null
  const strip = [...fieldNames(directives.get("private")), ...fieldNames(directives.get("no-cache"))]
  for (const name of counts) if (headers.has(name)) strip.push(name)
  if (rules.ignore.has("set-cookie")) strip.push("set-cookie")
  // A session of one user must never reach another: whoever wants it kept says so in the config, and then it is kept without.
  if (headers.has("set-cookie") && !strip.includes("set-cookie")) return null
  const vary = rules.ignore.has("vary") ? [] : varyNames(headers)
  if (vary === null) return null
  const isPublic = directives.has("public")
  const forAll = isPublic || directives.has("must-revalidate") || directives.has("s-maxage")
  if (facts & Fact.Authorization && !forAll) return null
  const explicit = explicitMs(response, cc, rules)
  const freshMs = explicit ?? implicitMs(response, { isPublic, rules })
  if (freshMs === undefined) return null
  const noCache = directives.get("no-cache") === true
  const terms: Terms = { bornMs: bornMs(response), freshMs, ...staleness(directives, { rules, noCache }), noCache, forAll, strip, vary }
  return isUseful(terms, response) ? terms : null
}

interface Control {
  readonly directives: Directives
  /** A targeted field stands in for Expires too (RFC 9213 2.2). */
  readonly targeted: boolean
}

function directivesOf(headers: HeaderList, { targeted, ignore }: Rules): Control {
  for (const name of targeted) {
    const text = headers.get(name)
    const directives = text === null ? null : parseTargeted(text)
    if (directives !== null && directives.size > 0) return { directives, targeted: true }
  }
  const text = ignore.has("cache-control") ? null : headers.get("cache-control")
  return { directives: text === null ? noDirectives : parseDirectives(text), targeted: false }
}

function explicitMs({ headers, responseMs }: OriginResponse, { directives, targeted }: Control, rules: Rules): number | undefined {
  const said = seconds(directives, "s-maxage") ?? seconds(directives, "max-age")
  if (said !== undefined) return said * 1000
  if (targeted || rules.ignore.has("expires")) return undefined
  const expires = headers.getAll("expires")
  if (expires.length === 0) return undefined
  const until = expires.length === 1 ? parseDate(expires[0]!) : null
  // "0" and other nonsense mean: stale already (5.3).
  return until === null ? 0 : Math.max(0, until * 1000 - dateMs(headers, responseMs))
}

function implicitMs({ status, headers, facts, responseMs }: OriginResponse, { isPublic, rules }: { isPublic: boolean; rules: Rules }): number | undefined {
  const ttl = rules.defaultTtl(status)
  if (ttl > 0) return ttl
  if (!isPublic && !heuristicStatuses.has(status)) return undefined
  const modified = parseDate(headers.get("last-modified") ?? "")
  // An answer made for somebody with a cookie, by an app that says nothing: more likely careless than public.
  if (modified === null || (facts & Fact.Cookie && !isPublic)) return 0
  return Math.min(rules.heuristicMs, Math.max(0, (dateMs(headers, responseMs) - modified * 1000) / 10))
}

function staleness(directives: Directives, { rules, noCache }: { rules: Rules; noCache: boolean }): Pick<Terms, "swrMs" | "sieMs" | "strict"> {
  if (noCache || directives.has("must-revalidate") || directives.has("proxy-revalidate")) return { swrMs: 0, sieMs: 0, strict: true }
  // s-maxage forbids stale answers (5.2.2.10), so defaults do not hold; an origin that allows them beside it means it.
  const defaults = directives.has("s-maxage") ? { swrMs: 0, sieMs: 0 } : rules
  const swr = seconds(directives, "stale-while-revalidate")
  const sie = seconds(directives, "stale-if-error")
  return {
    swrMs: swr === undefined ? defaults.swrMs : swr * 1000,
    sieMs: sie === undefined ? defaults.sieMs : sie * 1000,
    strict: directives.has("s-maxage"),
  }
}

/** 4.2.3. */
function bornMs({ headers, requestMs, responseMs }: OriginResponse): number {
  const apparent = Math.max(0, responseMs - dateMs(headers, responseMs))
  const corrected = parseAge(headers.getAll("age")[0]) * 1000 + (responseMs - requestMs)
  // Date has whole seconds: what is less than one is no age.
  return responseMs - Math.max(apparent < 1000 ? 0 : apparent, corrected)
}

/** A Date that is none counts as the time of receipt. */
export function dateMs(headers: HeaderList, receivedMs: number): number {
  const date = parseDate(headers.get("date") ?? "")
  return date === null ? receivedMs : date * 1000
}

/** There will be a request that it saves work for. */
function isUseful(terms: Terms, { headers, responseMs }: OriginResponse): boolean {
  if (headers.has("etag") || headers.has("last-modified")) return true
  const leftMs = terms.bornMs + terms.freshMs - responseMs
  return !terms.noCache && leftMs + Math.max(terms.swrMs, terms.sieMs) > 0
}
