/**
 * src/main.ts -> dist/edge; with --all, dist/edge-TARGET for every target of Bun. The Bun that is put into a foreign
 * executable comes from its npm package, so nothing but the npm registry is asked.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { makeTypes } from "./types.ts"

const root = join(import.meta.dir, "..")
const dist = join(root, "dist")
const cache = join(dist, ".bun")

/** The targets that Bun is made for: its npm package names one package @oven/bun-TARGET for each. */
function targets(): readonly string[] {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, "node_modules", "bun", "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>
  }
  return Object.keys(optionalDependencies).map(name => name.replace("@oven/bun-", "")).toSorted()
}

interface Foreign {
  readonly target: string
  readonly executablePath: string
}

async function build(outfile: string, foreign?: Foreign): Promise<void> {
  // Built aside and moved: a running executable must not be written into, and a test may start it any moment.
  const folder = mkdtempSync(join(dist, ".build-"))
  const made = join(folder, outfile)
  try {
    await compile(made, foreign)
    const name = readdirSync(folder).find(file => file.startsWith(outfile) && !file.endsWith(".map")) ?? outfile
    renameSync(join(folder, name), join(dist, name))
    console.log(`dist/${name}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compile(outfile: string, foreign: Foreign | undefined): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(root, "src", "main.ts")],
    target: "bun",
    format: "esm",
    // Chunks are loaded when first imported: start 24-33 ms -> 7-10 ms, 57 -> 39 MB (libraries.md).
    splitting: true,
    bytecode: true,
    minify: { whitespace: true, syntax: true, identifiers: false },
    sourcemap: "linked",
    define: { EDGE_COMMIT: JSON.stringify(commit()) },
    compile: {
      outfile,
      ...(foreign !== undefined && { target: `bun-${foreign.target}` as Bun.Build.CompileTarget, executablePath: foreign.executablePath }),
      // JSX of apps is hono's. No .env, bunfig.toml or tsconfig.json of the working folder is obeyed: the `paths` that
      // `edge types` writes lead to declarations.
      execArgv: ["--jsx-import-source=hono/jsx", "--jsx-runtime=automatic"],
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      // Without it no package.json is read at all, and nothing in a node_modules is found.
      autoloadPackageJson: true,
    },
  })
  for (const message of result.logs) console.warn(String(message))
}

function commit(): string {
  try {
    const git = (...args: string[]): string => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim()
    return git("rev-parse", "--short=12", "HEAD") + (git("status", "--porcelain", "src", "plugins") === "" ? "" : "+changes")
  } catch {
    return "unknown"
  }
}

/** The Bun executable of a target, from its npm package, kept in dist/.bun. */
function bunFor(target: string): string {
  const folder = join(cache, `${Bun.version}-${target}`)
  const name = target.startsWith("windows") ? "bun.exe" : "bun"
  const found = join(folder, "package", "bin", name)
  if (existsSync(found)) return found
  mkdirSync(folder, { recursive: true })
  const packed = execFileSync("npm", ["pack", "--silent", `@oven/bun-${target}@${Bun.version}`], { cwd: folder, encoding: "utf8" })
  execFileSync("tar", ["-xzf", packed.trim(), "-C", folder], { cwd: folder })
  rmSync(join(folder, packed.trim()))
  return found
}

mkdirSync(dist, { recursive: true })
makeTypes()
if (process.argv.includes("--all")) for (const target of targets()) await build(`edge-${target}`, { target, executablePath: bunFor(target) })
else await build("edge")
