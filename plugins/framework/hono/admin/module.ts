/** "edge/admin": the admin made from the models. */
export { admin } from "./admin.ts"
export { Change } from "./history/change.ts"
export type { Selection } from "./data/selection.ts"
export { modelAdmin } from "./model/settings.ts"
export type { Action, AdminPage, AdminSettings, Column, ComputedColumn, Fieldset, IconName, Inline, Level, ModelSettings, Panel, AccessRule } from "./model/settings.ts"
export type { Staff } from "./model/staff.ts"
