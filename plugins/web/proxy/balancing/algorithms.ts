import type { Exchange, Upstream } from "edge"
import { keys, rendezvous } from "./hash.ts"

/** Chooses one of at least one upstream. Synchronous; keeps its own count where it needs one. */
export type Pick = (upstreams: readonly Upstream[], x: Exchange) => Upstream | undefined

/** The built-in ways, each made anew for a proxy. */
export const picks: Readonly<Record<string, () => Pick>> = {
  round_robin: roundRobin,
  least_conn: leastConn,
  random: () => twoChoices,
  ip_hash: () => (upstreams, x) => rendezvous(upstreams, keys.ip(x)),
  uri_hash: () => (upstreams, x) => rendezvous(upstreams, keys.uri(x)),
}

/** Smooth and weighted: of a:2 b:1 it makes a b a, not a a b (nginx's way). */
export function roundRobin(): Pick {
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
  const one = byWeight(upstreams, undefined)
  const other = byWeight(upstreams, one)
  return other.active / other.weight < one.active / one.weight ? other : one
}

/** One at random, but for `not`: by weight, or an idle one of little weight would get as much as the others. */
function byWeight(upstreams: readonly Upstream[], not: Upstream | undefined): Upstream {
  let total = 0
  for (const upstream of upstreams) if (upstream !== not) total += upstream.weight
  let left = Math.random() * total
  let last = upstreams[0]!
  for (const upstream of upstreams) {
    if (upstream === not) continue
    last = upstream
    left -= upstream.weight
    if (left < 0) break
  }
  return last
}
