import { oneOf } from "../../db/compare.ts"
import type { Query } from "../../db/query.ts"
import { actionsFor, type OfferedAction } from "./actions.ts"
import { deleteRow } from "./delete.tsx"
import { planDeletion } from "../data/deletion.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { answerExport, type ExportFormat } from "../data/export.ts"
import { toId } from "../data/filters.ts"
import { listQuery, type ListState, readState, stateQuery } from "../data/listing.ts"
import { ActionPage } from "./pages/action.tsx"
import { DeletePage } from "./pages/delete.tsx"
import { Selection } from "../data/selection.ts"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

/** Ticked rows of one page; more come by "all that match". */
const MOST_TICKED = 1000
/** A deletion of more rows is asked for in several goes: each is planned row by row. */
const MOST_DELETED = 1000
const SHOWN = 10

interface Asked {
  readonly modelAdmin: ModelAdmin
  readonly action: OfferedAction
  readonly state: ListState
  readonly query: Query<any>
  readonly selection: Selection<any>
  readonly count: number
  /** Fields that say the same again, for the page that asks. */
  readonly fields: readonly (readonly [string, string])[]
  readonly confirmed: boolean
  /** It was asked for on the page of this row. */
  readonly row: number | undefined
}

/** POST /admin/<model>/action: what was chosen for ticked rows, or for all that match the list's filters. */
export async function actionView(request: AdminRequest): Promise<Response> {
  const { c, site } = request
  const modelAdmin = await request.modelAdmin()
  const asked = await readAsked(request, modelAdmin)
  const back = asked?.row === undefined ? site.to(modelAdmin) + stateQuery(asked?.state ?? EVERYTHING) : site.to(modelAdmin, asked.row)
  if (asked === undefined) {
    c.var.messages.add("warning", "Tick the rows first, then choose what to do with them.")
    return c.redirect(back, 303)
  }
  if (asked.action.name === "csv" || asked.action.name === "json") return answerExport(c, request.access, { modelAdmin, query: asked.query, format: asked.action.name as ExportFormat })
  if (asked.action.confirm !== false && !asked.confirmed) return ask(request, asked, back)
  return run(request, asked, back)
}

const EVERYTHING: ListState = { q: "", sort: [], filters: new Map(), date: undefined, after: undefined, before: undefined, everywhere: false }

async function readAsked(request: AdminRequest, modelAdmin: ModelAdmin): Promise<Asked | undefined> {
  const { access, zone, c } = request
  const form = await c.req.formData()
  const name = String(form.get("action") ?? "")
  const action = (await actionsFor(request, modelAdmin)).find(offered => offered.name === name)
  if (action === undefined) request.forbid("You may not do this, or there is no such action.")
  const state = await readState(access, modelAdmin, { params: new URL(c.req.url).searchParams, zone })
  const all = form.get("all") === "1"
  const ids = [...new Set(form.getAll("id").slice(0, MOST_TICKED).flatMap(id => toId(String(id)) ?? []))]
  if (!all && ids.length === 0) return undefined
  // Only rows that exist for this person: an id made up by hand is no more than a row that is not there.
  const query = all ? (await listQuery(access, modelAdmin, { state, zone })).query : access.rows(modelAdmin.model).where({ id: oneOf(ids) } as never)
  const selection = new Selection<any>(access, modelAdmin, { query, needs: action.needs, name: action.label })
  const count = await selection.count(MOST_COUNTED)
  const confirmed = form.get("confirm") === "1" && (!all || count <= Number(form.get("count")))
  const row = form.get("back") === "row" && !all ? ids[0] : undefined
  const fields: [string, string][] = [["action", name], ["confirm", "1"], ["count", String(count)], ...(row === undefined ? [] : [["back", "row"] as [string, string]]), ...(all ? [["all", "1"] as [string, string]] : ids.map(id => ["id", String(id)] as [string, string]))]
  return { modelAdmin, action, state, query, selection, count, fields, confirmed, row }
}
/** What is shown as "100,000+". */
const MOST_COUNTED = 100_001

function countText(count: number): string {
  return count >= MOST_COUNTED ? `${(MOST_COUNTED - 1).toLocaleString("en-GB")}+` : count.toLocaleString("en-GB")
}

async function ask(request: AdminRequest, asked: Asked, back: string, status = 200): Promise<Response> {
  const { access, site } = request
  const { modelAdmin, action, selection, state, fields, count } = asked
  const rows = (await selection.first(action.name === "delete" ? MOST_DELETED : SHOWN)) as AnyRow[]
  if (rows.length === 0) request.forbid("There are no rows among these that you may do this to.")
  const titles = await Promise.all(rows.slice(0, SHOWN).map(row => access.title(modelAdmin.model, row)))
  const url = site.to(modelAdmin, "action") + stateQuery(state)
  const facts = { title: `${action.label}: ${modelAdmin.labelPlural.toLowerCase()}`, crumbs: [{ label: "Dashboard", href: site.path }, { label: modelAdmin.labelPlural, href: back }, { label: action.label }], at: modelAdmin.name, status }
  if (action.name === "delete") {
    const plan = await planDeletion(access, site.app.models, { model: modelAdmin.model, ids: rows.map(row => row.id) })
    return request.page(facts, DeletePage({ request, modelAdmin, titles, count: rows.length < MOST_DELETED || count <= MOST_DELETED ? countText(rows.length) : `${countText(rows.length)} of ${countText(count)}`, plan, action: url, back, fields }))
  }
  return request.page(facts, ActionPage({ modelAdmin, action, titles, count: countText(count), url, back, fields }))
}

async function run(request: AdminRequest, asked: Asked, back: string): Promise<Response> {
  const { c } = request
  const { modelAdmin, action, selection } = asked
  if (action.name === "delete") return deleteMany(request, asked, back)
  const said = await modelAdmin.actions.get(action.name)!.run(selection, c)
  if (said instanceof Response) return said
  if (selection.refused > 0) c.var.messages.add("warning", `${selection.refused} were left out: you may not do this to them.`)
  c.var.messages.success(said ?? `${action.label}: done.`)
  return c.redirect(back, 303)
}

async function deleteMany(request: AdminRequest, asked: Asked, back: string): Promise<Response> {
  const { c } = request
  const { modelAdmin, selection } = asked
  const rows = (await selection.first(MOST_DELETED)) as AnyRow[]
  let deleted = 0
  for (const row of rows) {
    // Gone with one before it (a tree): not a failure.
    if ((await request.access.rows(modelAdmin.model).where({ id: row.id } as never).countUpTo(1)) === 0) continue
    if (!(await deleteRow(request, modelAdmin, row))) return ask(request, asked, back, 409)
    deleted++
  }
  if (selection.refused > 0) c.var.messages.add("warning", `${selection.refused} were left out: you may not delete them.`)
  if (rows.length === MOST_DELETED && asked.count > MOST_DELETED) c.var.messages.add("info", `At most ${countText(MOST_DELETED)} are deleted at once: repeat it for the rest.`)
  c.var.messages.success(`${deleted.toLocaleString("en-GB")} ${(deleted === 1 ? modelAdmin.label : modelAdmin.labelPlural).toLowerCase()} deleted.`)
  return c.redirect(back, 303)
}
