/**
 * What the config names as `key` and `cert`. Only root may read keys, and the web layer is set up after root's rights are
 * gone, beside third-party code: it asks here. Fronts are given what the supervisor read when their config was taken up, so
 * that one which is started anew a month later serves what was checked, not what somebody is just writing.
 */
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import type { ConfigJson, Tree } from "../config/config.ts"

/** Absolute path -> bytes in base64: plain data that crosses to a front. */
export type PrivateFiles = Readonly<Record<string, string>>

const kept = new Map<string, Buffer>()

/** Called with root's rights. What cannot be read now is an error of whoever asks for it later. */
export function readPrivateFiles({ tree, dir }: Pick<ConfigJson, "tree" | "dir">): PrivateFiles {
  const files: Record<string, string> = {}
  for (const path of namedPairs(tree).flat()) {
    const file = resolve(dir, path)
    try {
      files[file] = readFileSync(file, "base64")
    } catch {
      // The one who needs it says so, with its place in the config.
    }
  }
  return files
}

export function keepPrivateFiles(files: PrivateFiles): void {
  for (const [file, bytes] of Object.entries(files)) kept.set(file, Buffer.from(bytes, "base64"))
}

/** As readFileSync, also after the rights are gone. `file` is absolute. */
export function readPrivateFile(file: string): Buffer {
  return kept.get(file) ?? readFileSync(file)
}

/** Certificates and their keys, as the config writes them. */
export function namedPairs(tree: Tree): (readonly [cert: string, key: string])[] {
  if (typeof tree !== "object" || tree === null) return []
  if (Array.isArray(tree)) return tree.flatMap(namedPairs)
  const { cert, key } = tree
  const own = typeof cert === "string" && typeof key === "string" ? [[cert, key] as const] : []
  return [...own, ...Object.values(tree).flatMap(namedPairs)]
}
