import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Dialect } from "../tables.ts"
import type { Schema } from "./schema.ts"

/** One folder of `migrations/`: `0001_initial` with up.sql, down.sql and snapshot.json. Meant to be read and edited. */
export interface Migration {
  readonly name: string
  readonly dialect: Dialect
  readonly up: readonly string[]
  /** Undefined: it cannot be taken back (there is no down.sql). */
  readonly down: readonly string[] | undefined
  /** As snapshot.json has it: of an older edge it is drizzle-kit's. */
  readonly snapshot: Schema | { readonly ddl: readonly object[] }
  /** Of up.sql as it was when first seen: a migration that ran is not to be edited. */
  readonly checksum: string
}

/** Between statements, on a line of its own. */
const BREAK = "-- next"

export function readMigrations(dir: string): Migration[] {
  if (!existsSync(dir)) return []
  const names = readdirSync(dir, { withFileTypes: true }).filter(entry => entry.isDirectory() && /^\d{4}_/.test(entry.name))
  const found = names.map(entry => readMigration(dir, entry.name)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  for (const [i, migration] of found.entries()) {
    const next = found[i + 1]
    if (next !== undefined && next.name.slice(0, 4) === migration.name.slice(0, 4)) {
      throw new Error(`${dir}: ${migration.name} and ${next.name} have the same number: rename the one that is newer, and check its snapshot`)
    }
  }
  return found
}

function readMigration(dir: string, name: string): Migration {
  const file = (part: string) => join(dir, name, part)
  if (!existsSync(file("up.sql")) || !existsSync(file("snapshot.json"))) {
    throw new Error(`${join(dir, name)}: needs up.sql and snapshot.json`)
  }
  const up = readFileSync(file("up.sql"), "utf8")
  const { dialect, snapshot } = JSON.parse(readFileSync(file("snapshot.json"), "utf8")) as { dialect: Dialect; snapshot: Migration["snapshot"] }
  return {
    name,
    dialect,
    snapshot,
    up: split(up),
    down: existsSync(file("down.sql")) ? split(readFileSync(file("down.sql"), "utf8")) : undefined,
    checksum: createHash("sha256").update(up).digest("hex"),
  }
}

export interface NewMigration {
  readonly title: string
  readonly dialect: Dialect
  readonly up: readonly string[]
  readonly down: readonly string[] | undefined
  readonly snapshot: Schema
  /** Tables and columns whose values go when it is applied. */
  readonly lost: readonly string[]
}

/** Writes the next number; gives its name. */
export function writeMigration(dir: string, migration: NewMigration): string {
  const last = readMigrations(dir).at(-1)
  const number = String(last === undefined ? 1 : Number(last.name.slice(0, 4)) + 1).padStart(4, "0")
  const title = migration.title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_").replaceAll(/^_+|_+$/g, "") || "change"
  const name = `${number}_${title}`
  mkdirSync(join(dir, name), { recursive: true })
  writeFileSync(join(dir, name, "up.sql"), joinUp(migration.up))
  if (migration.down !== undefined) writeFileSync(join(dir, name, "down.sql"), joinUp(migration.down))
  writeFileSync(join(dir, name, "snapshot.json"), JSON.stringify({ dialect: migration.dialect, snapshot: migration.snapshot }, null, 1) + "\n")
  return name
}

function split(sql: string): string[] {
  return sql
    .split(new RegExp(`^${BREAK}[ \\t]*$`, "m"))
    .map(statement => statement.trim())
    .filter(statement => statement.replaceAll(/^\s*--.*$/gm, "").trim() !== "")
}

function joinUp(parts: readonly string[]): string {
  return parts.map(statement => (statement.trimEnd().endsWith(";") ? statement.trimEnd() : `${statement.trimEnd()};`)).join(`\n${BREAK}\n`) + "\n"
}
