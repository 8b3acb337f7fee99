import { readFileSync } from "node:fs"
import { definePlugin, HttpError, Prepared } from "edge"
import { lookup } from "mrmime"
import { respondSchema, toPairs } from "./schema.ts"

/** A fixed answer, serialised at load. */
export default definePlugin({
  name: "respond",
  kind: "handler",
  config: respondSchema,
  setup: (config, ctx) => {
    const options = typeof config === "string" ? { body: config, status: 200, headers: {} } : config
    const { status, body, file, json, type, headers } = options
    if ([body, file, json].filter(given => given !== undefined).length > 1) {
      throw ctx.fail('the body is one of "body", "file" and "json"')
    }
    // Without a body of its own an error gets the site's page, as nginx's `return 404` does.
    if (status >= 400 && (body ?? file ?? json) === undefined) {
      const lines = toPairs(headers)
      return {
        part: () => {
          throw new HttpError(status, "as configured", { headers: lines })
        },
      }
    }
    const bytes = contentOf({ body, file: file === undefined ? undefined : ctx.resolve(file), json })
    const lines = toPairs(headers).flat()
    if (bytes !== null && !hasType(lines)) lines.unshift("Content-Type", type ?? typeOf({ file, json }))
    const prepared = new Prepared(status, lines, bytes)
    return { part: () => prepared.reply() }
  },
})

function hasType(lines: readonly string[]): boolean {
  return lines.some((line, i) => i % 2 === 0 && line.toLowerCase() === "content-type")
}

function contentOf({ body, file, json }: { body?: string; file?: string; json?: unknown }): Uint8Array | null {
  if (file !== undefined) return readFileSync(file)
  if (json !== undefined) return Buffer.from(JSON.stringify(json))
  return body === undefined ? null : Buffer.from(body)
}

function typeOf({ file, json }: { file?: string; json?: unknown }): string {
  const type = json === undefined ? (file === undefined ? "text/plain" : (lookup(file) ?? "application/octet-stream")) : "application/json"
  return type.startsWith("text/") ? `${type}; charset=utf-8` : type
}
