/**
 * The declarations that `edge types` writes, in one compressed file: edge's own made by tsc, and those of the packages
 * that apps use without having them (hono, valibot, Bun). A JSON object of path -> text.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"

const root = join(import.meta.dir, "..")
const made = join(root, "dist", "types.zst")
const emitted = join(root, "dist", ".types")

/** Public modules of edge and the file that each is, without its .ts. */
const edgeModules: Readonly<Record<string, string>> = {
  edge: "src/plugin",
  "edge/plugin-test": "src/testing",
  ...frameworkModules(),
}

/** Those of the framework, as its plugin serves them: `"edge/db": () => import("./db/module.ts")`. */
function frameworkModules(): Record<string, string> {
  const home = "plugins/framework/hono"
  const source = readFileSync(join(root, home, "plugin.ts"), "utf8")
  const found = [...source.matchAll(/"(edge\/\w+)": \(\) => import\("\.\/([\w/-]+)\.tsx?"\)/g)]
  return Object.fromEntries(found.map(([, name, file]) => [name!, `${home}/${file!}`]))
}

/** Packages, and which of their folders hold declarations. */
const packages = {
  hono: ["dist/types"],
  valibot: ["dist/index.d.mts"],
  "bun-types": [""],
  "@types/node": [""],
  "undici-types": [""],
} as const

/** Does nothing when no source is newer. */
export function makeTypes(): void {
  const inputs = [join(root, "package-lock.json"), import.meta.path, ...["src", "plugins/framework"].flatMap(folder => filesBelow(join(root, folder), /\.tsx?$/))]
  if (existsSync(made) && inputs.every(file => statSync(file).mtimeMs < statSync(made).mtimeMs)) return
  const files: Record<string, string> = {}
  for (const [path, text] of edgeTypes()) files[`node_modules/edge/${path}`] = text
  for (const [name, folders] of Object.entries(packages)) {
    const home = join(root, "node_modules", name)
    const found = folders.flatMap(folder => filesBelow(join(home, folder), /\.d\.m?ts$/))
    for (const file of [...found, join(home, "package.json")]) {
      files[`node_modules/${name}/${relative(home, file)}`] = readFileSync(file, "utf8")
    }
  }
  files["tsconfig.json"] = JSON.stringify(tsconfig(), null, 2)
  writeFileSync(made, Bun.zstdCompressSync(JSON.stringify(files), { level: 19 }))
}

function edgeTypes(): (readonly [string, string])[] {
  rmSync(emitted, { recursive: true, force: true })
  mkdirSync(emitted, { recursive: true })
  const config = join(emitted, "tsconfig.json")
  const compilerOptions = { noEmit: false, emitDeclarationOnly: true, declaration: true, noEmitOnError: false, rootDir: "../..", outDir: "out", paths: { edge: ["../../src/plugin.ts"], "edge/app": ["../../plugins/framework/hono/app-module.ts"], "edge/*": ["../../plugins/framework/hono/*/module.ts"] } }
  const files = ["src/assets.d", ...Object.values(edgeModules)].map(name => `../../${name}.ts`)
  writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.json", compilerOptions, files, include: [] }))
  try {
    execFileSync(join(root, "node_modules", ".bin", "tsc"), ["-p", config], { stdio: "pipe" })
  } catch {
    // Type errors are told by `npm run typecheck`; the declarations are written all the same.
  }
  const out = join(emitted, "out")
  return filesBelow(out, /\.d\.ts$/).map(file => [relative(out, file), readFileSync(file, "utf8")] as const)
}

/** What an app's own tsconfig.json extends. */
function tsconfig(): object {
  const paths: Record<string, string[]> = { valibot: ["./node_modules/valibot/dist/index.d.mts"] }
  for (const [name, file] of Object.entries(edgeModules)) paths[name] = [`./node_modules/edge/${file}.d.ts`]
  const hono = JSON.parse(readFileSync(join(root, "node_modules", "hono", "package.json"), "utf8")) as {
    exports: Record<string, { types?: string }>
  }
  for (const [name, { types }] of Object.entries(hono.exports)) {
    if (types !== undefined) paths[`hono${name.slice(1)}`] = [`./node_modules/hono/${types.replace(/^\.\//, "")}`]
  }
  return {
    compilerOptions: {
      lib: ["ESNext", "DOM", "DOM.Iterable"],
      target: "ESNext",
      module: "Preserve",
      moduleResolution: "bundler",
      jsx: "react-jsx",
      jsxImportSource: "hono/jsx",
      allowImportingTsExtensions: true,
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      typeRoots: ["./node_modules"],
      types: ["bun-types"],
      paths,
    },
  }
}

function filesBelow(path: string, name: RegExp): string[] {
  if (!existsSync(path)) throw new Error(`${path} is not there: npm ci`)
  if (!statSync(path).isDirectory()) return [path]
  const below = readdirSync(path, { recursive: true, encoding: "utf8" }).filter(file => name.test(file))
  return below.map(file => join(path, file)).toSorted()
}

