/** All stored answers to one URL: its variants. */
import type { HeaderList } from "edge"
import type { CacheEntry } from "./entry.ts"
import { fits } from "../key/vary.ts"

export class VariantGroup {
  readonly base: string
  /** The newest first: of several that fit, it is the one to be used (RFC 9111 4.1). */
  entries: CacheEntry[] = []

  constructor(base: string) {
    this.base = base
  }

  /** The answer for a request; partial ones fit only those who ask for a range. */
  select(headers: HeaderList, { extra, ranged }: { extra: string; ranged: boolean }): CacheEntry | undefined {
    const { entries } = this
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!
      if (entry.extra === extra && (entry.selectors.length === 0 || fits(entry, headers)) && (entry.partial === undefined || ranged)) {
        return entry
      }
    }
    return undefined
  }

  /** Names that tell the answers apart, as far as is known. */
  get names(): readonly string[] {
    return [...new Set(this.entries.flatMap(({ selectors }) => selectors.map(([name]) => name)))]
  }
}
