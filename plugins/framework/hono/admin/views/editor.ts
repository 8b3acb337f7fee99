import type { Field } from "../../db/field.ts"
import type { FieldSettings } from "../../forms/field.ts"
import { form, type ModelForm } from "../../forms/form.ts"
import { formset, type Formset } from "../../forms/formset.ts"
import type { BoundModelForm } from "../../forms/model-form.ts"
import { ChoosableRows, searchKeys } from "../data/choosable.ts"
import type { Desk, DeskInline } from "../model/model-admin.ts"
import { pairs } from "../data/related.ts"
import type { Level } from "../model/settings.ts"
import type { AnyRow } from "../model/staff.ts"
import type { Visit } from "./request.tsx"

/** Rows of a relation that are offered all at once, as a list or as boxes; above it one types to find them. */
const LISTED = 24

/** Longest text that is typed into one line, in characters. */
const LINE = 200

/** What one person may do in the form of one row: the form has the writable fields and no others (mass assignment). */
export interface Editor {
  readonly desk: Desk
  readonly row: AnyRow | undefined
  readonly writable: readonly string[]
  /** Shown, but not in the form. */
  readonly readable: readonly string[]
  readonly form: ModelForm<any, any>
  /** Links that the person may not see, by `many` field: kept as they are when the rest is changed. */
  readonly hiddenLinks: ReadonlyMap<string, readonly number[]>
  readonly inlines: readonly InlineEditor[]
}

/** The rows of another model that are edited within the form. */
export interface InlineEditor {
  readonly inline: DeskInline
  readonly desk: Desk
  /** The rows that may be changed here. */
  readonly rows: readonly AnyRow[]
  /** Those that may only be seen, or are too many. */
  readonly fixed: readonly AnyRow[]
  /** Undefined: nothing may be changed or added. */
  readonly formset: Formset<any, BoundModelForm<any, any>> | undefined
  readonly keys: readonly string[]
  readonly mayAdd: boolean
  readonly mayDelete: boolean
  /** There are more rows than are shown. */
  readonly more: boolean
}

export async function editorFor(visit: Visit, desk: Desk, row: AnyRow | undefined): Promise<Editor> {
  const { access } = visit
  const may = await access.may(desk, row === undefined ? "add" : "change", row)
  const levels = await access.levels(desk, row)
  const shown = desk.fieldsets.flatMap(fieldset => fieldset.fields).filter(key => levels.get(key) !== "none")
  const unseen = row === undefined ? [] : await unseenReferences(visit, desk, row)
  const writable = may ? shown.filter(key => levels.get(key) === "write" && !unseen.includes(key)) : []
  const full = row === undefined ? undefined : await withLinks(visit, desk, { row, keys: shown })
  const inlines: InlineEditor[] = []
  for (const inline of desk.inlines) {
    const made = await inlineEditor(visit, inline, { parent: row, parentMay: may })
    if (made !== undefined) inlines.push(made)
  }
  return {
    desk,
    row: full?.row,
    writable,
    readable: shown.filter(key => !writable.includes(key)),
    form: await formFor(visit, desk, writable),
    hiddenLinks: full?.hidden ?? new Map(),
    inlines,
  }
}

/** References to rows that may not be seen: to show them would tell, to leave them out would empty them. */
async function unseenReferences({ access }: Visit, desk: Desk, row: AnyRow): Promise<string[]> {
  const found: string[] = []
  for (const key of desk.keys) {
    const id = desk.field(key).kind === "reference" ? (row[desk.rowKey(key)] as number | null) : null
    if (id !== null && (await access.links(desk.targetOf(key), [id])).size === 0) found.push(key)
  }
  return found
}

async function withLinks({ access }: Visit, desk: Desk, o: { row: AnyRow; keys: readonly string[] }): Promise<{ row: AnyRow; hidden: Map<string, number[]> }> {
  const row: Record<string, unknown> & { id: number } = { ...toMinutes(desk, o.row) }
  const hidden = new Map<string, number[]>()
  for (const key of o.keys) {
    if (desk.field(key).kind !== "many") continue
    const ids = (await pairs(desk.model, key, [row.id])).get(row.id) ?? []
    const seen = await access.links(desk.targetOf(key), ids)
    row[key] = ids.filter(id => seen.has(id)).map(id => ({ id }))
    hidden.set(key, ids.filter(id => !seen.has(id)))
  }
  return { row, hidden }
}

/** Moments as people enter them: nobody types the milliseconds that a program wrote. */
function toMinutes(desk: Desk, row: AnyRow): AnyRow {
  const moments = desk.keys.filter(key => desk.field(key).kind === "datetime" && row[key] instanceof Date)
  return moments.length === 0 ? row : { ...row, ...Object.fromEntries(moments.map(key => [key, minuteOf(row[key] as Date)])) }
}
export function minuteOf(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 60_000) * 60_000)
}

async function formFor(visit: Visit, desk: Desk, keys: readonly string[]): Promise<ModelForm<any, any>> {
  const fields: Record<string, FieldSettings> = {}
  for (const key of keys) fields[key] = await settingsFor(visit, desk, key)
  return form<any, any>(desk.model, { only: keys as string[], fields, timeZone: visit.zone } as never) as unknown as ModelForm<any, any>
}

async function settingsFor({ access, site }: Visit, desk: Desk, key: string): Promise<FieldSettings> {
  const field: Field = desk.field(key)
  if (field.kind === "slug" && field.options.from !== undefined) return { attributes: { "data-slug-from": field.options.from } }
  if (field.kind === "markdown") return { rows: 14 }
  if (field.kind === "text" && (field.options.max === undefined || field.options.max > LINE)) return { widget: "textarea", rows: 3 }
  if (field.kind !== "reference" && field.kind !== "many") return {}
  const target = desk.targetOf(key)
  const count = await access.rows(target).countUpTo(LISTED + 1)
  const large = count > LISTED
  const keys = await searchKeys(access, target)
  return {
    query: () => new ChoosableRows(access, target, { query: access.rows(target), keys }),
    ...(count === 0 && { help: `There are no ${target.labelPlural.toLowerCase()} yet.` }),
    ...(large && { widget: "autocomplete" as const, url: site.to(desk, "choices", key) }),
  }
}

async function inlineEditor(visit: Visit, inline: DeskInline, o: { parent: AnyRow | undefined; parentMay: boolean }): Promise<InlineEditor | undefined> {
  const { access, site } = visit
  const desk = site.of(inline.model)!
  const [mayView, mayAdd, mayChange, mayDelete] = [await access.may(desk, "view"), await access.may(desk, "add"), await access.may(desk, "change"), await access.may(desk, "delete")]
  if (!mayView && !(o.parent === undefined && mayAdd)) return undefined
  const levels = await access.levels(desk)
  const wanted = inline.fields ?? desk.fieldsets.flatMap(fieldset => fieldset.fields)
  const shown = wanted.filter(key => key !== inline.field && levels.get(key) !== "none")
  const writable = shown.filter(key => levels.get(key) === "write")
  const found = o.parent === undefined ? [] : ((await access.rows(inline.model).where({ [inline.field]: o.parent.id } as never).order("id" as never).limit(inline.max + 1)) as unknown as AnyRow[])
  const seen = await access.visible(inline.model, found.slice(0, inline.max))
  const open: AnyRow[] = []
  for (const row of seen) if (o.parentMay && mayChange && (await access.may(desk, "change", row)) && (await sameLevels(visit, desk, { row, keys: shown }))) open.push(row)
  const full = await Promise.all(open.map(async row => (await withLinks(visit, desk, { row, keys: writable })).row))
  const adds = o.parentMay && mayAdd && found.length <= inline.max
  const editable = writable.length > 0 && (adds || open.length > 0)
  return {
    inline,
    desk,
    rows: editable ? full : [],
    fixed: seen.filter(row => !editable || !open.includes(row)),
    keys: shown,
    mayAdd: adds,
    mayDelete: o.parentMay && mayDelete,
    more: found.length > inline.max,
    formset: editable ? formset(await formFor(visit, desk, writable), { prefix: inline.model.name, label: inline.label, max: adds ? inline.max : open.length, extra: adds ? inline.extra : 0, canDelete: o.parentMay && mayDelete }) : undefined,
  }
}

/** A row in which fewer fields may be changed than in general is not edited within another's form. */
async function sameLevels({ access }: Visit, desk: Desk, o: { row: AnyRow; keys: readonly string[] }): Promise<boolean> {
  if (desk.settings.field === undefined) return true
  const [general, own] = [await access.levels(desk), await access.levels(desk, o.row)]
  return o.keys.every(key => (general.get(key) as Level) === (own.get(key) as Level))
}
