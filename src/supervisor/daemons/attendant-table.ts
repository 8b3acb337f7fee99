/** The attendants of all apps, and how they follow a new plan. */
import type { AttendantStatus } from "../../control.ts"
import type { Logger } from "../../log/logger.ts"
import type { Plan } from "../../generation/plan.ts"
import type { AppSpec } from "../../contract/gateway.ts"
import { AppLog } from "../log/app-log.ts"
import { Attendants, attendantsShape } from "./attendants.ts"
import type { Cgroups } from "../workers/cgroup.ts"
import { fingerprint } from "../workers/fingerprint.ts"
import type { Guard } from "../reaper.ts"
import { findIdentity, type Identity, isRoot } from "../../system/identity.ts"

interface Entry {
  readonly shape: unknown
  readonly fingerprint: string
  readonly attendants: Attendants
  readonly file: AppLog | undefined
}

export class AttendantTable {
  readonly #parts: { readonly guard: Guard; readonly cgroups: Cgroups }
  readonly #entries = new Map<string, Entry>()

  constructor(parts: { readonly guard: Guard; readonly cgroups: Cgroups }) {
    this.#parts = parts
  }

  /** Those of apps whose config and code are as before go on; `all`: new starts for all. */
  follow(plan: Plan, { fronts, log, all }: { fronts: Identity | undefined; log: Logger; all: boolean }): void {
    const wanted = new Map(plan.apps.filter(({ spec }) => spec.attendants !== undefined).map(({ spec }) => [spec.name, spec]))
    for (const [name, entry] of this.#entries) {
      const spec = wanted.get(name)
      const stays = !all && spec !== undefined && Bun.deepEquals(attendantsShape(spec), entry.shape) && fingerprint(spec.dir) === entry.fingerprint
      if (stays) wanted.delete(name)
      else {
        this.#entries.delete(name)
        // The new ones wait for the old: two of a daemon at once may be what must never be.
        const gone = end(entry)
        if (spec !== undefined) {
          wanted.delete(name)
          void gone.then(() => !this.#entries.has(name) && this.#start(spec, { fronts, log }))
        }
      }
    }
    for (const spec of wanted.values()) this.#start(spec, { fronts, log })
  }

  status(app: string): readonly AttendantStatus[] {
    return this.#entries.get(app)?.attendants.status ?? []
  }

  reopenLogs(): void {
    for (const { file } of this.#entries.values()) file?.reopen()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#entries.values()].map(end))
  }

  #stopped = false

  #start(spec: AppSpec, { fronts, log: parent }: { fronts: Identity | undefined; log: Logger }): void {
    if (this.#stopped) return
    const log = parent.with({ app: spec.name })
    try {
      const identity = !isRoot() ? undefined : spec.user === undefined ? fronts : findIdentity(spec.user, spec.group)
      const file = spec.log === undefined ? undefined : new AppLog(spec.log, log)
      const attendants = new Attendants({ app: spec, run: spec.dir, identity, guard: this.#parts.guard, file, cgroup: this.#cgroup(spec), log })
      this.#entries.set(spec.name, { shape: attendantsShape(spec), fingerprint: fingerprint(spec.dir), attendants, file })
    } catch (error) {
      log.error(`daemons and cron cannot be started: ${(error as Error).message}`)
    }
  }

  /** The workers' own, whose pool has said already when it cannot be had. */
  #cgroup({ name, limits }: AppSpec): string | undefined {
    try {
      return limits?.cgroup === undefined ? undefined : this.#parts.cgroups.group(name, limits.cgroup)
    } catch {
      return undefined
    }
  }
}

async function end({ attendants, file }: Entry): Promise<void> {
  await attendants.stop()
  await file?.close()
}
