/** JSON Schema (draft 7) of a whole site.toml, from the same valibot schemas that check it. */
import { type JsonSchema, toJsonSchema } from "@valibot/to-json-schema"
import type { GenericSchema } from "valibot"
import type { Kind, Plugin } from "../contract/plugin.ts"
import { appCommon, sections } from "./kernel-schemas.ts"

/** What `describe` needs: the known plugins of each kind. */
export type PluginsByKind = Readonly<Record<Kind, readonly Plugin[]>>

export function siteSchema(plugins: PluginsByKind, web: Plugin | undefined): JsonSchema {
  const convert = converter(plugins)
  const kernel = Object.entries(sections).map(([name, schema]) => [name, convert(schema)] as const)
  const own = web === undefined ? {} : (convert(web.config).properties ?? {})
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "site.toml",
    type: "object",
    properties: {
      include: { type: "array", items: { type: "string" }, description: "Files or globs that are added to this one" },
      ...Object.fromEntries(kernel),
      app: { type: "object", additionalProperties: appSchema(plugins, convert), description: "Apps by name" },
      ...own,
    },
    additionalProperties: false,
  }
}

type Convert = (schema: GenericSchema) => JsonSchema

/** An app has the common keys and those of its runtime, gateway and framework; a key of several takes what any takes. */
function appSchema(plugins: PluginsByKind, convert: Convert): JsonSchema {
  const properties: Record<string, JsonSchema> = { ...(convert(appCommon).properties as Record<string, JsonSchema>) }
  for (const kind of ["runtime", "gateway", "framework"] as const) {
    const name = properties[kind]
    if (name !== undefined) properties[kind] = { ...name, examples: plugins[kind].map(plugin => plugin.name) }
    for (const plugin of plugins[kind]) {
      for (const [key, value] of Object.entries(convert(plugin.config).properties ?? {})) {
        const known = properties[key]
        properties[key] = known === undefined ? (value as JsonSchema) : { anyOf: [known, value] }
      }
    }
  }
  return { type: "object", properties, additionalProperties: false }
}

/**
 * Where a schema takes parts, its metadata says of which kind: `{ part: "middleware" }` for a name or a one-key table,
 * `{ keys: "handler" }` for a table whose other keys are named after handlers.
 */
function converter(plugins: PluginsByKind): Convert {
  const options: Parameters<typeof toJsonSchema>[1] = {
    target: "draft-07",
    typeMode: "input",
    errorMode: "ignore",
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const { metadata } = valibotAction as { metadata?: { part?: Kind; keys?: Kind } }
      if (metadata?.part !== undefined) return partSchema(plugins[metadata.part], convert)
      if (metadata?.keys !== undefined) return withKeys(jsonSchema, { plugins: plugins[metadata.keys], convert })
      return jsonSchema
    },
  }
  const convert: Convert = schema => {
    const { $schema: _, ...rest } = toJsonSchema(schema as Parameters<typeof toJsonSchema>[0], options)
    return rest
  }
  return convert
}

function partSchema(plugins: readonly Plugin[], convert: Convert): JsonSchema {
  const tables = plugins.map(({ name, config }) => ({
    type: "object" as const,
    properties: { [name]: convert(config) },
    required: [name],
    additionalProperties: false,
  }))
  return { anyOf: [{ enum: plugins.map(plugin => plugin.name) }, ...tables] }
}

function withKeys(table: JsonSchema, { plugins, convert }: { plugins: readonly Plugin[]; convert: Convert }): JsonSchema {
  const handlers = Object.fromEntries(plugins.map(({ name, config }) => [name, convert(config)]))
  return { ...table, properties: { ...table.properties, ...handlers }, additionalProperties: false }
}
