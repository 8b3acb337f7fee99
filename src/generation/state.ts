/** Shared state as parts see it: the store that `server.state` names, its operations bounded in time, its outages logged once. */
import { checkArgument, checkOptions, type Shape } from "../options.ts"
import { EdgeError, errors, reason } from "../errors.ts"
import type { Parts } from "./parts.ts"
import type { CompareAndSet, Store } from "../contract/store.ts"
import type { Logger } from "../log/logger.ts"
import type { Registry } from "../registry/registry.ts"

/** An operation that takes longer has failed: whoever waits has a request to answer. */
const ANSWER_MS = 3000
/** A subscription that failed is tried again after so long. */
const RETRY_MS = 1000
/** Schemes that people write for a store of another name. */
const otherNames: Readonly<Record<string, string>> = { postgresql: "postgres", rediss: "redis", valkey: "redis", valkeys: "redis" }

/** `sqlite:edge.db` and `redis://...` are short for `{ sqlite = { url = "sqlite:edge.db" } }`. Undefined: told what is wrong. */
export async function setUpStore(
  state: string | Readonly<Record<string, unknown>>,
  { parts, registry }: { parts: Parts; registry: Registry },
): Promise<{ name: string; store: Store } | undefined> {
  const path = ["server", "state"]
  const short = typeof state === "string"
  const entries = short ? [[/^([a-z][a-z0-9+._-]*):/i.exec(state)?.[1]?.toLowerCase() ?? "", { url: state }] as const] : Object.entries(state)
  const [scheme = "", options] = entries[0] ?? []
  if (entries.length !== 1 || scheme === "") {
    parts.tell(errors.badState(registry.names("store")), path)
    return undefined
  }
  const name = otherNames[scheme] ?? scheme
  const found = await registry.find("store", name)
  if (found === undefined) {
    parts.tellUnknown("store", name, { path: short ? path : [...path, scheme], key: !short })
    return undefined
  }
  const built = await parts.top("store", found, { value: options, path: short ? path : [...path, scheme] })
  return built && { name, store: built.part }
}

/** Does not keep a process that has nothing else to do. */
function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}

const SET: Shape<{ ttlMs: number; onlyIfAbsent: boolean }> = { ttlMs: "number", onlyIfAbsent: "boolean" }
const CHANGE: Shape<CompareAndSet> = { expected: "any", value: "any", ttlMs: "number" }

export class State implements Store {
  readonly #log: Logger
  readonly #answerMs: number
  #name = ""
  #store: Store | undefined
  #gone = false
  #closed = false

  constructor(log: Logger, answerMs = ANSWER_MS) {
    this.#log = log
    this.#answerMs = answerMs
  }

  adopt({ name, store }: { name: string; store: Store }): void {
    this.#name = name
    this.#store = store
  }

  /** The parts have stopped, the store with them. */
  close(): void {
    this.#closed = true
  }

  get reach(): Store["reach"] {
    return this.#store?.reach ?? "machine"
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#ask(store => store.get(key))
  }

  async set(key: string, value: Uint8Array | string, options?: { ttlMs?: number; onlyIfAbsent?: boolean }): Promise<boolean> {
    checkOptions("store.set()", options, SET)
    return this.#ask(store => store.set(key, value, options))
  }

  async compareAndSet(key: string, change: CompareAndSet): Promise<boolean> {
    checkOptions("store.compareAndSet()", change, CHANGE)
    if (change.expected === undefined || change.value === undefined) throw new TypeError("store.compareAndSet(): expected and value must be given; null is for absent")
    return this.#ask(store => store.compareAndSet(key, change))
  }

  delete(key: string): Promise<void> {
    return this.#ask(store => store.delete(key))
  }

  async increment(key: string, by: number, ttlMs: number): Promise<number> {
    checkArgument("store.increment()", "by", by, "number")
    checkArgument("store.increment()", "ttlMs", ttlMs, "number")
    return this.#ask(store => store.increment(key, by, ttlMs))
  }

  publish(channel: string, message: string): Promise<void> {
    return this.#ask(store => store.publish(channel, message))
  }

  /** Where the store cannot be reached it goes on trying: whoever needs messages needs them when it is back. */
  async subscribe(channel: string, f: (message: string | null) => void): Promise<() => void> {
    let ended = false
    let end: (() => void) | undefined
    const attempt = async (): Promise<boolean> => {
      try {
        const stop = await this.#ask(store => store.subscribe(channel, message => void (ended || f(message))))
        if (ended) stop()
        else end = stop
        return true
      } catch {
        return false
      }
    }
    const goOn = async (): Promise<void> => {
      do {
        await sleep(RETRY_MS)
        if (ended || this.#closed) return
      } while (!(await attempt()))
      if (!ended) f(null)
    }
    if (!(await attempt())) void goOn()
    return () => {
      ended = true
      end?.()
    }
  }

  async #ask<T>(what: (store: Store) => Promise<T>): Promise<T> {
    const store = this.#store
    if (store === undefined) throw new EdgeError(errors.stateGone("there is no shared state here"))
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      reject(new EdgeError(errors.stateGone(`no answer within ${this.#answerMs / 1000} s`)))
      store.reset?.()
    }, this.#answerMs)
    try {
      const answer = await Promise.race([what(store), promise])
      if (this.#gone) this.#log.info(`the shared state (${this.#name}) is back`)
      this.#gone = false
      return answer
    } catch (error) {
      if (!this.#gone && !this.#closed) this.#log.error(`the shared state (${this.#name}) is gone; what needs it goes on without`, { error: reason(error) })
      this.#gone = true
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}
