/** `edge adapt FILE`: a foreign config becomes a site.toml, with what could not be carried over said. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { adapters } from "../adapt/adapters.ts"
import { sayNote, toToml } from "../adapt/site.ts"
import { list } from "../config/suggest.ts"
import { EdgeError, errors } from "../errors.ts"

export async function run(options: { readonly to?: string; readonly from?: string }, [name = ""]: readonly string[]): Promise<number> {
  const path = resolve(name)
  if (!existsSync(path)) throw new EdgeError(errors.usage(`there is no file ${name}`))
  const file = { path, text: readFileSync(path, "utf8") }
  const { from } = options
  const adapter = adapters.find(one => (from === undefined ? one.matches(file) : one.name === from))
  if (adapter === undefined) {
    const names = list(adapters.map(one => one.name))
    const known = adapters.map(one => `${one.name} (${one.files})`).join(", ")
    throw new EdgeError(errors.usage(from === undefined ? `cannot tell what ${name} is; known are ${known}; --from says which` : `--from knows ${names}`))
  }
  const site = await adapter.adapt(file)
  const toml = toToml(site)
  if (options.to === undefined) console.log(toml.trimEnd())
  else if (existsSync(options.to)) throw new EdgeError(errors.usage(`${options.to} is there already`))
  else writeFileSync(options.to, toml)
  for (const note of site.notes) console.error(sayNote(note))
  return 0
}
