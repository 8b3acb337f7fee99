import { statSync } from "node:fs"

/** Nothing is there. What we may not look at is not missing: it may be for others, as an app's folder is for its own user. */
export function isMissing(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (error) {
    const { code } = error as { code?: string }
    return code === "ENOENT" || code === "ENOTDIR"
  }
}
