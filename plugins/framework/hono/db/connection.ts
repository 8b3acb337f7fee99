/** What a database room needs of a driver: one connection for reading, and connections of transactions. */

/** drizzle's handle of either dialect; what queries use of it is the same. */
export type Handle = any

/** The connection of a transaction, for as long as it lasts. */
export interface Connection {
  /** The driver's own: bun:sqlite's Database, or Bun.SQL's reserved connection. */
  readonly client: object
  /** BEGIN, SAVEPOINT and the like; gives what the database did ("COMMIT", or "ROLLBACK" when it would not). */
  run(sql: string): Promise<string>
  /** drizzle on this client, or on something that stands before it. */
  drizzle(client: object): Handle
  /** Gives it back, in whatever state: never within a transaction. */
  release(): Promise<void>
}

export interface Backend {
  /** For statements outside of a transaction. */
  readonly main: Handle
  readonly client: object
  /** One writing statement by itself. */
  write<T>(f: (db: Handle) => PromiseLike<T>): Promise<T>
  /** Runs `f` with a connection on which a transaction has begun. */
  transaction<T>(f: (connection: Connection) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export type QueryLogger = { logQuery(sql: string, params: unknown[]): void } | undefined
