import { SQL } from "bun"
import type { CompareAndSet, Logger, Store } from "edge"
import { Increments } from "./increments.ts"
import { makeTables } from "./tables.ts"

/** Connections of one front; what is asked at once beyond them waits its turn. */
const CONNECTIONS = 4
const CONNECT_S = 3
const SWEEP_MS = 60_000
const SWEEP_ROWS = 1000
/** All channels go over one of PostgreSQL's: its names end after 63 bytes, ours do not. */
const CHANNEL = "edge"

/** When a row ends, by the database's clock: machines' own may differ. */
const END = (ttl: string) => `CASE WHEN ${ttl}::float8 IS NULL THEN 'infinity' ELSE clock_timestamp() + ${ttl}::float8 * interval '1 millisecond' END`

export class PostgresStore implements Store {
  readonly reach = "machines"
  readonly #url: string
  readonly #log: Logger
  #sql: SQL | undefined
  /** Resolves when the tables are there. */
  #ready: Promise<SQL> | undefined
  #increments: Increments | undefined
  #sweep: ReturnType<typeof setInterval> | undefined
  readonly #channels = new Map<string, Set<(message: string | null) => void>>()
  #listening: Promise<unknown> | undefined
  #listener: SQL | undefined
  #heard = 0

  constructor(url: string, log: Logger) {
    this.#url = url
    this.#log = log
  }

  async get(key: string): Promise<Uint8Array | null> {
    const rows = await this.#query("SELECT value FROM edge_value WHERE key = $1 AND ends > clock_timestamp()", [key])
    return (rows[0]?.["value"] as Uint8Array | undefined) ?? null
  }

  async set(key: string, value: Uint8Array | string, { ttlMs, onlyIfAbsent = false }: { ttlMs?: number; onlyIfAbsent?: boolean } = {}): Promise<boolean> {
    const rows = await this.#query(
      `INSERT INTO edge_value AS old VALUES ($1, $2, ${END("$3")})
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, ends = excluded.ends WHERE $4::bool OR old.ends <= clock_timestamp()
       RETURNING 1`,
      [key, toBytes(value), ttlMs ?? null, !onlyIfAbsent],
    )
    return rows.length > 0
  }

  async compareAndSet(key: string, { expected, value, ttlMs }: CompareAndSet): Promise<boolean> {
    if (expected === null) return value === null ? (await this.get(key)) === null : this.set(key, value, { onlyIfAbsent: true, ...(ttlMs !== undefined && { ttlMs }) })
    const still = "key = $1 AND value = $2 AND ends > clock_timestamp() RETURNING 1"
    const rows =
      value === null
        ? await this.#query(`DELETE FROM edge_value WHERE ${still}`, [key, toBytes(expected)])
        : await this.#query(`UPDATE edge_value SET value = $3, ends = ${END("$4")} WHERE ${still}`, [key, toBytes(expected), toBytes(value), ttlMs ?? null])
    return rows.length > 0
  }

  async delete(key: string): Promise<void> {
    await this.#query("DELETE FROM edge_value WHERE key = $1", [key])
  }

  async increment(key: string, by: number, ttlMs: number): Promise<number> {
    await this.#open()
    return this.#increments!.add(key, { by, ttlMs })
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.#query("SELECT pg_notify($1, $2)", [CHANNEL, JSON.stringify([channel, message])])
  }

  async subscribe(channel: string, f: (message: string | null) => void): Promise<() => void> {
    await this.#listen()
    let listeners = this.#channels.get(channel)
    if (listeners === undefined) this.#channels.set(channel, (listeners = new Set()))
    listeners.add(f)
    return () => void listeners.delete(f)
  }

  reset(): void {
    const sql = this.#sql
    this.#sql = this.#ready = undefined
    clearInterval(this.#sweep)
    void sql?.close({ timeout: 0 }).catch(() => {})
  }

  close(): void {
    this.reset()
    void this.#listener?.close({ timeout: 0 }).catch(() => {})
  }

  async #query(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    const sql = await this.#open()
    return (await sql.unsafe(text, values)) as Record<string, unknown>[]
  }

  #open(): Promise<SQL> {
    return (this.#ready ??= this.#prepare().catch((error: unknown) => {
      this.reset()
      throw error
    }))
  }

  async #prepare(): Promise<SQL> {
    const sql = (this.#sql = new SQL(this.#url, { max: CONNECTIONS, connectionTimeout: CONNECT_S }))
    await makeTables(sql)
    this.#increments = new Increments(sql)
    this.#sweep = setInterval(() => void this.#removeEnded(sql), SWEEP_MS)
    this.#sweep.unref()
    return sql
  }

  /** Bun takes the subscription up again by itself when the server is back. */
  #listen(): Promise<unknown> {
    return (this.#listening ??= this.#startListening().catch((error: unknown) => {
      this.#listening = undefined
      throw error
    }))
  }

  async #startListening(): Promise<void> {
    const sql = (this.#listener ??= new SQL(this.#url, { max: 1, connectionTimeout: CONNECT_S }))
    const tellAll = (): void => {
      // The first time nothing can have been missed.
      if (this.#heard++ === 0) return
      for (const listeners of this.#channels.values()) for (const f of listeners) f(null)
    }
    await sql.listen(CHANNEL, payload => this.#receive(payload), tellAll)
  }

  #receive(payload: string): void {
    const [channel, message] = JSON.parse(payload) as [string, string]
    for (const f of this.#channels.get(channel) ?? []) f(message)
  }

  async #removeEnded(sql: SQL): Promise<void> {
    try {
      for (const table of ["edge_value", "edge_counter"]) {
        await sql.unsafe(
          `DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE ends <= clock_timestamp() LIMIT ${SWEEP_ROWS} FOR UPDATE SKIP LOCKED)`,
        )
      }
    } catch (error) {
      this.#log.debug("ended state was not removed", { error: (error as Error).message })
    }
  }
}

function toBytes(value: Uint8Array | string): Uint8Array {
  return typeof value === "string" ? Buffer.from(value) : value
}
