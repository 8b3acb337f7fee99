import { RedisClient } from "bun"

const CONNECT_MS = 2000
/** After a failed attempt the next calls fail at once for so long: a server that is down must not cost each of them a try. */
const PAUSE_MS = 500

/**
 * One client, made anew when it is gone. Bun's own reconnecting is off: it gives up for good after some tries, and keeps
 * calls waiting meanwhile.
 */
export class Connection {
  readonly #url: string
  #client: RedisClient | undefined
  #connecting: Promise<RedisClient> | undefined
  #failed: { readonly at: number; readonly error: unknown } | undefined
  #closed = false

  constructor(url: string) {
    this.#url = url
  }

  async use<T>(f: (redis: RedisClient) => Promise<T>): Promise<T> {
    const client = this.#client
    return f(client?.connected === true ? client : await this.#connect())
  }

  /** What is under way rejects; the next call connects anew. */
  reset(): void {
    this.#client?.close()
    this.#client = undefined
  }

  close(): void {
    this.#closed = true
    this.reset()
  }

  #connect(): Promise<RedisClient> {
    if (this.#closed) return Promise.reject(new Error("the store is closed"))
    const failed = this.#failed
    if (failed !== undefined && Date.now() - failed.at < PAUSE_MS) return Promise.reject(failed.error)
    return (this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined)))
  }

  async #open(): Promise<RedisClient> {
    this.reset()
    try {
      const client = await openClient(this.#url)
      // Closed while it was being opened.
      if (this.#closed) client.close()
      else this.#client = client
      this.#failed = undefined
      return client
    } catch (error) {
      this.#failed = { at: Date.now(), error }
      throw error
    }
  }
}

export async function openClient(url: string): Promise<RedisClient> {
  const client = new RedisClient(url, { connectionTimeout: CONNECT_MS, autoReconnect: false, enableOfflineQueue: false })
  try {
    await client.connect()
    return client
  } catch (error) {
    client.close()
    throw error
  }
}
