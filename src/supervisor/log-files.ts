import { closeSync, constants, fchownSync, openSync } from "node:fs"
import type { LogConfig } from "../config/kernel.ts"
import type { Identity } from "./identity.ts"

/**
 * Fronts open the access log with their own rights but may not be allowed to make it: folders of logs belong to root. It
 * is made here, for them, before they open it (at the start, a reload, and USR1 after a rotation). A link is left to the
 * fronts: if their user can write to the folder, root following it would give any file away (CVE-2016-1247).
 */
export function prepareLog({ access }: LogConfig, fronts: Identity | undefined): void {
  if (access.format === "off" || access.path === "-") return
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  try {
    // A named pipe without a reader would block for ever.
    const fd = openSync(access.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o640)
    if (fronts !== undefined) fchownSync(fd, fronts.uid, fronts.gid)
    closeSync(fd)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === "ELOOP" || code === "ENXIO") return
    throw new Error(`cannot open the access log: ${message}`, { cause: error })
  }
}
