import type { Context } from "hono"
import { checkOptions, type Shape } from "edge"
import { database } from "../db/database.ts"
import type { Fields, Patch, Row } from "../db/model.ts"
import { readBody } from "./body.ts"
import type { FileRules, FormBody } from "./form-body.ts"
import { ADD_BUTTON, type BoundForm, FIND_BUTTON } from "./bound-form.ts"
import type { Form } from "./form.ts"
import { languageOf, say } from "./messages.ts"
import type { BoundModelForm } from "./model-form.ts"

export interface FormsetOptions {
  /** Before every name: "comments". */
  readonly prefix: string
  readonly label?: string
  readonly min?: number
  /** Default 100; a request that claims more rows is refused. */
  readonly max?: number
  /** Empty rows to begin with; default 1. */
  readonly extra?: number
  readonly canDelete?: boolean
  readonly canOrder?: boolean
}

const OPTIONS: Shape<FormsetOptions> = { prefix: "text", label: "text", min: "number", max: "number", extra: "number", canDelete: "boolean", canOrder: "boolean" }

/** Names in the body of a row, after its prefix, beside those of its fields. */
const DELETE = "__delete"
const ORDER = "__order"
const ID = "__id"
/** After the prefix of the formset: how many rows were shown. */
const TOTAL = "-total"

export interface FormsetRow<B> {
  readonly form: B
  readonly index: number
  /** Row that is there already; its id is sent with it. */
  readonly id: number | undefined
  readonly deleted: boolean
  readonly order: number
  /** Nothing was typed into an extra row: it is not there. */
  readonly untouched: boolean
  readonly names: { readonly del: string; readonly order: string; readonly id: string }
}

/** Several forms of one kind in one page. */
export class BoundFormset<B extends BoundForm = BoundForm> {
  readonly #errors: string[] = []

  constructor(
    readonly options: FormsetOptions,
    readonly rows: readonly FormsetRow<B>[],
    /** For the row that a script adds: `__index__` stands for its number. */
    readonly template: FormsetRow<B>,
    readonly lang: string,
    readonly sent: boolean,
  ) {}

  /** Rows that count, in their order: neither deleted nor left empty. */
  get kept(): readonly FormsetRow<B>[] {
    return this.rows.filter(row => !row.deleted && !row.untouched).toSorted((a, b) => a.order - b.order)
  }
  get deleted(): readonly FormsetRow<B>[] {
    return this.rows.filter(row => row.deleted && row.id !== undefined)
  }
  get values(): B["values"][] {
    return this.kept.map(row => row.form.values)
  }
  get ok(): boolean {
    return this.sent && this.#errors.length === 0 && this.kept.every(row => row.form.ok)
  }
  get errors(): readonly string[] {
    return this.#errors
  }
  get hasFiles(): boolean {
    return this.template.form.hasFiles
  }
  get totalName(): string {
    return this.options.prefix + TOTAL
  }
  get canDelete(): boolean {
    return this.options.canDelete ?? true
  }
  get canOrder(): boolean {
    return this.options.canOrder ?? false
  }
  fail(message: string): void {
    this.#errors.push(message)
  }
}

/** Several forms of one kind: lines of an order, pictures of an album. */
export class Formset<V, B extends BoundForm<V>> {
  constructor(
    readonly form: Form<V, B>,
    readonly options: FormsetOptions,
  ) {}

  /** Those that are there, and `extra` empty ones. */
  blank(c?: Context<any>, start: { rows?: readonly object[] } = {}): BoundFormset<B> {
    const rows = start.rows ?? []
    const lang = c === undefined ? "en" : languageOf(c)
    const total = Math.min(Math.max(rows.length + (this.options.extra ?? 1), this.options.min ?? 0), Math.max(this.#max, rows.length))
    const made = Array.from({ length: total }, (_, i) => this.#row(this.form.blank(c, this.#bind(i, lang, rows[i])), i, { id: idOf(rows[i]) }))
    return new BoundFormset(this.options, made, this.#template(c, lang), lang, false)
  }

  async read(c: Context<any>, start: { rows?: readonly object[] } = {}): Promise<BoundFormset<B>> {
    return this.check(await readBody(c, this.rules), { ...start, c })
  }

  async handle(c: Context<any>, start: { rows?: readonly object[] } = {}): Promise<BoundFormset<B>> {
    return c.req.method === "GET" || c.req.method === "HEAD" ? this.blank(c, start) : this.read(c, start)
  }

  /**
   * `rows` are those that may be changed: an id of another row is refused (IDOR). The number of rows is the client's
   * word: past `max` nothing is made of it.
   */
  async check(body: FormBody, start: { rows?: readonly object[]; c?: Context<any>; lang?: string } = {}): Promise<BoundFormset<B>> {
    const { c, rows = [] } = start
    const { prefix } = this.options
    const lang = start.lang ?? (c === undefined ? "en" : languageOf(c))
    const claimed = Number(body.last(prefix + TOTAL) ?? Number.NaN)
    const most = Math.max(this.#max, rows.length) + (this.options.extra ?? 1)
    const valid = Number.isSafeInteger(claimed) && claimed >= 0 && claimed <= most
    const asked = body.last(ADD_BUTTON) === prefix
    const total = (valid ? claimed : 0) + (asked && valid && claimed < this.#max ? 1 : 0)
    const byId = new Map(rows.map(row => [String(idOf(row)), row]))
    const made: FormsetRow<B>[] = []
    let foreign = false
    for (let i = 0; i < total; i++) {
      const names = this.#names(i)
      const id = body.last(names.id)
      const row = id === undefined || id === "" ? undefined : byId.get(id)
      foreign ||= row === undefined && id !== undefined && id !== ""
      byId.delete(id ?? "")
      const deleted = this.options.canDelete !== false && body.last(names.del) !== undefined
      const untouched = row === undefined && !this.#touched(body, i)
      const bind = this.#bind(i, lang, row)
      const isNew = asked && i === total - 1
      const form = deleted || untouched || isNew ? (isNew || untouched ? this.form.blank(c, bind) : await this.#quiet(body, bind, c)) : await this.form.check(body, { ...bind, ...(c !== undefined && { c }) })
      made.push(this.#row(form, i, { id: idOf(row), deleted, untouched: untouched || isNew, order: orderOf(body.last(names.order), i) }))
    }
    const sent = !asked && body.last(FIND_BUTTON) === undefined && body.last(ADD_BUTTON) === undefined
    const bound = new BoundFormset(this.options, made, this.#template(c, lang), lang, sent)
    if (!valid || foreign) bound.fail(say(lang, "gone"))
    if (sent && bound.kept.length < (this.options.min ?? 0)) bound.fail(say(lang, "tooFewRows", { limit: this.options.min ?? 0 }))
    if (sent && bound.kept.length > this.#max) bound.fail(say(lang, "tooManyRows", { limit: this.#max }))
    return bound
  }

  /** Which files its rows take. */
  readonly rules: FileRules = name => {
    const { prefix } = this.options
    const match = name.startsWith(`${prefix}-`) ? /^\d{1,4}-/.exec(name.slice(prefix.length + 1)) : null
    return match === null ? undefined : this.form.rules(`${prefix}-${match[0]}`)(name)
  }

  get #max(): number {
    return this.options.max ?? 100
  }

  /** A row that is deleted is shown as it was sent and not checked. */
  async #quiet(body: FormBody, bind: object, c: Context<any> | undefined): Promise<B> {
    const form = await this.form.check(body, { ...bind, ...(c !== undefined && { c }) })
    form.forgive()
    return form
  }

  #touched(body: FormBody, index: number): boolean {
    const prefix = this.#prefix(index)
    return this.form.source.fields.some(field => {
      const name = prefix + field.key
      if ((body.uploads.get(name)?.length ?? 0) > 0 || body.faults.has(name)) return true
      // A choice that is shown as chosen, a box that is ticked: not touched as long as they are what the form began with.
      const start = this.form.initialTexts(field)
      const texts = body.all(name).filter(text => text.trim() !== "")
      return texts.length > 0 && texts.join("\0") !== start.join("\0")
    })
  }

  #bind(index: number, lang: string, row: object | undefined): { prefix: string; lang: string; row?: never } {
    return { prefix: this.#prefix(index), lang, ...(row !== undefined && { row: row as never, values: row as never }) }
  }

  #prefix(index: number | "__index__"): string {
    return `${this.options.prefix}-${index}-`
  }

  #names(index: number | "__index__"): FormsetRow<B>["names"] {
    const prefix = this.#prefix(index)
    return { del: prefix + DELETE, order: prefix + ORDER, id: prefix + ID }
  }

  #row(form: B, index: number, facts: { id: number | undefined; deleted?: boolean; untouched?: boolean; order?: number }): FormsetRow<B> {
    return { form, index, deleted: false, untouched: false, order: index + 1, ...facts, names: this.#names(index) }
  }

  #template(c: Context<any> | undefined, lang: string): FormsetRow<B> {
    const form = this.form.blank(c, { prefix: this.#prefix("__index__"), lang })
    return { form, index: -1, id: undefined, deleted: false, untouched: true, order: 0, names: this.#names("__index__") }
  }
}

function idOf(row: object | undefined): number | undefined {
  const id = (row as { id?: unknown } | undefined)?.id
  return typeof id === "number" ? id : undefined
}

function orderOf(text: string | undefined, index: number): number {
  const order = Number(text === undefined || text === "" ? Number.NaN : text)
  return Number.isFinite(order) ? order : index + 1
}

/** Several forms of one kind in a page. */
export function formset<V, B extends BoundForm<V>>(form: Form<V, B>, options: FormsetOptions): Formset<V, B> {
  checkOptions("formset()", options ?? null, OPTIONS)
  if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(options.prefix)) throw new Error(`formset "${options.prefix}": a prefix has only letters and digits`)
  return new Formset(form, options)
}

/** Makes, changes and deletes the rows of a formset of a model, all or none. Null when the database refuses one. */
export async function saveAll<F extends Fields, K extends keyof F & string>(set: BoundFormset<BoundModelForm<F, K>>, more: Partial<Patch<F>> = {}): Promise<Row<F>[] | null> {
  if (!set.ok) return null
  let at: BoundModelForm<F, K> | undefined
  try {
    return await database().transaction(async () => {
      for (const row of set.deleted) await set.template.form.model.delete(row.id!)
      const saved: Row<F>[] = []
      for (const row of set.kept) {
        at = row.form
        saved.push(await row.form.store(more))
      }
      return saved
    })
  } catch (error) {
    if (at?.take(error) !== true) throw error
    return null
  }
}

