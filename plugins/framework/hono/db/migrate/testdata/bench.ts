/** One database and one folder of migrations, as a person uses them. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Postgres } from "../../../../../../test/kit/postgres.ts"
import { Database, withDatabase } from "../../database.ts"
import type { AnyModel } from "../../model.ts"
import { readMigrations, writeMigration } from "../files.ts"
import { makeMigration, type MakeOptions } from "../make.ts"
import type { Ask } from "../renames.ts"
import { pending, runnerFor } from "../runner.ts"

export const silent: Ask = async () => undefined
/** The new one is the first of those that went. */
export const rename: Ask = async (question, from) =>
  from.length > 0
    ? { type: "rename", kind: question.kind, from: [...question.entity.slice(0, -1), from[0]!], to: question.entity }
    : { type: "create", kind: question.kind, entity: question.entity }
export const create: Ask = async question => ({ type: "create", kind: question.kind, entity: question.entity })

export class Bench {
  readonly dir = mkdtempSync(join(tmpdir(), "edge-migrate-"))
  constructor(readonly db: Database) {}

  async make(models: readonly AnyModel[], options: Partial<MakeOptions> = {}): Promise<string | undefined> {
    const made = await makeMigration({ models, dialect: this.db.dialect, existing: readMigrations(this.dir), ask: silent, ...options })
    return made === undefined ? undefined : writeMigration(this.dir, made)
  }

  async to(models: readonly AnyModel[], options: Partial<MakeOptions> = {}): Promise<string | undefined> {
    const name = await this.make(models, options)
    if (name !== undefined) await this.migrate()
    return name
  }

  async migrate(): Promise<void> {
    const runner = runnerFor(this.db)
    for (const migration of pending(readMigrations(this.dir), await runner.applied())) await runner.apply(migration)
  }

  /** Takes the last one back and its folder away; or, when that fails, neither. */
  async back(): Promise<void> {
    const runner = runnerFor(this.db)
    const last = (await runner.applied()).at(-1)!
    await runner.revert(readMigrations(this.dir).find(m => m.name === last.name)!)
    rmSync(join(this.dir, last.name), { recursive: true })
  }

  run<T>(f: () => Promise<T>): Promise<T> {
    return withDatabase(this.db, f)
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    return this.db.dialect === "sqlite" ? this.db.client.query(text).all() : [...(await this.db.client.unsafe(text))]
  }

  /** Tables, columns, indexes and foreign keys as the database has them, in a form that two databases can be compared by. */
  async shape(): Promise<string[]> {
    const rows = this.db.dialect === "sqlite" ? await this.sql(SQLITE) : await this.sql(POSTGRES)
    return rows.map(row => String(row.line)).toSorted()
  }

  async end(): Promise<void> {
    await this.db.close()
    rmSync(this.dir, { recursive: true })
  }
}

const known = new WeakMap<Postgres, Map<string, string>>()

/** An empty database of this name: made once, then emptied, which takes a tenth of the time. */
export async function emptied(postgres: Postgres, name: string): Promise<Database> {
  const urls = known.get(postgres) ?? new Map<string, string>()
  known.set(postgres, urls)
  const made = urls.get(name)
  const url = made ?? (await postgres.database(name))
  urls.set(name, url)
  const database = new Database(url)
  if (made !== undefined) await database.client.unsafe("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
  return database
}

const SQLITE = `
  SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk AS line FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT IN ('edge_migrations', 'sqlite_sequence')
  UNION ALL SELECT 'index ' || m.tbl_name || ' ' || m.name || ' ' || (SELECT group_concat(i.name) FROM pragma_index_info(m.name) i) || ' ' || (m.sql LIKE 'CREATE UNIQUE%') FROM sqlite_master m WHERE m.type = 'index' AND m.sql IS NOT NULL
  UNION ALL SELECT 'key ' || m.name || ' ' || f."from" || ' ' || f."table" || ' ' || f."to" || ' ' || f.on_delete FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`

const POSTGRES = `
  SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(numeric_precision::text || ',' || numeric_scale, '') || ' ' || is_nullable || coalesce(' ' || column_default, '') AS line FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'edge_migrations'
  UNION ALL SELECT 'index ' || replace(indexdef, 'public.', '') FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'edge_migrations' AND indexname NOT LIKE '%pkey%'
  UNION ALL SELECT 'primary ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'edge_migrations'
  UNION ALL SELECT 'key ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace`
