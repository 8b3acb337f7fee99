import { oneOf } from "../../db/compare.ts"
import { NotFound } from "../../db/errors.ts"
import { titleKey } from "../model/defaults.ts"
import type { Desk } from "../model/model-admin.ts"
import { Change, type ChangeRow, type FieldChange } from "../history/change.ts"
import { HistoryPage } from "./pages/history.tsx"
import type { Visit } from "./request.tsx"

const PER_PAGE = 50

/** One change of the history, with what this person may see of it. */
export interface Told {
  readonly change: ChangeRow
  readonly fields: readonly FieldChange[]
  /** Fields were changed that may not be seen. */
  readonly others: number
}

/** GET /admin/<model>/<id>/history: who changed what, newest first. */
export async function historyView(visit: Visit): Promise<Response> {
  const { access, site, c } = visit
  const desk = await visit.desk()
  const row = await visit.row(desk)
  const page = await Change.where({ model: desk.name, rowId: row.id }).order("-id").page({ size: PER_PAGE, after: c.req.query("after"), before: c.req.query("before") })
  const levels = await access.levels(desk, row)
  const told = page.rows.map(change => tell(change, levels))
  const title = await access.title(desk.model, row)
  const names = await namesIn(visit, desk, told)
  const facts = {
    title: "History",
    subtitle: title,
    crumbs: [{ label: "Dashboard", href: site.path }, { label: desk.labelPlural, href: site.to(desk) }, { label: title, href: site.to(desk, row.id) }, { label: "History" }],
    at: desk.name,
  }
  return visit.page(facts, HistoryPage({ visit, desk, told, names, next: page.next, previous: page.previous }))
}

function tell(change: ChangeRow, levels: ReadonlyMap<string, string>): Told {
  const fields = change.changes.filter(({ key }) => levels.has(key) && levels.get(key) !== "none")
  return { change, fields, others: change.changes.length - fields.length }
}

/** Names of the rows that changed references lead to, by field and id; those that may not be seen are left out. */
async function namesIn({ access }: Visit, desk: Desk, told: readonly Told[]): Promise<ReadonlyMap<string, ReadonlyMap<number, string>>> {
  const found = new Map<string, ReadonlyMap<number, string>>()
  for (const key of desk.keys) {
    const { kind } = desk.field(key)
    if (kind !== "reference" && kind !== "many") continue
    const ids = told.flatMap(({ fields }) => fields.filter(field => field.key === key).flatMap(({ from, to }) => [from, to].flat()))
    const links = await access.links(desk.targetOf(key), ids)
    found.set(key, new Map([...links.values()].map(link => [link.id, link.title])))
  }
  return found
}

export interface Recent {
  readonly change: ChangeRow
  readonly desk: Desk
  /** As this person may see it now, not as it was kept. */
  readonly title: string
  readonly href: string | undefined
}

/** The newest changes of rows that this person may see, for the first page. */
export async function recentChanges(visit: Visit, most: number): Promise<Recent[]> {
  const { access, site } = visit
  const desks: Desk[] = []
  for (const desk of site.desks.values()) if (await access.may(desk, "view")) desks.push(desk)
  const changes = await Change.where({ model: oneOf(desks.map(desk => desk.name)) }).order("-id").limit(most * 4)
  const found: Recent[] = []
  for (const change of changes) {
    if (found.length >= most) break
    const desk = site.desks.get(change.model)
    if (desk === undefined) throw new NotFound(change.model)
    const row = await access.find(desk.model, change.rowId)
    // A deleted row can no longer be asked about: only those hear of it who may see every row.
    const seesAll = row !== null || (desk.settings.rows === undefined && (visit.user.isSuperuser || change.userId === visit.user.id))
    if (!seesAll || (row === null && change.kind !== "delete" && (await desk.model.where({ id: change.rowId } as never).exists()))) continue
    const title = row !== null ? await access.title(desk.model, row) : (await seesTitle(visit, desk)) ? change.title : `${desk.label} ${change.rowId}`
    found.push({ change, desk, title, href: row === null ? undefined : site.to(desk, row.id) })
  }
  return found
}

async function seesTitle({ access }: Visit, desk: Desk): Promise<boolean> {
  const key = titleKey(desk.model)
  return key === undefined || access.canSee(desk, key)
}
