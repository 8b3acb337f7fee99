/** Puts answers into the stores, takes them out, and knows what must not go in. */
import { CacheEntry, type EntryFields } from "./entry.ts"
import { areSendable, keptLines, mergedLines, tagsOf } from "./stored-headers.ts"
import type { CacheContext, Lookup } from "../context.ts"
import { dateMs, decide, type OriginResponse, type Terms } from "../policy/policy.ts"
import { selectorsOf } from "../key/vary.ts"
import { HeaderList } from "edge"

export type Draft = Omit<EntryFields, "body">

export class ResponseStore {
  readonly #context: CacheContext
  /** Bytes of bodies on their way. */
  #filling = 0

  constructor(context: CacheContext) {
    this.#context = context
  }

  /** The terms on which an answer may be kept, or null. */
  judge(response: OriginResponse): Terms | null {
    return decide(response, this.#context.rules)
  }

  draft(lookup: Lookup, { response, terms, partial }: { response: OriginResponse; terms: Terms; partial?: EntryFields["partial"] }): Draft {
    const { headers, status, requestMs, responseMs } = response
    const strip = new Set([...terms.strip, ...this.#context.options.tags.map(name => name.toLowerCase())])
    return {
      base: lookup.base,
      extra: lookup.extra,
      selectors: selectorsOf(terms.vary, lookup.x.headers),
      status,
      lines: keptLines(headers, { strip, dateMs: dateMs(headers, responseMs) }),
      terms,
      storedMs: requestMs,
      tags: tagsOf(headers, this.#context.options.tags),
      partial,
      hitLine: this.#context.status.hit,
    }
  }

  /** The stored answer with what a 304 or a HEAD said of it (RFC 9111 3.2); null when it is to be kept no longer. */
  freshened(entry: CacheEntry, response: OriginResponse): { entry: CacheEntry; keep: boolean } {
    const strip = new Set(this.#context.options.tags.map(name => name.toLowerCase()))
    const newer = keptLines(response.headers, { strip, dateMs: dateMs(response.headers, response.responseMs) })
    const lines = mergedLines(entry.lines, newer)
    const headers = new HeaderList([...lines])
    const age = response.headers.getAll("age")[0]
    if (age !== undefined) headers.append("Age", age)
    const terms = this.judge({ ...response, status: entry.status, headers })
    const tags = tagsOf(response.headers, this.#context.options.tags)
    const made: EntryFields = {
      ...entry,
      lines: terms === null ? lines : keptLines(headers, { strip: new Set(terms.strip), dateMs: response.responseMs }),
      body: entry.body,
      terms: terms ?? { ...entry.terms, noCache: true },
      storedMs: response.requestMs,
      tags: tags.length > 0 ? tags : entry.tags,
      hitLine: this.#context.status.hit,
    }
    return { entry: new CacheEntry(made), keep: terms !== null && areSendable(made.lines) }
  }

  /** False: it was purged since it was asked for, or there is no room for one so large. */
  put(entry: CacheEntry): boolean {
    if (this.#context.purges.covers(entry)) return false
    const { memory, disk } = this.#context
    const inMemory = memory.put(entry)
    disk?.write(entry)
    return inMemory || disk !== undefined
  }

  remove(entry: CacheEntry): void {
    this.#context.memory.delete(entry)
    this.#context.disk?.remove(entry)
  }

  /** Takes bytes for a body on its way; false: there is no room. */
  reserve(bytes: number): boolean {
    if (this.#filling + bytes > this.#context.options.maxFilling) return false
    this.#filling += bytes
    return true
  }

  unreserve(bytes: number): void {
    this.#filling -= bytes
  }
}
