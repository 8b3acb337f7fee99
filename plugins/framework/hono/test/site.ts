import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkOptions, type Shape } from "edge"
import type { AnyApp } from "../app/app.ts"
import { Database } from "../db/database.ts"
import { createTables } from "../db/migrate/create.ts"
import { mailerOf } from "../mail/mailer.ts"
import type { Letter } from "../mail/message.ts"
import { Client } from "./client.ts"
import { type Logged, loggerInto } from "./logged.ts"

export interface TestOptions {
  /** Besides the process's environment; SITE_URL, DATABASE_URL and MAIL_URL of the machine are not seen. */
  readonly env?: Readonly<Record<string, string>>
  /** "sqlite::memory:" (the default), or an empty PostgreSQL database: "postgres://...". */
  readonly database?: string
  /** Folder of the app: its `static/`; default the working folder. */
  readonly dir?: string
  /** Errors of handlers are thrown into the test instead of becoming a page. Default true. */
  readonly strict?: boolean
}

/** An app with an empty database of its own, and visitors. Models used in the test ask the same database. */
export class TestSite extends Client implements AsyncDisposable {
  readonly logged: Logged[]
  readonly #undo: () => Promise<void>

  constructor(app: AnyApp, logged: Logged[], options: { strict: boolean; undo: () => Promise<void> }) {
    super(app, { logged, strict: options.strict })
    this.logged = logged
    this.#undo = options.undo
  }

  /** The mails that were sent, oldest first. */
  get outbox(): readonly Letter[] {
    return mailerOf(this.app).outbox
  }

  /** Another visitor, with cookies of their own. */
  visitor(): Client {
    return new Client(this.app, this.options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo()
  }
}

const OPTIONS: Shape<TestOptions> = { env: "object", database: "text", dir: "text", strict: "boolean" }

/** `await using site = await open(app)`: one test, one database. */
export async function open(app: AnyApp, options: TestOptions = {}): Promise<TestSite> {
  checkOptions("open()", options, OPTIONS)
  const logged: Logged[] = []
  const files = mkdtempSync(join(tmpdir(), "edge-test-"))
  const database = new Database(options.database ?? "sqlite::memory:")
  const { SITE_URL: _url, DATABASE_URL: _database, MAIL_URL: _mail, ...rest } = process.env
  const env = { SECRET_KEY: "a secret for tests alone", ...rest, EDGE_FILES: files, MAIL_URL: "memory:", ...options.env }
  const undo = async (): Promise<void> => {
    if (app.isBooted) await app.shutdown()
    await database.close()
    rmSync(files, { recursive: true, force: true })
  }
  try {
    await createTables(database, app.models)
    await app.boot({ dir: options.dir ?? process.cwd(), name: "test", env, dev: false, log: loggerInto(logged), database })
  } catch (error) {
    await undo()
    throw error
  }
  return new TestSite(app, logged, { strict: options.strict ?? true, undo })
}
