import type { Context } from "hono"
import { BoundField } from "./bound-field.ts"
import type { FormBody } from "./form-body.ts"
import { decode, encode, FIND } from "./decode.ts"
import type { FormField, Rows } from "./field.ts"
import { type MessageCode, say } from "./messages.ts"
import type { Source } from "./source.ts"
import { Upload } from "./upload.ts"

/** Names of buttons that ask for the form again, unchecked: to find rows, or for one more row of a formset. */
export const FIND_BUTTON = "_find"
export const ADD_BUTTON = "_add"

export interface Binding {
  readonly source: Source
  /** The request, where there is one: language, time zone, token. */
  readonly c: Context<any> | undefined
  readonly lang: string
  readonly timeZone: string
  /** Before every name: "comments-0-". */
  readonly prefix: string
  /** What was sent; undefined for an empty form. */
  readonly body: FormBody | undefined
  /** What the fields start with, by key; a function for the ids of a relation that are still to be asked for. */
  readonly initial: Readonly<Record<string, unknown>>
}

export type Check<V> = (values: V, form: BoundForm<V>) => Promise<Errors<V> | void> | Errors<V> | void
/** Messages by field; "" is for the form as a whole. */
export type Errors<V> = { readonly [K in (keyof V & string) | ""]?: string }

/** A form in one request: empty, or with what was sent. */
export class BoundForm<V = any> {
  readonly binding: Binding
  readonly #errors = new Map<string, string>()
  #values: V | undefined
  readonly #uploads = new Map<string, Upload>()
  #checked = false

  constructor(binding: Binding) {
    this.binding = binding
  }

  /** Something was sent, and it is to be taken as it is (no button asked for the form again). */
  get sent(): boolean {
    const { body } = this.binding
    return body !== undefined && body.last(FIND_BUTTON) === undefined && body.last(ADD_BUTTON) === undefined
  }

  /** Sent and right: `values` are there. */
  get ok(): boolean {
    return this.#checked && this.#errors.size === 0
  }

  /** What was sent, typed as the schema or model says. A new file has no key yet: "" until it is saved. */
  get values(): V {
    if (!this.ok || this.#values === undefined) throw new Error("the form has no values: look at `ok` first")
    return this.#values
  }

  /** New files by field, for forms of models; save() stores them. */
  get uploads(): ReadonlyMap<string, Upload> {
    return this.#uploads
  }

  /** Messages by field, in the order of the fields; what concerns the form as a whole first. */
  get errors(): Readonly<Record<string, string>> {
    const keys = ["", ...this.binding.source.fields.map(field => field.key)]
    return Object.fromEntries([...this.#errors].toSorted(([a], [b]) => keys.indexOf(a) - keys.indexOf(b)))
  }

  /** 200, or 422 when what was sent has errors: htmx and tests can tell. */
  get status(): 200 | 422 {
    return this.#errors.size > 0 ? 422 : 200
  }

  get lang(): string {
    return this.binding.lang
  }

  say(code: MessageCode, values?: Readonly<Record<string, string | number>>): string {
    return say(this.lang, code, values)
  }

  /** Adds an error; the form is then not ok. Key "" (the default) is the form as a whole. */
  fail(message: string, key: (keyof V & string) | "" = ""): void {
    if (!this.#errors.has(key)) this.#errors.set(key, message)
  }

  /** Forgets the errors: of a row that is going to be deleted. */
  forgive(): void {
    this.#errors.clear()
  }

  get fields(): BoundField[] {
    return this.binding.source.fields.map(field => this.#bind(field))
  }

  field(key: keyof V & string): BoundField {
    const found = this.binding.source.fields.find(field => field.key === key)
    if (found === undefined) throw new Error(`the form has no field "${key}"; there are ${this.binding.source.fields.map(field => field.key).join(", ")}`)
    return this.#bind(found)
  }

  /** What stands in a field. */
  textsOf(field: FormField): readonly string[] {
    const { body, initial, timeZone } = this.binding
    return body === undefined ? encode(field, initial[field.key], timeZone) : body.all(this.nameOf(field.key))
  }

  get hasFiles(): boolean {
    return this.binding.source.fields.some(field => field.file !== undefined)
  }

  nameOf(key: string): string {
    return this.binding.prefix + key
  }

  /** Decodes and checks what was sent; called once, by the form. */
  async check(more: Check<V> | undefined): Promise<this> {
    const { source, body, lang, timeZone } = this.binding
    if (body === undefined || !this.sent) return this
    const given: Record<string, unknown> = {}
    for (const field of source.fields) {
      const decoded = await decode(field, { body, name: this.nameOf(field.key), lang, timeZone, current: this.#current(field), before: this.binding.initial[field.key], query: () => this.#query(field) })
      if ("error" in decoded) this.#errors.set(field.key, decoded.error)
      else given[field.key] = this.#withoutUpload(field, decoded.value)
    }
    const { values, issues } = await source.check(given, lang)
    // What could not be decoded is missing there, and said already.
    for (const { key, message } of issues) this.fail(message, key as never)
    this.#values = values as V
    this.#checked = true
    if (more !== undefined && this.ok) {
      for (const [key, message] of Object.entries((await more(this.#values, this)) ?? {})) if (typeof message === "string") this.fail(message, key as never)
    }
    return this
  }

  /** A column keeps the key of a file: until the upload has one, its schema is asked about an empty one. */
  #withoutUpload(field: FormField, value: unknown): unknown {
    if (!(value instanceof Upload) || field.file?.keyed !== true) return value
    this.#uploads.set(field.key, value)
    return ""
  }

  #current(field: FormField): string | null {
    const value = this.binding.initial[field.key]
    return field.kind === "file" && typeof value === "string" && value !== "" ? value : null
  }

  #query(field: FormField): Rows {
    return field.settings.query?.(this.binding.c) ?? field.target!().all
  }

  #bind(field: FormField): BoundField {
    const { body, lang, prefix } = this.binding
    const name = this.nameOf(field.key)
    const find = body?.last(FIND_BUTTON) === name ? body.last(name + FIND) : undefined
    const lost = body !== undefined && !this.ok && (body.uploads.get(name)?.length ?? 0) > 0
    const start = this.binding.initial[field.key]
    return new BoundField({
      field,
      ...(body === undefined && typeof start === "function" && { load: start as () => Promise<readonly number[]> }),
      name,
      id: `f-${prefix}${field.key}`,
      lang,
      values: this.textsOf(field),
      error: this.#errors.get(field.key) ?? (lost ? say(lang, "fileAgain") : undefined),
      current: this.#current(field),
      find: find === undefined || find.trim() === "" ? undefined : find.slice(0, 200),
      query: () => this.#query(field),
    })
  }
}
