/** `edge schema`: for editors that check TOML by JSON Schema (taplo, Even Better TOML). */
import { siteSchema } from "../config/json-schema.ts"
import { configFromText, loadConfig } from "../config/load.ts"
import { ConfigError, type Problem } from "../errors.ts"
import type { Plugin } from "../contract/plugin.ts"
import { kinds, Registry } from "../registry/registry.ts"

export async function run({ config: file }: { readonly config?: string }): Promise<void> {
  const config = file === undefined ? await configFromText("", { file: "site.toml" }) : await loadConfig(file)
  const problems: Problem[] = []
  const registry = await Registry.open(config, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  const byKind = Object.fromEntries(
    await Promise.all(kinds.map(async kind => [kind, await all(registry, kind)] as const)),
  ) as Record<(typeof kinds)[number], readonly Plugin[]>
  const { web } = config.readKernel().kernel.layers
  console.log(JSON.stringify(siteSchema(byKind, byKind.web.find(({ name }) => name === web)), null, 2))
}

async function all(registry: Registry, kind: (typeof kinds)[number]): Promise<readonly Plugin[]> {
  const found = await Promise.all(registry.names(kind).map(name => registry.find(kind, name)))
  return found.flatMap(one => (one === undefined ? [] : [one.plugin as Plugin]))
}
