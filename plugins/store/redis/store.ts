import type { CompareAndSet, Store } from "edge"
import { Connection } from "./connection.ts"
import { Subscriptions } from "./subscriptions.ts"

/** Adds, and gives a new counter its end: one step, so that no counter is left without. */
const INCREMENT = `
local n = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return n`

/** ARGV: "1" and the bytes expected, or "0" for absent; "1" and the new bytes, or "0" to delete; time to live or "0". */
const COMPARE_AND_SET = `
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '1' then
  if found ~= ARGV[2] then return 0 end
elseif found then return 0 end
if ARGV[3] == '0' then redis.call('DEL', KEYS[1])
elseif ARGV[5] == '0' then redis.call('SET', KEYS[1], ARGV[4])
else redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5]) end
return 1`

/** Keys: PREFIX + "v:" for values, "n:" for counters. */
export class RedisStore implements Store {
  readonly reach = "machines"
  readonly #connection: Connection
  readonly #subscriptions: Subscriptions
  readonly #prefix: string

  constructor({ url, prefix }: { url: string; prefix: string }) {
    this.#prefix = prefix
    this.#connection = new Connection(url)
    this.#subscriptions = new Subscriptions(url)
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#connection.use(redis => redis.getBuffer(this.#value(key)))
  }

  async set(key: string, value: Uint8Array | string, { ttlMs, onlyIfAbsent = false }: { ttlMs?: number; onlyIfAbsent?: boolean } = {}): Promise<boolean> {
    // Bun's types know few of the forms; the command takes them all.
    const options: string[] = [...(ttlMs === undefined ? [] : ["PX", wholeMs(ttlMs)]), ...(onlyIfAbsent ? ["NX"] : [])]
    const answer = await this.#connection.use(redis => (redis.set as (...args: unknown[]) => Promise<unknown>).call(redis, this.#value(key), value, ...options))
    return answer !== null
  }

  async compareAndSet(key: string, { expected, value, ttlMs }: CompareAndSet): Promise<boolean> {
    const args = [...flagged(expected), ...flagged(value), ttlMs === undefined ? "0" : wholeMs(ttlMs)]
    return (await this.#connection.use(redis => redis.send("EVAL", [COMPARE_AND_SET, "1", this.#value(key), ...args] as string[]))) === 1
  }

  async delete(key: string): Promise<void> {
    await this.#connection.use(redis => redis.del(this.#value(key)))
  }

  increment(key: string, by: number, ttlMs: number): Promise<number> {
    return this.#connection.use(redis => redis.send("EVAL", [INCREMENT, "1", `${this.#prefix}n:${key}`, String(by), wholeMs(ttlMs)]) as Promise<number>)
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#connection.use(redis => redis.publish(this.#prefix + channel, message))
  }

  subscribe(channel: string, f: (message: string | null) => void): Promise<() => void> {
    return this.#subscriptions.add(this.#prefix + channel, f)
  }

  reset(): void {
    this.#connection.reset()
  }

  close(): void {
    this.#connection.close()
    this.#subscriptions.close()
  }

  #value(key: string): string {
    return `${this.#prefix}v:${key}`
  }
}

function flagged(value: Uint8Array | string | null): [string, string | Uint8Array] {
  return value === null ? ["0", ""] : ["1", value]
}

function wholeMs(ms: number): string {
  return String(Math.max(1, Math.ceil(ms)))
}
