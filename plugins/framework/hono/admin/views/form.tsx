import { transaction } from "../../db/database.ts"
import { InUse, NotFound, ValidationError } from "../../db/errors.ts"
import { type FormBody, readBody } from "../../forms/body.ts"
import type { BoundFormset } from "../../forms/formset.ts"
import type { BoundModelForm } from "../../forms/model-form.ts"
import { rowActions } from "./actions.ts"
import type { Desk } from "../model/model-admin.ts"
import { type Editor, editorFor, type InlineEditor } from "./editor.ts"
import { toId } from "../data/filters.ts"
import { Change } from "../history/change.ts"
import { FormPage } from "./pages/form.tsx"
import { FormTools } from "./pages/form-tools.tsx"
import { Related } from "../data/related.ts"
import { Refused, saveForm } from "./save.ts"
import type { AnyRow } from "../model/staff.ts"
import { versionOf } from "./version.ts"
import type { Visit } from "./request.tsx"

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
export async function addView(visit: Visit): Promise<Response> {
  const desk = await visit.desk()
  if (!(await visit.access.may(desk, "add"))) visit.forbid()
  return formView(visit, desk, undefined)
}

/** GET and POST /admin/<model>/<id>. */
export async function editView(visit: Visit): Promise<Response> {
  const desk = await visit.desk()
  return formView(visit, desk, await visit.row(desk))
}

async function formView(visit: Visit, desk: Desk, row: AnyRow | undefined): Promise<Response> {
  const { c, access } = visit
  const editor = await editorFor(visit, desk, row)
  if (c.req.method !== "POST") return show(visit, await blank(visit, editor, row === undefined ? await startingValues(visit, editor) : {}), {})
  if (editor.writable.length === 0 && editor.inlines.every(inline => inline.formset === undefined)) visit.forbid()
  const body = await readBody(c, name => editor.form.rules()(name) ?? editor.inlines.map(({ formset }) => formset?.rules(name)).find(rule => rule !== undefined))
  const filled = await fill(visit, editor, body)
  if (!isSent(filled)) return show(visit, filled, {})
  if (!isOk(filled)) return show(visit, filled, { status: 422 })
  try {
    const saved = await transaction(() => saveForm(visit, filled, body.last("_version") ?? ""))
    return await done(visit, desk, { row: saved, isNew: row === undefined, button: buttonOf(body) })
  } catch (error) {
    if (error instanceof Refused) {
      const fresh = await editorFor(visit, desk, (await access.find(desk.model, row!.id)) ?? gone(desk))
      return show(visit, { ...filled, editor: fresh }, { status: 409, conflict: await conflictOf(filled, fresh) })
    }
    // What a form can say was put into it; the rest is a fault.
    if (!(error instanceof ValidationError) && !(error instanceof InUse)) throw error
    if (isOk(filled)) filled.bound.take(error)
    return show(visit, filled, { status: 422 })
  }
}

function gone(desk: Desk): never {
  throw new NotFound(`the ${desk.name} was deleted meanwhile`)
}

async function blank(visit: Visit, editor: Editor, values: Record<string, unknown>): Promise<Filled> {
  const bound = editor.form.blank(visit.c, { ...bind(editor.row), values: values as never }) as Bound
  return { editor, bound, sets: editor.inlines.map(inline => ({ inline, set: inline.formset?.blank(visit.c, { rows: inline.rows }) })) }
}

async function fill(visit: Visit, editor: Editor, body: FormBody): Promise<Filled> {
  const { c } = visit
  const bound = (await editor.form.check(body, { ...bind(editor.row), c })) as Bound
  const sets = await Promise.all(editor.inlines.map(async inline => ({ inline, set: await inline.formset?.check(body, { rows: inline.rows, c }) })))
  return { editor, bound, sets }
}

/**
 * What a new row starts with: `?from=5` copies another one, as far as it may be seen, without what must be unique and
 * without its files, which would then have two owners; `?section=3` chooses a relation.
 */
async function startingValues({ access, c }: Visit, { desk, writable }: Editor): Promise<Record<string, unknown>> {
  const from = toId(c.req.query("from"))
  const source = from === undefined ? null : await access.find(desk.model, from)
  const values: Record<string, unknown> = {}
  for (const key of writable) {
    const { kind, options } = desk.field(key)
    const wanted = kind === "reference" ? toId(c.req.query(key)) : undefined
    if (wanted !== undefined && (await access.links(desk.targetOf(key), [wanted])).size > 0) values[key] = wanted
    else if (source !== null && options.unique !== true && kind !== "file" && kind !== "image" && (await access.canSee(desk, key, source))) {
      const related = await new Related(access, desk).load([source], [key])
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

async function done(visit: Visit, desk: Desk, o: { row: AnyRow; isNew: boolean; button: Button }): Promise<Response> {
  const { c, site, access } = visit
  const title = await access.title(desk.model, o.row)
  c.var.messages.success(`${desk.label} “${title}” was ${o.isNew ? "added" : "saved"}.`)
  const edit = (await access.find(desk.model, o.row.id)) === null ? site.path : site.to(desk, o.row.id)
  const to = o.button === "another" ? site.to(desk, "add") : o.button === "continue" ? edit : (await access.may(desk, "view")) ? site.to(desk) : site.path
  return c.redirect(to, 303)
}

async function conflictOf(filled: Filled, fresh: Editor): Promise<Conflict> {
  const { desk, writable } = fresh
  const typed = filled.editor.writable.length === 0 ? {} : (filled.bound.values as Record<string, unknown>)
  const plain = (value: unknown) => JSON.stringify(Array.isArray(value) ? value.map(item => (item as { id?: number }).id ?? (item as number)).toSorted((a, b) => a - b) : (value ?? null))
  const last = await Change.where({ model: desk.name, rowId: fresh.row!.id }).first()
  return { by: last?.userName, fields: writable.filter(key => key in typed && plain(typed[key]) !== plain(fresh.row![desk.rowKey(key)])) }
}

async function show(visit: Visit, filled: Filled, o: { status?: number; conflict?: Conflict }): Promise<Response> {
  const { access, site } = visit
  const { editor } = filled
  const { desk, row } = editor
  const title = row === undefined ? `Add ${desk.label.toLowerCase()}` : await access.title(desk.model, row)
  const list = (await access.may(desk, "view")) ? { label: desk.labelPlural, href: site.to(desk) } : { label: desk.labelPlural }
  const related = await new Related(access, desk).load(row === undefined ? [] : [row], [...editor.readable, ...(o.conflict?.fields ?? [])])
  const inlineRelated = await Promise.all(editor.inlines.map(inline => new Related(access, inline.desk).load(inline.fixed, inline.keys)))
  const mayAdd = await access.may(desk, "add")
  const mayDelete = row !== undefined && (await access.may(desk, "delete", row))
  const facts = {
    title,
    crumbs: [{ label: "Dashboard", href: site.path }, list, { label: title }],
    at: desk.name,
    status: o.status ?? 200,
    ...(row !== undefined && { tools: FormTools({ visit, desk, row, mayAdd, mayDelete, actions: await rowActions(visit, desk, row) }) }),
  }
  const version = versionOf(site.app, editor)
  return visit.page(facts, FormPage({ visit, filled, related, inlineRelated, version, conflict: o.conflict, mayAdd }))
}
