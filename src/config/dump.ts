/** The config in force as TOML: includes merged, variables filled in, defaults written out. It checks to the same again. */
import type { GenericSchema } from "valibot"
import type { Config } from "./config.ts"
import { appCommon, sections } from "./kernel-schemas.ts"
import type { Path } from "./path.ts"
import { alternatives, defaultOf, inside, isObjectSchema } from "./schema.ts"

/** A part that was set up: where its options stand and what they may be. */
export interface DumpedPart {
  readonly path: Path
  readonly schema: GenericSchema
}

type Table = Record<string, unknown>

export function dumpConfig(config: Config, parts: readonly DumpedPart[]): string {
  const tree = structuredClone(config.tree) as Table
  for (const [name, schema] of Object.entries(sections)) {
    if (name === "plugins" && tree[name] === undefined) continue
    tree[name] = withDefaults(schema, tree[name] ?? {})
  }
  const apps = (tree["app"] ?? {}) as Table
  for (const [name, app] of Object.entries(apps)) apps[name] = withDefaults(appCommon, app)
  for (const { path, schema } of parts) setAt(tree, path, old => withDefaults(schema, old ?? {}))
  return toToml(tree)
}

/** What is not written gets the default of its schema, all the way down; the shape that was chosen stays. */
function withDefaults(schema: GenericSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const item = alternatives(schema).map(one => inside(one).item).find(one => one !== undefined)
    return item === undefined ? value : value.map(one => withDefaults(item, one))
  }
  if (typeof value !== "object" || value === null) return value
  const table = { ...(value as Table) }
  const chosen = alternatives(schema).filter(isObjectSchema)
  const [only] = chosen
  // Among several shapes of a table, nobody knows here which one was meant.
  if (only === undefined || chosen.length > 1) return table
  const { entries = {}, value: each, type } = inside(only)
  for (const [key, child] of Object.entries(entries)) {
    const found = table[key] ?? defaultOf(child)
    if (found !== undefined) table[key] = withDefaults(child, found)
  }
  if (type === "record" && each !== undefined) for (const key in table) table[key] = withDefaults(each, table[key])
  return table
}

/** A bare name (`use = ["compress"]`) stays bare: there is no table to fill. */
function setAt(tree: Table, path: Path, change: (old: unknown) => unknown): void {
  if (path.length === 0) {
    Object.assign(tree, change(tree))
    return
  }
  let parent: unknown = tree
  for (const part of path.slice(0, -1)) parent = (parent as Record<string | number, unknown> | undefined)?.[part]
  const last = path[path.length - 1]!
  if (typeof parent !== "object" || parent === null) return
  const old = (parent as Record<string | number, unknown>)[last]
  if (typeof old === "object" && old !== null) (parent as Record<string | number, unknown>)[last] = change(old)
}

/** Plain values first, then `[tables]`, then `[[lists of tables]]`: TOML's own order. */
function toToml(tree: Table): string {
  const lines: string[] = []
  writeTable(tree, { path: [], lines })
  return lines.join("\n").trim()
}

function writeTable(table: Table, { path, lines }: { path: readonly string[]; lines: string[] }): void {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined)
  // Below the first two levels inline tables read better than headers.
  const blocks = path.length < 2 ? entries.filter(([, value]) => isBlock(value)) : entries.filter(([, value]) => isTableList(value) && path.length < 3)
  for (const entry of entries) {
    if (!blocks.includes(entry)) lines.push(`${toKey(entry[0])} = ${inline(entry[1])}`)
  }
  for (const [key, value] of blocks) {
    const inner = [...path, key]
    const name = inner.map(toKey).join(".")
    for (const one of Array.isArray(value) ? value : [value]) {
      // `[app]` above `[app.blog]` would say nothing.
      if (Array.isArray(value)) lines.push("", `[[${name}]]`)
      else if (Object.values(one as Table).some(child => !isBlock(child))) lines.push("", `[${name}]`)
      writeTable(one as Table, { path: inner, lines })
    }
  }
}

function inline(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`
  if (isTable(value)) {
    const entries = Object.entries(value).filter(([, child]) => child !== undefined)
    return entries.length === 0 ? "{}" : `{ ${entries.map(([key, child]) => `${toKey(key)} = ${inline(child)}`).join(", ")} }`
  }
  return typeof value === "string" ? tomlString(value) : String(value)
}

/** JSON's escapes are TOML's; `$${` keeps a literal `${` from being taken for a variable when it is read. */
export function tomlString(text: string): string {
  return JSON.stringify(text.replaceAll("${", () => "$${")).replaceAll("\u007f", "\\u007f")
}

function toKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key)
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isBlock(value: unknown): boolean {
  return isTableList(value) || (isTable(value) && Object.keys(value).length > 0)
}

function isTableList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isTable)
}
