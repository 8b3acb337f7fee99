/** Which requests a stored answer fits (RFC 9111 4.1). */
import type { HeaderList } from "edge"

/** Name in lower case, value in normal form and as it came; null for absent, which is not "". */
export type Selector = readonly [name: string, value: string | null, raw: string | null]

/** Names of Vary, sorted, each once; null for `*`, which fits no request. */
export function varyNames(headers: HeaderList): readonly string[] | null {
  const text = headers.get("vary")
  if (text === null) return none
  const names = new Set(text.split(",").map(name => name.trim().toLowerCase()))
  names.delete("")
  return names.has("*") ? null : [...names].toSorted()
}

const none: readonly string[] = []

export function selectorsOf(names: readonly string[], headers: HeaderList): Selector[] {
  return names.map(name => {
    const raw = headers.get(name)
    return [name, normalValue(name, raw), raw]
  })
}

export function fits({ selectors, language }: { readonly selectors: readonly Selector[]; readonly language: string }, headers: HeaderList): boolean {
  for (let i = 0; i < selectors.length; i++) {
    const [name, value, raw] = selectors[i]!
    const given = headers.get(name)
    if (given === raw || normalValue(name, given) === value) continue
    if (name !== "accept-language" || language === "" || firstLanguage(headers) !== language) return false
  }
  return true
}

/** The one that the client likes best, where there is just one: an answer in it is what the origin would choose. */
function firstLanguage(headers: HeaderList): string | undefined {
  const ranked = (headers.get("accept-language") ?? "").toLowerCase().split(",").map(item => {
    const [tag = "", q] = item.split(";").map(part => part.trim())
    return { tag, weight: q === undefined ? 1 : Number(q.replace(/^q=/, "")) }
  })
  const [best, second] = ranked.toSorted((a, b) => b.weight - a.weight)
  return best === undefined || best.weight === second?.weight ? undefined : best.tag
}

/** Lists whose order means nothing, as each member has its weight: two browsers that write them differently share. */
const sets = new Set(["accept-encoding", "accept-language", "accept-charset"])
/** Whatever is in them is taken word for word. */
const opaque = new Set(["cookie", "authorization", "user-agent"])

/** Of a request field, so that what means the same is the same; null when it is not there. */
export function normalValue(name: string, value: string | null): string | null {
  if (value === null || opaque.has(name)) return value
  if (!sets.has(name)) return value.includes(",") ? value.split(",").map(part => part.trim()).join(",") : value
  const known = recent.get(value)
  if (known !== undefined) return known
  const members = value.toLowerCase().replaceAll(/\s+/g, "").split(",")
  const normal = members.filter(one => one !== "" && !/;q=0(?:\.0*)?$/.test(one)).toSorted().join(",")
  if (recent.size >= MOST_RECENT) recent.clear()
  recent.set(value, normal)
  return normal
}

/** Browsers send a handful of different values. */
const recent = new Map<string, string>()
const MOST_RECENT = 500

/** Part of the name of a variant's file. */
export function variantKey(selectors: readonly Selector[]): string {
  return selectors.length === 0 ? "" : JSON.stringify(selectors.map(([name, value]) => [name, value]))
}
