import type { SQL } from "bun"

/** Fronts and machines may all start at once: CREATE IF NOT EXISTS alone fails when two do it in the same moment. */
const LOCK = 0x65_64_67_65

/** Made when they are first needed. Counters are short-lived: not logged, so gone after a crash of the database. */
export async function makeTables(sql: SQL): Promise<void> {
  const [found] = (await sql.unsafe("SELECT to_regclass('edge_value') AS a, to_regclass('edge_counter') AS b")) as { a: unknown; b: unknown }[]
  if (found!.a !== null && found!.b !== null) return
  await sql.begin(async tx => {
    await tx.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`)
    await tx.unsafe("CREATE TABLE IF NOT EXISTS edge_value (key text PRIMARY KEY, value bytea NOT NULL, ends timestamptz NOT NULL)")
    await tx.unsafe("CREATE INDEX IF NOT EXISTS edge_value_ends ON edge_value (ends)")
    await tx.unsafe("CREATE UNLOGGED TABLE IF NOT EXISTS edge_counter (key text PRIMARY KEY, n bigint NOT NULL, ends timestamptz NOT NULL)")
    await tx.unsafe("CREATE INDEX IF NOT EXISTS edge_counter_ends ON edge_counter (ends)")
  })
}
