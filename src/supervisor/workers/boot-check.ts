/** `edge check --apps`: starts one worker of each app, as the supervisor would, and stops it again. */
import type { Server } from "../../config/kernel.ts"
import { reason } from "../../errors.ts"
import type { Logger } from "../../log/logger.ts"
import type { PlannedApp } from "../../generation/plan.ts"
import type { WorkerProcess } from "../../contract/gateway.ts"
import { Guard } from "../reaper.ts"
import { findIdentity, type Identity, isRoot } from "../../system/identity.ts"
import { RunFolder, writeFiles } from "../run-folder.ts"
import { startWorker } from "./spawn.ts"

/** How long a worker may take to go when it was asked to. */
const STOP_MS = 5000

export interface BootOptions {
  readonly log: Logger
  readonly server: Server
}

/** App -> why it cannot start; those that can, and those without workers, are not in it. */
export async function bootOnce(apps: readonly PlannedApp[], options: BootOptions): Promise<Map<string, string>> {
  const failed = new Map<string, string>()
  const guard = new Guard()
  const folder = new RunFolder(path => guard.start(path))
  try {
    for (const app of apps) {
      try {
        if (app.launch !== undefined) await bootWorker(app, { ...options, guard, folder })
      } catch (error) {
        failed.set(app.spec.name, reason(error))
      }
    }
  } finally {
    guard.close()
    folder.remove()
  }
  return failed
}

async function bootWorker({ spec, launch }: PlannedApp, options: BootOptions & { guard: Guard; folder: RunFolder }): Promise<void> {
  const { folder, guard, server } = options
  const fronts = server.user !== undefined && isRoot() ? findIdentity(server.user, server.group) : undefined
  const identity = identityOf(spec, fronts)
  const { path: run } = folder.poolFolder(identity, fronts)
  if (launch!.files !== undefined) writeFiles(run, launch!.files, identity)
  // What it prints, and why it cannot start, is in the error.
  const log: Logger = { ...options.log.with({ app: spec.name }), error: () => {}, always: undefined }
  await stop(await startWorker({ app: spec, launch: launch!, index: 0, serial: 1, run, identity, fronts, guard, log }))
}

/** As pools.ts does: without a user of its own an app runs as the fronts do. */
function identityOf({ user, group }: PlannedApp["spec"], fronts: Identity | undefined): Identity | undefined {
  if (!isRoot()) return undefined
  return user === undefined ? fronts : findIdentity(user, group)
}

async function stop(worker: WorkerProcess): Promise<void> {
  if (worker.drain === undefined) worker.kill("SIGTERM")
  else worker.drain()
  const late = setTimeout(() => worker.kill("SIGKILL"), STOP_MS)
  await worker.exited
  clearTimeout(late)
}
