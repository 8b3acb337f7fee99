import { NotFound } from "../../db/errors.ts"
import { searchIn, searchKeys } from "../data/choosable.ts"
import { readState, stateQuery, withFilter } from "../data/listing.ts"
import { ChoicesPage } from "./pages/choices.tsx"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

const MOST = 20

/**
 * GET /admin/<model>/choices/<field>?find=: rows that a relation may lead to. As JSON for the script; as a page for the
 * filter of a list, where there is none. `<model>` is the one that has the field, so its permissions count too.
 */
export async function choicesView(request: AdminRequest): Promise<Response> {
  const { access, site, zone, c } = request
  const modelAdmin = await request.modelAdmin({ inner: true })
  const key = c.req.param("field") ?? ""
  const levels = await access.levels(modelAdmin)
  const kind = key in modelAdmin.model.fields ? modelAdmin.field(key).kind : undefined
  if ((kind !== "reference" && kind !== "many") || levels.get(key) === "none") throw new NotFound("no such relation")
  const target = modelAdmin.targetOf(key)
  const find = (c.req.query("find") ?? "").slice(0, 200)
  const rows = (await searchIn(access.rows(target), find, await searchKeys(access, target)).limit(MOST + 1)) as unknown as AnyRow[]
  const seen = await access.visible(target, rows.slice(0, MOST))
  const choices = await Promise.all(seen.map(async row => ({ id: row.id, title: await access.title(target, row) })))
  const more = rows.length > MOST
  c.header("Cache-Control", "private, no-store")
  if ((c.req.header("accept") ?? "").includes("application/json")) return c.json({ choices, more })
  const state = await readState(access, modelAdmin, { params: new URL(c.req.url).searchParams, zone })
  const options = choices.map(({ id, title }) => ({ title, href: site.to(modelAdmin) + stateQuery(state, { filters: withFilter(state, key, [...(state.filters.get(key) ?? []), String(id)]) }) }))
  const facts = { title: `${modelAdmin.labelOf(key)}: ${modelAdmin.labelPlural.toLowerCase()}`, crumbs: [{ label: "Dashboard", href: site.path }, { label: modelAdmin.labelPlural, href: site.to(modelAdmin) + stateQuery(state) }, { label: modelAdmin.labelOf(key) }], at: modelAdmin.name }
  return request.page(facts, ChoicesPage({ request, modelAdmin, field: key, state, find, options, more }))
}
