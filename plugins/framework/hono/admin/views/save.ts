import type { AnyModel } from "../../db/model.ts"
import { ValidationError } from "../../db/errors.ts"
import type { BoundFormset } from "../../forms/formset.ts"
import type { BoundModelForm } from "../../forms/model-form.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { isPossible, planDeletion } from "../data/deletion.ts"
import { type Editor, editorFor, type InlineEditor, minuteOf } from "./editor.ts"
import type { Filled } from "./form.tsx"
import { difference, type FieldChange, record } from "../history/change.ts"
import { pairs } from "../data/related.ts"
import type { AnyRow } from "../model/staff.ts"
import { versionOf } from "./version.ts"
import type { AdminRequest } from "./request.tsx"

/** The row is not what the form showed: nothing was saved. */
export class Refused extends Error {
  override readonly name = "Refused"
}

/** Saves a form with its inlines, and writes the history; runs within one transaction, so all of it or nothing. */
export async function saveForm(request: AdminRequest, filled: Filled, version: string): Promise<AnyRow> {
  const { editor, bound, sets } = filled
  const { modelAdmin, row } = editor
  if (row !== undefined) await checkVersion(request, editor, version)
  const before = row === undefined ? undefined : await snapshot(modelAdmin, row.id)
  const stored = editor.writable.length === 0 ? row! : ((await place(bound, () => bound.store({ ...untouchedDatetimes(modelAdmin, bound, before), ...kept(filled) } as never))) as AnyRow)
  const notes: string[] = []
  for (const { inline, set } of sets) if (set !== undefined) notes.push(...(await saveInline(request, inline, { set, parent: stored })))
  const after = (await snapshot(modelAdmin, stored.id))!
  const changes = difference(modelAdmin, before, after).filter(change => row !== undefined || !isBlank(change))
  if (row === undefined || changes.length > 0 || notes.length > 0) {
    const title = await request.access.title(modelAdmin.model, after)
    await record({ user: request.user, modelAdmin, kind: row === undefined ? "add" : "change", note: notes.length > 0 ? `with ${notes.join(", ")}` : "" }, [{ row: after, title, changes }])
  }
  return after
}

/** The rows stay as they are read here until the transaction ends. */
async function checkVersion(request: AdminRequest, editor: Editor, version: string): Promise<void> {
  const { modelAdmin, row } = editor
  const locked = (await modelAdmin.model.where({ id: row!.id } as never).forUpdate().first()) as unknown as AnyRow | null
  if (locked === null) throw new Refused()
  const fresh = await editorFor(request, modelAdmin, locked)
  if (versionOf(request.site.app, fresh) !== version) throw new Refused()
}

/** Links that this person may not see stay. */
function kept({ editor, bound }: Filled): Record<string, unknown> {
  const values = bound.values as Record<string, unknown>
  const found: Record<string, unknown> = {}
  for (const [key, ids] of editor.hiddenLinks) {
    if (ids.length > 0 && editor.writable.includes(key)) found[key] = [...((values[key] as readonly number[] | undefined) ?? []), ...ids]
  }
  return found
}

/** A form shows minutes; a datetime that nobody changed keeps its seconds. */
function untouchedDatetimes(modelAdmin: ModelAdmin, form: BoundModelForm<any, any>, before: AnyRow | undefined): Record<string, unknown> {
  if (before === undefined) return {}
  const same = Object.entries(form.values as Record<string, unknown>).filter(([key, value]) => {
    const old: unknown = modelAdmin.field(key).kind === "datetime" ? before[key] : undefined
    return old instanceof Date && value instanceof Date && value.getTime() === minuteOf(old).getTime()
  })
  return Object.fromEntries(same.map(([key]) => [key, before[key]]))
}

/** The row as it is, with the ids of its links: what history compares. */
async function snapshot(modelAdmin: ModelAdmin, id: number): Promise<AnyRow | undefined> {
  const row = (await modelAdmin.model.where({ id } as never).first()) as Record<string, unknown> | null
  if (row === null) return undefined
  for (const key of modelAdmin.keys) if (modelAdmin.field(key).kind === "many") row[key] = (await pairs(modelAdmin.model, key, [id])).get(id)
  return row as AnyRow
}

function isBlank({ to }: FieldChange): boolean {
  return to === null || to === "" || (Array.isArray(to) && to.length === 0)
}

/** An error of the database goes to the form it belongs to, then on, so that the transaction is taken back. */
async function place<T>(form: BoundModelForm<any, any>, store: () => Promise<T>): Promise<T> {
  try {
    return await store()
  } catch (error) {
    form.take(error)
    throw error
  }
}

async function saveInline(request: AdminRequest, editor: InlineEditor, o: { set: BoundFormset<BoundModelForm<any, any>>; parent: AnyRow }): Promise<string[]> {
  const { access, user, site } = request
  const { modelAdmin, inline } = editor
  const { set, parent } = o
  const model: AnyModel = modelAdmin.model
  const done = { add: 0, change: 0, delete: 0 }
  const refuse = (why: string): never => {
    set.fail(why)
    throw new ValidationError(model.name, { "": why })
  }
  for (const { id } of set.deleted) {
    const row = editor.rows.find(item => item.id === id)!
    if (!(await access.may(modelAdmin, "delete", row))) refuse("You may not remove this one.")
    if (!isPossible(await planDeletion(access, site.app.models, { model, ids: [row.id] }))) refuse(`“${await access.title(model, row)}” is still needed by something else.`)
    await record({ user, modelAdmin, kind: "delete" }, [{ row, title: await access.title(model, row) }])
    await model.delete(row)
    done.delete++
  }
  for (const { form, id } of set.kept) {
    if (id === undefined && !editor.mayAdd) refuse("You may not add to these.")
    const before = id === undefined ? undefined : await snapshot(modelAdmin, id)
    const stored = (await place(form, () => form.store({ ...untouchedDatetimes(modelAdmin, form, before), ...(id === undefined && { [inline.field]: parent.id }) } as never))) as AnyRow
    const after = (await snapshot(modelAdmin, stored.id))!
    const changes = difference(modelAdmin, before, after).filter(change => id !== undefined || !isBlank(change))
    if (changes.length === 0) continue
    const kind = id === undefined ? "add" : "change"
    done[kind]++
    await record({ user, modelAdmin, kind }, [{ row: after, title: await access.title(model, after), changes }])
  }
  const words = { add: "added", change: "changed", delete: "removed" }
  return (Object.keys(done) as (keyof typeof done)[]).filter(kind => done[kind] > 0).map(kind => `${done[kind]} ${(done[kind] === 1 ? model.label : model.labelPlural).toLowerCase()} ${words[kind]}`)
}
