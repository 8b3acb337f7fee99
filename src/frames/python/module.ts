/** Whether a Python app's module is there, without running any of its code: for `edge check`. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { AppSpec } from "../../contract/gateway.ts"

/** The first name only: to look below it Python would import it, which runs the app's code. */
const SEARCH = "import importlib.util, sys; sys.path.insert(0, sys.argv[1]); sys.exit(3 if importlib.util.find_spec(sys.argv[2]) is None else 0)"
const NOT_FOUND = 3
const SEARCH_MS = 10_000

/** Why it is not; undefined when it is, or when only an import could tell. `python` as in the launch. */
export function missingModule({ dir, env }: Pick<AppSpec, "dir" | "env">, { python, entry }: { python: string; entry: string }): string | undefined {
  const module = entry.split(":")[0]!
  const names = module.split(".")
  let at = dir
  if (!isOpen(dir)) return undefined
  for (const [i, name] of names.entries()) {
    if (!isThere(at, name)) {
      if (i > 0) return `there is no module ${module} below ${dir}: nothing is named ${join(at, name)}`
      const { exitCode } = Bun.spawnSync([python, "-c", SEARCH, dir, name], { cwd: dir, env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "ignore"], timeout: SEARCH_MS })
      return exitCode === NOT_FOUND ? `there is no module ${name}, neither in ${dir} nor where ${python} looks` : undefined
    }
    at = join(at, name)
    // A module in one file; what is below it, it makes itself.
    if (!existsSync(at)) return undefined
  }
  return undefined
}

/** Others' folders may be closed to us: then only the worker's user can tell. */
function isOpen(folder: string): boolean {
  try {
    readdirSync(folder)
    return true
  } catch {
    return false
  }
}

/** A package's folder, module.py, or a compiled module (module.cpython-313-x86_64-linux-gnu.so). */
function isThere(folder: string, name: string): boolean {
  if (existsSync(join(folder, name)) || existsSync(join(folder, `${name}.py`))) return true
  return isOpen(folder) && readdirSync(folder).some(file => file.startsWith(`${name}.`) && /\.(?:so|pyc|pyd)$/.test(file))
}
