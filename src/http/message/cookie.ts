import type { Exchange } from "./exchange.ts"

/** Value of the first cookie of that name (RFC 6265, 5.4: the most specific is sent first); null when there is none. */
export function cookieOf(x: Exchange, name: string): string | null {
  const header = x.headers.get("cookie")
  if (header === null) return null
  // HTTP/2 may split the field, and the pieces are then joined by commas (RFC 9113, 8.2.3).
  for (const pair of header.split(/[;,]/)) {
    const at = pair.indexOf("=")
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}
