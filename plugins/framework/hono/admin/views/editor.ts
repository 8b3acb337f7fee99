import type { Field } from "../../db/field.ts"
import type { FieldSettings } from "../../forms/field.ts"
import { form, type ModelForm } from "../../forms/form.ts"
import { formset, type Formset } from "../../forms/formset.ts"
import type { BoundModelForm } from "../../forms/model-form.ts"
import { ChoosableRows, searchKeys } from "../data/choosable.ts"
import type { ModelAdmin, ModelInline } from "../model/model-admin.ts"
import { pairs } from "../data/related.ts"
import type { Level } from "../model/settings.ts"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

/** Rows of a relation that are offered all at once, as a list or as boxes; above it one types to find them. */
const LISTED = 24

/** Longest text that is typed into one line, in characters. */
const LINE = 200

/** What one person may do in the form of one row: the form has the writable fields and no others (mass assignment). */
export interface Editor {
  readonly modelAdmin: ModelAdmin
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
  readonly inline: ModelInline
  readonly modelAdmin: ModelAdmin
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

export async function editorFor(request: AdminRequest, modelAdmin: ModelAdmin, row: AnyRow | undefined): Promise<Editor> {
  const { access } = request
  const may = await access.may(modelAdmin, row === undefined ? "add" : "change", row)
  const levels = await access.levels(modelAdmin, row)
  const shown = modelAdmin.fieldsets.flatMap(fieldset => fieldset.fields).filter(key => levels.get(key) !== "none")
  const unseen = row === undefined ? [] : await unseenReferences(request, modelAdmin, row)
  const writable = may ? shown.filter(key => levels.get(key) === "write" && !unseen.includes(key)) : []
  const full = row === undefined ? undefined : await withLinks(request, modelAdmin, { row, keys: shown })
  const inlines: InlineEditor[] = []
  for (const inline of modelAdmin.inlines) {
    const made = await inlineEditor(request, inline, { parent: row, parentMay: may })
    if (made !== undefined) inlines.push(made)
  }
  return {
    modelAdmin,
    row: full?.row,
    writable,
    readable: shown.filter(key => !writable.includes(key)),
    form: await formFor(request, modelAdmin, writable),
    hiddenLinks: full?.hidden ?? new Map(),
    inlines,
  }
}

/** References to rows that may not be seen: to show them would tell, to leave them out would empty them. */
async function unseenReferences({ access }: AdminRequest, modelAdmin: ModelAdmin, row: AnyRow): Promise<string[]> {
  const found: string[] = []
  for (const key of modelAdmin.keys) {
    const id = modelAdmin.field(key).kind === "reference" ? (row[modelAdmin.rowKey(key)] as number | null) : null
    if (id !== null && (await access.relatedRows(modelAdmin.targetOf(key), [id])).size === 0) found.push(key)
  }
  return found
}

async function withLinks({ access }: AdminRequest, modelAdmin: ModelAdmin, o: { row: AnyRow; keys: readonly string[] }): Promise<{ row: AnyRow; hidden: Map<string, number[]> }> {
  const row: Record<string, unknown> & { id: number } = { ...toMinutes(modelAdmin, o.row) }
  const hidden = new Map<string, number[]>()
  for (const key of o.keys) {
    if (modelAdmin.field(key).kind !== "many") continue
    const ids = (await pairs(modelAdmin.model, key, [row.id])).get(row.id) ?? []
    const seen = await access.relatedRows(modelAdmin.targetOf(key), ids)
    row[key] = ids.filter(id => seen.has(id)).map(id => ({ id }))
    hidden.set(key, ids.filter(id => !seen.has(id)))
  }
  return { row, hidden }
}

/** Datetimes as people enter them: nobody types the milliseconds that a program wrote. */
function toMinutes(modelAdmin: ModelAdmin, row: AnyRow): AnyRow {
  const datetimes = modelAdmin.keys.filter(key => modelAdmin.field(key).kind === "datetime" && row[key] instanceof Date)
  return datetimes.length === 0 ? row : { ...row, ...Object.fromEntries(datetimes.map(key => [key, minuteOf(row[key] as Date)])) }
}
export function minuteOf(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 60_000) * 60_000)
}

async function formFor(request: AdminRequest, modelAdmin: ModelAdmin, keys: readonly string[]): Promise<ModelForm<any, any>> {
  const fields: Record<string, FieldSettings> = {}
  for (const key of keys) fields[key] = await settingsFor(request, modelAdmin, key)
  return form<any, any>(modelAdmin.model, { only: keys as string[], fields, timeZone: request.zone } as never) as unknown as ModelForm<any, any>
}

async function settingsFor({ access, site }: AdminRequest, modelAdmin: ModelAdmin, key: string): Promise<FieldSettings> {
  const field: Field = modelAdmin.field(key)
  if (field.kind === "slug" && field.options.from !== undefined) return { attributes: { "data-slug-from": field.options.from, "data-slug-url": site.to(modelAdmin, "slug", key) } }
  if (field.kind === "markdown") return { rows: 14 }
  if (field.kind === "text" && (field.options.max === undefined || field.options.max > LINE)) return { widget: "textarea", rows: 3 }
  if (field.kind !== "reference" && field.kind !== "many") return {}
  const target = modelAdmin.targetOf(key)
  const count = await access.rows(target).countUpTo(LISTED + 1)
  const large = count > LISTED
  const keys = await searchKeys(access, target)
  return {
    query: () => new ChoosableRows(access, target, { query: access.rows(target), keys }),
    ...(count === 0 && { help: `There are no ${target.labelPlural.toLowerCase()} yet.` }),
    ...(large && { widget: "autocomplete" as const, url: site.to(modelAdmin, "choices", key) }),
  }
}

async function inlineEditor(request: AdminRequest, inline: ModelInline, o: { parent: AnyRow | undefined; parentMay: boolean }): Promise<InlineEditor | undefined> {
  const { access, site } = request
  const modelAdmin = site.of(inline.model)!
  const [mayView, mayAdd, mayChange, mayDelete] = [await access.may(modelAdmin, "view"), await access.may(modelAdmin, "add"), await access.may(modelAdmin, "change"), await access.may(modelAdmin, "delete")]
  if (!mayView && !(o.parent === undefined && mayAdd)) return undefined
  const levels = await access.levels(modelAdmin)
  const wanted = inline.fields ?? modelAdmin.fieldsets.flatMap(fieldset => fieldset.fields)
  const shown = wanted.filter(key => key !== inline.field && levels.get(key) !== "none")
  const writable = shown.filter(key => levels.get(key) === "write")
  const found = o.parent === undefined ? [] : ((await access.rows(inline.model).where({ [inline.field]: o.parent.id } as never).order("id" as never).limit(inline.max + 1)) as unknown as AnyRow[])
  const seen = await access.visible(inline.model, found.slice(0, inline.max))
  const open: AnyRow[] = []
  for (const row of seen) if (o.parentMay && mayChange && (await access.may(modelAdmin, "change", row)) && (await sameLevels(request, modelAdmin, { row, keys: shown }))) open.push(row)
  const full = await Promise.all(open.map(async row => (await withLinks(request, modelAdmin, { row, keys: writable })).row))
  const adds = o.parentMay && mayAdd && found.length <= inline.max
  const editable = writable.length > 0 && (adds || open.length > 0)
  return {
    inline,
    modelAdmin,
    rows: editable ? full : [],
    fixed: seen.filter(row => !editable || !open.includes(row)),
    keys: shown,
    mayAdd: adds,
    mayDelete: o.parentMay && mayDelete,
    more: found.length > inline.max,
    formset: editable ? formset(await formFor(request, modelAdmin, writable), { prefix: inline.model.name, label: inline.label, max: adds ? inline.max : open.length, extra: adds ? inline.extra : 0, canDelete: o.parentMay && mayDelete }) : undefined,
  }
}

/** A row in which fewer fields may be changed than in general is not edited within another's form. */
async function sameLevels({ access }: AdminRequest, modelAdmin: ModelAdmin, o: { row: AnyRow; keys: readonly string[] }): Promise<boolean> {
  if (modelAdmin.settings.field === undefined) return true
  const [general, own] = [await access.levels(modelAdmin), await access.levels(modelAdmin, o.row)]
  return o.keys.every(key => (general.get(key) as Level) === (own.get(key) as Level))
}
