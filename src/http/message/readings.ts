import type { Exchange } from "./exchange.ts"
import { decodeSegments, resolveDots } from "./path.ts"

/*
 * How a server behind us may read a target, other than by its normal form. Routes and access rules hold for what they saw:
 * where another reading would have taken another route, `/admin%2Fsecret` walks around the rule for `/admin/*`.
 * A reading is null where it leads above the root.
 */

/** True where there may be more than one reading; two comparisons and two searches for nearly every request. */
export function mayReadOtherwise(x: Exchange): boolean {
  const { path, query, target } = x
  return target.length !== path.length + (query === "" ? 0 : query.length + 1) || path.includes("%") || path.includes(";")
}

/** Dot segments left as they are, as most frameworks do, or resolved before `//` is merged, as URL parsers do. */
export function dottedReadings(x: Exchange): (string | null)[] {
  const text = textOf(x)
  const readings = new Set<string | null>()
  if (text !== null) addDotted(text, readings)
  readings.delete(x.path)
  return [...readings]
}

/**
 * Escaped separators decoded (`%2F`; `%5C` as "\\" on Unix or as a separator), path parameters cut off (`..;` is ".." to
 * servlet containers), and what dot segments that appear by that make of it.
 */
export function decodedReadings(x: Exchange): (string | null)[] {
  const text = textOf(x)
  if (text === null) return []
  const readings = new Set<string | null>()
  const add = (reading: string): void => {
    readings.add(resolveDots(reading))
    addDotted(reading, readings)
  }
  for (const one of unescaped(text)) if (one !== text) add(one)
  if (text.includes(";")) {
    // Cut after or before the escapes are decoded.
    for (const one of unescaped(text)) add(one.replace(parameters, ""))
    for (const one of unescaped(text.replace(parameters, ""))) add(one)
  }
  readings.delete(x.path)
  return [...readings]
}

/** The path of the target, decoded as in the normal form, with `//` and dots as they are. */
function textOf({ target }: Exchange): string | null {
  const mark = target.indexOf("?")
  return target.charCodeAt(0) === 47 ? decodeSegments(mark < 0 ? target : target.slice(0, mark)) : null
}

/** True where the path is one of those in every reading: for what is let off a rule. */
export function inEveryReading(x: Exchange, isOne: (path: string) => boolean): boolean {
  if (!isOne(x.path)) return false
  if (!mayReadOtherwise(x)) return true
  return [...decodedReadings(x), ...dottedReadings(x)].every(path => path !== null && isOne(path))
}

const parameters = /;[^/]*/g

function unescaped(text: string): string[] {
  if (!text.includes("%2F") && !text.includes("%5C")) return [text]
  const slashes = text.replaceAll("%2F", "/")
  return [text, slashes, slashes.replaceAll("%5C", "/")]
}

function addDotted(text: string, to: Set<string | null>): void {
  if (!/\/\.\.?(?:\/|$)/.test(text)) return
  to.add(text.replace(/\/{2,}/g, "/"))
  const unmerged = resolveUnmerged(text)
  to.add(unmerged === null ? null : resolveDots(unmerged))
}

/** RFC 3986 5.2.4: an empty segment is one that ".." takes away. */
function resolveUnmerged(path: string): string | null {
  const out: string[] = []
  const segments = path.split("/")
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!
    const dots = segment === "." ? 1 : segment === ".." ? 2 : 0
    if (dots === 0) out.push(segment)
    else if (dots === 2 && out.pop() === undefined) return null
    if (dots > 0 && i === segments.length - 1) out.push("")
  }
  return "/" + out.join("/")
}
