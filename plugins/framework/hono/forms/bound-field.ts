import { oneOf } from "../db/compare.ts"
import type { AnyModel } from "../db/model.ts"
import { FIND } from "./decode.ts"
import type { Choice, FormField, Rows } from "./field.ts"
import { type MessageCode, say } from "./messages.ts"

/** Rows that a relation offers before it asks for a word to find by. */
const MOST_CHOICES = 200

export interface ChoiceList {
  readonly choices: readonly Choice[]
  /** Values of those that are chosen. */
  readonly chosen: readonly string[]
  /** There are rows that are not among them. */
  readonly more: boolean
}

interface BoundFieldFacts {
  readonly field: FormField
  readonly name: string
  readonly id: string
  readonly lang: string
  readonly values: readonly string[]
  readonly error: string | undefined
  /** file: the key that the row has now. */
  readonly current: string | null
  readonly find: string | undefined
  readonly demand?: boolean
  /** Ids of the relation, where they are not loaded yet. */
  readonly load?: () => Promise<readonly number[]>
  query(): Rows
}

/** One field of a form that is being shown: what it is, what stands in it, and what is wrong with it. */
export class BoundField {
  readonly field: FormField
  readonly key: string
  /** Name and id of the input in HTML. */
  readonly name: string
  readonly id: string
  readonly lang: string
  /** The texts in it: one, but for several choices; none when empty. */
  readonly values: readonly string[]
  readonly error: string | undefined
  readonly current: string | null
  /** The word that its rows are searched by. */
  readonly find: string | undefined
  readonly #facts: BoundFieldFacts
  readonly #query: () => Rows
  #choices: Promise<ChoiceList> | undefined

  constructor(facts: BoundFieldFacts) {
    this.#facts = facts
    this.field = facts.field
    this.key = facts.field.key
    this.name = facts.name
    this.id = facts.id
    this.lang = facts.lang
    this.values = facts.values
    this.error = facts.error
    this.current = facts.current
    this.find = facts.find
    this.#query = facts.query
  }

  get value(): string {
    return this.values[0] ?? ""
  }
  get label(): string {
    const { label } = this.field.settings
    return typeof label === "function" ? label(this.lang) : (label ?? this.field.label)
  }
  get help(): string | undefined {
    const { help } = this.field.settings
    return typeof help === "function" ? help(this.lang) : (help ?? this.field.help)
  }
  get widget(): FormField["widget"] {
    return this.field.widget
  }
  get required(): boolean {
    return this.field.required
  }
  /** The browser itself asks for it. */
  get demanded(): boolean {
    return this.required && this.#facts.demand !== false
  }
  get helpId(): string {
    return `${this.id}-help`
  }
  get errorId(): string {
    return `${this.id}-error`
  }
  get findName(): string {
    return this.name + FIND
  }
  /** A group of inputs (radio buttons, checkboxes): it has a legend, not a label. */
  get isGroup(): boolean {
    return this.widget === "radio" || this.widget === "checkboxes"
  }

  /** The same field without `required` in HTML: the row it is in may stay empty as a whole. */
  relaxed(): BoundField {
    return this.required ? new BoundField({ ...this.#facts, demand: false }) : this
  }

  say(code: MessageCode, values: Record<string, string | number> = {}): string {
    return say(this.lang, code, values)
  }

  /** What can be chosen. Rows are asked of the database when first needed; those chosen are always among them. */
  choices(): Promise<ChoiceList> {
    return (this.#choices ??= this.#findChoices())
  }

  async #findChoices(): Promise<ChoiceList> {
    const { target, choices } = this.field
    if (target === undefined) return { choices, chosen: this.values, more: false }
    const chosen = this.#facts.load === undefined ? this.values : (await this.#facts.load()).map(String)
    const model = target()
    const wanted = this.find === undefined ? this.#query() : this.#query().search(this.find)
    const rows = await wanted.limit(MOST_CHOICES + 1)
    const found = rows.slice(0, MOST_CHOICES)
    const missing = chosen.map(Number).filter(id => Number.isSafeInteger(id) && !found.some(row => row.id === id))
    const others = missing.length === 0 ? [] : await this.#query().where({ id: oneOf(missing.slice(0, 1000)) })
    return { choices: [...others, ...found].map(row => toChoice(model, row)), chosen, more: rows.length > MOST_CHOICES || this.find !== undefined }
  }
}

function toChoice(model: AnyModel, row: { id: number }): Choice {
  return { value: String(row.id), label: model.titleOf(row as never) }
}
