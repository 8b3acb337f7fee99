/** Which group an exchange belongs to. */
import type { Exchange } from "edge"

export interface Group {
  readonly name: string
  readonly weight: number
}

/** The group at `point` (0 up to 1) of all weights laid end to end. */
export function atPoint<G extends Group>(groups: readonly G[], point: number): G {
  const total = groups.reduce((sum, group) => sum + group.weight, 0)
  let left = point * total
  for (const group of groups) {
    left -= group.weight
    if (left < 0) return group
  }
  return groups.find(group => group.weight > 0) ?? groups[0]!
}

/** What `by` names, as a point; chance where the client has no such thing. */
export function toPoint(by: string | undefined): (x: Exchange) => number {
  if (by === undefined) return Math.random
  if (by === "ip") return x => pointOf(x.ip)
  const name = by.slice(by.indexOf(":") + 1)
  const read = by.startsWith("header:") ? (x: Exchange) => x.headers.get(name) : (x: Exchange) => readCookie(x, name)
  return x => {
    const value = read(x)
    return value === null ? Math.random() : pointOf(value)
  }
}

/** The same in every front and on every machine. */
function pointOf(text: string): number {
  return Number(Bun.hash(text) & 0xffff_ffffn) / 0x1_0000_0000
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
