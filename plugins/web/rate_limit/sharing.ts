/**
 * One rule's counts over many machines. Each counts at once in its own table, and tells the store in batches what it
 * counted; the answer is what all of them have, and what is new in it is counted here too. A machine may be ahead of what
 * it told by a lease, an eighth of what is left for the key; past it a request waits for the store (at most WAIT_MS). So
 * a client who is far from the limit never waits, and near it (fewer than 8 left) machines are exact together.
 */
import type { Store } from "edge"
import { field } from "./layout.ts"
import type { CountTable } from "./table.ts"

/** What was counted is told after so long at the latest. */
const TELL_MS = 50
/** A request waits no longer for the store: then this machine's own counts decide. */
const WAIT_MS = 500
/** After a failure nothing waits for so long. */
const PAUSE_MS = 1000
/** Keys that wait to be told while the store is gone; a window later they mean nothing anyway. */
const MOST_KEYS = 10_000
const LEASE = 8

interface Untold {
  readonly key: string
  readonly window: number
  count: number
}

export class Sharing {
  readonly #table: CountTable
  readonly #store: Store
  readonly #windowMs: number
  readonly #prefix: string
  #untold = new Map<string, Untold>()
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Begins at the end of this turn: resolves when all that was counted by then was told, or failed. */
  #next: Promise<void> | undefined
  #failedAt = -Infinity

  constructor(table: CountTable, { store, id, windowMs }: { store: Store; id: string; windowMs: number }) {
    this.#table = table
    this.#store = store
    this.#windowMs = windowMs
    this.#prefix = `rate_limit:${digest(id)}:`
  }

  /** One more was counted. True when it may go on at once; else ask `settled`. */
  counted(key: string): boolean {
    const { window, left } = this.#table
    this.#note(key, { window, by: 1 })
    if (performance.now() - this.#failedAt < PAUSE_MS) return true
    return this.#table.count(key, { window, field: field.open }) <= Math.floor(left / LEASE)
  }

  /**
   * Resolves with whether the key is still within its limit, now that the others' counts are known. If not, the count is
   * taken back at once, before the next that waits is looked at: so of ten that came too many for two, eight are let in.
   */
  async settled(key: string, window: number): Promise<boolean> {
    // One for all of this turn. One that is under way already does not tell of this request.
    this.#next ??= new Promise<void>(resolve =>
      setImmediate(() => {
        this.#next = undefined
        resolve(this.#tell())
      }),
    )
    await Promise.race([this.#next, Bun.sleep(WAIT_MS)])
    if (this.#table.look(key, Date.now()) >= 0) return true
    this.takeBack(key, window)
    return false
  }

  /** It was not let in after all. */
  takeBack(key: string, window: number): void {
    this.#table.giveBack(key, window)
    this.#note(key, { window, by: -1 })
  }

  /** Tells what is left. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#tell()
  }

  #note(key: string, { window, by }: { window: number; by: number }): void {
    this.#table.add(key, { window, field: field.open, by })
    const name = `${window} ${key}`
    const untold = this.#untold.get(name)
    if (untold !== undefined) untold.count += by
    else if (this.#untold.size < MOST_KEYS) this.#untold.set(name, { key, window, count: by })
    this.#timer ??= setTimeout(() => void this.#tell(), TELL_MS)
  }

  async #tell(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = [...this.#untold.values()]
    this.#untold = new Map()
    await Promise.all(batch.map(untold => this.#tellOne(untold)))
  }

  async #tellOne({ key, window, count }: Untold): Promise<void> {
    const table = this.#table
    const fresh = table.count(key, { window, field: field.known }) === 0
    // Before it is on its way: another front's answer may hold it already, and must not count it as another machine's.
    table.add(key, { window, field: field.known, by: count })
    try {
      const told = this.#increment(key, { window, by: count })
      // A machine that has not met the key knows nothing of its last window either, and that slides into this one.
      if (fresh) void this.#increment(key, { window: window - 1, by: 0 }).then(total => table.learn(key, { window: window - 1, total }), noMatter)
      table.learn(key, { window, total: await told })
      this.#failedAt = -Infinity
    } catch {
      // The kernel has said so. Told again later, as long as its window counts.
      this.#failedAt = performance.now()
      table.add(key, { window, field: field.known, by: -count })
      if (Date.now() < (window + 2) * this.#windowMs) this.#again({ key, window, count })
    }
    table.add(key, { window, field: field.open, by: -count })
  }

  #again({ key, window, count }: Untold): void {
    const name = `${window} ${key}`
    const untold = this.#untold.get(name)
    if (untold !== undefined) untold.count += count
    else if (this.#untold.size < MOST_KEYS) this.#untold.set(name, { key, window, count })
    this.#timer ??= setTimeout(() => void this.#tell(), PAUSE_MS)
  }

  /** Keys may be secrets (a cookie, an API key): the store sees a digest. */
  #increment(key: string, { window, by }: { window: number; by: number }): Promise<number> {
    return this.#store.increment(`${this.#prefix}${digest(key)}:${window}`, by, 2 * this.#windowMs + 60_000)
  }
}

function digest(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("base64url").slice(0, 22)
}

function noMatter(): void {
  // The same store fails for the count itself, which is told again.
}
