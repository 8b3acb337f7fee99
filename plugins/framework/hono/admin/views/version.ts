import type { AnyApp } from "../../app/app.ts"
import type { Editor } from "./editor.ts"
import type { AnyRow } from "../model/staff.ts"

/**
 * Optimistic locking without a column for it: the form carries a mark of what its fields held when it was shown. It is
 * keyed, as a plain hash would let a value be found by trying.
 */
export function versionOf(app: AnyApp, editor: Editor): string {
  const { row, modelAdmin, writable, inlines } = editor
  if (row === undefined) return ""
  const state = {
    id: row.id,
    fields: writable.map(key => plain(row[modelAdmin.rowKey(key)])),
    inlines: inlines.map(({ rows, keys, modelAdmin: other }) => rows.map((item: AnyRow) => [item.id, ...keys.map(key => plain(item[other.rowKey(key)]))])),
  }
  return app.signer.mac("admin version", JSON.stringify(state)).slice(0, 32)
}

function plain(value: unknown): unknown {
  return Array.isArray(value) ? value.map(item => (typeof item === "object" && item !== null && "id" in item ? item.id : item)) : (value ?? null)
}
