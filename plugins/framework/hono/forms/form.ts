import type { Context } from "hono"
import type { GenericSchema, GenericSchemaAsync, InferOutput } from "valibot"
import { checkOptions, type Shape } from "edge"
import type { AnyModel, Fields, ModelBase, Patch, Row } from "../db/model.ts"
import type { Field } from "../db/field.ts"
import { rowKey } from "../db/tables.ts"
import { readBody } from "./body.ts"
import { type BodyLimits, type FileRules, FormBody } from "./form-body.ts"
import { type Binding, BoundForm, type Check } from "./bound-form.ts"
import type { FieldSettings, FormField } from "./field.ts"
import { fromModel, type ModelValues } from "./from-model.ts"
import { fromSchema } from "./from-schema.ts"
import { languageOf } from "./messages.ts"
import { BoundModelForm } from "./model-form.ts"
import type { Source } from "./source.ts"
import { isTimeZone } from "./time.ts"

export interface FormOptions<V> {
  /** What each field looks like and takes, where the model or schema does not say. */
  readonly fields?: { readonly [K in keyof V & string]?: FieldSettings }
  /** Checks over several fields, or against the database; gives messages by field ("" for the form as a whole). */
  readonly check?: Check<V>
  /** Of datetime fields; default `c.var.timeZone`, else UTC. */
  readonly timeZone?: string
  /** Put before every name: for two forms in one page. */
  readonly prefix?: string
  readonly limits?: Partial<BodyLimits>
}

export interface BindOptions {
  /** What the fields start with. */
  readonly values?: Readonly<Record<string, unknown>>
  /** Instead of the form's own. */
  readonly prefix?: string
  readonly lang?: string
}

/** What a form is; made once, beside the model or schema. Each request binds it. */
export class Form<V, B extends BoundForm<V> = BoundForm<V>> {
  constructor(
    readonly source: Source,
    readonly options: FormOptions<V>,
    private readonly make: (binding: Binding, bind: BindOptions) => B,
  ) {}

  /** The empty form. */
  blank(c?: Context<any>, bind: BindOptions = {}): B {
    return this.#bind(c, undefined, bind)
  }

  /** The form that the request brings, checked. */
  async read(c: Context<any>, bind: BindOptions = {}): Promise<B> {
    return this.check(await readBody(c, this.rules(bind.prefix), this.options.limits), { ...bind, c })
  }

  /** `read` for POST (and PUT, PATCH), `blank` for GET and HEAD. */
  async handle(c: Context<any>, bind: BindOptions = {}): Promise<B> {
    return c.req.method === "GET" || c.req.method === "HEAD" ? this.blank(c, bind) : this.read(c, bind)
  }

  /** What stands in the address: for search forms, `<FormView method="get">`. Empty when there is none of its fields. */
  async fromQuery(c: Context<any>, bind: BindOptions = {}): Promise<B> {
    const body = FormBody.from(new URL(c.req.url).searchParams)
    const prefix = bind.prefix ?? this.options.prefix ?? ""
    const asked = this.source.fields.some(field => body.texts.has(prefix + field.key))
    return asked ? this.check(body, { ...bind, c }) : this.blank(c, bind)
  }

  /** A body that was read already (readBody), checked. */
  async check(body: FormBody, bind: BindOptions & { c?: Context<any> } = {}): Promise<B> {
    return this.#bind(bind.c, body, bind).check(this.options.check)
  }

  /** Which files the form takes, for a page that reads several forms at once. */
  rules(prefix: string = this.options.prefix ?? ""): FileRules {
    return name => (name.startsWith(prefix) ? this.source.fields.find(field => field.key === name.slice(prefix.length))?.file : undefined)
  }

  /** What an empty form shows in a field, as it is sent back when nobody touches it. */
  initialTexts(field: FormField): readonly string[] {
    return this.blank().textsOf(field)
  }

  #bind(c: Context<any> | undefined, body: FormBody | undefined, bind: BindOptions): B {
    checkOptions("a form's options", bind, BIND)
    const starting = Object.fromEntries(this.source.fields.flatMap(({ key, settings }) => (settings.initial === undefined ? [] : [[key, settings.initial]])))
    const binding = {
      source: this.source,
      c,
      lang: bind.lang ?? (c === undefined ? "en" : languageOf(c)),
      timeZone: this.options.timeZone ?? zoneOf(c),
      prefix: bind.prefix ?? this.options.prefix ?? "",
      body,
      initial: { ...starting, ...bind.values },
    }
    return this.make(binding, bind)
  }
}

function zoneOf(c: Context<any> | undefined): string {
  const zone: unknown = c?.get("timeZone")
  return typeof zone === "string" && isTimeZone(zone) ? zone : "UTC"
}

/** The forms of a model: `row` is the one to be changed; without one, a new one is made. */
export class ModelForm<F extends Fields, K extends keyof F & string> extends Form<ModelValues<F, K>, BoundModelForm<F, K>> {
  constructor(
    readonly model: ModelBase<F>,
    source: Source,
    options: FormOptions<ModelValues<F, K>>,
  ) {
    super(source, options, (binding, bind) => new BoundModelForm<F, K>(model, binding, (bind as ModelBindOptions<F>).row))
  }

  override blank(c?: Context<any>, bind: ModelBindOptions<F> = {}): BoundModelForm<F, K> {
    return super.blank(c, this.#starting(bind))
  }
  override read(c: Context<any>, bind: ModelBindOptions<F> = {}): Promise<BoundModelForm<F, K>> {
    return super.read(c, this.#starting(bind))
  }
  override handle(c: Context<any>, bind: ModelBindOptions<F> = {}): Promise<BoundModelForm<F, K>> {
    return super.handle(c, this.#starting(bind))
  }
  override check(body: FormBody, bind: ModelBindOptions<F> & { c?: Context<any> } = {}): Promise<BoundModelForm<F, K>> {
    return super.check(body, this.#starting(bind) as BindOptions & { c?: Context<any> })
  }

  #starting(bind: ModelBindOptions<F>): BindOptions {
    const values = bind.row === undefined ? defaults(this.model) : ofRow(this.model, bind.row as Record<string, unknown>)
    return { ...bind, values: { ...values, ...bind.values } }
  }
}

export interface ModelBindOptions<F extends Fields> extends BindOptions {
  readonly row?: Row<F>
  readonly values?: Partial<Patch<F>>
}

function defaults(model: AnyModel): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    const { default: given } = field.options
    if (given !== undefined) found[key] = typeof given === "function" ? (given as () => unknown)() : given
  }
  return found
}

function ofRow(model: AnyModel, row: Record<string, unknown>): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(model.fields) as [string, Field][]) {
    // Relations that were not loaded are asked for when the form is shown: shown as none, saving would remove them.
    found[key] = field.kind !== "many" ? row[rowKey(key, field)] : (row[key] ?? (() => linked(model, row.id as number, key)))
  }
  return found
}

async function linked(model: AnyModel, id: number, key: string): Promise<readonly number[]> {
  const row = (await model.where({ id } as never).with(key).first()) as Record<string, { id: number }[]> | null
  return row?.[key]?.map(other => other.id) ?? []
}

const OPTIONS: Shape<FormOptions<unknown> & { only: unknown; except: unknown }> = { fields: "object", check: "function", timeZone: "text", prefix: "text", limits: "object", only: "list", except: "list" }
const LIMITS: Shape<BodyLimits> = { textBytes: "number", fields: "number", files: "number", fileBytes: "number" }
const FIELD: Shape<FieldSettings> = {
  label: "text|function", help: "text|function", widget: "text", placeholder: "text", autocomplete: "text", rows: "number", trim: "boolean", initial: "any",
  choices: "list|object", query: "function", url: "text", accept: "list", maxBytes: "number", attributes: "object", render: "function",
}
const BIND: Shape<ModelBindOptions<Fields> & { c: unknown }> = { values: "object", prefix: "text", lang: "text", row: "object", c: "any" }

type Editable<F> = { [K in keyof F]: K }[keyof F] & string
type Entries<S> = InferOutput<S extends GenericSchema | GenericSchemaAsync ? S : never>

/** A form of a model's fields: those of `only`, or all but `except`. */
export function form<F extends Fields, const O extends keyof F & string = Editable<F>, const X extends keyof F & string = never>(
  model: ModelBase<F>,
  options?: FormOptions<ModelValues<F, Exclude<O, X>>> & { readonly only?: readonly O[]; readonly except?: readonly X[] },
): ModelForm<F, Exclude<O, X>>
/** A form of a valibot object schema. */
export function form<S extends GenericSchema<any, object> | GenericSchemaAsync<any, object>>(schema: S, options?: FormOptions<Entries<S>>): Form<Entries<S>>
export function form(from: AnyModel | GenericSchema | GenericSchemaAsync, options: FormOptions<any> & { only?: readonly string[]; except?: readonly string[] } = {}): unknown {
  checkOptions("form()", options, OPTIONS)
  checkOptions("form(): limits", options.limits, LIMITS)
  for (const [key, settings] of Object.entries(options.fields ?? {})) checkOptions(`form(): fields.${key}`, settings, FIELD)
  if ("table" in from && "fields" in from) return new ModelForm(from, fromModel(from, options), options)
  return new Form(fromSchema(from as GenericSchema, options.fields), options, binding => new BoundForm<any>(binding))
}
