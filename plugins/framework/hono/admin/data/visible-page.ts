import { type Page, sortKeys, toCursor } from "../../db/page.ts"
import type { Query } from "../../db/query.ts"
import type { Access } from "../model/access.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import type { ListState } from "./listing.ts"
import type { AnyRow } from "../model/staff.ts"

/** Pages that are read in search of rows that may be seen, before the rest is left to the next click. */
const MOST_READ = 20

/**
 * A page of rows that the person may see. Where that is decided row by row, more is read until the page is full, and the
 * cursors are made from visible rows only: they hold the values that a row is sorted by.
 */
export async function visiblePage(access: Access, modelAdmin: ModelAdmin, o: { query: Query<any>; state: ListState; order: readonly string[] }): Promise<Page<AnyRow>> {
  const { query, state } = o
  const size = modelAdmin.perPage
  if (!(await access.byRow(modelAdmin.model))) {
    const page = await query.page({ size, after: state.after, before: state.before })
    return { ...page, rows: page.rows as unknown as AnyRow[] }
  }
  const back = state.before !== undefined && state.after === undefined
  let rows: AnyRow[] = []
  let at = back ? state.before : state.after
  let began = at !== undefined
  let more = true
  for (let i = 0; i < MOST_READ && more && rows.length <= size; i++) {
    const page = await query.page({ size, ...(back ? { before: at } : { after: at }) })
    // Back at the start the page is the first one, whole: nothing of it may come twice.
    const atStart = back && page.previous === undefined
    const seen = await access.visible(modelAdmin.model, page.rows as unknown as AnyRow[])
    rows = back ? (atStart ? merged(seen, rows) : [...seen, ...rows]) : [...rows, ...seen]
    at = back ? page.previous : page.next
    more = at !== undefined
    began &&= !atStart
  }
  const keys = sortKeys(modelAdmin.model, o.order)
  const full = rows.length > size
  const shown = back ? rows.slice(-size) : rows.slice(0, size)
  const cursor = (row: AnyRow | undefined) => (row === undefined ? undefined : toCursor(keys, row))
  const beyond = full || more
  if (back) return { rows: shown, next: cursor(shown.at(-1)), previous: beyond ? cursor(shown[0]) : undefined }
  return { rows: shown, next: beyond ? cursor(shown.at(-1)) : undefined, previous: began ? cursor(shown[0]) : undefined }
}

function merged(first: readonly AnyRow[], rest: readonly AnyRow[]): AnyRow[] {
  const ids = new Set(first.map(row => row.id))
  return [...first, ...rest.filter(row => !ids.has(row.id))]
}
