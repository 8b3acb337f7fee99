/**
 * What a table of SQLite has besides its model, through a rebuild: CHECKs, defaults, collations and UNIQUEs that were
 * written by hand, triggers, indexes, and the highest id that was given. A new table would silently be without them.
 */
import type { Database as SqliteFile } from "bun:sqlite"
import { normal, plain, readTable } from "./table-text.ts"

/** `__new_item`, in any of SQLite's quotes or none. */
const NEW = "(?:`__new_([^`]+)`|\"__new_([^\"]+)\"|__new_(\\w+))"
const FRESH = new RegExp(`^(?:--[^\\n]*\\n\\s*)*CREATE TABLE\\s+${NEW}`, "i")
const TAKES_PLACE = new RegExp(`^(?:--[^\\n]*\\n\\s*)*ALTER TABLE\\s+${NEW}\\s+RENAME TO\\s`, "i")

function tableIn(pattern: RegExp, statement: string): string | undefined {
  const match = pattern.exec(statement)
  return match?.[1] ?? match?.[2] ?? match?.[3]
}

interface Attached {
  readonly name: string
  readonly type: "index" | "trigger"
  readonly table: string
  readonly sql: string
}

/** Of one migration: each statement goes through `run`, and `finish` comes after the last. */
export class Rebuilds {
  readonly #attached: Attached[] = []
  readonly #sequence = new Map<string, number>()
  readonly #text: string
  /** What was wrong with a view or trigger before; null: nothing. */
  #fault: string | null | undefined

  constructor(
    private readonly db: SqliteFile,
    statements: readonly string[],
  ) {
    this.#text = statements.join("\n")
  }

  run(statement: string): void {
    const fresh = tableIn(FRESH, statement)
    if (fresh !== undefined) return this.#create(fresh, statement)
    const place = tableIn(TAKES_PLACE, statement)
    if (place === undefined) {
      this.db.run(statement)
      return
    }
    // Else it would look through every view and trigger that names the table, which is not there at this moment.
    this.db.run("PRAGMA legacy_alter_table = ON")
    try {
      this.db.run(statement)
    } finally {
      this.db.run("PRAGMA legacy_alter_table = OFF")
    }
    this.#continueIds(place)
  }

  /** Puts back the triggers and indexes that nobody dropped by name. */
  finish(): void {
    for (const { name, type, table, sql } of this.#attached) {
      if (this.#has(name) || new RegExp(`\\b${name.replaceAll(/[^\w]/g, "\\$&")}\\b`).test(this.#text)) continue
      try {
        this.db.run(sql)
      } catch (error) {
        throw new Error(`the ${type} ${name} of ${table} was made by hand and does not fit the new table (${(error as Error).message}); say DROP ${type.toUpperCase()} ${name}; first, and make it anew after`, { cause: error })
      }
    }
    this.#refuseBroken()
  }

  /** A view or trigger that names a column which is gone. */
  #refuseBroken(): void {
    const fault = this.#fault === null ? this.#faultNow() : null
    if (fault !== null) throw new Error(`${fault}; it was made by hand and does not fit any more: drop it by name before, and make it anew after`)
  }

  /** SQLite looks into views and triggers when they run; ALTER TABLE makes it look now. */
  #faultNow(): string | null {
    this.db.run("CREATE TABLE __edge_look (a)")
    try {
      this.db.run("ALTER TABLE __edge_look RENAME COLUMN a TO b")
      return null
    } catch (error) {
      return (error as Error).message
    } finally {
      this.db.run("DROP TABLE __edge_look")
    }
  }

  #create(table: string, statement: string): void {
    const old = this.db.query("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) as { sql: string } | null
    if (old === null) {
      this.db.run(statement)
      return
    }
    if (this.#fault === undefined) this.#fault = this.#faultNow()
    this.#attached.push(...(this.db.query("SELECT name, type, tbl_name AS \"table\", sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL").all(table) as Attached[]))
    const given = this.db.query("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").get() === null ? null : (this.db.query("SELECT seq FROM sqlite_sequence WHERE name = ?").get(table) as { seq: number } | null)
    if (given !== null) this.#sequence.set(table, given.seq)
    const sql = withHandmade(statement, old.sql, { table, dropped: droppedChecks(this.#text) })
    try {
      this.db.run(sql)
    } catch (error) {
      throw sql === statement ? error : new Error(`${(error as Error).message}: ${table} has a CHECK, default or UNIQUE that was written by hand and does not fit the new table; for a CHECK that is to go write the line "-- drop check (...)" into up.sql. The statement with what was carried over:\n${sql}`, { cause: error })
    }
  }

  /** Ids of deleted rows are not given again: something may still speak of them. */
  #continueIds(table: string): void {
    const seq = this.#sequence.get(table)
    if (seq === undefined) return
    const now = this.db.query("SELECT seq FROM sqlite_sequence WHERE name = ?").get(table) as { seq: number } | null
    if (now === null) this.db.query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)").run(table, seq)
    else if (now.seq < seq) this.db.query("UPDATE sqlite_sequence SET seq = ? WHERE name = ?").run(seq, table)
  }

  #has(name: string): boolean {
    return this.db.query("SELECT 1 FROM sqlite_master WHERE name = ?").get(name) !== null
  }
}

function droppedChecks(text: string): Set<string> {
  return new Set([...text.matchAll(/^-- drop check (.+)$/gim)].map(match => normal(unbracketed(match[1]!.trim()))))
}

function unbracketed(text: string): string {
  return /^\(.*\)$/s.test(text) ? text.slice(1, -1) : text
}

/** The new table's statement with what only the old table has. */
export function withHandmade(statement: string, old: string, o: { table: string; dropped: ReadonlySet<string> }): string {
  const [was, now] = [readTable(old), readTable(statement)]
  const lines: string[] = []
  const body = (check: string) => check.slice(check.indexOf("("))
  const known = new Set(now.checks.map(check => normal(body(check))))
  for (const check of was.checks) {
    if (!known.has(normal(body(check))) && !o.dropped.has(normal(unbracketed(body(check))))) lines.push(check)
  }
  const names = new Set(now.columns.map(column => column.name.toLowerCase()))
  const uniques = new Set(now.uniques.map(normal))
  for (const unique of was.uniques) {
    const columns = unique.slice(unique.indexOf("(") + 1, -1).split(",").map(name => plain(name.trim().split(/\s/)[0]!).toLowerCase())
    if (columns.every(name => names.has(name)) && !uniques.has(normal(unique))) lines.push(unique)
  }
  const lost = was.generated.filter(name => names.has(name.toLowerCase()))
  if (lost.length > 0) throw new Error(`${o.table}.${lost.join(", ")} is computed (GENERATED), written by hand: a new table cannot be filled with it; write this migration's statements by hand`)
  let sql = statement
  for (const column of was.columns) {
    const same = now.columns.find(other => other.name.toLowerCase() === column.name.toLowerCase())
    if (same === undefined) continue
    const extra = `${column.collate !== undefined && same.collate === undefined ? ` COLLATE ${column.collate}` : ""}${column.default !== undefined && same.default === undefined && same.type === column.type ? ` DEFAULT ${column.default}` : ""}`
    if (extra !== "") sql = sql.replace(new RegExp(`([\\n(]\\s*[\`"]${same.name}[\`"] )([^\\n]*?)(,?)(\\n|\\);?$)`), (_, start: string, rest: string, comma: string, end: string) => `${start}${rest}${extra}${comma}${end}`)
  }
  const end = sql.lastIndexOf(")")
  const tail = was.tail !== "" && now.tail === "" ? ` ${was.tail}` : ""
  return lines.length === 0 && tail === "" ? sql : `${sql.slice(0, end).trimEnd()}${lines.map(line => `,\n\t${line}`).join("")}\n)${tail};`
}
