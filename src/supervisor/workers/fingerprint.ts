/** Tells whether an app's files changed since its workers were started. Names, sizes and times; nothing is read. */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

/** An app that has more files than this is judged by the first of them, breadth first. */
const MOST_FILES = 5000
/** What a package manager, a tool or the running app itself writes. */
const SKIPPED_FOLDERS = new Set(["node_modules", "venv", "site-packages", "__pycache__", "dist", "target", "tmp", "log", "logs", "media", "uploads"])
const SKIPPED_FILES = /\.(?:log|pid|sock|pyc|db|sqlite3?)(?:-(?:wal|shm|journal))?$/

/** `only`: files whose name matches. */
export function fingerprint(dir: string, { only }: { only?: RegExp } = {}): string {
  const hash = new Bun.CryptoHasher("sha1")
  for (const path of filesBelow(dir)) {
    if (only !== undefined && !only.test(path)) continue
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat !== undefined) hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\0${stat.ino}\n`)
  }
  return hash.digest("base64")
}

function filesBelow(dir: string): string[] {
  const files: string[] = []
  const folders = [dir]
  while (folders.length > 0 && files.length < MOST_FILES) {
    const folder = folders.shift()!
    for (const entry of list(folder)) {
      if (entry.name.startsWith(".")) continue
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) folders.push(join(folder, entry.name))
      } else if (!SKIPPED_FILES.test(entry.name) && !entry.isSocket()) files.push(join(folder, entry.name))
      if (files.length >= MOST_FILES) break
    }
  }
  return files
}

/** In the order of names: the order of the folder itself may change when nothing else does. */
function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  } catch {
    return []
  }
}
