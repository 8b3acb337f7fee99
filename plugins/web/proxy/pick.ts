import type { Exchange, Upstream } from "edge"

/** Chooses one of at least one upstream. Synchronous; keeps its own count where it needs one. */
export type Pick = (upstreams: readonly Upstream[], x: Exchange) => Upstream | undefined

/** The built-in ways, each made anew for a proxy. */
export const picks: Readonly<Record<string, () => Pick>> = {
  round_robin: roundRobin,
  least_conn: leastConn,
  random: () => twoChoices,
  ip_hash: () => ipHash,
}

/** Smooth and weighted: of a:2 b:1 it makes a b a, not a a b (nginx's way). */
function roundRobin(): Pick {
  const credit = new WeakMap<Upstream, number>()
  let next = 0
  return upstreams => {
    const n = upstreams.length
    if (n === 1) return upstreams[0]
    if (upstreams.every(u => u.weight === 1)) return upstreams[next++ % n]
    let total = 0
    let best: Upstream | undefined
    let most = -Infinity
    for (const upstream of upstreams) {
      const has = (credit.get(upstream) ?? 0) + upstream.weight
      credit.set(upstream, has)
      total += upstream.weight
      if (has > most) {
        most = has
        best = upstream
      }
    }
    credit.set(best!, most - total)
    return best
  }
}

/** Fewest requests for its weight; among equals in turn, or an idle set would send all to the first. */
function leastConn(): Pick {
  let start = 0
  return upstreams => {
    const n = upstreams.length
    let best: Upstream | undefined
    let least = Infinity
    const first = start++ % n
    for (let i = 0; i < n; i++) {
      const upstream = upstreams[(first + i) % n]!
      const load = upstream.active / upstream.weight
      if (load < least) {
        least = load
        best = upstream
      }
    }
    return best
  }
}

/** The less busy of two at random: nearly as even as least_conn, without every front rushing to the same one. */
function twoChoices(upstreams: readonly Upstream[]): Upstream | undefined {
  const n = upstreams.length
  const a = Math.floor(Math.random() * n)
  const b = (a + 1 + Math.floor(Math.random() * (n - 1))) % n
  const one = upstreams[a]!
  const other = upstreams[b]!
  return other.active / other.weight < one.active / one.weight ? other : one
}

/**
 * The same upstream for the same address, in every front (rendezvous hashing): when one goes, only its clients move.
 * IPv4 by its first three numbers and IPv6 by its first four groups, so that a client behind a changing address stays.
 */
function ipHash(upstreams: readonly Upstream[], x: Exchange): Upstream | undefined {
  const network = networkOf(x.ip)
  let best: Upstream | undefined
  let most = -Infinity
  for (const upstream of upstreams) {
    const score = -upstream.weight / Math.log((hash(`${network} ${upstream.id}`) + 1) / 4_294_967_297)
    if (score > most) {
      most = score
      best = upstream
    }
  }
  return best
}

function networkOf(ip: string): string {
  const dot = ip.lastIndexOf(".")
  if (dot >= 0 && !ip.includes(":")) return ip.slice(0, dot)
  return ip.includes("::") ? ip.slice(0, Math.max(ip.indexOf("::"), 1)) : ip.split(":").slice(0, 4).join(":")
}

/** 32 bits of a good hash: neighbours must not share an upstream. */
function hash(text: string): number {
  return Number(Bun.hash(text) & 0xffffffffn)
}
