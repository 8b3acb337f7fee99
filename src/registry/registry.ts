/** (kind, name) -> plugin: the first-party ones, loaded when named, and the third-party ones of [plugins]. */
import { existsSync } from "node:fs"
import { isAbsolute, resolve } from "node:path"
import { locateError, formatLocated } from "./source-location.ts"
import type { Config } from "../config/config.ts"
import { list, didYouMean } from "../config/suggest.ts"
import { EdgeError, errors, type Problem, showFile } from "../errors.ts"
import { serveModules, servePluginModules } from "./modules.ts"
import { hookNames } from "./hooks.ts"
import type { Hooks, Kind, Plugin, Role } from "../contract/plugin.ts"
import { standard } from "../standard.ts"

export interface Registered<K extends Kind = Kind> {
  readonly plugin: Plugin<K>
  /** File of a third-party plugin; undefined for first-party ones. */
  readonly file?: string
}

export const kinds = Object.keys(standard) as readonly Kind[]

export class Registry {
  readonly #others = new Map<string, Registered & { label: string }>()
  #whole = true

  /** Imports the third-party plugins; what is wrong with one is a problem, and the others are loaded all the same. */
  static async open(config: Config, problems: Problem[]): Promise<Registry> {
    serveModules()
    const registry = new Registry()
    const { kernel } = config.readKernel()
    const loads = Object.entries(kernel.plugins).map(async ([label, source]) => {
      try {
        const file = resolvePlugin(source, config.dir)
        return { label, file, plugins: await importPlugins(file, label) }
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error
        return { label, error }
      }
    })
    for (const loaded of await Promise.all(loads)) {
      const error = loaded.error ?? registry.#addAll(loaded)
      if (error === undefined) continue
      registry.#whole = false
      const path = ["plugins", loaded.label]
      problems.push({ code: error.code, message: error.message, place: config.placeOf(path), at: `plugins.${loaded.label}` })
    }
    return registry
  }

  /** One third-party file without a config: what a worker does for its framework. */
  static async ofFile(file: string): Promise<Registry> {
    serveModules()
    const registry = new Registry()
    const error = registry.#addAll({ label: file, file, plugins: await importPlugins(file, file) })
    if (error !== undefined) throw error
    return registry
  }

  names(kind: Kind): readonly string[] {
    const others = [...this.#others.values()].filter(other => other.plugin.kind === kind).map(other => other.plugin.name)
    return [...Object.keys(standard[kind]), ...others]
  }

  /** Undefined when there is none of that name. */
  async find<K extends Kind>(kind: K, name: string): Promise<Registered<K> | undefined> {
    const other = this.#others.get(id(kind, name))
    if (other !== undefined) return other as unknown as Registered<K>
    const load = Object.hasOwn(standard[kind], name) ? standard[kind][name] : undefined
    if (load === undefined) return undefined
    serveModules()
    const plugin = (await load()).default as unknown as Plugin<K>
    servePluginModules(plugin.modules ?? {}, `${kind} ${name}`)
    return { plugin }
  }

  /** Of the third-party plugins, in the order of [plugins]. */
  get hooks(): readonly { readonly plugin: string; readonly hooks: Hooks }[] {
    return [...this.#others.values()].flatMap(({ plugin }) =>
      plugin.hooks === undefined ? [] : [{ plugin: plugin.name, hooks: plugin.hooks }],
    )
  }

  /** False when a plugin could not be loaded: a name that is not known may be one that it would have brought. */
  get isWhole(): boolean {
    return this.#whole
  }

  #addAll({ label, file, plugins }: { label: string; file: string; plugins: readonly Plugin[] }): EdgeError | undefined {
    for (const plugin of plugins) {
      const { kind, name } = plugin
      const other = this.#others.get(id(kind, name))
      if (other !== undefined) return new EdgeError(errors.pluginTwice(kind, name, `[plugins] ${other.label}`))
      if (Object.hasOwn(standard[kind], name)) return new EdgeError(errors.pluginTwice(kind, name, "edge itself"))
      this.#others.set(id(kind, name), { plugin, file, label })
      try {
        servePluginModules(plugin.modules ?? {}, label)
      } catch (error) {
        if (error instanceof EdgeError) return error
        throw error
      }
    }
    return undefined
  }
}

function id(kind: string, name: string): string {
  return `${kind} ${name}`
}

/** A file, a folder (package.json or index), or an npm package found from the config's folder. */
export function resolvePlugin(source: string, dir: string): string {
  const path = resolve(dir, source)
  const isPath = isAbsolute(source) || /^\.\.?\//.test(source) || /\.[cm]?[jt]sx?$/.test(source) || existsSync(path)
  try {
    // Not a bare import(): in a compiled executable that looks from the working directory.
    return Bun.resolveSync(isPath ? path : source, dir)
  } catch (error) {
    if (isPath && existsSync(path)) {
      throw new EdgeError(errors.pluginFile(source, "the folder has no package.json with main, and no index.ts"), { cause: error })
    }
    const why = isPath ? `there is no file ${showFile(path)}` : `there is no such file, and no such package in a node_modules from ${dir} up`
    throw new EdgeError(errors.pluginFile(source, why), { cause: error })
  }
}

async function importPlugins(file: string, label: string): Promise<readonly Plugin[]> {
  let module: Record<string, unknown>
  try {
    module = (await import(file)) as Record<string, unknown>
  } catch (error) {
    throw new EdgeError(errors.pluginImport(label, formatLocated(locateError(error, file))), { cause: error })
  }
  const main = module["default"]
  const found = main === undefined ? Object.values(module).filter(looksLikePlugin) : Array.isArray(main) ? main : [main]
  const bad = (why: string): EdgeError => new EdgeError(errors.pluginShape(label, showFile(file), why))
  if (found.length === 0) throw bad("it exports no plugin; write export default definePlugin({ ... })")
  for (const plugin of found) {
    const why = whatIsWrong(plugin)
    if (why !== undefined) throw bad(why)
  }
  return found as readonly Plugin[]
}

const roles: readonly Role[] = ["access", "cache"]

function looksLikePlugin(value: unknown): boolean {
  return typeof value === "object" && value !== null && "setup" in value && "kind" in value
}

/** Plugins may be plain JavaScript, so nothing that the types promise is taken for granted. */
function whatIsWrong(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return `its default export is ${value === null ? "null" : `a ${typeof value}`}, not a plugin`
  const plugin = value as Partial<Record<keyof Plugin, unknown>>
  if (typeof plugin.name !== "string" || plugin.name === "") return "it has no name"
  if (!kinds.includes(plugin.kind as Kind)) {
    const has = plugin.kind === undefined ? "it has no kind" : `its kind is ${JSON.stringify(plugin.kind)}`
    return `${has}; a kind is ${list(kinds)}`
  }
  for (const [hook, run] of Object.entries((plugin.hooks ?? {}) as object)) {
    if (!hookNames.includes(hook as never)) return `there is no hook "${hook}"${didYouMean(hook, hookNames, { list: "known" })}`
    if (typeof run !== "function") return `its hook ${hook} is not a function`
  }
  const { role } = plugin
  if (role !== undefined && !roles.includes(role as Role)) return `its role is ${JSON.stringify(role)}; a role is ${list(roles)}`
  if (role !== undefined && plugin.kind !== "middleware") return `it has a role, and is no middleware but a ${String(plugin.kind)}`
  if (typeof plugin.setup !== "function") return "it has no function setup(config, ctx)"
  const config = plugin.config as { kind?: unknown; "~run"?: unknown } | undefined
  if (config?.kind !== "schema" || typeof config["~run"] !== "function") return "its config is not a valibot schema"
  return undefined
}

