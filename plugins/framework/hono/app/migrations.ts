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
