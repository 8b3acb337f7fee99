import { AsyncLocalStorage } from "node:async_hooks"
import { Database as SqliteFile, constants } from "bun:sqlite"
import { isAbsolute, join } from "node:path"
import { drizzle as drizzlePostgres } from "drizzle-orm/bun-sql"
import { drizzle as drizzleSqlite } from "drizzle-orm/bun-sqlite"
import { type Dialect, Tables } from "./tables.ts"

/** drizzle's handle of either dialect; what queries use of it is the same. */
export type Handle = any

/** The database of an app. `url`: "sqlite:blog.db", "sqlite::memory:" or "postgres://user@host/name". */
export class Database {
  readonly dialect: Dialect
  readonly tables: Tables
  readonly #backend: Backend
  readonly #open = new AsyncLocalStorage<Open>()

  constructor(
    readonly url: string,
    options: { dir?: string; onQuery?: (sql: string, params: readonly unknown[]) => void } = {},
  ) {
    this.dialect = /^postgres(ql)?:/.test(url) ? "postgres" : "sqlite"
    if (this.dialect === "sqlite" && !url.startsWith("sqlite:")) {
      throw new Error(`database "${url}": must start with sqlite: or postgres:`)
    }
    this.tables = new Tables(this.dialect)
    const logger = options.onQuery === undefined ? undefined : { logQuery: options.onQuery }
    this.#backend = this.dialect === "sqlite" ? sqliteBackend(sqlitePath(url, options.dir), logger) : postgresBackend(url, logger)
  }

  /** Runs a reading statement. */
  read<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    return Promise.resolve(f(this.#open.getStore()?.db ?? this.#backend.main))
  }

  /** Runs one writing statement; inside a transaction it is part of it. */
  write<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    const open = this.#open.getStore()
    return open === undefined ? this.#backend.write(f) : Promise.resolve(f(open.db))
  }

  get inTransaction(): boolean {
    return this.#open.getStore() !== undefined
  }

  /** All or nothing; the queries of `f`, however deep, are part of it. One within another joins it. */
  async transaction<T>(f: () => Promise<T>): Promise<T> {
    if (this.#open.getStore() !== undefined) return f()
    const settled: Open["settled"] = []
    let done = false
    try {
      const result = await this.#backend.transaction(db => this.#open.run({ db, settled }, f))
      done = true
      return result
    } finally {
      for (const tell of settled) tell(done)
    }
  }

  /**
   * Calls `f` once the transaction around is committed (true) or rolled back (false); at once, with true, when there is
   * none. For what no database takes back: files, mails.
   */
  onSettled(f: (committed: boolean) => void): void {
    const open = this.#open.getStore()
    if (open === undefined) f(true)
    else open.settled.push(f)
  }

  /** The driver's own: bun:sqlite's Database or Bun.SQL. For migrations, backups and what queries cannot say. */
  get client(): any {
    return this.#backend.client
  }

  close(): Promise<void> {
    return this.#backend.close()
  }
}

/** A transaction under way. */
interface Open {
  readonly db: Handle
  readonly settled: ((committed: boolean) => void)[]
}

interface Backend {
  readonly main: Handle
  readonly client: unknown
  write<T>(f: (db: Handle) => PromiseLike<T>): Promise<T>
  transaction<T>(f: (db: Handle) => Promise<T>): Promise<T>
  close(): Promise<void>
}
type Logger = { logQuery(sql: string, params: unknown[]): void } | undefined

function sqlitePath(url: string, dir: string | undefined): string {
  const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "")
  return path === ":memory:" || isAbsolute(path) || dir === undefined ? path : join(dir, path)
}

/** WAL: readers never wait for a writer. busy_timeout: writers of other processes are waited for, 5 s. */
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL"

function sqliteBackend(path: string, logger: Logger): Backend {
  const open = () => {
    const file = new SqliteFile(path, { create: true, readwrite: true })
    file.run(PRAGMAS)
    return file
  }
  const client = open()
  const main = drizzleSqlite({ client, logger })
  // A transaction has a connection of its own, else statements of other requests would become part of it.
  // In memory there is only the one; the lock keeps writers out, and readers see what is not yet committed.
  let own: { client: SqliteFile; db: Handle } | undefined
  const ownConnection = () => {
    if (path === ":memory:") return { client, db: main }
    if (own === undefined) {
      const second = open()
      own = { client: second, db: drizzleSqlite({ client: second, logger }) }
    }
    return own
  }
  // SQLite waits for its lock inside the call: two writers of one event loop would wait for each other for ever.
  const lock = new Lock()
  return {
    main,
    client,
    write: f => lock.run(async () => f(main)),
    transaction: f =>
      lock.run(async () => {
        const { client: connection, db } = ownConnection()
        connection.run("BEGIN IMMEDIATE")
        try {
          const result = await f(db)
          connection.run("COMMIT")
          return result
        } catch (error) {
          if (connection.inTransaction) connection.run("ROLLBACK")
          throw error
        }
      }),
    close: () =>
      lock.run(async () => {
        own?.client.close()
        // Leaves one file, not three, to whoever copies it. Not supported by every build of SQLite: then -wal stays.
        client.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 0)
        client.close()
      }),
  }
}

function postgresBackend(url: string, logger: Logger): Backend {
  const client = new Bun.SQL(url)
  const main: Handle = drizzlePostgres({ client, logger })
  return {
    main,
    client,
    write: async f => f(main),
    transaction: f => main.transaction((tx: Handle) => f(tx)),
    close: () => client.close(),
  }
}

/** One at a time, in the order of asking. */
class Lock {
  #last: Promise<unknown> = Promise.resolve()
  run<T>(f: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(f)
    this.#last = mine.catch(() => {})
    return mine
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

/** All or nothing, on the app's database. */
export function transaction<T>(f: () => Promise<T>): Promise<T> {
  return database().transaction(f)
}
