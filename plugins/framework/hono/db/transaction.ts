/** A transaction, and those within it: all or nothing at every depth, and dead once they are over. */
import type { Connection, Handle } from "./connection.ts"
import { rootCause, TransactionError } from "./errors.ts"
import { Lock } from "./lock.ts"

export class Transaction {
  /** drizzle on a client that answers only while this level may be used. */
  readonly db: Handle
  readonly client: object
  readonly #depth: number
  #open = true
  /** The statement that failed here. PostgreSQL runs nothing after it but the end; SQLite is held to the same. */
  #failed: unknown
  /** One transaction within this at a time: savepoints of a connection lie in a stack. */
  readonly #turn = new Lock()
  #inner: { readonly done: Promise<unknown> } | undefined
  #writing = 0
  #wrote: (() => void)[] = []
  readonly #settled: ((committed: boolean) => void)[] = []

  constructor(
    private readonly connection: Connection,
    private readonly outer?: Transaction,
  ) {
    this.#depth = outer === undefined ? 0 : outer.#depth + 1
    this.client = guarded(connection.client, () => this.#check())
    this.db = connection.drizzle(this.client)
  }

  /** `scope` runs a function so that its queries find this transaction. */
  async run<T>(f: () => Promise<T>, scope: (transaction: Transaction, f: () => Promise<T>) => Promise<T>): Promise<T> {
    if (this.outer !== undefined) await this.connection.run(`SAVEPOINT ${this.#name}`)
    let committed = false
    try {
      const result = await scope(this, f)
      if (this.#failed !== undefined) throw afterFailure(this.#failed)
      if (this.#inner !== undefined) throw new TransactionError("a transaction within this one was not awaited; nothing of either is kept")
      await this.#commit()
      committed = true
      return result
    } catch (error) {
      await this.#rollback()
      throw error
    } finally {
      this.#end(committed)
    }
  }

  async read<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    try {
      return await this.#statement(f)
    } catch (error) {
      // Beside an inner transaction that has just failed: once that is taken back, the connection answers again.
      if (!this.#open || this.#inner === undefined || sqlState(error) !== ABORTED) throw error
      await this.#inner.done
      return this.#statement(f)
    }
  }

  /** Waits for a transaction within this one, whose end would else take this statement back with it. */
  async write<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    while (this.#inner !== undefined) await this.#inner.done
    this.#writing++
    try {
      return await this.#statement(f)
    } finally {
      this.#writing--
      if (this.#writing === 0) for (const tell of this.#wrote.splice(0)) tell()
    }
  }

  /** A transaction within this one. */
  within<T>(f: () => Promise<T>, scope: (transaction: Transaction, f: () => Promise<T>) => Promise<T>): Promise<T> {
    this.#check()
    return this.#turn.run(async () => {
      while (this.#writing > 0) await new Promise<void>(resolve => this.#wrote.push(resolve))
      this.#check()
      const run = new Transaction(this.connection, this).run(f, scope)
      this.#inner = { done: run.catch(() => {}) }
      try {
        return await run
      } finally {
        this.#inner = undefined
      }
    })
  }

  onSettled(f: (committed: boolean) => void): void {
    this.#check()
    this.#settled.push(f)
  }

  get #name(): string {
    return `edge_${this.#depth}`
  }

  async #statement<T>(f: (db: Handle) => PromiseLike<T>): Promise<T> {
    this.#check()
    if (this.#failed !== undefined) throw afterFailure(this.#failed)
    try {
      return await f(this.db)
    } catch (error) {
      if (isOfDatabase(error) && !(this.#inner !== undefined && sqlState(error) === ABORTED)) this.#failed ??= error
      throw error
    }
  }

  /** Throws once this or one around it is over: the connection is somebody else's then. */
  #check(): void {
    if (!this.#alive()) throw new TransactionError("this transaction has ended: await everything inside of it, or start what outlives it by outsideTransaction(f)")
  }
  #alive(): boolean {
    return this.#open && (this.outer === undefined || this.outer.#alive())
  }

  async #commit(): Promise<void> {
    this.#check()
    // Before the statement is sent: what comes while it runs would be after it, on its own.
    this.#open = false
    if (this.outer !== undefined) return void (await this.connection.run(`RELEASE ${this.#name}`))
    if ((await this.connection.run("COMMIT")) !== "COMMIT") throw new TransactionError("nothing was kept: a statement of this transaction had failed, and the database took all of it back")
  }

  async #rollback(): Promise<void> {
    this.#open = false
    // Once one around this is over nothing is left to take back, and the connection may be in a stranger's transaction.
    if (this.outer !== undefined && !this.outer.#alive()) return
    for (const sql of this.outer === undefined ? ["ROLLBACK"] : [`ROLLBACK TO ${this.#name}`, `RELEASE ${this.#name}`]) await this.connection.run(sql).catch(() => {})
  }

  #end(committed: boolean): void {
    this.#open = false
    if (committed && this.outer !== undefined) this.outer.#settled.push(...this.#settled)
    else for (const tell of this.#settled) tell(committed)
  }
}

function afterFailure(cause: unknown): TransactionError {
  const root = rootCause(cause)
  const why = root?.message ?? String(cause)
  return new TransactionError(`a statement of this transaction failed before (${why}), so nothing of it can be kept; what may fail goes into a transaction() of its own, inside`, { cause })
}

/** in_failed_sql_transaction */
const ABORTED = "25P02"

function sqlState(error: unknown): unknown {
  return (rootCause(error) as { errno?: unknown } | undefined)?.errno
}

/** Whether the database refused it, and not the code around the statement. */
function isOfDatabase(error: unknown): boolean {
  const code = (rootCause(error) as { code?: unknown } | undefined)?.code
  return typeof code === "string" && /^(?:SQLITE_|ERR_POSTGRES_)/.test(code)
}

/** The same client, as long as `check` does not throw. */
export function guarded(client: object, check: () => void): object {
  return new Proxy(client, {
    get(target, key) {
      check()
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === "function" ? value.bind(target) : value
    },
    // Bun.SQL is a tag: sql`SELECT 1`.
    apply(target, _, args) {
      check()
      return (target as (...args: unknown[]) => unknown)(...args)
    },
  })
}
