/** "edge/admin": the admin made from the models. */
export { admin } from "./admin.ts"
export { Change } from "./history.ts"
export type { Selection } from "./selection.ts"
export { modelAdmin } from "./settings.ts"
export type { Action, AdminPage, AdminSettings, Column, ComputedColumn, Fieldset, IconName, Inline, Level, ModelSettings, Panel, Rule } from "./settings.ts"
export type { Staff } from "./staff.ts"
