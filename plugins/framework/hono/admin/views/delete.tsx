import { transaction } from "../../db/database.ts"
import { InUse } from "../../db/errors.ts"
import { isPossible, planDeletion } from "../data/deletion.ts"
import type { Desk } from "../model/model-admin.ts"
import { record } from "../history/change.ts"
import { DeletePage } from "./pages/delete.tsx"
import type { AnyRow } from "../model/staff.ts"
import type { Visit } from "./request.tsx"

/** GET and POST /admin/<model>/<id>/delete: what goes with it, what stands in the way, and the button. */
export async function deleteView(visit: Visit): Promise<Response> {
  const { access, site, c } = visit
  const desk = await visit.desk()
  const row = await visit.row(desk)
  if (!(await access.may(desk, "delete", row))) visit.forbid()
  const title = await access.title(desk.model, row)
  let failed = false
  if (c.req.method === "POST") {
    if (await deleteRow(visit, desk, row)) {
      c.var.messages.success(`${desk.label} “${title}” was deleted.`)
      return c.redirect((await access.may(desk, "view")) ? site.to(desk) : site.path, 303)
    }
    failed = true
  }
  const plan = await planDeletion(access, site.app.models, { model: desk.model, ids: [row.id] })
  const facts = {
    title: `Delete ${desk.label.toLowerCase()}`,
    crumbs: [{ label: "Dashboard", href: site.path }, { label: desk.labelPlural, href: site.to(desk) }, { label: title, href: site.to(desk, row.id) }, { label: "Delete" }],
    at: desk.name,
    status: failed ? 409 : 200,
  }
  return visit.page(facts, DeletePage({ visit, desk, titles: [title], plan, back: site.to(desk, row.id), action: site.to(desk, row.id, "delete"), fields: [] }))
}

/** False: something stands in the way, perhaps since a moment ago. Decided within the transaction that deletes. */
export async function deleteRow({ access, site, user }: Visit, desk: Desk, row: AnyRow): Promise<boolean> {
  try {
    return await transaction(async () => {
      const plan = await planDeletion(access, site.app.models, { model: desk.model, ids: [row.id] })
      if (!isPossible(plan)) return false
      await record({ user, desk, kind: "delete" }, [{ row, title: await access.title(desk.model, row) }])
      await desk.model.delete(row)
      return true
    })
  } catch (error) {
    if (error instanceof InUse) return false
    throw error
  }
}
