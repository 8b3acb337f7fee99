import { oneOf } from "../../db/compare.ts"
import { NotFound } from "../../db/errors.ts"
import { titleKey } from "../model/defaults.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import { Change, type ChangeRow, type FieldChange } from "../history/change.ts"
import { HistoryPage } from "./pages/history.tsx"
import type { AdminRequest } from "./request.tsx"

const PER_PAGE = 50

/** One change of the history, with what this person may see of it. */
export interface ShownChange {
  readonly change: ChangeRow
  readonly fields: readonly FieldChange[]
  /** Fields were changed that may not be seen. */
  readonly others: number
}

/** GET /admin/<model>/<id>/history: who changed what, newest first. */
export async function historyView(request: AdminRequest): Promise<Response> {
  const { access, site, c } = request
  const modelAdmin = await request.modelAdmin()
  const row = await request.row(modelAdmin)
  const page = await Change.where({ model: modelAdmin.name, rowId: row.id }).order("-id").page({ size: PER_PAGE, after: c.req.query("after"), before: c.req.query("before") })
  const levels = await access.levels(modelAdmin, row)
  const shown = page.rows.map(change => toShown(change, levels))
  const title = await access.title(modelAdmin.model, row)
  const names = await namesIn(request, modelAdmin, shown)
  const facts = {
    title: "History",
    subtitle: title,
    crumbs: [{ label: "Dashboard", href: site.path }, { label: modelAdmin.labelPlural, href: site.to(modelAdmin) }, { label: title, href: site.to(modelAdmin, row.id) }, { label: "History" }],
    at: modelAdmin.name,
  }
  return request.page(facts, HistoryPage({ request, modelAdmin, shown, names, next: page.next, previous: page.previous }))
}

function toShown(change: ChangeRow, levels: ReadonlyMap<string, string>): ShownChange {
  const fields = change.changes.filter(({ key }) => levels.has(key) && levels.get(key) !== "none")
  return { change, fields, others: change.changes.length - fields.length }
}

/** Names of the rows that changed references lead to, by field and id; those that may not be seen are left out. */
async function namesIn({ access }: AdminRequest, modelAdmin: ModelAdmin, shown: readonly ShownChange[]): Promise<ReadonlyMap<string, ReadonlyMap<number, string>>> {
  const found = new Map<string, ReadonlyMap<number, string>>()
  for (const key of modelAdmin.keys) {
    const { kind } = modelAdmin.field(key)
    if (kind !== "reference" && kind !== "many") continue
    const ids = shown.flatMap(({ fields }) => fields.filter(field => field.key === key).flatMap(({ from, to }) => [from, to].flat()))
    const links = await access.relatedRows(modelAdmin.targetOf(key), ids)
    found.set(key, new Map([...links.values()].map(link => [link.id, link.title])))
  }
  return found
}

export interface Recent {
  readonly change: ChangeRow
  readonly modelAdmin: ModelAdmin
  /** As this person may see it now, not as it was kept. */
  readonly title: string
  readonly href: string | undefined
}

/** The newest changes of rows that this person may see, for the first page. */
export async function recentChanges(request: AdminRequest, most: number): Promise<Recent[]> {
  const { access, site } = request
  const modelAdmins: ModelAdmin[] = []
  for (const modelAdmin of site.modelAdmins.values()) if (await access.may(modelAdmin, "view")) modelAdmins.push(modelAdmin)
  const changes = await Change.where({ model: oneOf(modelAdmins.map(modelAdmin => modelAdmin.name)) }).order("-id").limit(most * 4)
  const found: Recent[] = []
  for (const change of changes) {
    if (found.length >= most) break
    const modelAdmin = site.modelAdmins.get(change.model)
    if (modelAdmin === undefined) throw new NotFound(change.model)
    const row = await access.find(modelAdmin.model, change.rowId)
    // A deleted row can no longer be asked about: only those hear of it who may see every row.
    const seesAll = row !== null || (modelAdmin.settings.rows === undefined && (request.user.isSuperuser || change.userId === request.user.id))
    if (!seesAll || (row === null && change.kind !== "delete" && (await modelAdmin.model.where({ id: change.rowId } as never).exists()))) continue
    const title = row !== null ? await access.title(modelAdmin.model, row) : (await seesTitle(request, modelAdmin)) ? change.title : `${modelAdmin.label} ${change.rowId}`
    found.push({ change, modelAdmin, title, href: row === null ? undefined : site.to(modelAdmin, row.id) })
  }
  return found
}

async function seesTitle({ access }: AdminRequest, modelAdmin: ModelAdmin): Promise<boolean> {
  const key = titleKey(modelAdmin.model)
  return key === undefined || access.canSee(modelAdmin, key)
}
