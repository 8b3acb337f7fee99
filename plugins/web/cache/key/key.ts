/** The key of an answer: scheme, Host and target as the origin will see them. */
import type { Exchange, HeaderList } from "edge"
import { Fact } from "./request-facts.ts"
import { anyOf } from "./patterns.ts"
import { normalValue } from "./vary.ts"

/**
 * The target is taken as it was sent, as that is what an origin answers: a normal form would let `/x/../a`, which an
 * origin may answer otherwise, poison `/a`. Purging compares normal forms.
 */
export function baseKey(x: Exchange, target: string): string {
  const given = x.headers.get("host")
  // With its port: an origin may write both into links.
  const host = given === null || given === x.host ? x.host : given.toLowerCase()
  return (x.scheme === "https" ? "https://" : "http://") + host + target
}

/** Values besides the URL that tell answers apart: those that config names, and those of a trusted proxy. */
export function toExtraKey(key: ExtraKey): (x: Exchange, facts: Fact) => string {
  const own = key.headers.length + key.cookies.length > 0
  return (x, facts) => (own ? extraOf(x.headers, key) : "") + (facts & Fact.Forwarded ? forwardedKey(x.headers) : "")
}

export interface ExtraKey {
  readonly headers: readonly string[]
  readonly cookies: readonly string[]
}

function extraOf(headers: HeaderList, key: ExtraKey): string {
  const cookies = headers.get("cookie") ?? ""
  const values = [...key.headers.map(name => normalValue(name.toLowerCase(), headers.get(name))), ...key.cookies.map(name => cookieOf(cookies, name))]
  return JSON.stringify(values)
}

function cookieOf(cookies: string, name: string): string | null {
  for (const pair of cookies.split(";")) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}

/** Which host, port and prefix the proxy was asked for. */
function forwardedKey(headers: HeaderList): string {
  const host = /(?:^|[;,\s])host=("[^"]*"|[^;,\s]*)/i.exec(headers.get("forwarded") ?? "")?.[1] ?? null
  return JSON.stringify([host, headers.get("x-forwarded-host"), headers.get("x-forwarded-port"), headers.get("x-forwarded-prefix")])
}

/** Takes arguments off a target: what is not part of the key must not reach the origin either, which might show it. */
export function queryFilter(patterns: readonly string[]): (target: string) => string {
  if (patterns.length === 0) return target => target
  const ignored = anyOf(patterns)
  return target => {
    const mark = target.indexOf("?")
    if (mark < 0) return target
    const kept = target.slice(mark + 1).split("&").filter(pair => !ignored(decode(pair.split("=", 1)[0]!)))
    return kept.length === 0 ? target.slice(0, mark) : `${target.slice(0, mark)}?${kept.join("&")}`
  }
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
