import { decodeSegments } from "edge"

/** A path of a route as written, taken apart. */
export interface Pattern {
  readonly text: string
  /** "exact": ends here. "below": `/a/*`. "stem": `/img*`, the start of a segment. "suffix": `*.php`. */
  readonly kind: "exact" | "below" | "stem" | "suffix"
  /** Segments up to the `*`; a name for `:name`. */
  readonly segments: readonly (string | { readonly param: string })[]
  /** Of a stem or suffix, the fixed text of the last segment (with its dot). */
  readonly text2: string
}

export function parsePattern(text: string): Pattern {
  if (text === "*") return { text, kind: "below", segments: [], text2: "" }
  const suffix = /^\*(\.[^/*:]+)$/.exec(text)
  if (suffix !== null) return { text, kind: "suffix", segments: [], text2: suffix[1]! }
  if (!text.startsWith("/")) throw new Error(`the path "${text}" must begin with "/"`)
  const star = text.indexOf("*")
  if (star >= 0 && star !== text.length - 1) throw new Error(`the path "${text}" may have "*" only at its end`)
  if (/[?#]/.test(text)) throw new Error(`the path "${text}" must not have a query or fragment; use the key "query"`)
  const all = text.slice(1).split("/")
  const last = all.at(-1)!
  if (star < 0) return { text, kind: "exact", segments: all.map(toSegment), text2: "" }
  const segments = all.slice(0, -1).map(toSegment)
  if (last === "*") return { text, kind: "below", segments, text2: "" }
  return { text, kind: "stem", segments, text2: toNormal(last.slice(0, -1)) }
}

function toSegment(segment: string, i: number, all: readonly string[]): string | { param: string } {
  if (segment === "" && i < all.length - 1) throw new Error('a path must not have "//"')
  if (segment === "." || segment === "..") throw new Error('a path must not have "." or ".." segments')
  if (!segment.startsWith(":")) return toNormal(segment)
  const param = segment.slice(1)
  if (!/^[A-Za-z_]\w*$/.test(param)) throw new Error(`":${param}" is no parameter; a name has letters, digits and "_"`)
  return { param }
}

/** As paths of requests come: `/caf%C3%A9` is `/café`, and "%25" stays. */
function toNormal(segment: string): string {
  if (segment.includes("\\")) throw new Error('a path must not have "\\"; requests have it as %5C')
  const decoded = decodeSegments(segment)
  if (decoded === null) throw new Error(`"${segment}": "%" begins an escape; for itself it is %25`)
  return decoded
}
