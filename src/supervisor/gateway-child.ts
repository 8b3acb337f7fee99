import type { PlannedApp } from "../plan.ts"
import type { Supervision } from "../plugin.ts"
import type { SuperviseOptions } from "./supervision.ts"

export function superviseInChild(app: PlannedApp, _options: SuperviseOptions): Promise<Supervision> {
  return Promise.reject(new Error(`${app.spec.name}: not yet`))
}
