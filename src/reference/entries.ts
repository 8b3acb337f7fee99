/** Every key of site.toml as an entry of the reference, read from the schemas that check it. */
import type { GenericSchema } from "valibot"
import { appCommon, sections } from "../config/kernel-schemas.ts"
import { alternatives, defaultOf, expectedBy, inside, isListSchema, isObjectSchema } from "../config/schema.ts"
import type { Kind, Plugin } from "../plugin.ts"

export interface Entry {
  /** Below its section, as it is written: `limits.head`, `to[].weight`. */
  readonly key: string
  /** What may stand there, in words. */
  readonly types: readonly string[]
  /** As it would stand in the file; "" when there is none. */
  readonly default: string
  /** What it means. */
  readonly help: string
  /** The version that brought it. */
  readonly since: string
}

/** Of keys whose schema does not say `metadata({ since })`. */
export const FIRST_VERSION = "0.1.0"

export interface Section {
  /** `[server]`, `[[site.route]]`, `middleware compress`. */
  readonly title: string
  /** Where its keys stand in a whole config, for looking them up: `server`, `site.route`, `compress`. */
  readonly at: string
  readonly entries: readonly Entry[]
}

export type PluginsByKind = Readonly<Record<Kind, readonly Plugin[]>>

/** In the order of the file: what the kernel has, what layer 1 has, the parts by kind, apps. */
export function sectionsOf(plugins: PluginsByKind, web: Plugin): readonly Section[] {
  return [
    { title: "top of the file", at: "", entries: [include] },
    ...Object.entries(sections).map(([name, schema]) => section(`[${name}]`, name, schema)),
    ...webSections(web.config),
    ...parts(plugins, "handler", "handler"),
    ...parts(plugins, "middleware", "middleware"),
    ...parts(plugins, "balancer", "balancer"),
    section("[app.NAME]", "app", appCommon),
    ...parts(plugins, "gateway", "gateway"),
    ...parts(plugins, "runtime", "runtime"),
    ...parts(plugins, "framework", "framework"),
    ...parts(plugins, "store", "store"),
  ]
}

const include: Entry = { key: "include", types: ["a list"], default: "", help: "Files or globs that are added to this one", since: FIRST_VERSION }

/** `[[site]]` and `[[site.route]]` have a section each; whatever else layer 1 takes stands beside them. */
function webSections(schema: GenericSchema): readonly Section[] {
  const { entries = {} } = inside(schema)
  return Object.entries(entries).flatMap(([name, child]) => {
    const item = itemOf(child)
    if (item === undefined) return [section(`[${name}]`, name, child)]
    const { route, ...others } = inside(item).entries ?? {}
    const site = { title: `[[${name}]]`, at: name, entries: Object.entries(others).flatMap(([key, one]) => walk(key, one)) }
    const routes = route === undefined ? undefined : itemOf(route)
    return routes === undefined ? [site] : [site, section(`[[${name}.route]]`, `${name}.route`, routes)]
  })
}

function itemOf(schema: GenericSchema): GenericSchema | undefined {
  return alternatives(schema).map(one => inside(one).item).find(one => one !== undefined && isObjectSchema(one))
}

function parts(plugins: PluginsByKind, kind: Kind, title: string): readonly Section[] {
  return plugins[kind].map(({ name, config }) => section(`${title} ${name}`, kind === "runtime" || kind === "gateway" || kind === "framework" ? "app" : name, config))
}

function section(title: string, at: string, schema: GenericSchema): Section {
  const tables = alternatives(schema).filter(isObjectSchema)
  // A part that also takes a short form ("respond = "hello"") says so in an entry of its own.
  const short = tables.length < alternatives(schema).length ? [entry("", schema)] : []
  return { title, at, entries: [...short, ...tables.flatMap(table => below("", table))] }
}

function below(prefix: string, table: GenericSchema): readonly Entry[] {
  const { entries, type, value, options } = inside(table)
  if (type === "intersect") return (options as readonly GenericSchema[]).flatMap(one => below(prefix, one))
  if (type === "record" && value !== undefined) return tablesIn(value).flatMap(one => below(`${prefix}NAME.`, one))
  return Object.entries(entries ?? {}).flatMap(([key, child]) => walk(prefix + key, child))
}

function walk(key: string, schema: GenericSchema): readonly Entry[] {
  const own = entry(key, schema)
  const inner = alternatives(schema).flatMap(one => {
    if (isObjectSchema(one)) return below(`${key}.`, one)
    const { item } = inside(one)
    return isListSchema(one) && item !== undefined ? tablesIn(item).flatMap(table => below(`${key}[].`, table)) : []
  })
  // Alternatives may share keys: one line each.
  return [own, ...inner.filter(({ key: name }, i) => inner.findIndex(other => other.key === name) === i)]
}

function entry(key: string, schema: GenericSchema): Entry {
  const since = said(schema, action => action.metadata?.since) ?? FIRST_VERSION
  return { key, types: words(schema), default: written(defaultOf(schema)), help: said(schema, action => action.description) ?? "", since }
}

function tablesIn(schema: GenericSchema): readonly GenericSchema[] {
  return alternatives(schema).filter(isObjectSchema)
}

function words(schema: GenericSchema): readonly string[] {
  const found = expectedBy([schema])
  return found.includes("true") && found.includes("false") ? ["true or false", ...found.filter(word => word !== "true" && word !== "false")] : found
}

/** A default that is a table or nothing says itself by the defaults of its keys. */
function written(value: unknown): string {
  if (value === undefined || value === null) return ""
  if (Array.isArray(value)) return value.length === 0 ? "" : `[${value.map(written).join(", ")}]`
  return typeof value === "object" ? "" : JSON.stringify(value)
}

interface Action {
  readonly description?: string
  readonly metadata?: { readonly since?: string }
}

/** What a schema says of itself, or what it wraps, or what its pipe begins with. */
function said(schema: GenericSchema, read: (action: Action) => string | undefined): string | undefined {
  const { pipe = [], wrapped } = inside(schema)
  for (const action of pipe.toReversed() as Action[]) {
    const found = read(action)
    if (found !== undefined) return found
  }
  const [first] = pipe as readonly GenericSchema[]
  const inner = first === undefined || first === schema ? undefined : said(first, read)
  return inner ?? (wrapped === undefined ? undefined : said(wrapped, read))
}
