import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/**
 * A folder for this process alone (mode 0700), removed when it ends. What processes that were killed have left of the same
 * kind is removed first: `kind` is a short name, "h2".
 */
export function tempFolder(kind: string): string {
  const prefix = `edge-${kind}-`
  for (const name of readdirSync(tmpdir())) if (isLeftOver(name, prefix)) remove(join(tmpdir(), name))
  const made = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  process.on("exit", () => remove(made))
  return made
}

function isLeftOver(name: string, prefix: string): boolean {
  const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split("-")[0]) : 0
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // Another user's: theirs to remove.
  }
}
