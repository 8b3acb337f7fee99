import { database } from "../db/database.ts"
import { InUse, ValidationError } from "../db/errors.ts"
import { words } from "../db/naming.ts"
import type { Fields, ModelBase, New, Patch, Row } from "../db/model.ts"
import { files } from "../files/storage.ts"
import { type Binding, BoundForm } from "./bound-form.ts"
import type { ModelValues } from "./from-model.ts"
import { say } from "./messages.ts"

/** A form of a model in one request. */
export class BoundModelForm<F extends Fields, K extends keyof F & string> extends BoundForm<ModelValues<F, K>> {
  constructor(
    readonly model: ModelBase<F>,
    binding: Binding,
    readonly row: Row<F> | undefined,
  ) {
    super(binding)
  }

  /**
   * Makes or changes the row, its relations too, in one transaction, and stores new files. Null when the form is not ok,
   * or when the database refuses (a value that must be unique): the error is then at its field. `more` are values that
   * no field has: `{ author: user.id }`.
   */
  async save(more: Partial<Patch<F>> = {}): Promise<Row<F> | null> {
    if (!this.ok) return null
    try {
      return await this.store(more)
    } catch (error) {
      if (!this.take(error)) throw error
      return null
    }
  }

  /** As `save`, but throws what the database says: for a transaction of several forms. */
  async store(more: Partial<Patch<F>> = {}): Promise<Row<F>> {
    const db = database()
    const kept = await this.#keepFiles()
    const values = { ...(this.values as object), ...kept.keys, ...more }
    const { row } = this
    try {
      const stored = await db.transaction(async () => {
        const made = row === undefined ? await this.model.create(values as New<F>) : await this.model.update(row, values as Patch<F>)
        db.onSettled(done => void kept.settle(done))
        return made
      })
      return stored
    } catch (error) {
      await kept.settle(false)
      throw error
    }
  }

  /** Takes an error of the database into the form, in the reader's language; false when it is none of a form's. */
  take(error: unknown): boolean {
    if (error instanceof InUse) this.fail(say(this.lang, "gone"))
    else if (error instanceof ValidationError) {
      for (const [key, message] of Object.entries(error.issues)) this.#place(key, message)
    } else return false
    return true
  }

  /** An error of a field that the form does not show stands at the one it is made of, else above the form with its name. */
  #place(key: string, message: string): void {
    const text = this.#inLanguage(message)
    const shown = (one: string | undefined) => this.binding.source.fields.some(field => field.key === one)
    const { from } = this.model.fields[key]?.options ?? {}
    if (key === "" || shown(key)) this.fail(text, key as never)
    // A slug made of a title: the title is what can be changed.
    else if (shown(from)) this.fail(text, from as never)
    else this.fail(`${this.model.fields[key]?.options.label ?? words(key)}: ${text}`)
  }

  /** db/errors.ts says it in English. */
  #inLanguage(message: string): string {
    if (message === "There is one with this value already.") return say(this.lang, "unique")
    const together = /^There is one with the same (.+) already\.$/.exec(message)?.[1]
    if (together === undefined) return message
    const labels = together.split(" and ").map(key => this.model.fields[key]?.options.label ?? words(key).toLowerCase())
    return say(this.lang, "uniqueTogether", { fields: new Intl.ListFormat(this.lang).format(labels) })
  }

  /** Stores the uploads; once it is settled, either they or the files they replace are deleted. */
  async #keepFiles(): Promise<{ keys: Record<string, string>; settle(done: boolean): Promise<void> }> {
    const keys: Record<string, string> = {}
    const before = this.binding.initial as Record<string, unknown>
    for (const [key, upload] of this.uploads) keys[key] = await files().put({ path: upload.path, size: upload.size }, { name: upload.name, type: upload.type })
    const gone = this.row === undefined ? [] : this.binding.source.fields.filter(({ key, file }) => file !== undefined && ((keys[key] ?? (this.values as Record<string, unknown>)[key]) !== before[key])).map(({ key }) => before[key])
    let settled = false
    return {
      keys,
      async settle(done) {
        if (settled) return
        settled = true
        const unused = done ? gone : Object.values(keys)
        for (const key of unused) if (typeof key === "string" && key !== "") await files().delete(key).catch(() => {})
      },
    }
  }
}
