/**
 * Keys that only root may read. A front reads what the config names as `key` and `cert` before it drops root's rights;
 * the web layer, set up afterwards beside third-party code, asks here.
 */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { Config, Tree } from "../config/config.ts"

const kept = new Map<string, Buffer>()

/** Called with root's rights. What cannot be read now is an error of whoever asks for it later. */
export function keepPrivateFiles(config: Config): void {
  for (const path of namedFiles(config.tree)) {
    const file = resolve(config.dir, path)
    try {
      kept.set(file, readFileSync(file))
    } catch {
      // The one who needs it says so, with its place in the config.
    }
  }
}

/** As readFileSync, also after the rights are gone. `file` is absolute. */
export function readPrivateFile(file: string): Buffer {
  return kept.get(file) ?? readFileSync(file)
}

function namedFiles(tree: Tree): string[] {
  if (typeof tree !== "object" || tree === null) return []
  if (Array.isArray(tree)) return tree.flatMap(namedFiles)
  const { cert, key } = tree
  const own = typeof cert === "string" && typeof key === "string" ? [cert, key] : []
  return [...own, ...Object.values(tree).flatMap(namedFiles)]
}
