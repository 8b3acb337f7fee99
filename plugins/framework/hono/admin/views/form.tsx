import { transaction } from "../../db/database.ts"
import { InUse, NotFound, ValidationError } from "../../db/errors.ts"
import { type FormBody, readBody } from "../../forms/body.ts"
import type { BoundFormset } from "../../forms/formset.ts"
import type { BoundModelForm } from "../../forms/model-form.ts"
import { rowActions } from "./actions.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { type Editor, editorFor, type InlineEditor } from "./editor.ts"
import { toId } from "../data/filters.ts"
import { Change } from "../history/change.ts"
import { FormPage } from "./pages/form.tsx"
import { FormTools } from "./pages/form-tools.tsx"
import { Related } from "../data/related.ts"
import { Refused, saveForm } from "./save.ts"
import type { AnyRow } from "../model/staff.ts"
import { versionOf } from "./version.ts"
import type { AdminRequest } from "./request.tsx"

type Bound = BoundModelForm<any, any>

/** A form in one request, with its inlines. */
export interface Filled {
  readonly editor: Editor
  readonly bound: Bound
  readonly sets: readonly { readonly inline: InlineEditor; readonly set: BoundFormset<Bound> | undefined }[]
}

/** Somebody else changed the row while it was being edited. */
export interface Conflict {
  readonly by: string | undefined
  /** Fields in which what was typed is not what is there now. */
  readonly fields: readonly string[]
}

/** GET and POST /admin/<model>/add. */
export async function addView(request: AdminRequest): Promise<Response> {
  const modelAdmin = await request.modelAdmin()
  if (!(await request.access.may(modelAdmin, "add"))) request.forbid()
  return formView(request, modelAdmin, undefined)
}

/** GET and POST /admin/<model>/<id>. */
export async function editView(request: AdminRequest): Promise<Response> {
  const modelAdmin = await request.modelAdmin()
  return formView(request, modelAdmin, await request.row(modelAdmin))
}

async function formView(request: AdminRequest, modelAdmin: ModelAdmin, row: AnyRow | undefined): Promise<Response> {
  const { c, access } = request
  const editor = await editorFor(request, modelAdmin, row)
  if (c.req.method !== "POST") return show(request, await blank(request, editor, row === undefined ? await startingValues(request, editor) : {}), {})
  if (editor.writable.length === 0 && editor.inlines.every(inline => inline.formset === undefined)) request.forbid()
  const body = await readBody(c, name => editor.form.rules()(name) ?? editor.inlines.map(({ formset }) => formset?.rules(name)).find(rule => rule !== undefined))
  const filled = await fill(request, editor, body)
  if (!isSent(filled)) return show(request, filled, {})
  if (!isOk(filled)) return show(request, filled, { status: 422 })
  try {
    const saved = await transaction(() => saveForm(request, filled, body.last("_version") ?? ""))
    return await done(request, modelAdmin, { row: saved, isNew: row === undefined, button: buttonOf(body) })
  } catch (error) {
    if (error instanceof Refused) {
      const fresh = await editorFor(request, modelAdmin, (await access.find(modelAdmin.model, row!.id)) ?? gone(modelAdmin))
      return show(request, { ...filled, editor: fresh }, { status: 409, conflict: await conflictOf(filled, fresh) })
    }
    // What a form can say was put into it; the rest is a fault.
    if (!(error instanceof ValidationError) && !(error instanceof InUse)) throw error
    if (isOk(filled)) filled.bound.take(error)
    return show(request, filled, { status: 422 })
  }
}

function gone(modelAdmin: ModelAdmin): never {
  throw new NotFound(`the ${modelAdmin.name} was deleted meanwhile`)
}

async function blank(request: AdminRequest, editor: Editor, values: Record<string, unknown>): Promise<Filled> {
  const bound = editor.form.blank(request.c, { ...bind(editor.row), values: values as never }) as Bound
  return { editor, bound, sets: editor.inlines.map(inline => ({ inline, set: inline.formset?.blank(request.c, { rows: inline.rows }) })) }
}

async function fill(request: AdminRequest, editor: Editor, body: FormBody): Promise<Filled> {
  const { c } = request
  const bound = (await editor.form.check(body, { ...bind(editor.row), c })) as Bound
  const sets = await Promise.all(editor.inlines.map(async inline => ({ inline, set: await inline.formset?.check(body, { rows: inline.rows, c }) })))
  return { editor, bound, sets }
}

/**
 * What a new row starts with: `?from=5` copies another one, as far as it may be seen, without what must be unique and
 * without its files, which would then have two owners; `?section=3` chooses a relation.
 */
async function startingValues({ access, c }: AdminRequest, { modelAdmin, writable }: Editor): Promise<Record<string, unknown>> {
  const from = toId(c.req.query("from"))
  const source = from === undefined ? null : await access.find(modelAdmin.model, from)
  const values: Record<string, unknown> = {}
  for (const key of writable) {
    const { kind, options } = modelAdmin.field(key)
    const wanted = kind === "reference" ? toId(c.req.query(key)) : undefined
    if (wanted !== undefined && (await access.relatedRows(modelAdmin.targetOf(key), [wanted])).size > 0) values[key] = wanted
    else if (source !== null && options.unique !== true && kind !== "file" && kind !== "image" && (await access.canSee(modelAdmin, key, source))) {
      const related = await new Related(access, modelAdmin).load([source], [key])
      values[key] = kind === "many" || kind === "reference" ? related.of(key, source).map(link => link.id) : source[key]
    }
  }
  return values
}

function bind(row: AnyRow | undefined): { row?: never } {
  return row === undefined ? {} : { row: row as never }
}

function isSent({ bound, sets }: Filled): boolean {
  return bound.sent && sets.every(({ set }) => set === undefined || set.sent)
}
function isOk({ bound, sets, editor }: Filled): boolean {
  return (bound.ok || editor.writable.length === 0) && sets.every(({ set }) => set === undefined || set.ok)
}

type Button = "save" | "another" | "continue"

function buttonOf(body: FormBody): Button {
  return body.last("_another") !== undefined ? "another" : body.last("_continue") !== undefined ? "continue" : "save"
}

async function done(request: AdminRequest, modelAdmin: ModelAdmin, o: { row: AnyRow; isNew: boolean; button: Button }): Promise<Response> {
  const { c, site, access } = request
  const title = await access.title(modelAdmin.model, o.row)
  c.var.messages.success(`${modelAdmin.label} “${title}” was ${o.isNew ? "added" : "saved"}.`)
  const edit = (await access.find(modelAdmin.model, o.row.id)) === null ? site.path : site.to(modelAdmin, o.row.id)
  const to = o.button === "another" ? site.to(modelAdmin, "add") : o.button === "continue" ? edit : (await access.may(modelAdmin, "view")) ? site.to(modelAdmin) : site.path
  return c.redirect(to, 303)
}

async function conflictOf(filled: Filled, fresh: Editor): Promise<Conflict> {
  const { modelAdmin, writable } = fresh
  const typed = filled.editor.writable.length === 0 ? {} : (filled.bound.values as Record<string, unknown>)
  const plain = (value: unknown) => JSON.stringify(Array.isArray(value) ? value.map(item => (item as { id?: number }).id ?? (item as number)).toSorted((a, b) => a - b) : (value ?? null))
  const last = await Change.where({ model: modelAdmin.name, rowId: fresh.row!.id }).first()
  return { by: last?.userName, fields: writable.filter(key => key in typed && plain(typed[key]) !== plain(fresh.row![modelAdmin.rowKey(key)])) }
}

async function show(request: AdminRequest, filled: Filled, o: { status?: number; conflict?: Conflict }): Promise<Response> {
  const { access, site } = request
  const { editor } = filled
  const { modelAdmin, row } = editor
  const title = row === undefined ? `Add ${modelAdmin.label.toLowerCase()}` : await access.title(modelAdmin.model, row)
  const list = (await access.may(modelAdmin, "view")) ? { label: modelAdmin.labelPlural, href: site.to(modelAdmin) } : { label: modelAdmin.labelPlural }
  const related = await new Related(access, modelAdmin).load(row === undefined ? [] : [row], [...editor.readable, ...(o.conflict?.fields ?? [])])
  const inlineRelated = await Promise.all(editor.inlines.map(inline => new Related(access, inline.modelAdmin).load(inline.fixed, inline.keys)))
  const mayAdd = await access.may(modelAdmin, "add")
  const mayDelete = row !== undefined && (await access.may(modelAdmin, "delete", row))
  const facts = {
    title,
    crumbs: [{ label: "Dashboard", href: site.path }, list, { label: title }],
    at: modelAdmin.name,
    status: o.status ?? 200,
    ...(row !== undefined && { tools: FormTools({ request, modelAdmin, row, mayAdd, mayDelete, actions: await rowActions(request, modelAdmin, row) }) }),
  }
  const version = versionOf(site.app, editor)
  return request.page(facts, FormPage({ request, filled, related, inlineRelated, version, conflict: o.conflict, mayAdd }))
}
