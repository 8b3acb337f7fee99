import { recentChanges } from "./history.tsx"
import { showTotal, total } from "../data/listing.ts"
import { DashboardPage } from "./pages/dashboard.tsx"
import type { Visit } from "./request.tsx"
import { menuOf } from "./menu.ts"
import type { Child } from "hono/jsx"

const RECENT = 12

/** GET /admin: the models, the app's own panels, and what was changed lately. */
export async function dashboardView(visit: Visit): Promise<Response> {
  const { access, site, user, c } = visit
  const menu = await menuOf(visit)
  const counts = new Map<string, string>()
  for (const desk of site.desks.values()) {
    if (!(await access.may(desk, "view")) || (await access.byRow(desk.model))) continue
    counts.set(desk.name, showTotal(await total(access.rows(desk.model), desk.settings.rows === undefined)))
  }
  const panels: { title: string; wide: boolean; content: Child }[] = []
  for (const panel of site.panels) {
    if (panel.may !== undefined && !(await panel.may(user))) continue
    panels.push({ title: panel.title, wide: panel.wide === true, content: await panel.render(c) })
  }
  const recent = await recentChanges(visit, RECENT)
  return visit.page({ title: "Dashboard", crumbs: [{ label: "Dashboard" }], at: "" }, DashboardPage({ visit, menu, counts, panels, recent }))
}
