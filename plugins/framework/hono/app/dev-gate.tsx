import { writeMigration } from "../db/migrate/files.ts"
import { makeMigration } from "../db/migrate/make.ts"
import type { AnyApp } from "./app.ts"
import { CSRF_FIELD } from "./csrf.ts"
import type { Ctx } from "./env.ts"
import { notePage } from "./error-page.tsx"
import { modelsDiffer, signOf, standingOf } from "./migrations.ts"
import { safeNext } from "./request.ts"

/** What stands between the models and the database while an app is being written. */
interface Problem {
  readonly title: string
  readonly text: string
  readonly commands: readonly string[]
  /** What the button says, when one press cures it. */
  readonly button?: string
}

const FIX = "/__edge/migrate"

/**
 * In dev: tables that are missing are told on a page with a button, not by the first query that fails. Looks again when
 * migrations come, go or are run, also in a terminal; models change with a save, which starts the app anew.
 */
export class DevGate {
  readonly #app: AnyApp
  #looked: Promise<Problem | undefined> | undefined
  /** What there was when it looked. */
  #seen: string | undefined
  #failed: string | undefined

  constructor(app: AnyApp) {
    this.#app = app
  }

  /** The page, or undefined when the request may go on. */
  async answer(c: Ctx): Promise<Response | undefined> {
    if (c.req.path.startsWith("/static/")) return undefined
    const seen = await signOf(this.#app)
    if (seen !== this.#seen) this.#looked = undefined
    this.#seen = seen
    this.#looked ??= this.#look()
    const problem = await this.#looked
    if (problem === undefined) {
      this.#failed = undefined
      return undefined
    }
    if (c.req.method === "POST" && c.req.path === FIX) return this.#fix(c)
    return c.html(notePage({ ...problem, ...(this.#failed !== undefined && { failed: this.#failed }), action: FIX, back: c.req.path, field: CSRF_FIELD, token: c.var.csrf.token }), 503)
  }

  async #look(): Promise<Problem | undefined> {
    const manage = `edge manage ${this.#app.booted.name}`
    try {
      const { waiting, all } = await standingOf(this.#app)
      const names = waiting.map(migration => migration.name).join(", ")
      if (waiting.length > 0) return { title: "The database is behind", text: `To be applied: ${names}.`, commands: [`${manage} migrate`], button: "Apply" }
      if (!(await modelsDiffer(this.#app))) return undefined
      return all.length === 0
        ? { title: "No tables yet", text: "The models are there, their tables are not.", commands: [`${manage} makemigrations`, `${manage} migrate`], button: "Make the tables" }
        : { title: "The models have changed", text: `since ${all.at(-1)!.name}.`, commands: [`${manage} makemigrations`, `${manage} migrate`], button: "Write the migration and apply it" }
    } catch (error) {
      return { title: "The migrations do not fit the database", text: (error as Error).message, commands: [] }
    }
  }

  /** What needs no answer is done; a question (renamed or new?) is for the terminal. */
  async #fix(c: Ctx): Promise<Response> {
    const back = safeNext((await c.req.parseBody()).back)
    this.#failed = undefined
    try {
      const { dir, all, waiting } = await standingOf(this.#app)
      if (waiting.length === 0) {
        const made = await makeMigration({ models: this.#app.models, dialect: this.#app.database.dialect, existing: all, ask: () => Promise.resolve(undefined) })
        if (made !== undefined) writeMigration(dir, made)
      }
      const now = await standingOf(this.#app)
      for (const migration of now.waiting) await now.runner.apply(migration)
    } catch (error) {
      this.#failed = (error as Error).message
    }
    this.#looked = undefined
    return c.redirect(back, 303)
  }
}
