import { NotFound } from "../../db/errors.ts"
import type { Child } from "hono/jsx"
import type { AdminRequest } from "./request.tsx"

/** /admin/-/<path>: a page of the app's own, within the admin's menu and looks. */
export async function pageView(request: AdminRequest): Promise<Response> {
  const { site, user, c } = request
  const page = site.pages.find(({ path }) => path === c.req.param("page"))
  if (page === undefined || (page.may !== undefined && !(await page.may(user)))) throw new NotFound("no such page")
  const content = await page.render(c)
  if (content instanceof Response) return content
  return request.page({ title: page.title, crumbs: [{ label: "Dashboard", href: site.path }, { label: page.title }], at: `-/${page.path}` }, content as Child)
}
