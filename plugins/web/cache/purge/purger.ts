/** Purging here, in the other fronts, which each have a memory of their own, and on the other machines that share the state. */
import { type Bus, HttpError, type Logger, type PartCommand, type Store } from "edge"
import { now } from "../clock.ts"
import type { DiskStore } from "../store/disk/disk-store.ts"
import type { MemoryStore } from "../store/memory.ts"
import { matcherOf, type Purge, Purges, type PurgeSpec } from "./purges.ts"

/** What is sent: one of the two. Plain data; it comes from commands and other machines. */
interface Message {
  readonly id: string
  readonly spec?: PurgeSpec
  /** Keys of URLs that an unsafe request changed. */
  readonly bases?: readonly string[]
}

const TOPIC = "cache.purge"
const CHANNEL = "cache:purge"
/** A store's messages have 4 kB. */
const MOST_MESSAGE = 3500

export interface PurgerOptions {
  readonly memory: MemoryStore
  readonly bus: Bus
  readonly store: Store
  readonly log: Logger
}

export class Purger {
  readonly purges = new Purges()
  readonly #options: PurgerOptions
  /** Set before anything is purged. */
  disk: DiskStore | undefined
  #end: (() => void) | undefined

  constructor(options: PurgerOptions) {
    this.#options = options
    options.bus.on(TOPIC, data => void this.#receive(data))
  }

  async start(): Promise<void> {
    const { store, log } = this.#options
    if (store.reach !== "machines") return
    try {
      this.#end = await store.subscribe(CHANNEL, text => {
        // Missed: rather ask for everything again than show what was purged elsewhere.
        if (text === null) this.#receive({ id: crypto.randomUUID(), spec: { all: true } })
        else this.#receive(parse(text))
      })
    } catch (error) {
      log.warn("purges of other machines do not arrive", { error })
    }
  }

  stop(): void {
    this.#end?.()
  }

  /** `edge purge`: it goes to every front of this machine. */
  command({ name, args }: PartCommand): number | undefined {
    if (name !== "purge") return undefined
    const message = { id: String(args["id"]), spec: toSpec(args) }
    const count = this.#receive(message)
    this.#publish(message)
    return count
  }

  /** How many answers it took out of memory here. */
  purge(spec: PurgeSpec): number {
    const message = { id: crypto.randomUUID(), spec }
    try {
      matcherOf(spec)
    } catch (error) {
      throw new HttpError(400, (error as Error).message)
    }
    const count = this.#receive(message)
    this.#options.bus.send(TOPIC, message)
    this.#publish(message)
    return count
  }

  invalidate(bases: readonly string[]): void {
    const message = { id: crypto.randomUUID(), bases }
    this.#receive(message)
    this.#options.bus.send(TOPIC, message)
    this.#publish(message)
  }

  #publish(message: Message): void {
    const { store, log } = this.#options
    if (store.reach !== "machines") return
    for (const text of textsOf(message)) {
      // The store's absence is logged by the kernel.
      store.publish(CHANNEL, text).catch((error: unknown) => log.debug("a purge did not reach other machines", { error }))
    }
  }

  #receive(data: unknown): number {
    const message = (typeof data === "object" && data !== null ? data : {}) as Partial<Message>
    const ms = now()
    if (Array.isArray(message.bases)) {
      for (const base of message.bases) if (typeof base === "string") this.#forget(base, ms)
      return 0
    }
    if (typeof message.id !== "string" || message.spec === undefined) return 0
    return this.#apply({ id: message.id, ms, spec: toSpec(message.spec) })
  }

  #forget(base: string, ms: number): void {
    this.purges.invalidate(base, ms)
    this.#options.memory.deleteGroup(base)
    this.disk?.removeAll(base)
  }

  #apply(purge: Purge): number {
    const matches = matcherOf(purge.spec)
    if (!this.purges.add(purge)) return 0
    this.disk?.purged(purge)
    const { memory } = this.#options
    const gone = [...memory.groups].flatMap(({ entries }) => entries.filter(matches))
    for (const entry of gone) memory.delete(entry)
    return gone.length
  }
}

/** From a command, another front or another machine: plain data of any shape. */
function toSpec(data: unknown): PurgeSpec {
  const given = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>
  const texts = (key: string) => (Array.isArray(given[key]) ? (given[key] as unknown[]).filter(one => typeof one === "string") : [])
  return { urls: texts("urls"), prefixes: texts("prefixes"), tags: texts("tags"), all: given["all"] === true }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One message, or one for each thing when that is too long. */
function textsOf(message: Message): string[] {
  const text = JSON.stringify(message)
  if (Buffer.byteLength(text) <= MOST_MESSAGE) return [text]
  const { id, spec, bases } = message
  const one = (key: string) => (value: string, i: number) => JSON.stringify({ id: `${id}.${key}${i}`, spec: { [key]: [value] } })
  const each = bases?.map(base => JSON.stringify({ id, bases: [base] })) ?? []
  return [...each, ...(["urls", "prefixes", "tags"] as const).flatMap(key => (spec?.[key] ?? []).map(one(key)))]
}
