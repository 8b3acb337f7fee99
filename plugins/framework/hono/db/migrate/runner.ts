import type { Database as SqliteFile } from "bun:sqlite"
import type { Database } from "../database.ts"
import { refuseSharedDrop } from "./column-drop.ts"
import type { Migration } from "./files.ts"
import { Rebuilds } from "./rebuild.ts"

export interface Applied {
  readonly name: string
  readonly checksum: string
}

/** Runs migrations, each in a transaction of its own, each once however many processes try. */
export interface Runner {
  applied(): Promise<Applied[]>
  /** Gives false when another process had applied it meanwhile. */
  apply(migration: Migration): Promise<boolean>
  /** Takes it back; throws when it has no down.sql. */
  revert(migration: Migration): Promise<boolean>
}

const TABLE = "edge_migrations"

export function runnerFor(database: Database): Runner {
  return database.dialect === "sqlite" ? sqliteRunner(database.client as SqliteFile) : postgresRunner(database.client as Bun.SQL)
}

/** Migrations that did not run yet, in order. Throws when one that ran was edited, is missing, or came too late. */
export function pending(all: readonly Migration[], applied: readonly Applied[]): Migration[] {
  for (const [i, { name, checksum }] of applied.entries()) {
    const migration = all.find(m => m.name === name)
    if (migration === undefined) throw new Error(`the database has ${name}, and there is no such folder: bring it back, or restore a backup`)
    if (migration.checksum !== checksum) throw new Error(`${name}/up.sql was changed after it ran: make a new migration for the change`)
    if (all[i] !== migration) throw new Error(`${all[i]!.name} comes before ${name}, which has run already: give it a higher number`)
  }
  return all.slice(applied.length)
}

/**
 * SQLite changes a table by making a new one, copying and dropping the old. With foreign keys on, that drop deletes the
 * rows of every table that refers to it with ON DELETE CASCADE, silently; and `PRAGMA foreign_keys` does nothing inside
 * a transaction. So: off before, statements without their PRAGMAs, every reference checked before the commit, on after
 * (https://sqlite.org/lang_altertable.html, section 7).
 */
function sqliteRunner(db: SqliteFile): Runner {
  const create = () =>
    db.run(`CREATE TABLE IF NOT EXISTS ${TABLE} (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL)`)
  const has = (name: string) => db.query(`SELECT 1 FROM ${TABLE} WHERE name = ?`).get(name) !== null
  const run = (sql: readonly string[], only: () => boolean, record: () => void): boolean => {
    db.run("PRAGMA foreign_keys = OFF")
    try {
      db.run("BEGIN IMMEDIATE")
      try {
        create()
        if (!only()) {
          db.run("ROLLBACK")
          return false
        }
        const rebuilds = new Rebuilds(db, sql)
        for (const statement of sql) {
          const must = guardOf(statement)
          if (must !== undefined) refuse(must, runOne(statement, s => db.query(s).all()))
          else if (!/^PRAGMA\b/i.test(statement)) runOne(statement, s => rebuilds.run(s))
        }
        rebuilds.finish()
        const broken = db.query("PRAGMA foreign_key_check").all() as { table: string; parent: string }[]
        if (broken.length > 0) {
          const { table, parent } = broken[0]!
          throw new Error(`${broken.length} rows of ${table} would refer to rows of ${parent} that are not there; nothing was changed`)
        }
        record()
        db.run("COMMIT")
        return true
      } catch (error) {
        if (db.inTransaction) db.run("ROLLBACK")
        throw error
      }
    } finally {
      db.run("PRAGMA foreign_keys = ON")
    }
  }
  return {
    applied: async () => {
      const there = db.query("SELECT 1 FROM sqlite_master WHERE name = ?").get(TABLE) !== null
      return there ? (db.query(`SELECT name, checksum FROM ${TABLE} ORDER BY name`).all() as Applied[]) : []
    },
    apply: async ({ name, checksum, up }) =>
      run(up, () => !has(name), () => db.query(`INSERT INTO ${TABLE} (name, checksum, applied_at) VALUES (?, ?, ?)`).run(name, checksum, Date.now())),
    revert: async ({ name, down }) => {
      if (down === undefined) throw new Error(`${name} cannot be taken back: it has no down.sql`)
      return run(down, () => has(name), () => db.query(`DELETE FROM ${TABLE} WHERE name = ?`).run(name))
    },
  }
}

/** Any number that only edge's migrations use: "edge" in ASCII. */
const LOCK = 0x65646765

function postgresRunner(db: Bun.SQL): Runner {
  const run = (sql: readonly string[], only: (tx: Bun.SQL) => Promise<boolean>, record: (tx: Bun.SQL) => Promise<unknown>) =>
    db.begin(async tx => {
      await tx.unsafe(`SELECT pg_advisory_xact_lock(${LOCK})`)
      await tx.unsafe(`CREATE TABLE IF NOT EXISTS ${TABLE} (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`)
      if (!(await only(tx))) return false
      const text = sql.join("\n")
      for (const statement of sql) {
        await refuseSharedDrop(tx, statement, text)
        const rows = (await runOne(statement, s => tx.unsafe(s))) as unknown[]
        const must = guardOf(statement)
        if (must !== undefined) refuse(must, rows)
      }
      await record(tx)
      return true
    })
  const has = async (tx: Bun.SQL, name: string) => (await tx.unsafe(`SELECT 1 FROM ${TABLE} WHERE name = $1`, [name])).length > 0
  return {
    applied: async () => {
      const there = await db.unsafe("SELECT to_regclass($1) AS found", [TABLE])
      return there[0].found === null ? [] : [...(await db.unsafe(`SELECT name, checksum FROM ${TABLE} ORDER BY name`))]
    },
    apply: ({ name, checksum, up }) =>
      run(up, async tx => !(await has(tx, name)), tx => tx.unsafe(`INSERT INTO ${TABLE} (name, checksum) VALUES ($1, $2)`, [name, checksum])),
    revert: async ({ name, down }) => {
      if (down === undefined) throw new Error(`${name} cannot be taken back: it has no down.sql`)
      return run(down, tx => has(tx, name), tx => tx.unsafe(`DELETE FROM ${TABLE} WHERE name = $1`, [name]))
    },
  }
}

/** The words of a query that must find nothing: `-- none: item.count: values that are no integers`. */
function guardOf(statement: string): string | undefined {
  return /^-- none: (.+)$/m.exec(statement)?.[1]
}

function refuse(words: string, rows: readonly unknown[]): void {
  if (rows.length === 0) return
  throw new Error(`${words}. There are rows: ${rows.map(row => JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))).join(", ")}; nothing was changed`)
}

function runOne<T>(statement: string, run: (sql: string) => T): T {
  try {
    const result = run(statement)
    return result instanceof Promise ? (result.catch(error => fail(error, statement)) as T) : result
  } catch (error) {
    return fail(error, statement)
  }
}

function fail(error: unknown, statement: string): never {
  const why = error instanceof Error ? error.message : String(error)
  throw new Error(`${why}; nothing was changed. The statement:\n${statement}`, { cause: error })
}
