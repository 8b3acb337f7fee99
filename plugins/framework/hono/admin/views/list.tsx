import type { Desk } from "../model/model-admin.ts"
import { drillOf, facetsOf } from "./facets.ts"
import { actionsFor } from "./actions.ts"
import { isNarrowed, listQuery, listTotal, orderOf, readState, stateQuery } from "../data/listing.ts"
import { ListPage } from "./pages/list.tsx"
import { ListTools } from "./pages/list-tools.tsx"
import { Related } from "../data/related.ts"
import { visiblePage } from "../data/visible-page.ts"
import type { Visit } from "./request.tsx"

/** GET /admin/<model>: the rows, found and narrowed by what the URL says. */
export async function listView(visit: Visit): Promise<Response> {
  const { access, site, zone, c } = visit
  const desk = await visit.desk()
  if (!(await access.may(desk, "view"))) return c.redirect(site.to(desk, "add"), 303)
  const levels = await access.levels(desk)
  const params = new URL(c.req.url).searchParams
  const state = await readState(access, desk, { params, zone })
  const jumped = await jump(visit, desk, params)
  if (jumped !== undefined) return jumped
  const { query, exact, size } = await listQuery(access, desk, { state, zone })
  const columns = desk.columns.filter(column => column.field === undefined || levels.get(column.key) !== "none")
  const page = await visiblePage(access, desk, { query, state, order: orderOf(desk, state, levels) })
  const { rows } = page
  const narrowed = isNarrowed(state) || desk.settings.rows !== undefined
  const [related, facets, drill, count, actions] = [
    await new Related(access, desk).load(rows, columns.filter(column => column.field !== undefined).map(column => column.key)),
    await facetsOf(visit, desk, { state, levels, size }),
    await drillOf(visit, desk, { state, levels }),
    await listTotal(query, { state, page, size, whole: !narrowed, byRow: await access.byRow(desk.model) }),
    await actionsFor(visit, desk),
  ]
  const cells = await Promise.all(rows.map(async row => ({ row, levels: desk.settings.field === undefined ? levels : await access.levels(desk, row), title: await access.title(desk.model, row) })))
  const shown = { visit, desk, state, exact, columns, cells, related, facets, drill, count, actions, next: page.next, previous: page.previous }
  return visit.page(
    {
      title: desk.labelPlural,
      crumbs: [{ label: "Dashboard", href: site.path }, { label: desk.labelPlural }],
      at: desk.name,
      subtitle: desk.settings.description,
      tools: ListTools({ visit, desk, query: stateQuery(state), mayAdd: await access.may(desk, "add"), mayExport: await access.may(desk, "export") }),
    },
    ListPage(shown),
  )
}

/** The small forms of typed filters send `set` and a value beside the list's own state; the answer is the tidy URL. */
async function jump(visit: Visit, desk: Desk, params: URLSearchParams): Promise<Response | undefined> {
  const key = params.get("set")
  if (key === null || !desk.filters.includes(key)) return undefined
  params.delete("set")
  const [from, to] = [params.get("from")?.trim() ?? "", params.get("to")?.trim() ?? ""]
  for (const name of ["from", "to", "after", "before"]) params.delete(name)
  params.delete(`f.${key}`)
  if (from !== "" || to !== "") params.set(`f.${key}`, `${from}..${to}`)
  const query = params.toString()
  return visit.c.redirect(visit.site.to(desk) + (query === "" ? "" : `?${query}`), 303)
}
