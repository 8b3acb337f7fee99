import { HTTPException } from "hono/http-exception"
import type { AnyApp } from "../app/app.ts"
import type { Ctx } from "../app/env.ts"
import type { Part } from "../app/part.ts"
import { requireStaff } from "../auth/guards.ts"
import { NotFound } from "../db/errors.ts"
import { actionView } from "./views/action.tsx"
import { answerAsset } from "./assets.ts"
import { choicesView } from "./views/choices.tsx"
import { dashboardView } from "./views/dashboard.tsx"
import { deleteView } from "./views/delete.tsx"
import { exportView } from "./views/export.ts"
import { addView, editView } from "./views/form.tsx"
import { historyView } from "./views/history.tsx"
import { Change } from "./history/change.ts"
import { listView } from "./views/list.tsx"
import { ProblemPage } from "./views/pages/problem.tsx"
import { pageView } from "./views/page.tsx"
import { type AdminSettings, checkSettings } from "./model/settings.ts"
import { AdminSite } from "./site.ts"
import { switchTheme } from "./views/theme.ts"
import { AdminRequest } from "./views/request.tsx"
import { slugView } from "./views/slug.ts"

/** The admin: `new App({ models, parts: [users(), admin({ title: "Newsroom" })] })`. With no settings it shows every model. */
export function admin(settings: AdminSettings = {}): Part {
  checkSettings(settings)
  return {
    name: "admin",
    models: [Change],
    setup(app: AnyApp) {
      const before = app.parts.findIndex(part => part.name === "users")
      if (before === -1 || before > app.parts.findIndex(part => part.name === "admin")) throw new Error("the admin needs users before it: parts: [users(), admin()]")
      addRoutes(app, new AdminSite(app, settings))
    },
  }
}

function addRoutes(app: AnyApp, site: AdminSite): void {
  const { path } = site
  const view = (show: (request: AdminRequest) => Promise<Response>) => (c: Ctx) => answer(new AdminRequest(c, site), show)
  // No secret is in them, and the login page may want them too.
  app.get(`${path}/-/assets/:file`, c => answerAsset(c, c.req.param("file")))
  app.use(path, requireStaff())
  app.use(`${path}/*`, requireStaff())
  app.get(`${path}/`, c => c.redirect(path, 308))
  app.get(path, view(dashboardView))
  app.post(`${path}/-/theme`, c => switchTheme(c, path))
  app.all(`${path}/-/:page`, view(pageView))
  app.get(`${path}/:model`, view(listView))
  app.on(["GET", "POST"], `${path}/:model/add`, view(addView))
  app.post(`${path}/:model/action`, view(actionView))
  app.get(`${path}/:model/export.csv`, view(request => exportView(request, "csv")))
  app.get(`${path}/:model/export.json`, view(request => exportView(request, "json")))
  app.get(`${path}/:model/choices/:field`, view(choicesView))
  app.get(`${path}/:model/slug/:field`, view(slugView))
  app.on(["GET", "POST"], `${path}/:model/:id{[0-9]+}`, view(editView))
  app.on(["GET", "POST"], `${path}/:model/:id{[0-9]+}/delete`, view(deleteView))
  app.get(`${path}/:model/:id{[0-9]+}/history`, view(historyView))
  app.all(`${path}/*`, view(async () => Promise.reject(new NotFound("no such page"))))
}

/** What is not there, or not allowed, is said within the admin, so that the way back is one click. */
async function answer(request: AdminRequest, show: (request: AdminRequest) => Promise<Response>): Promise<Response> {
  try {
    return await show(request)
  } catch (error) {
    const status = error instanceof NotFound ? 404 : error instanceof HTTPException ? error.status : undefined
    if (status !== 404 && status !== 403) throw error
    const title = status === 404 ? "Not found" : "Not allowed"
    const text = status === 404 ? "It is not there, or not for you to see." : (error as Error).message
    return request.page({ title, crumbs: [{ label: "Dashboard", href: request.site.path }, { label: title }], status }, ProblemPage({ status, text, home: request.site.path }))
  }
}
