import type { AnyModel } from "../../db/model.ts"
import type { UserRow } from "../../auth/models.ts"

/** Who works in the admin: an active user with `isStaff`. */
export type Staff = UserRow

/** A row of any model, where only its keys are known. */
export type AnyRow = Readonly<Record<string, any>> & { readonly id: number }

/** A row's name for people, one line. */
export function titleOf(model: AnyModel, row: AnyRow): string {
  const title = model.titleOf(row).replaceAll(/\s+/g, " ").trim()
  return title === "" ? `${model.label} ${row.id}` : title
}
