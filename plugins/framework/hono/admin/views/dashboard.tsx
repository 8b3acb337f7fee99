import { recentChanges } from "./history.tsx"
import { showTotal, total } from "../data/listing.ts"
import { DashboardPage } from "./pages/dashboard.tsx"
import type { AdminRequest } from "./request.tsx"
import { menuOf } from "./menu.ts"
import type { Child } from "hono/jsx"

const RECENT = 12

/** GET /admin: the models, the app's own panels, and what was changed lately. */
export async function dashboardView(request: AdminRequest): Promise<Response> {
  const { access, site, user, c } = request
  const menu = await menuOf(request)
  const counts = new Map<string, string>()
  for (const modelAdmin of site.modelAdmins.values()) {
    if (!(await access.may(modelAdmin, "view")) || (await access.byRow(modelAdmin.model))) continue
    counts.set(modelAdmin.name, showTotal(await total(access.rows(modelAdmin.model), modelAdmin.settings.rows === undefined)))
  }
  const panels: { title: string; wide: boolean; content: Child }[] = []
  for (const panel of site.panels) {
    if (panel.may !== undefined && !(await panel.may(user))) continue
    panels.push({ title: panel.title, wide: panel.wide === true, content: await panel.render(c) })
  }
  const recent = await recentChanges(request, RECENT)
  return request.page({ title: "Dashboard", crumbs: [{ label: "Dashboard" }], at: "" }, DashboardPage({ request, menu, counts, panels, recent }))
}
