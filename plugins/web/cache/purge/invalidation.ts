/** What an unsafe request that succeeded makes invalid (RFC 9111 4.4). */
import type { Exchange, Reply } from "edge"
import { baseKey } from "../key/key.ts"

const safe = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"])

export function isSafe(method: string): boolean {
  return safe.has(method)
}

/** Keys of its own URL and of those of the same host that the answer names; both schemes. */
export function invalidated(x: Exchange, reply: Reply, targetOf: (target: string) => string): string[] {
  if (reply.status < 200 || reply.status >= 400) return []
  if (x.host === "") return []
  const own = baseKey(x, targetOf(x.target))
  const urls = [own]
  const here = URL.parse(own)?.host
  for (const name of ["location", "content-location"]) {
    const value = reply.headers.get(name)
    const url = value === null ? null : URL.parse(value, own)
    // Elsewhere, it could be used to empty the cache of others.
    if (url !== null && url.host === here) urls.push(`${url.protocol}//${url.host}${targetOf(url.pathname + url.search)}`)
  }
  return [...new Set(urls.flatMap(url => [url.replace(/^https?:/, "http:"), url.replace(/^https?:/, "https:")]))]
}
