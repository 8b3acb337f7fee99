/** Shared state (`[server] state`). */

/**
 * Shared state. Keys are printable text up to 500 bytes and begin with their owner's name ("cache:..."). Every method
 * rejects when the store cannot be reached or does not answer within a few seconds; that it is gone, and back, is logged
 * by the kernel, once.
 */
export interface Store {
  /** Who shares it: the processes of this machine, or every edge with the same `server.state`. */
  readonly reach: "machine" | "machines"
  get(key: string): Promise<Uint8Array | null>
  /** False when it was to be set only if absent, and was there. Without `ttlMs` it stays until deleted. */
  set(key: string, value: Uint8Array | string, options?: { ttlMs?: number; onlyIfAbsent?: boolean }): Promise<boolean>
  /** Sets (null: deletes) only while the value is `expected`, null for absent; false when it is not. */
  compareAndSet(key: string, change: CompareAndSet): Promise<boolean>
  delete(key: string): Promise<void>
  /** Adds to a counter and returns the new value; the counter ends `ttlMs` after it began. Counters are no values: `get` does not see them. */
  increment(key: string, by: number, ttlMs: number): Promise<number>
  /** Text up to 4 kB, to every subscriber that is connected now, this process too. */
  publish(channel: string, message: string): Promise<void>
  /**
   * Resolves when messages arrive from now on, or when the store cannot be reached: then they come as soon as it can. `f`
   * gets null when some may have been missed, the store having been gone. The function returned ends it.
   */
  subscribe(channel: string, f: (message: string | null) => void): Promise<() => void>
  /** An operation got no answer in time: what is connected may be dead, so connect anew for the next. */
  reset?(): void
}

export interface CompareAndSet {
  readonly expected: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly ttlMs?: number
}
