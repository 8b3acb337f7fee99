/** The same upstream for the same key, in every front and on every machine. */
import type { Exchange, Upstream } from "edge"

export type Key = (x: Exchange) => string | null

export const keys = {
  ip: (x: Exchange): string => networkOf(x.ip),
  uri: (x: Exchange): string => `${x.path}?${x.query}`,
  header: (name: string): Key => x => x.headers.get(name),
  cookie: (name: string): Key => x => readCookie(x, name),
  query: (name: string): Key => x => new URLSearchParams(x.query).get(name),
}

/**
 * Rendezvous hashing: each upstream has a score for the key and the highest wins, so that when one goes only its keys
 * move, and weights hold.
 */
export function rendezvous(upstreams: readonly Upstream[], key: string): Upstream | undefined {
  const keyHash = hash(key)
  let best: Upstream | undefined
  let most = -Infinity
  for (const upstream of upstreams) {
    const point = (mix(keyHash ^ mix(idHash(upstream))) + 1) / 4_294_967_297
    const score = -upstream.weight / Math.log(point)
    if (score > most) {
      most = score
      best = upstream
    }
  }
  return best
}

const hashes = new WeakMap<Upstream, number>()

function idHash(upstream: Upstream): number {
  let known = hashes.get(upstream)
  if (known === undefined) hashes.set(upstream, (known = hash(upstream.id)))
  return known
}

/** The finaliser of MurmurHash3: each bit of the input changes half of the output's. */
function mix(bits: number): number {
  let h = bits
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** 32 bits of a good hash: neighbours must not share an upstream. */
function hash(text: string): number {
  return Number(Bun.hash(text) & 0xffffffffn)
}

/** IPv4 by its first three numbers and IPv6 by its first four groups, so that a client behind a changing address stays. */
function networkOf(ip: string): string {
  const dot = ip.lastIndexOf(".")
  if (dot >= 0 && !ip.includes(":")) return ip.slice(0, dot)
  return ip.includes("::") ? ip.slice(0, Math.max(ip.indexOf("::"), 1)) : ip.split(":").slice(0, 4).join(":")
}

/** Value of the first cookie of that name (RFC 6265, 5.4), or null. */
export function readCookie(x: Exchange, name: string): string | null {
  const list = x.headers.get("cookie")
  if (list === null) return null
  for (const pair of list.split(";")) {
    const equals = pair.indexOf("=")
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return null
}
