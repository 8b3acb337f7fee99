/**
 * Modules that are large and seldom needed: embedded as compressed text, in place of code with its bytecode and source
 * map (five times its size), and unpacked when first imported.
 */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface Packed {
  /** The file whose import is replaced. */
  readonly file: string
  /** What is used of it. */
  readonly exports: readonly string[]
}

/** Replaces the modules in a build. `folder` keeps what was packed, until the file is newer; `missing` are packages that it can do without. */
export async function packed(modules: readonly Packed[], { folder, missing }: { folder: string; missing: string[] }): Promise<Bun.BunPlugin> {
  mkdirSync(folder, { recursive: true })
  const ready: { filter: RegExp; contents: string }[] = []
  // Before the build they are for: one build inside another never ends.
  for (const { file, exports } of modules) {
    ready.push({ filter: new RegExp(`^${RegExp.escape(file)}$`), contents: loader(await pack(file, { folder, missing }), exports) })
  }
  return {
    name: "packed",
    setup(build) {
      for (const { filter, contents } of ready) build.onLoad({ filter }, () => ({ contents, loader: "js" }))
    },
  }
}

async function pack(file: string, { folder, missing }: { folder: string; missing: string[] }): Promise<string> {
  const out = join(folder, `${Bun.hash(file).toString(36)}.zst`)
  if (existsSync(out) && statSync(out).mtimeMs > statSync(file).mtimeMs) return out
  const result = await Bun.build({ entrypoints: [file], target: "bun", format: "esm", minify: true, plugins: [absent(missing)] })
  writeFileSync(out, Bun.zstdCompressSync(await result.outputs[0]!.text(), { level: 19 }))
  return out
}

/** One file holds all: what it imported only for itself, seldom or never, must then be something. An empty module. */
function absent(names: readonly string[]): Bun.BunPlugin {
  const heads = names.filter(name => !name.endsWith("/*")).map(name => RegExp.escape(name))
  return {
    name: "absent",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(?:${heads.join("|")})(?:/|$)`) }, ({ path }) => ({ path, namespace: "absent" }))
      build.onLoad({ filter: /./, namespace: "absent" }, () => ({ contents: "module.exports = {}", loader: "js" }))
    },
  }
}

/** In a folder that only this user may open, and not there any longer once it is read. */
function loader(file: string, exports: readonly string[]): string {
  return `import file from ${JSON.stringify(file)} with { type: "file" }
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
const folder = mkdtempSync(join(tmpdir(), "edge-unpacked-"))
let module
try {
  const path = join(folder, "module.mjs")
  writeFileSync(path, Bun.zstdDecompressSync(readFileSync(file)))
  module = await import(path)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
export const { ${exports.join(", ")} } = module
`
}
