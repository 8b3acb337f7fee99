/** The reference of what ships with edge. */
import type { Kind, Plugin } from "../plugin.ts"
import { standard } from "../standard.ts"
import { type PluginsByKind, type Section, sectionsOf } from "./entries.ts"

export async function standardSections(): Promise<readonly Section[]> {
  const kinds = Object.entries(standard) as [Kind, Record<string, () => Promise<{ default: unknown }>>][]
  const loaded = kinds.map(async ([kind, plugins]) => {
    const modules = await Promise.all(Object.values(plugins).map(load => load()))
    return [kind, modules.map(module => module.default as Plugin)] as const
  })
  const plugins = Object.fromEntries(await Promise.all(loaded)) as unknown as PluginsByKind
  return sectionsOf(plugins, plugins.web[0]!)
}
