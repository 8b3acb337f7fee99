/** About how many rows a table has, at any size in about a millisecond. */
import { between, count, type SQL, sql } from "drizzle-orm"
import { database } from "./database.ts"
import type { AnyModel } from "./model.ts"

/** Ids up to which SQLite counts out. */
const COUNT_OUT = 100_000
/** Ranges of ids that are looked at in larger tables, and ids of each. */
const SAMPLES = 20
const SAMPLE = 500

/** Postgres: what the last ANALYZE found, undefined before the first. SQLite: counted up to 100,000 ids, then from samples of them. */
export async function estimate(model: AnyModel): Promise<number | undefined> {
  if (database().dialect === "sqlite") return sampled(model)
  const found: { n: unknown }[] = await database().read(db => db.execute(sql`select reltuples::bigint as n from pg_class where oid = quote_ident(${model.table})::regclass`))
  const n = Number(found[0]?.n ?? -1)
  return n < 0 ? undefined : n
}

/** How many ids of some short ranges are taken tells how full the whole is: deleted rows leave holes. */
async function sampled(model: AnyModel): Promise<number> {
  const table = database().tables.of(model)
  const counted = (where: SQL | undefined) => database().read<{ n: number }[]>(db => db.select({ n: count() }).from(table).where(where)).then(rows => Number(rows[0]!.n))
  const ends: { first: number; last: number }[] = await database().read(db =>
    db.select({ first: sql<number>`coalesce(min(${table.id}), 0)`, last: sql<number>`coalesce((select max(${table.id}) from ${table}), 0)` }).from(table),
  )
  const { first, last } = ends[0]!
  const span = last - first + 1
  if (span <= COUNT_OUT) return counted(undefined)
  let taken = 0
  for (let i = 0; i < SAMPLES; i++) {
    const from = first + Math.floor((i * (span - SAMPLE)) / (SAMPLES - 1))
    taken += await counted(between(table.id, from, from + SAMPLE - 1))
  }
  return Math.round((taken / (SAMPLES * SAMPLE)) * span)
}
