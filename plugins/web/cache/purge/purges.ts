/** What was purged or invalidated, and when: an answer asked for before that must not be kept, nor one from disk be used. */
import { normalizePath } from "edge"

/** Plain data: it crosses processes. */
export interface PurgeSpec {
  /** "/path?query" on every host, or "https://host/path?query", whose scheme does not matter. */
  readonly urls?: readonly string[]
  /** The same, for all paths that begin so. */
  readonly prefixes?: readonly string[]
  readonly tags?: readonly string[]
  readonly all?: boolean
}

export interface Purge {
  readonly id: string
  /** Unix milliseconds. */
  readonly ms: number
  readonly spec: PurgeSpec
}

/** What is asked about a stored answer. */
export interface Purgeable {
  readonly base: string
  readonly tags: readonly string[]
  /** When it was asked for. */
  readonly storedMs: number
}

interface Place {
  /** Without port; undefined: every host. */
  readonly host: string | undefined
  /** In normal form. */
  readonly path: string
  readonly query: string
}

/** A test for stored answers; throws an Error that says which URL is none. */
export function matcherOf(spec: PurgeSpec): (kept: Pick<Purgeable, "base" | "tags">) => boolean {
  if (spec.all === true) return () => true
  const urls = (spec.urls ?? []).map(placeGiven)
  const prefixes = (spec.prefixes ?? []).map(placeGiven)
  const tags = new Set(spec.tags)
  return ({ base, tags: own }) => {
    if (tags.size > 0 && own.some(tag => tags.has(tag))) return true
    if (urls.length + prefixes.length === 0) return false
    const place = placeOf(base)
    if (place === null) return true
    const here = (one: Place) => one.host === undefined || one.host === place.host
    return (
      urls.some(one => here(one) && one.path === place.path && one.query === place.query) ||
      prefixes.some(one => here(one) && place.path.startsWith(one.path))
    )
  }
}

function placeGiven(url: string): Place {
  const place = placeOf(url)
  if (place === null) throw new Error(`not a URL or a path: ${JSON.stringify(url)}`)
  return place
}

function placeOf(url: string): Place | null {
  const match = /^(?:(?:https?:\/\/)?(\[[\da-f:]+\]|[^/?#\s:[]+)(?::\d+)?)?(\/[^?#\s]*)?(?:\?([^#\s]*))?$/i.exec(url)
  const path = match === null ? null : normalizePath(match[2] ?? "/")
  if (match === null || path === null) return null
  return { host: match[1]?.toLowerCase(), path, query: match[3] ?? "" }
}

const MOST_BASES = 10_000
const MOST_PURGES = 1000

export class Purges {
  readonly #purges: { readonly purge: Purge; readonly matches: ReturnType<typeof matcherOf> }[] = []
  readonly #bases = new Map<string, number>()
  /** Nothing older is good any more. */
  #floorMs = 0

  /** False when it is known already. */
  add(purge: Purge): boolean {
    if (this.#purges.some(one => one.purge.id === purge.id)) return false
    this.#purges.push({ purge, matches: matcherOf(purge.spec) })
    // Rather too much purged than too little.
    if (this.#purges.length > MOST_PURGES) this.#floorMs = Math.max(this.#floorMs, this.#purges.shift()!.purge.ms)
    return true
  }

  /** An unsafe request succeeded. */
  invalidate(base: string, ms: number): void {
    this.#bases.delete(base)
    this.#bases.set(base, ms)
    if (this.#bases.size > MOST_BASES) for (const oldest of this.#bases.keys()) {
      this.#bases.delete(oldest)
      break
    }
  }

  covers(kept: Purgeable): boolean {
    if (kept.storedMs <= this.#floorMs || kept.storedMs <= (this.#bases.get(kept.base) ?? 0)) return true
    return this.#purges.some(({ purge, matches }) => kept.storedMs <= purge.ms && matches(kept))
  }

  /** Those before `ms` that are not among `ids` were carried out on all that is kept. */
  forget(ms: number, ids: ReadonlySet<string>): void {
    const left = this.#purges.filter(({ purge }) => purge.ms >= ms || ids.has(purge.id))
    this.#purges.splice(0, this.#purges.length, ...left)
  }

  get list(): readonly Purge[] {
    return this.#purges.map(({ purge }) => purge)
  }
}
