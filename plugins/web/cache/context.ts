/** What the pieces of one cache share. */
import type { Exchange, Logger } from "edge"
import type { CacheEntry } from "./store/entry.ts"
import type { Fact } from "./key/request-facts.ts"
import type { MemoryStore } from "./store/memory.ts"
import type { Rules } from "./policy/policy.ts"
import type { Purges, PurgeSpec } from "./purge/purges.ts"
import type { StatusLine } from "./reply/cache-status.ts"

/** Requests since the front began. */
export interface Counts {
  /** Answered from what is stored, stale answers too. */
  hits: number
  misses: number
  bypassed: number
}

export interface CacheContext {
  readonly counts: Counts
  readonly memory: MemoryStore
  readonly disk: DiskTier | undefined
  readonly purges: Purges
  readonly rules: Rules
  readonly status: StatusLine
  readonly log: Logger
  readonly options: CacheOptions
  /** Target without the arguments that are ignored. */
  targetOf(target: string): string
  extraOf(x: Exchange, facts: Fact): string
  bypass(x: Exchange, facts: Fact): boolean
  /** An unsafe request changed what is at these URLs: forgotten here, in the other fronts and on the other machines. */
  invalidate(bases: readonly string[]): void
  /** The same for what a purge names; how many answers it took out of memory here. 400 for a URL that is none. */
  purge(spec: PurgeSpec): number
}

/** The second tier: shared by the fronts, there after a restart. Nothing here throws: without a disk it is slower, not down. */
export interface DiskTier {
  find(lookup: Lookup): Promise<CacheEntry | undefined>
  write(entry: CacheEntry): void
  remove(entry: CacheEntry): void
}

export interface CacheOptions {
  readonly maxEntry: number
  /** Bytes that all bodies on their way into the cache may hold. */
  readonly maxFilling: number
  readonly collapseMs: number
  readonly requestControl: boolean
  readonly methods: ReadonlySet<string>
  readonly tags: readonly string[]
  readonly purgeToken: string | undefined
}

/** A GET or HEAD that is not answered at once. */
export interface Lookup {
  readonly x: Exchange
  readonly facts: Fact
  readonly target: string
  readonly base: string
  readonly extra: string
}
