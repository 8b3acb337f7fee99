import { closeSync, openSync } from "node:fs"
import { join, resolve } from "node:path"
import { Database } from "../db/database.ts"
import { type Migration, readMigrations } from "../db/migrate/files.ts"
import { refuseMisread } from "../db/migrate/misread.ts"
import { pending, runnerFor } from "../db/migrate/runner.ts"
import type { AnyApp, Boot } from "./app.ts"
import { noteQuery } from "./trace.ts"

const DEFAULT = "sqlite:data.db"

export function databaseUrl(app: AnyApp, boot: Boot): string {
  return boot.env.DATABASE_URL || app.given.database || DEFAULT
}

/** Opens the app's database. One that is behind the app's migrations is an error here, not at the first query. */
export async function openDatabase(app: AnyApp, boot: Boot): Promise<Database> {
  const url = databaseUrl(app, boot)
  if (boot.env.EDGE_TEST !== undefined && url.startsWith("sqlite:") && app.given.database?.startsWith("postgres") === true) {
    throw new Error(`the app is for PostgreSQL: a test of the whole site needs an empty database of it, start("site.toml", { env: { DATABASE_URL: "postgres://..." } })`)
  }
  keepPrivate(url, boot.dir)
  const database = new Database(url, { dir: boot.dir, ...(boot.dev && { onQuery: noteQuery }) })
  if (boot.command === true) return database
  try {
    await checkMigrations(database, app, boot)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** A new SQLite file holds password hashes soon: for its user only, before SQLite makes it with the usual rights. */
function keepPrivate(url: string, dir: string): void {
  const path = url.startsWith("sqlite:") ? url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "") : ":memory:"
  if (path === ":memory:") return
  try {
    closeSync(openSync(resolve(dir, path), "wx", 0o600))
  } catch {
    // It is there already, or cannot be made: SQLite says that better.
  }
}

async function checkMigrations(database: Database, app: AnyApp, boot: Boot): Promise<void> {
  const all = readMigrations(join(boot.dir, "migrations"))
  const applied = await runnerFor(database).applied()
  // A newer version of the app has migrated already, and this one is on its way out.
  if (applied.length > all.length && all.every((m, i) => m.name === applied[i]!.name)) return
  const waiting = pending(all, applied)
  if (waiting.length === 0) {
    // In dev a page says it, with a button.
    if (!boot.dev) refuseMisread(app.models, all.at(-1), boot.name)
    return
  }
  // In dev a file is applied as soon as it is there; another server's database is left to the one who writes the app.
  // A test's database is empty (config/apart.ts).
  if ((boot.dev && database.dialect === "sqlite") || boot.env.EDGE_TEST !== undefined) return applyAll(waiting, database, boot)
  if (!boot.dev) throw new Error(behind(waiting.map(m => m.name), boot.name))
}

async function applyAll(waiting: readonly Migration[], database: Database, boot: Boot): Promise<void> {
  const runner = runnerFor(database)
  for (const migration of waiting) {
    await runner.apply(migration)
    boot.log.info(`applied ${migration.name}`)
  }
}

export function behind(names: readonly string[], app: string): string {
  return `the database is behind: ${names.join(", ")} ${names.length === 1 ? "is" : "are"} to be applied: edge manage ${app} migrate`
}
