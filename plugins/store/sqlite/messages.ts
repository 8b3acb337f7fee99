/** Messages between the processes that have one SQLite file open: rows that each of them looks for. */
import type { Database } from "bun:sqlite"
import type { Logger } from "edge"

/** A look costs one read of a counter in shared memory (data_version) when nothing was written. */
const LOOK_MS = 100
/** Who was stopped for longer than this has missed messages. */
const KEEP_MS = 60_000

interface Row {
  readonly id: number
  readonly channel: string
  readonly body: string
}

export class Messages {
  readonly #db: Database
  readonly #log: Logger
  readonly #subscribers = new Map<string, Set<(message: string | null) => void>>()
  readonly #timer: ReturnType<typeof setInterval>
  #last: number
  #version = -1
  #looked = Date.now()
  #trimmed = 0

  constructor(db: Database, log: Logger) {
    this.#db = db
    this.#log = log
    this.#last = db.query<{ id: number | null }, []>("SELECT max(id) AS id FROM edge_message").get()?.id ?? 0
    this.#timer = setInterval(() => this.#tick(), LOOK_MS)
    this.#timer.unref()
  }

  subscribe(channel: string, f: (message: string | null) => void): () => void {
    let set = this.#subscribers.get(channel)
    if (set === undefined) this.#subscribers.set(channel, (set = new Set()))
    set.add(f)
    return () => void set.delete(f)
  }

  /** Gives out what came since the last look. */
  look(): void {
    const now = Date.now()
    if (now - this.#looked > KEEP_MS) for (const set of this.#subscribers.values()) for (const f of set) f(null)
    this.#looked = now
    const rows = this.#db.query<Row, [number]>("SELECT id, channel, body FROM edge_message WHERE id > ? ORDER BY id").all(this.#last)
    for (const { id, channel, body } of rows) {
      this.#last = id
      for (const f of this.#subscribers.get(channel) ?? []) f(body)
    }
    if (rows.length === 0 || now - this.#trimmed < KEEP_MS) return
    this.#trimmed = now
    this.#db.query("DELETE FROM edge_message WHERE at < ?").run(now - KEEP_MS)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    try {
      const { data_version: version } = this.#db.query<{ data_version: number }, []>("PRAGMA data_version").get()!
      if (version === this.#version) {
        this.#looked = Date.now()
        return
      }
      this.look()
      this.#version = version
    } catch (error) {
      // Busy: the next look finds them.
      this.#log.debug("messages could not be read", { error: (error as Error).message })
    }
  }
}
