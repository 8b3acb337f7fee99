import type { ModelAdmin } from "../model/model-admin.ts"
import { drillOf, facetsOf } from "./facets.ts"
import { actionsFor } from "./actions.ts"
import { isNarrowed, listQuery, listTotal, orderOf, readState, stateQuery } from "../data/listing.ts"
import { ListPage } from "./pages/list.tsx"
import { ListTools } from "./pages/list-tools.tsx"
import { Related } from "../data/related.ts"
import { visiblePage } from "../data/visible-page.ts"
import type { AdminRequest } from "./request.tsx"

/** GET /admin/<model>: the rows, found and narrowed by what the URL says. */
export async function listView(request: AdminRequest): Promise<Response> {
  const { access, site, zone, c } = request
  const modelAdmin = await request.modelAdmin()
  if (!(await access.may(modelAdmin, "view"))) return c.redirect(site.to(modelAdmin, "add"), 303)
  const levels = await access.levels(modelAdmin)
  const params = new URL(c.req.url).searchParams
  const state = await readState(access, modelAdmin, { params, zone })
  const jumped = await jump(request, modelAdmin, params)
  if (jumped !== undefined) return jumped
  const { query, exact, size } = await listQuery(access, modelAdmin, { state, zone })
  const columns = modelAdmin.columns.filter(column => column.field === undefined || levels.get(column.key) !== "none")
  const page = await visiblePage(access, modelAdmin, { query, state, order: orderOf(modelAdmin, state, levels) })
  const { rows } = page
  const narrowed = isNarrowed(state) || modelAdmin.settings.rows !== undefined
  const [related, facets, drill, count, actions] = [
    await new Related(access, modelAdmin).load(rows, columns.filter(column => column.field !== undefined).map(column => column.key)),
    await facetsOf(request, modelAdmin, { state, levels, size }),
    await drillOf(request, modelAdmin, { state, levels }),
    await listTotal(query, { state, page, size, whole: !narrowed, byRow: await access.byRow(modelAdmin.model) }),
    await actionsFor(request, modelAdmin),
  ]
  const cells = await Promise.all(rows.map(async row => ({ row, levels: modelAdmin.settings.field === undefined ? levels : await access.levels(modelAdmin, row), title: await access.title(modelAdmin.model, row) })))
  const shown = { request, modelAdmin, state, exact, columns, cells, related, facets, drill, count, actions, next: page.next, previous: page.previous }
  return request.page(
    {
      title: modelAdmin.labelPlural,
      crumbs: [{ label: "Dashboard", href: site.path }, { label: modelAdmin.labelPlural }],
      at: modelAdmin.name,
      subtitle: modelAdmin.settings.description,
      tools: ListTools({ request, modelAdmin, query: stateQuery(state), mayAdd: await access.may(modelAdmin, "add"), mayExport: await access.may(modelAdmin, "export") }),
    },
    ListPage(shown),
  )
}

/** The small forms of typed filters send `set` and a value beside the list's own state; the answer is the tidy URL. */
async function jump(request: AdminRequest, modelAdmin: ModelAdmin, params: URLSearchParams): Promise<Response | undefined> {
  const key = params.get("set")
  if (key === null || !modelAdmin.filters.includes(key)) return undefined
  params.delete("set")
  const [from, to] = [params.get("from")?.trim() ?? "", params.get("to")?.trim() ?? ""]
  for (const name of ["from", "to", "after", "before"]) params.delete(name)
  params.delete(`f.${key}`)
  if (from !== "" || to !== "") params.set(`f.${key}`, `${from}..${to}`)
  const query = params.toString()
  return request.c.redirect(request.site.to(modelAdmin) + (query === "" ? "" : `?${query}`), 303)
}
