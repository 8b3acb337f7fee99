/** What `admin({...})` takes. Everything is optional: what is not said is worked out from the models (model-admin.ts). */
import { type Awaitable, checkOptions, type Shape } from "edge"
import type { Child } from "hono/jsx"
import type { Ctx } from "../../app/env.ts"
import type { AnyModel, Fields, ManyKeys, ModelBase, ReferenceKeys, Row } from "../../db/model.ts"
import type { Query } from "../../db/query.ts"
import type { Selection } from "../data/selection.ts"
import type { Staff } from "./staff.ts"

export interface AdminSettings {
  /** Shown at the top and in page titles; default "<app> admin". */
  readonly title?: string
  /** Where it lives; default "/admin". */
  readonly path?: string
  /** Where "View site" leads; default "/". False: no such link. */
  readonly site?: string | false
  /** By the model's name: what differs from the defaults. False keeps a model out. */
  readonly models?: Readonly<Record<string, ModelSettings<any> | false>>
  /** Heading -> names of models, for the menu and the first page; the others come after them. */
  readonly groups?: Readonly<Record<string, readonly string[]>>
  /** Boxes on the first page. */
  readonly panels?: readonly Panel[]
  /** Pages of the app's own within the admin. */
  readonly pages?: readonly AdminPage[]
  /** Time zone in which datetimes are shown and entered, "Europe/Warsaw"; default UTC. */
  readonly timeZone?: string
}

/** A column: a key of the row or of a relation, or one that is computed. */
export type Column<F extends Fields> = Key<F> | ComputedColumn<F>
export interface ComputedColumn<F extends Fields> {
  readonly label: string
  /** Text or JSX; text is escaped. `cells` of exports take `text` or nothing. */
  cell(row: Row<F>): Child
  /** What exports write; a column without it is left out of them. */
  text?(row: Row<F>): string
  /** A key of the row that it may be sorted by. */
  readonly sort?: string
  /** Right-aligned, with figures of equal width. */
  readonly numeric?: boolean
}

type Key<F extends Fields> = keyof F & string

export interface Fieldset<F extends Fields> {
  readonly title?: string
  readonly help?: string
  readonly fields: readonly Key<F>[]
  /** In the column beside the main one. */
  readonly side?: boolean
  /** Folded up until opened. */
  readonly closed?: boolean
}

/** Rows of another model that refer to this one, edited within its form. */
export interface Inline {
  readonly model: AnyModel
  /** Its field that refers here; needed when there are several. */
  readonly field?: string
  readonly label?: string
  readonly fields?: readonly string[]
  /** Empty rows shown; default 1. More can be added. */
  readonly extra?: number
  /** Most rows; default 100. */
  readonly max?: number
}

export type Level = "write" | "read" | "none"

/** A decision that may depend on the person and the row; undefined leaves it to the permissions. */
export type AccessRule<F extends Fields> = (user: Staff, row: Row<F> | undefined) => Awaitable<boolean | undefined>

export interface ModelSettings<F extends Fields> {
  readonly list?: readonly Column<F>[]
  readonly filters?: readonly Key<F>[]
  /** Fields that the search box looks in. "=slug": equal to the words, which an index answers. */
  readonly search?: readonly (Key<F> | `=${Key<F>}`)[]
  /** The field to drill down by: years, months, days. False: none. */
  readonly dates?: Key<F> | false
  readonly order?: readonly string[]
  readonly perPage?: number
  readonly fieldsets?: readonly Fieldset<F>[]
  /** Left out of forms, lists and exports for everybody. */
  readonly hide?: readonly Key<F>[]
  /** Shown, not to be changed: not in the form, and not by a request made by hand. */
  readonly readonly?: readonly Key<F>[]
  readonly inlines?: readonly (Inline | AnyModel)[]
  readonly actions?: Readonly<Record<string, Action<F>>>
  /** Rows that exist for a user at all: in lists, forms, exports, choices, history. Goes before every permission. */
  rows?(query: Query<F>, user: Staff): Query<F>
  /** Permissions by row beside those of `can()`; false is final. */
  readonly can?: { readonly [A in "view" | "add" | "change" | "delete" | "export"]?: AccessRule<F> }
  /** Permissions by field: what a user may do with it. */
  field?(key: Key<F>, user: Staff, row: Row<F> | undefined): Level | undefined
  /** "View on site"; default the model's `url`. */
  readonly view?: ((row: Row<F>) => string) | false
  readonly icon?: IconName
  readonly description?: string
}

export type IconName = "table" | "people" | "key" | "document" | "tag" | "comment" | "image" | "cart" | "calendar" | "settings" | "mail" | "chart"

export interface Action<F extends Fields> {
  readonly label: string
  /** Permission that each row needs; default "change". */
  readonly needs?: "view" | "change" | "delete"
  /** Asked before it runs; default true. Text is shown on that page. */
  readonly confirm?: boolean | string
  readonly danger?: boolean
  /** What it gives is told to the user; a Response is sent instead (a file). */
  run(rows: Selection<F>, c: Ctx): Awaitable<string | Response | void>
}

export interface Panel {
  readonly title: string
  /** Over the whole width. */
  readonly wide?: boolean
  may?(user: Staff): Awaitable<boolean>
  render(c: Ctx): Awaitable<Child>
}

export interface AdminPage {
  /** Below the admin's path: "reports" is /admin/-/reports. */
  readonly path: string
  readonly title: string
  readonly icon?: IconName
  may?(user: Staff): Awaitable<boolean>
  /** Gives what stands below the title, or a whole Response. Posts come here too. */
  render(c: Ctx): Awaitable<Child | Response>
}

/** Settings of one model with its fields' types: `models: { post: modelAdmin(Post, { list: ["title"] }) }`. */
export function modelAdmin<F extends Fields>(model: ModelBase<F>, settings: ModelSettings<F>): ModelSettings<F> {
  checkModelSettings(`modelAdmin(${model.name})`, settings)
  return settings
}

const SETTINGS: Shape<AdminSettings> = { title: "text", path: "text", site: "text|boolean", models: "object", groups: "object", panels: "list", pages: "list", timeZone: "text" }
const MODEL: Shape<ModelSettings<Fields>> = {
  list: "list", filters: "list", search: "list", dates: "text|boolean", order: "list", perPage: "number", fieldsets: "list", hide: "list", readonly: "list",
  inlines: "list", actions: "object", rows: "function", can: "object", field: "function", view: "function|boolean", icon: "text", description: "text",
}
const COLUMN: Shape<ComputedColumn<Fields>> = { label: "text", cell: "function", text: "function", sort: "text", numeric: "boolean" }
const FIELDSET: Shape<Fieldset<Fields>> = { title: "text", help: "text", fields: "list", side: "boolean", closed: "boolean" }
const INLINE: Shape<Inline> = { model: "object", field: "text", label: "text", fields: "list", extra: "number", max: "number" }
const ACTION: Shape<Action<Fields>> = { label: "text", needs: "text", confirm: "boolean|text", danger: "boolean", run: "function" }
const PANEL: Shape<Panel> = { title: "text", wide: "boolean", may: "function", render: "function" }
const PAGE: Shape<AdminPage> = { path: "text", title: "text", icon: "text", may: "function", render: "function" }
const CAN = { view: "function", add: "function", change: "function", delete: "function", export: "function" } as const

/** Throws TypeError for what no setting is called, however deep. */
export function checkSettings(settings: AdminSettings): void {
  checkOptions("admin()", settings, SETTINGS)
  for (const panel of settings.panels ?? []) checkOptions("admin(): a panel", panel, PANEL)
  for (const page of settings.pages ?? []) checkOptions("admin(): a page", page, PAGE)
  for (const [name, model] of Object.entries(settings.models ?? {})) if (model !== false) checkModelSettings(`admin(): models.${name}`, model)
}

function checkModelSettings(what: string, settings: ModelSettings<any>): void {
  checkOptions(what, settings, MODEL)
  checkOptions(`${what}.can`, settings.can, CAN)
  for (const column of settings.list ?? []) if (typeof column === "object") checkOptions(`${what}: a column`, column, COLUMN)
  for (const fieldset of settings.fieldsets ?? []) checkOptions(`${what}: a fieldset`, fieldset, FIELDSET)
  for (const inline of settings.inlines ?? []) if (!("fields" in inline && "table" in inline)) checkOptions(`${what}: an inline`, inline, INLINE)
  for (const [name, action] of Object.entries(settings.actions ?? {})) checkOptions(`${what}.actions.${name}`, action, ACTION)
}

export type RelationKey<F extends Fields> = ReferenceKeys<F> | ManyKeys<F>
