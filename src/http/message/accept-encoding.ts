/** Content codings by their registered names. */
export type Encoding = "br" | "zstd" | "gzip"

/** As many different lists as browsers and tools send; a flood of made-up ones empties the table. */
const KNOWN_MAX = 256

/** `pickEncoding` for one list of codings: a look-up for a list that was seen before. */
export function encodingPicker(have: readonly Encoding[]): (accept: string | null) => Encoding | "" {
  const known = new Map<string, Encoding | "">()
  return accept => {
    if (accept === null) return ""
    const found = known.get(accept)
    if (found !== undefined) return found
    const picked = pickEncoding(accept, have)
    if (known.size >= KNOWN_MAX) known.clear()
    if (accept.length <= 128) known.set(accept, picked)
    return picked
  }
}

/** The best of `have` (in order of preference) for an Accept-Encoding (RFC 9110 12.5.3), or "" for none. */
export function pickEncoding(accept: string | null, have: readonly Encoding[]): Encoding | "" {
  if (accept === null || accept === "" || have.length === 0) return ""
  let best: Encoding | "" = ""
  let bestQ = 0
  const weights = parseWeights(accept)
  for (const encoding of have) {
    const q = weights.get(encoding) ?? (encoding === "gzip" ? weights.get("x-gzip") : undefined) ?? weights.get("*") ?? 0
    if (q > bestQ) {
      best = encoding
      bestQ = q
    }
  }
  // Identity is as good as anything unless it is given a weight of its own.
  const identity = weights.get("identity")
  return identity !== undefined && identity > bestQ ? "" : best
}

function parseWeights(accept: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const item of accept.toLowerCase().split(",")) {
    const [name = "", ...parameters] = item.split(";")
    let q = 1
    for (const parameter of parameters) {
      const value = /^\s*q=([01](?:\.\d{0,3})?)\s*$/.exec(parameter)
      if (value !== null) q = Math.min(1, Number(value[1]))
    }
    weights.set(name.trim(), q)
  }
  return weights
}
