import { choice, datetime, integer, json, text } from "../../db/fields.ts"
import { model } from "../../db/model.ts"
import type { ModelAdmin } from "../model/model-admin.ts"
import type { AnyRow, Staff } from "../model/staff.ts"

/** What was changed of one field: before and after as they are kept, references as ids. */
export interface FieldChange {
  readonly key: string
  readonly from?: unknown
  readonly to?: unknown
}

/**
 * Who did what to which row, and when. Names and titles are kept as they were: the row and the user may be gone. It
 * refers to nothing, so nothing that is deleted takes it along.
 */
export const Change = model(
  "adminChange",
  {
    at: datetime({ default: () => new Date() }),
    userId: integer({ optional: true }),
    userName: text({ max: 254 }),
    model: text({ max: 100 }),
    rowId: integer(),
    title: text({ max: 300 }),
    kind: choice(["add", "change", "delete", "action"]),
    /** Name of the action, or what it was part of. */
    note: text({ default: "", max: 300 }),
    changes: json<FieldChange[]>({ default: () => [] }),
  },
  { table: "admin_changes", internal: true, order: ["-id"], indexes: [{ fields: ["model", "rowId"] }] },
)

export type ChangeRow = Awaited<ReturnType<typeof Change.get>>
export type ChangeKind = ChangeRow["kind"]

export interface Note {
  readonly user: Staff
  readonly modelAdmin: ModelAdmin
  readonly kind: ChangeKind
  readonly note?: string
}

/** Writes it down for rows with their titles; part of the transaction that did it. */
export async function record(what: Note, rows: readonly { readonly row: AnyRow; readonly title: string; readonly changes?: readonly FieldChange[] }[]): Promise<void> {
  await Change.createMany(
    rows.map(({ row, title, changes = [] }) => ({
      userId: what.user.id,
      userName: (what.user.name || what.user.email).slice(0, 254),
      model: what.modelAdmin.name,
      rowId: row.id,
      title: cut(title, 300),
      kind: what.kind,
      note: cut(what.note ?? "", 300),
      changes: [...changes],
    })),
  )
}

/** Longest text that is kept of one side of a change, in characters: history is to be read, not a backup. */
const LONGEST = 20_000

/** What differs between two states of a row; `many` relations as sorted lists of ids. */
export function difference(modelAdmin: ModelAdmin, before: AnyRow | undefined, after: AnyRow): FieldChange[] {
  return modelAdmin.keys.flatMap(key => {
    const at = modelAdmin.rowKey(key)
    const [from, to] = [keep(before?.[at]), keep(after[at])]
    if (after[at] === undefined || JSON.stringify(from) === JSON.stringify(to)) return []
    return [{ key, ...(before !== undefined && { from }), to }]
  })
}

/** The form in which a value is kept: as JSON gives it back. */
function keep(value: unknown): unknown {
  if (value === undefined || value === null) return null
  if (Array.isArray(value)) return value.map(item => (typeof item === "object" && item !== null && "id" in item ? item.id : item)).toSorted((a, b) => Number(a) - Number(b))
  if (value instanceof Date) return value.toISOString()
  return typeof value === "string" ? cut(value, LONGEST) : value
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}
