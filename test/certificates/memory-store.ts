/** A store in memory, for as many processes as a test plays; times are the test's. */
import type { CompareAndSet, Store } from "../../src/contract/store.ts"

export class MemoryStore implements Store {
  readonly reach = "machines"
  readonly values = new Map<string, { value: Buffer; until: number }>()
  readonly #listeners = new Map<string, Set<(message: string | null) => void>>()

  async get(key: string): Promise<Uint8Array | null> {
    return this.#now(key)
  }

  /** Without a turn between look and change, as a real store's transaction. */
  #now(key: string): Buffer | null {
    const found = this.values.get(key)
    return found === undefined || found.until < Date.now() ? null : found.value
  }

  async set(key: string, value: Uint8Array | string, { ttlMs = Infinity, onlyIfAbsent = false }: { ttlMs?: number; onlyIfAbsent?: boolean } = {}): Promise<boolean> {
    if (onlyIfAbsent && this.#now(key) !== null) return false
    this.values.set(key, { value: Buffer.from(value as string), until: Date.now() + ttlMs })
    return true
  }

  async compareAndSet(key: string, { expected, value, ttlMs }: CompareAndSet): Promise<boolean> {
    const now = this.#now(key)
    const same = expected === null ? now === null : now !== null && now.equals(Buffer.from(expected as string))
    if (!same) return false
    if (value === null) this.values.delete(key)
    else this.values.set(key, { value: Buffer.from(value as string), until: Date.now() + (ttlMs ?? Infinity) })
    return true
  }

  async delete(key: string): Promise<void> {
    this.values.delete(key)
  }

  increment(): Promise<number> {
    return Promise.reject(new Error("not of this test"))
  }

  async publish(channel: string, message: string): Promise<void> {
    for (const listener of this.#listeners.get(channel) ?? []) listener(message)
  }

  async subscribe(channel: string, f: (message: string | null) => void): Promise<() => void> {
    const all = this.#listeners.get(channel) ?? new Set()
    this.#listeners.set(channel, all.add(f))
    return () => all.delete(f)
  }
}
