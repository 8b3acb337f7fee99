/** Source locations: the line of an author's file at fault, for a module that cannot be imported, or for something it threw. */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { formatPlace, type Place, reason } from "../errors.ts"

export interface LocatedError {
  readonly message: string
  readonly place: Place
}

/** `error` was thrown by `import(file)`, or later by code of that file's folder. */
export function locateError(error: unknown, file: string): LocatedError {
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error
  const place = builderPlace(first) ?? missingExportPlace(first, file) ?? missingModulePlace(first) ?? stackPlace(first, file)
  return { message: tidy(reason(first)), place: place ?? { file, line: 1, column: 1 } }
}

/** `plugins/hello.ts:3:10: boom`. */
export function formatLocated({ place, message }: LocatedError): string {
  return `${formatPlace(place)}: ${message}`
}

/** Bun's own BuildMessage (syntax) and ResolveMessage (module not found) know their place. */
function builderPlace(error: unknown): Place | undefined {
  const position = (error as { position?: { file?: string; line?: number; column?: number } | null }).position
  if (!position?.file || !position.line) return undefined
  return { file: position.file, line: position.line, column: Math.max(1, position.column ?? 1) }
}

/**
 * `Export named 'Hon' not found in module 'hono'.` (and for a re-export `export 'c' not found in './c.ts'`) come without
 * a place: find the import that asks for it.
 */
function missingExportPlace(error: unknown, file: string): Place | undefined {
  const [, name, module] = /^export (?:named )?'(.+)' not found in (?:module )?'(.+?)'/i.exec(reason(error)) ?? []
  if (name === undefined || module === undefined) return undefined
  return findImport({ name, module, file, seen: new Set() })
}

/** `Cannot find module './none.ts' imported from '/app/app.ts'`: the line of that file that names it. */
function missingModulePlace(error: unknown): Place | undefined {
  const [, module, file] = /^Cannot find (?:module|package) '(.+?)' (?:imported )?from '?(.+?)'?$/.exec(reason(error).trim()) ?? []
  if (module === undefined || file === undefined) return undefined
  const source = readSource(file)
  const offset = Math.max(source.indexOf(`"${module}"`), source.indexOf(`'${module}'`))
  return offset < 0 ? undefined : positionOf(source, { file, offset })
}

/** So many files of an author are read to find the import: the entry is nearly always it. */
const FILES_MAX = 200

function findImport(wanted: { name: string; module: string; file: string; seen: Set<string> }): Place | undefined {
  const { name, module, file, seen } = wanted
  if (seen.has(file) || seen.size > FILES_MAX) return undefined
  seen.add(file)
  const source = readSource(file)
  const below: string[] = []
  for (const match of source.matchAll(/\b(?:import|export)\b([^;'"]*)\bfrom\s*["']([^"']+)["']/g)) {
    const [, clause = "", from = ""] = match
    const target = resolveFrom(from, file)
    const asked = new RegExp(`(^|[^\\w$])${name.replaceAll("$", "\\$")}($|[^\\w$])`).exec(clause)
    if ((from === module || target === module) && asked !== null) {
      const clauseAt = match.index + match[0].indexOf(clause)
      return positionOf(source, { file, offset: clauseAt + asked.index + (asked[1]?.length ?? 0) })
    }
    if (from.startsWith(".") && target !== undefined) below.push(target)
  }
  for (const next of below) {
    const place = findImport({ ...wanted, file: next })
    if (place !== undefined) return place
  }
  return undefined
}

function readSource(file: string): string {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

function resolveFrom(from: string, file: string): string | undefined {
  try {
    return Bun.resolveSync(from, dirname(file))
  } catch {
    return from.startsWith(".") ? resolve(dirname(file), from) : undefined
  }
}

function positionOf(source: string, { file, offset }: { file: string; offset: number }): Place {
  const before = source.slice(0, offset)
  return { file, line: before.split("\n").length, column: offset - before.lastIndexOf("\n") }
}

/** The innermost frame in the author's own folder: what is above it is edge's or a library's. */
function stackPlace(error: unknown, file: string): Place | undefined {
  const stack = error instanceof Error ? (error.stack ?? "") : ""
  const folder = dirname(file)
  for (const line of stack.split("\n")) {
    const [, where = "", row, column] = /(?:\(|at )((?:file:\/\/)?\/[^()]+?):(\d+):(\d+)\)?$/.exec(line) ?? []
    const path = where.replace(/^file:\/\//, "")
    if (row !== undefined && column !== undefined && path.startsWith(folder)) {
      return { file: path, line: Number(row), column: Number(column) }
    }
  }
  return undefined
}

/** Bun ends some messages with a newline or several, and names files of our own that nobody can look into. */
function tidy(message: string): string {
  return message.trim().replace(/\s*\n\s*/g, " ").replace(/ imported from '?\/\$bunfs\/\S*/, "")
}
