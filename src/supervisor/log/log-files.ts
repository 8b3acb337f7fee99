import { closeSync, constants, fchownSync, openSync } from "node:fs"
import type { Plan } from "../../generation/plan.ts"
import type { Identity } from "../../system/identity.ts"

/**
 * Fronts open the access logs with their own rights but may not be allowed to make it: folders of logs belong to root. It
 * is made here, for them, before they open it (at the start, a reload, and USR1 after a rotation). A link is left to the
 * fronts: if their user can write to the folder, root following it would give any file away (CVE-2016-1247).
 */
export function prepareLogs({ log: { access }, logFiles }: Plan, fronts: Identity | undefined): void {
  const server = access.format === "off" || access.path === "-" ? [] : [access.path]
  for (const file of new Set([...server, ...logFiles])) prepareLog(file, fronts)
}

function prepareLog(file: string, fronts: Identity | undefined): void {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  try {
    // A named pipe without a reader would block for ever.
    const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640)
    if (fronts !== undefined) fchownSync(fd, fronts.uid, fronts.gid)
    closeSync(fd)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === "ELOOP" || code === "ENXIO") return
    throw new Error(`cannot open the access log: ${message}`, { cause: error })
  }
}
