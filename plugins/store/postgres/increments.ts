import type { SQL } from "bun"

interface Wanted {
  readonly by: number
  readonly ttlMs: number
  resolve(total: number): void
  reject(error: unknown): void
}

/** Rows in the order of their keys: two batches that lock them crosswise would end in a deadlock. */
const STATEMENT = `
  INSERT INTO edge_counter AS old
  SELECT key, n, clock_timestamp() + ttl * interval '1 millisecond'
  FROM unnest($1::text[], $2::bigint[], $3::float8[]) AS new (key, n, ttl) ORDER BY key
  ON CONFLICT (key) DO UPDATE SET
    n = CASE WHEN old.ends <= clock_timestamp() THEN excluded.n ELSE old.n + excluded.n END,
    ends = CASE WHEN old.ends <= clock_timestamp() THEN excluded.ends ELSE old.ends END
  RETURNING key, n`
/** Rows of one statement. */
const MOST = 500

/** Increments of one turn of the event loop go as one statement: a thousand keys cost two round trips, not a thousand. */
export class Increments {
  readonly #sql: SQL
  #wanted = new Map<string, Wanted[]>()
  #scheduled = false

  constructor(sql: SQL) {
    this.#sql = sql
  }

  add(key: string, { by, ttlMs }: { by: number; ttlMs: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      const wanted = { by, ttlMs, resolve, reject }
      const others = this.#wanted.get(key)
      if (others === undefined) this.#wanted.set(key, [wanted])
      else others.push(wanted)
      if (!this.#scheduled) setImmediate(() => this.#send())
      this.#scheduled = true
    })
  }

  #send(): void {
    this.#scheduled = false
    const all = [...this.#wanted]
    this.#wanted = new Map()
    for (let i = 0; i < all.length; i += MOST) void this.#sendBatch(new Map(all.slice(i, i + MOST)))
  }

  async #sendBatch(batch: ReadonlyMap<string, Wanted[]>): Promise<void> {
    const sum = (wanted: Wanted[]): number => wanted.reduce((total, { by }) => total + by, 0)
    const sql = this.#sql
    const keys = [...batch.keys()]
    const lists = [...batch.values()]
    try {
      const rows = (await sql.unsafe(STATEMENT, [
        sql.array(keys, "TEXT"),
        sql.array(lists.map(sum), "BIGINT"),
        sql.array(lists.map(list => list[0]!.ttlMs), "DOUBLE PRECISION"),
      ])) as { key: string; n: string | number }[]
      for (const { key, n } of rows) {
        const wanted = batch.get(key)!
        // As if they had come one after the other.
        let total = Number(n) - sum(wanted)
        for (const { by, resolve } of wanted) resolve((total += by))
      }
    } catch (error) {
      for (const { reject } of lists.flat()) reject(error)
    }
  }
}
