import { Group, Permission, User } from "../../auth/models.ts"
import type { AnyModel } from "../../db/model.ts"
import { accountActions } from "./account-actions.ts"
import type { Staff } from "./staff.ts"
import type { ModelSettings } from "./settings.ts"

/**
 * Users and groups in the admin. Who may change users could otherwise make himself a superuser, or change a superuser's
 * e-mail address and have the password reset: what gives power is for superusers only, and so are their rows.
 */
const user: ModelSettings<(typeof User)["fields"]> = {
  icon: "people",
  list: ["email", "name", "isStaff", "isActive", "lastLogin"],
  filters: ["isStaff", "isActive", "isSuperuser", "groups"],
  search: ["email", "name"],
  dates: false,
  fieldsets: [
    { fields: ["email", "name"] },
    { title: "Permissions", fields: ["isStaff", "isSuperuser", "groups", "permissions"] },
    { side: true, fields: ["isActive", "joinedAt", "lastLogin", "emailVerifiedAt"] },
  ],
  actions: accountActions,
  field: (key, who) => (["isStaff", "isSuperuser", "groups", "permissions"].includes(key) && !who.isSuperuser ? "read" : undefined),
  can: {
    change: (who, row) => (row !== undefined && outranks(row, who) ? false : undefined),
    // Nobody deletes himself by mistake and is locked out.
    delete: (who, row) => (row !== undefined && (row.id === who.id || outranks(row, who)) ? false : undefined),
  },
}

/** Other staff may have rights that `who` lacks: a new address and a reset link would hand them over. */
function outranks(row: { readonly id: number; readonly isStaff: boolean; readonly isSuperuser: boolean }, who: Staff): boolean {
  return !who.isSuperuser && (row.isSuperuser || (row.isStaff && row.id !== who.id))
}

const group: ModelSettings<(typeof Group)["fields"]> = {
  icon: "key",
  field: (key, who) => (key === "permissions" && !who.isSuperuser ? "read" : undefined),
}

const permission: ModelSettings<(typeof Permission)["fields"]> = {
  icon: "key",
  can: { add: () => false, change: () => false, delete: () => false },
}

const defaults = new Map<AnyModel, ModelSettings<any>>([
  [User, user],
  [Group, group],
  [Permission, permission],
])

export function accountDefaults(model: AnyModel): ModelSettings<any> | undefined {
  return defaults.get(model)
}
