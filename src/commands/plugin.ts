import { EdgeError, errors } from "../errors.ts"
import handler from "../templates/handler.plugin.ts.txt" with { type: "text" }
import handlerTest from "../templates/handler.plugin.test.ts.txt" with { type: "text" }
import middleware from "../templates/middleware.plugin.ts.txt" with { type: "text" }
import middlewareTest from "../templates/middleware.plugin.test.ts.txt" with { type: "text" }
import site from "../templates/plugin.site.toml.txt" with { type: "text" }
import type { Kind } from "../contract/plugin.ts"
import { isStandard } from "../standard.ts"
import { writeScaffold } from "./scaffold.ts"

const kinds = {
  middleware: {
    plugin: middleware,
    test: middlewareTest,
    use: (name: string) => `use = [{ ${name} = { value = "hi" } }]\nrespond = { status = 200, body = "hello\\n" }`,
  },
  handler: { plugin: handler, test: handlerTest, use: (name: string) => `${name} = { greeting = "hi" }` },
} as const

/** `edge plugin new NAME`: a plugin, its test, and a config that uses it. */
export async function run({ kind }: { readonly kind: string }, [action, name = ""]: readonly string[]): Promise<void> {
  if (action !== "new") throw new EdgeError(errors.usage("edge plugin new NAME [--kind middleware|handler]"))
  if (!Object.hasOwn(kinds, kind)) throw new EdgeError(errors.noKind(kind, Object.keys(kinds)))
  // The scaffold's own config could not name it: it would mean edge's.
  if (isStandard(kind as Kind, name)) throw new EdgeError(errors.takenName(kind, name))
  const { plugin, test, use } = kinds[kind as keyof typeof kinds]
  const files = { "site.toml": site, [`${name}.ts`]: plugin, [`${name}.test.ts`]: test }
  await writeScaffold(name, { files, words: { name, title: name, use: use(name) } })
}
