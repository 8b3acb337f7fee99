import { Database as SqliteFile, constants } from "bun:sqlite"
import { isAbsolute, join } from "node:path"
import { drizzle } from "drizzle-orm/bun-sqlite"
import type { Backend, Connection, Handle, QueryLogger } from "./connection.ts"
import { TransactionError } from "./errors.ts"
import { Lock } from "./lock.ts"
import { guarded } from "./transaction.ts"

/** WAL: readers never wait for a writer. */
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL"
/** Writers of other processes are waited for. */
const BUSY_MS = 5000
/** As SQLite itself spaces its tries. */
const TRIES_MS = [1, 2, 5, 10, 15, 20, 25]
/** A transaction of this process is waited for longer: it may be an import. But not for ever, see `stuck`. */
const PATIENCE_MS = 20_000

export function sqlitePath(url: string, dir: string | undefined): string {
  const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "")
  return path === ":memory:" || isAbsolute(path) || dir === undefined ? path : join(dir, path)
}

export function sqliteBackend(path: string, logger: QueryLogger): Backend {
  const open = (busyMs: number) => {
    const file = new SqliteFile(path, { create: true, readwrite: true })
    file.run(`PRAGMA busy_timeout = ${BUSY_MS}; ${PRAGMAS}; PRAGMA busy_timeout = ${busyMs}`)
    return file
  }
  const client = open(BUSY_MS)
  const main = drizzle({ client, logger })
  // Writing has a connection of its own: on the readers' one, statements of other requests would become part of a
  // transaction. In memory there is only the one; the lock keeps writers out, and readers see what is not yet committed.
  let own: SqliteFile | undefined = path === ":memory:" ? client : undefined
  const writer = () => (own ??= open(0))
  const lock = new Lock({ ms: PATIENCE_MS, error: stuck })

  const begun = <T>(f: (file: SqliteFile) => Promise<T>) =>
    lock.run(async () => {
      const file = writer()
      await begin(file)
      try {
        return await f(file)
      } finally {
        if (file.inTransaction) file.run("ROLLBACK")
      }
    })
  /** Whoever writes by the readers' client during a transaction cannot be served before its end, and would stop the event loop for five seconds to find out. */
  const impatient = async <T>(f: () => Promise<T>) => {
    if (path === ":memory:") return f()
    client.run("PRAGMA busy_timeout = 0")
    try {
      return await f()
    } finally {
      client.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
    }
  }

  return {
    main,
    client,
    write: path === ":memory:" ? f => lock.run(async () => f(main)) : f => begun(file => single(file, { f, logger })),
    transaction: f => begun(file => impatient(() => f(connectionOf(file, logger)))),
    close: () =>
      lock.run(async () => {
        if (own !== client) own?.close()
        // Leaves one file, not three, to whoever copies it. Not supported by every build of SQLite: then -wal stays.
        client.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 0)
        client.close()
      }),
  }
}

function connectionOf(file: SqliteFile, logger: QueryLogger): Connection {
  return {
    client: file,
    run: async sql => {
      file.query(sql).run()
      return sql
    },
    drizzle: client => drizzle({ client: client as SqliteFile, logger }),
    release: async () => {},
  }
}

/** A statement by itself, with a handle that is dead afterwards: the connection is everybody's. */
async function single<T>(file: SqliteFile, { f, logger }: { f: (db: Handle) => PromiseLike<T>; logger: QueryLogger }): Promise<T> {
  let over = false
  const check = () => {
    if (over) throw new TransactionError("this handle was for one statement, which is over")
  }
  try {
    const result = await f(drizzle({ client: guarded(file, check) as SqliteFile, logger }))
    file.query("COMMIT").run()
    return result
  } finally {
    over = true
  }
}

/** Takes the file's lock for writing. SQLite would wait for it inside the call, and the event loop with it. */
async function begin(file: SqliteFile): Promise<void> {
  const until = performance.now() + BUSY_MS
  for (let i = 0; ; i++) {
    try {
      file.query("BEGIN IMMEDIATE").run()
      return
    } catch (error) {
      if (!String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY") || performance.now() > until) throw error
    }
    await Bun.sleep(TRIES_MS[Math.min(i, TRIES_MS.length - 1)]!)
  }
}

function stuck(): Error {
  return new TransactionError(
    `a transaction of this process has been open for ${PATIENCE_MS / 1000} s, and this statement waits for it. If it waits for this statement in turn, the statement has lost it on the way: ` +
      "what an event emitter or a worker calls is outside of the transaction (AsyncLocalStorage.bind(f) keeps it)",
  )
}
