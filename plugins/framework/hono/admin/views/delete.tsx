import { transaction } from "../../db/database.ts"
import { InUse } from "../../db/errors.ts"
import { isPossible, planDeletion } from "../data/deletion.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { record } from "../history/change.ts"
import { DeletePage } from "./pages/delete.tsx"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

/** GET and POST /admin/<model>/<id>/delete: what goes with it, what stands in the way, and the button. */
export async function deleteView(request: AdminRequest): Promise<Response> {
  const { access, site, c } = request
  const modelAdmin = await request.modelAdmin()
  const row = await request.row(modelAdmin)
  if (!(await access.may(modelAdmin, "delete", row))) request.forbid()
  const title = await access.title(modelAdmin.model, row)
  let failed = false
  if (c.req.method === "POST") {
    if (await deleteRow(request, modelAdmin, row)) {
      c.var.messages.success(`${modelAdmin.label} “${title}” was deleted.`)
      return c.redirect((await access.may(modelAdmin, "view")) ? site.to(modelAdmin) : site.path, 303)
    }
    failed = true
  }
  const plan = await planDeletion(access, site.app.models, { model: modelAdmin.model, ids: [row.id] })
  const facts = {
    title: `Delete ${modelAdmin.label.toLowerCase()}`,
    crumbs: [{ label: "Dashboard", href: site.path }, { label: modelAdmin.labelPlural, href: site.to(modelAdmin) }, { label: title, href: site.to(modelAdmin, row.id) }, { label: "Delete" }],
    at: modelAdmin.name,
    status: failed ? 409 : 200,
  }
  return request.page(facts, DeletePage({ request, modelAdmin, titles: [title], plan, back: site.to(modelAdmin, row.id), action: site.to(modelAdmin, row.id, "delete"), fields: [] }))
}

/** False: something stands in the way, perhaps since a moment ago. Decided within the transaction that deletes. */
export async function deleteRow({ access, site, user }: AdminRequest, modelAdmin: ModelAdmin, row: AnyRow): Promise<boolean> {
  try {
    return await transaction(async () => {
      const plan = await planDeletion(access, site.app.models, { model: modelAdmin.model, ids: [row.id] })
      if (!isPossible(plan)) return false
      await record({ user, modelAdmin, kind: "delete" }, [{ row, title: await access.title(modelAdmin.model, row) }])
      await modelAdmin.model.delete(row)
      return true
    })
  } catch (error) {
    if (error instanceof InUse) return false
    throw error
  }
}
