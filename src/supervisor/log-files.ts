import { chownSync, closeSync, openSync } from "node:fs"
import type { LogConfig } from "../config/kernel.ts"
import type { Identity } from "./identity.ts"

/**
 * Fronts write the access log themselves but may not be allowed to make it: folders of logs belong to root. It is made
 * here, for them, before they open it (at the start, a reload, and USR1 after a rotation).
 */
export function prepareLog({ access }: LogConfig, fronts: Identity | undefined): void {
  if (access.format === "off" || access.path === "-") return
  try {
    closeSync(openSync(access.path, "a", 0o640))
    if (fronts !== undefined) chownSync(access.path, fronts.uid, fronts.gid)
  } catch (error) {
    throw new Error(`cannot open the access log: ${(error as Error).message}`, { cause: error })
  }
}
