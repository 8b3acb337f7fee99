/** The store of one machine. Calls are synchronous inside: a read is some microseconds, a write some tens. */
import type { Database } from "bun:sqlite"
import { chmodSync, closeSync, openSync, statSync } from "node:fs"
import type { CompareAndSet, Logger, Store } from "edge"
import { Messages } from "./messages.ts"

/** Another process may hold the write lock so long; all of them write one row at a time. */
const BUSY_MS = 1000
/** Rows whose time is over are removed so often, so many at once, while the store is in use. */
const SWEEP_MS = 30_000
const SWEEP_ROWS = 1000

const TABLES = `
  CREATE TABLE IF NOT EXISTS edge_value (key TEXT PRIMARY KEY, value BLOB NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS edge_value_ends ON edge_value (ends);
  CREATE TABLE IF NOT EXISTS edge_counter (key TEXT PRIMARY KEY, n INTEGER NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS edge_counter_ends ON edge_counter (ends);
  CREATE TABLE IF NOT EXISTS edge_message (id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
`
/** `ends` of what stays. */
const NEVER = Number.MAX_SAFE_INTEGER

export class SqliteStore implements Store {
  readonly reach = "machine"
  readonly #file: string
  readonly #log: Logger
  #db: Database | undefined
  #messages: Messages | undefined
  #sweep: ReturnType<typeof setInterval> | undefined

  constructor(file: string, log: Logger) {
    this.#file = file
    this.#log = log
  }

  async get(key: string): Promise<Uint8Array | null> {
    const db = await this.#open()
    const row = db.query<{ value: Uint8Array }, [string, number]>("SELECT value FROM edge_value WHERE key = ? AND ends > ?").get(key, Date.now())
    return row?.value ?? null
  }

  async set(key: string, value: Uint8Array | string, { ttlMs, onlyIfAbsent = false }: { ttlMs?: number; onlyIfAbsent?: boolean } = {}): Promise<boolean> {
    const db = await this.#open()
    const now = Date.now()
    const done = db
      .query(
        `INSERT INTO edge_value VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, ends = excluded.ends WHERE ?4 OR ends <= ?5`,
      )
      .run(key, toBytes(value), endOf(now, ttlMs), onlyIfAbsent ? 0 : 1, now)
    return done.changes > 0
  }

  async compareAndSet(key: string, { expected, value, ttlMs }: CompareAndSet): Promise<boolean> {
    if (expected === null) return value === null ? (await this.get(key)) === null : this.set(key, value, { onlyIfAbsent: true, ...(ttlMs !== undefined && { ttlMs }) })
    const db = await this.#open()
    const now = Date.now()
    const done =
      value === null
        ? db.query("DELETE FROM edge_value WHERE key = ? AND value = ? AND ends > ?").run(key, toBytes(expected), now)
        : db
            .query("UPDATE edge_value SET value = ?, ends = ? WHERE key = ? AND value = ? AND ends > ?")
            .run(toBytes(value), endOf(now, ttlMs), key, toBytes(expected), now)
    return done.changes > 0
  }

  async delete(key: string): Promise<void> {
    const db = await this.#open()
    db.query("DELETE FROM edge_value WHERE key = ?").run(key)
  }

  async increment(key: string, by: number, ttlMs: number): Promise<number> {
    const db = await this.#open()
    const now = Date.now()
    const row = db
      .query<{ n: number }, [string, number, number, number]>(
        `INSERT INTO edge_counter VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET
           n = CASE WHEN ends <= ?4 THEN excluded.n ELSE n + excluded.n END,
           ends = CASE WHEN ends <= ?4 THEN excluded.ends ELSE ends END
         RETURNING n`,
      )
      .get(key, by, now + ttlMs, now)
    return row!.n
  }

  async publish(channel: string, message: string): Promise<void> {
    const db = await this.#open()
    db.query("INSERT INTO edge_message (channel, body, at) VALUES (?, ?, ?)").run(channel, message, Date.now())
    this.#messages?.look()
  }

  async subscribe(channel: string, f: (message: string | null) => void): Promise<() => void> {
    this.#messages ??= new Messages(await this.#open(), this.#log)
    return this.#messages.subscribe(channel, f)
  }

  close(): void {
    clearInterval(this.#sweep)
    this.#messages?.close()
    this.#messages = undefined
    this.#db?.close()
    this.#db = undefined
  }

  async #open(): Promise<Database> {
    if (this.#db !== undefined) return this.#db
    // Only now: a front whose config needs no state does not load SQLite.
    const sqlite = await import("bun:sqlite")
    // Another call may have waited for the import too.
    if (this.#db !== undefined) return this.#db
    keepPrivate(this.#file, this.#log)
    const db = new sqlite.Database(this.#file, { readwrite: true, create: true })
    try {
      db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
      db.run("PRAGMA journal_mode = WAL")
      // Survives a crash of edge; the last moments before a power cut may be lost, the file is whole.
      db.run("PRAGMA synchronous = NORMAL")
      db.run(TABLES)
    } catch (error) {
      db.close()
      throw new Error(`${this.#file}: ${(error as Error).message}`, { cause: error })
    }
    this.#sweep = setInterval(() => this.#removeEnded(db), SWEEP_MS)
    this.#sweep.unref()
    return (this.#db = db)
  }

  #removeEnded(db: Database): void {
    try {
      for (const table of ["edge_value", "edge_counter"]) {
        db.query(`DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE ends <= ? LIMIT ${SWEEP_ROWS})`).run(Date.now())
      }
    } catch (error) {
      // Busy: the next round does it.
      this.#log.debug("ended state was not removed", { error: (error as Error).message })
    }
  }
}

/**
 * Keys of certificates and sessions stand in it: nobody else on the machine may read them. SQLite gives its -wal and -shm the mode
 * of the file. Never by a descriptor of an existing one: closing it would take this process's locks away (sqlite.org/howtocorrupt).
 */
function keepPrivate(file: string, log: Logger): void {
  try {
    closeSync(openSync(file, "wx", 0o600))
  } catch (error) {
    // Where it cannot be made SQLite says so, with its words.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return
  }
  for (const one of [file, `${file}-wal`, `${file}-shm`]) {
    const stat = statSync(one, { throwIfNoEntry: false })
    if (stat === undefined || (stat.mode & 0o077) === 0) continue
    try {
      chmodSync(one, 0o600)
    } catch (error) {
      log.warn("others may read the shared state, and its mode cannot be changed", { file: one, error: (error as Error).message })
    }
  }
}

function endOf(now: number, ttlMs: number | undefined): number {
  return ttlMs === undefined ? NEVER : now + ttlMs
}

function toBytes(value: Uint8Array | string): Uint8Array {
  return typeof value === "string" ? Buffer.from(value) : value
}
