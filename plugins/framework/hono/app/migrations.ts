import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { type Migration, readMigrations } from "../db/migrate/files.ts"
import { makeMigration } from "../db/migrate/make.ts"
import { pending, type Runner, runnerFor } from "../db/migrate/runner.ts"
import type { AnyApp } from "./app.ts"

/** Where the app and its database stand. */
export interface Standing {
  readonly dir: string
  readonly all: readonly Migration[]
  readonly waiting: readonly Migration[]
  readonly runner: Runner
}

export async function standingOf(app: AnyApp): Promise<Standing> {
  const dir = join(app.booted.dir, "migrations")
  const all = readMigrations(dir)
  const runner = runnerFor(app.database)
  return { dir, all, waiting: pending(all, await runner.applied()), runner }
}

/** Another text when migrations were written, removed, run or taken back, whoever did it. A folder is read and one query made. */
export async function signOf(app: AnyApp): Promise<string> {
  const dir = join(app.booted.dir, "migrations")
  const there = existsSync(dir) ? readdirSync(dir).toSorted() : []
  const applied = await runnerFor(app.database).applied().catch((error: unknown) => [{ name: String(error) }])
  return JSON.stringify([there, applied.map(({ name }) => name)])
}

/** True when the models are no longer as the newest migration left them. */
export async function modelsDiffer(app: AnyApp): Promise<boolean> {
  const { all } = await standingOf(app)
  try {
    const made = await makeMigration({ models: app.models, dialect: app.database.dialect, existing: all, ask: () => Promise.resolve(undefined) })
    return made !== undefined
  } catch {
    // It has a question: then there is a difference.
    return true
  }
}
