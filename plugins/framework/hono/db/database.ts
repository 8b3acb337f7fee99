import { AsyncLocalStorage } from "node:async_hooks"
import { checkOptions } from "edge"
import type { Backend, Handle } from "./connection.ts"
import { postgresBackend } from "./postgres.ts"
import { sqliteBackend, sqlitePath } from "./sqlite.ts"
import { type Dialect, Tables } from "./tables.ts"
import { Transaction } from "./transaction.ts"

export type { Handle } from "./connection.ts"

/** The database of an app. `url`: "sqlite:blog.db", "sqlite::memory:" or "postgres://user@host/name". */
export class Database {
  readonly dialect: Dialect
  readonly tables: Tables
  readonly #backend: Backend
  readonly #open = new AsyncLocalStorage<Transaction>()

  constructor(
    readonly url: string,
    options: { dir?: string; onQuery?: (sql: string, params: readonly unknown[]) => void } = {},
  ) {
    checkOptions("new Database()", options, { dir: "text", onQuery: "function" })
    this.dialect = /^postgres(ql)?:/.test(url) ? "postgres" : "sqlite"
    if (this.dialect === "sqlite" && !url.startsWith("sqlite:")) {
      throw new Error(`database "${url}": must start with sqlite: or postgres:`)
    }
    this.tables = new Tables(this.dialect)
    const logger = options.onQuery === undefined ? undefined : { logQuery: options.onQuery }
    this.#backend = this.dialect === "sqlite" ? sqliteBackend(sqlitePath(url, options.dir), logger) : postgresBackend(url, logger)
  }

  /** Runs a reading statement; inside a transaction it is part of it. */
  read<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    const open = this.#open.getStore()
    return open === undefined ? Promise.resolve(f(this.#backend.main)) : open.read(f)
  }

  /** Runs one writing statement; inside a transaction it is part of it. */
  write<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    const open = this.#open.getStore()
    return open === undefined ? this.#backend.write(f) : open.write(f)
  }

  get inTransaction(): boolean {
    return this.#open.getStore() !== undefined
  }

  /**
   * All or nothing; the queries of `f`, however deep, are part of it. One within another is a savepoint: when it fails, and
   * the outer one catches that, the outer one goes on without it. A statement that the database refuses undoes the
   * transaction that it is in, on both databases. What still runs when `f` has ended finds its transaction over, and throws.
   */
  async transaction<T>(f: () => Promise<T>): Promise<T> {
    const scope = (transaction: Transaction, inner: () => Promise<T>) => this.#open.run(transaction, inner)
    const outer = this.#open.getStore()
    return outer !== undefined ? outer.within(f, scope) : this.#backend.transaction(connection => new Transaction(connection).run(f, scope))
  }

  /** Runs `f` outside of the transaction around it: for what is begun in one and outlives it (a timer, a queue). */
  outsideTransaction<T>(f: () => T): T {
    return this.#open.exit(f)
  }

  /**
   * Calls `f` once the transaction around is committed (true) or rolled back (false); at once, with true, when there is
   * none. For what no database takes back: files, mails.
   */
  onSettled(f: (committed: boolean) => void): void {
    const open = this.#open.getStore()
    if (open === undefined) f(true)
    else open.onSettled(f)
  }

  /**
   * The driver's own: bun:sqlite's Database or Bun.SQL; inside a transaction that of its connection, so that its statements
   * are part of it. For migrations, backups and what queries cannot say. Ask for it where it is used: one that was kept
   * from outside a transaction waits for that, or is told "database is locked".
   */
  get client(): any {
    return this.#open.getStore()?.client ?? this.#backend.client
  }

  close(): Promise<void> {
    return this.#backend.close()
  }
}

const scoped = new AsyncLocalStorage<Database>()
let current: Database | undefined

/** The database that models use, unless `withDatabase` says another. */
export function useDatabase(database: Database | undefined): void {
  current = database
}

/** Runs `f` with another database (a test's own). */
export function withDatabase<T>(database: Database, f: () => T): T {
  return scoped.run(database, f)
}

export function database(): Database {
  const found = scoped.getStore() ?? current
  if (found === undefined) throw new Error("no database: make the app first (new App({ models })), or call useDatabase()")
  return found
}

/** Runs `f` outside of any transaction on the app's database. */
export function outsideTransaction<T>(f: () => T): T {
  return database().outsideTransaction(f)
}

/** All or nothing, on the app's database. */
export function transaction<T>(f: () => Promise<T>): Promise<T> {
  return database().transaction(f)
}
