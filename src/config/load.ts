/** A config file and what it includes -> Config: parsed, merged, variables filled in. Nothing is checked yet. */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { ConfigError, EdgeError, errors, formatPlace, type Problem, reason, showFile } from "../errors.ts"
import { Config } from "./config.ts"
import { type Env, fillVariables } from "./env.ts"
import { formatPath, type Path } from "./path.ts"
import { type Entry, type Node, parseToml, type TableNode } from "./toml.ts"

export interface LoadOptions {
  /** Default: the environment of this process. */
  env?: Env
}

export async function loadConfig(file: string, options: LoadOptions = {}): Promise<Config> {
  const main = resolve(file)
  const text = await readFile(main, "utf8").catch((error: unknown) => {
    throw new EdgeError(errors.noFile(showFile(main), why(error)), { cause: error })
  })
  return configFromText(text, { file: main, env: options.env })
}

/** A config that is not (or not yet) in a file; `file` names it in errors and its folder is where paths start. */
export async function configFromText(text: string, options: { file: string; env?: Env }): Promise<Config> {
  const { file } = options
  const root = await parseToml(text, file)
  const problems: Problem[] = []
  const files = [file]
  const include = root.entries.get("include")
  root.entries.delete("include")
  if (include !== undefined) {
    for (const included of await findIncluded(include, { dir: dirname(file), problems })) {
      if (files.includes(included)) continue
      files.push(included)
      await addFile(root, included, problems)
    }
  }
  fillVariables(root, { env: options.env ?? process.env, problems })
  if (problems.length > 0) throw new ConfigError(problems)
  return Config.fromNodes(root, { file, dir: dirname(file), files })
}

async function addFile(root: TableNode, file: string, problems: Problem[]): Promise<void> {
  try {
    const table = await parseToml(await readFile(file, "utf8"), file)
    const nested = table.entries.get("include")
    if (nested === undefined) mergeTables(root, table, { at: [], problems })
    else problems.push({ ...errors.includeNested(), place: nested.key })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    problems.push(...error.problems)
  }
}

/** Files in the order of the list, and by name within a glob, so that every start reads the same. */
async function findIncluded(include: Entry, options: { dir: string; problems: Problem[] }): Promise<string[]> {
  const { dir, problems } = options
  if (include.node.kind !== "list") {
    problems.push({ ...errors.includeType(showNode(include.node)), place: include.node.at })
    return []
  }
  const found: string[] = []
  for (const item of include.node.items) {
    if (item.kind !== "scalar" || typeof item.value !== "string") {
      problems.push({ ...errors.includeType(showNode(item)), place: item.at })
      continue
    }
    const matches = filesLike(resolve(dir, item.value))
    // A glob may match nothing yet ("sites/*.toml" of a fresh server); a name must.
    if (matches === undefined) problems.push({ ...errors.includeNothing(item.value), place: item.at })
    else found.push(...matches)
  }
  return found
}

function showNode(node: Node): string {
  return node.kind === "scalar" ? JSON.stringify(node.value) : `a ${node.kind}`
}

/** Undefined when it is no glob and there is no such file. */
function filesLike(pattern: string): readonly string[] | undefined {
  const wild = pattern.search(/[*?[{]/)
  if (wild < 0) return existsSync(pattern) ? [pattern] : undefined
  const base = pattern.lastIndexOf("/", wild)
  const cwd = pattern.slice(0, base) || "/"
  if (!existsSync(cwd)) return []
  const glob = new Bun.Glob(pattern.slice(base + 1))
  return [...glob.scanSync({ cwd, absolute: true, onlyFiles: true })].toSorted()
}

/** Tables are merged, `[[lists of tables]]` appended; the same key twice is an error that names both places. */
function mergeTables(into: TableNode, from: TableNode, { at, problems }: { at: Path; problems: Problem[] }): void {
  for (const [name, entry] of from.entries) {
    const path = [...at, name]
    const known = into.entries.get(name)
    if (known === undefined) into.entries.set(name, entry)
    else if (known.node.kind === "table" && entry.node.kind === "table") mergeTables(known.node, entry.node, { at: path, problems })
    else if (known.node.kind === "list" && known.node.tables && entry.node.kind === "list" && entry.node.tables) {
      known.node.items.push(...entry.node.items)
    } else problems.push({ ...errors.conflict(formatPlace(known.key)), at: formatPath(path), place: entry.key })
  }
}

function why(error: unknown): string {
  const code = (error as { code?: string }).code
  if (code === "ENOENT") return "there is no such file"
  if (code === "EISDIR") return "it is a folder"
  if (code === "EACCES") return "permission denied"
  return reason(error)
}
