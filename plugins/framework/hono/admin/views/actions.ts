import type { AdminOperation } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import type { AnyRow } from "../model/staff.ts"
import type { AdminRequest } from "./request.tsx"

/** What may be done to ticked rows, as the list offers it. */
export interface OfferedAction {
  readonly name: string
  readonly label: string
  readonly needs: AdminOperation
  readonly danger: boolean
  /** Text of the page that asks; false: not asked. */
  readonly confirm: string | boolean
}

/** The actions that this person may start at all; each row is asked about again when it runs. */
export async function actionsFor({ access }: AdminRequest, modelAdmin: ModelAdmin): Promise<OfferedAction[]> {
  const own = [...modelAdmin.actions].map(([name, action]): OfferedAction => ({ name, label: action.label, needs: action.needs ?? "change", danger: action.danger === true, confirm: action.confirm ?? true }))
  const offered: OfferedAction[] = [
    ...own,
    { name: "csv", label: "Export as CSV", needs: "export", danger: false, confirm: false },
    { name: "json", label: "Export as JSON", needs: "export", danger: false, confirm: false },
    { name: "delete", label: "Delete", needs: "delete", danger: true, confirm: true },
  ]
  const may = await Promise.all(offered.map(action => access.may(modelAdmin, action.needs)))
  return offered.filter((_, i) => may[i])
}

/** The app's own actions for one row, for the page of that row. */
export async function rowActions(request: AdminRequest, modelAdmin: ModelAdmin, row: AnyRow): Promise<OfferedAction[]> {
  const offered = (await actionsFor(request, modelAdmin)).filter(action => modelAdmin.actions.has(action.name))
  const may = await Promise.all(offered.map(action => request.access.may(modelAdmin, action.needs, row)))
  return offered.filter((_, i) => may[i])
}
