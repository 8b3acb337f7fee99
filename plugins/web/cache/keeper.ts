/** Puts answers into the stores, takes them out, and knows what must not go in. */
import { Entry, type Made } from "./entry.ts"
import { areSendable, keptLines, mergedLines, tagsOf } from "./lines.ts"
import type { Asked, CacheParts } from "./parts.ts"
import { type Answered, dateMs, decide, type Terms } from "./policy.ts"
import { selectorsOf } from "./vary.ts"
import { HeaderList } from "edge"

export type Draft = Omit<Made, "body">

export class Keeper {
  readonly #parts: CacheParts
  /** Bytes of bodies on their way. */
  #filling = 0

  constructor(parts: CacheParts) {
    this.#parts = parts
  }

  /** The terms on which an answer may be kept, or null. */
  judge(answered: Answered): Terms | null {
    return decide(answered, this.#parts.rules)
  }

  draft(asked: Asked, { answered, terms, partial }: { answered: Answered; terms: Terms; partial?: Made["partial"] }): Draft {
    const { headers, status, requestMs, responseMs } = answered
    const strip = new Set([...terms.strip, ...this.#parts.options.tags.map(name => name.toLowerCase())])
    return {
      base: asked.base,
      extra: asked.extra,
      selectors: selectorsOf(terms.vary, asked.x.headers),
      status,
      lines: keptLines(headers, { strip, dateMs: dateMs(headers, responseMs) }),
      terms,
      storedMs: requestMs,
      tags: tagsOf(headers, this.#parts.options.tags),
      partial,
      hitLine: this.#parts.status.hit,
    }
  }

  /** The stored answer with what a 304 or a HEAD said of it (RFC 9111 3.2); null when it is to be kept no longer. */
  freshened(entry: Entry, answered: Answered): { entry: Entry; keep: boolean } {
    const strip = new Set(this.#parts.options.tags.map(name => name.toLowerCase()))
    const newer = keptLines(answered.headers, { strip, dateMs: dateMs(answered.headers, answered.responseMs) })
    const lines = mergedLines(entry.lines, newer)
    const headers = new HeaderList([...lines])
    const age = answered.headers.getAll("age")[0]
    if (age !== undefined) headers.append("Age", age)
    const terms = this.judge({ ...answered, status: entry.status, headers })
    const tags = tagsOf(answered.headers, this.#parts.options.tags)
    const made: Made = {
      ...entry,
      lines: terms === null ? lines : keptLines(headers, { strip: new Set(terms.strip), dateMs: answered.responseMs }),
      body: entry.body,
      terms: terms ?? { ...entry.terms, noCache: true },
      storedMs: answered.requestMs,
      tags: tags.length > 0 ? tags : entry.tags,
      hitLine: this.#parts.status.hit,
    }
    return { entry: new Entry(made), keep: terms !== null && areSendable(made.lines) }
  }

  /** False: it was purged since it was asked for, or there is no room for one so large. */
  keep(entry: Entry): boolean {
    if (this.#parts.purges.covers(entry)) return false
    const { memory, disk } = this.#parts
    const inMemory = memory.put(entry)
    disk?.write(entry)
    return inMemory || disk !== undefined
  }

  drop(entry: Entry): void {
    this.#parts.memory.delete(entry)
    this.#parts.disk?.remove(entry)
  }

  /** Takes bytes for a body on its way; false: there is no room. */
  reserve(bytes: number): boolean {
    if (this.#filling + bytes > this.#parts.options.maxFilling) return false
    this.#filling += bytes
    return true
  }

  unreserve(bytes: number): void {
    this.#filling -= bytes
  }
}
