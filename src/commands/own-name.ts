/** How a reader's shell calls this executable: hints that cannot be pasted are no hints. */
import { realpathSync } from "node:fs"
import { delimiter, isAbsolute, join, relative } from "node:path"

/** "edge" where the PATH has it, else its path as seen from `dir`: "../edge". */
export function ownName(dir: string): string {
  const own = process.execPath
  if (!/\bedge[^/\\]*$/.test(own)) return "edge"
  const onPath = (process.env["PATH"] ?? "").split(delimiter).some(folder => folder !== "" && isSame(join(folder, "edge"), own))
  if (onPath) return "edge"
  const path = relative(dir, own)
  return isAbsolute(path) || path.startsWith("..") ? path : `./${path}`
}

function isSame(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other)
  } catch {
    return false
  }
}
