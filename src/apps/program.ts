/** Why a program cannot be started: the system blames the program also where its folder is missing. */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { isMissing } from "../system/missing.ts"

export interface Start {
  /** Absolute: where the program runs; a relative path to it begins here. */
  readonly dir: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** What is missing; undefined when the folder and the program are there. */
export function missingForStart(program: string, start: Start): { readonly what: "dir" | "program"; readonly why: string } | undefined {
  const { dir, env } = start
  if (isMissing(dir)) return { what: "dir", why: `there is no folder ${dir}` }
  const PATH = env.PATH ?? process.env.PATH ?? ""
  if (Bun.which(program, { cwd: dir, PATH }) !== null) return undefined
  if (!program.includes("/")) return { what: "program", why: `there is no program ${program} in ${PATH}` }
  const why = whyNot(resolve(dir, program))
  return why === undefined ? undefined : { what: "program", why }
}

/** The words for a start that failed with `error`. */
export function whyNotStarted(program: string, start: Start, error: unknown): string {
  const { code, message } = error as { code?: string; message: string }
  const missing = missingForStart(program, start)
  if (missing !== undefined) return missing.what === "dir" ? missing.why : `cannot run ${program}: ${missing.why}`
  // Both are there for us; a worker is somebody else.
  if (code === "EACCES") return `cannot run ${program}: its user may not enter ${start.dir}, or not run the program`
  return `cannot run ${program}: ${message}`
}

function whyNot(path: string): string | undefined {
  if (isMissing(path)) return `there is no file ${path}`
  try {
    return statSync(path).isDirectory() ? `${path} is a folder` : `${path} may not be run (chmod +x)`
  } catch {
    return undefined
  }
}
