import type { RedisClient } from "bun"
import { openClient } from "./connection.ts"

type Listener = (message: string | null) => void

const RETRY_MS = 1000

/** The channels that this process listens to, on a connection of their own; taken up again when the server is back. */
export class Subscriptions {
  readonly #url: string
  readonly #channels = new Map<string, Set<Listener>>()
  #client: RedisClient | undefined
  #connecting: Promise<RedisClient> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(url: string) {
    this.#url = url
  }

  async add(channel: string, f: Listener): Promise<() => void> {
    const client = this.#client ?? (await (this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))))
    let listeners = this.#channels.get(channel)
    if (listeners === undefined) {
      this.#channels.set(channel, (listeners = new Set()))
      await this.#listen(client, channel)
    }
    listeners.add(f)
    return () => void this.#channels.get(channel)?.delete(f)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#client?.close()
  }

  async #connect(): Promise<RedisClient> {
    const client = await openClient(this.#url)
    client.onclose = () => this.#lost(client)
    if (this.#closed) client.close()
    return (this.#client = client)
  }

  async #listen(client: RedisClient, channel: string): Promise<void> {
    await client.subscribe(channel, message => {
      for (const f of this.#channels.get(channel) ?? []) f(message)
    })
  }

  #lost(client: RedisClient): void {
    if (this.#client === client) this.#client = undefined
    if (this.#closed || this.#channels.size === 0) return
    this.#retry = setTimeout(() => void this.#resume(), RETRY_MS)
  }

  async #resume(): Promise<void> {
    try {
      const client = await this.#connect()
      for (const channel of this.#channels.keys()) await this.#listen(client, channel)
      for (const listeners of this.#channels.values()) for (const f of listeners) f(null)
    } catch {
      // It is still down, or again: the store's other calls say so.
      this.#retry = setTimeout(() => void this.#resume(), RETRY_MS)
    }
  }
}
