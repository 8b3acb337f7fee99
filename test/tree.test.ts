/** Rules about the tree itself: who may import whom, what stands at the top, strict types, lint. */
import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"

const root = join(import.meta.dir, "..")

function sources(dir: string): string[] {
  return readdirSync(join(root, dir), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
    .map(entry => relative(root, join(entry.parentPath, entry.name)))
    .filter(path => !path.includes("node_modules"))
}

/** What a file imports: files as paths from the root, packages as they are written. */
function imports(file: string): string[] {
  const found: string[] = []
  const text = readFileSync(join(root, file), "utf8")
  const pattern = /^\s*(?:import|export)\b[^"'`;]*?from\s*["']([^"'\n]+)["']|\bimport\s*\(?\s*["']([^"'\n]+)["']/gm
  for (const match of text.matchAll(pattern)) {
    const name = match[1] ?? match[2]!
    found.push(name.startsWith(".") ? normalize(join(dirname(file), name)) : name)
  }
  return found
}

/** A plugin's folder: plugins/<layer>/<name>. */
const folderOf = (path: string) => path.split("/").slice(0, 3).join("/")
const isTest = (path: string) => /\.test\.tsx?$|\/testdata\//.test(path)
const builtIn = /^(?:node:|bun(?::|$))/

const kernel = sources("src").filter(file => !isTest(file))
const plugins = sources("plugins").filter(file => !isTest(file))

test("the rules see imports at all", () => {
  expect(imports("src/standard.ts")).toContain("plugins/web/static/plugin.ts")
  expect(imports("plugins/web/static/plugin.ts")).toContain("edge")
  expect(kernel.length).toBeGreaterThan(50)
  expect(plugins.length).toBeGreaterThan(30)
})

test("src imports no plugin, except the list of them in standard.ts", () => {
  const wrong = kernel
    .filter(file => file !== "src/standard.ts")
    .flatMap(file => imports(file).filter(name => name.startsWith("plugins/")).map(name => `${file} -> ${name}`))
  expect(wrong).toEqual([])
})

test("src imports only its own files, the platform and the packages meant for it", () => {
  const allowed: Record<string, RegExp> = {
    valibot: /./,
    commander: /^src\/(main|commands\/)/,
    "toml-eslint-parser": /^src\/config\//,
    "@valibot/to-json-schema": /^src\/(commands|config)\//,
    hono: /^src\/registry\//,
    "@peculiar/x509": /^src\/certificates\/x509\.ts$/,
    "reflect-metadata": /^src\/certificates\/x509\.ts$/,
  }
  const wrong = kernel.flatMap(file =>
    imports(file)
      .filter(name => !name.startsWith("src/") && !name.startsWith("plugins/") && !builtIn.test(name))
      .filter(name => {
        const owner = name.startsWith("@") ? name.split("/").slice(0, 2).join("/") : name.split("/")[0]!
        return !(allowed[owner]?.test(file) ?? /^(?:package\.json|dist\/)/.test(name))
      })
      .map(name => `${file} -> ${name}`),
  )
  expect(wrong).toEqual([])
})

test("a plugin imports edge, its own folder and packages; never src, never another plugin", () => {
  const wrong = plugins.flatMap(file =>
    imports(file)
      .filter(name => name.startsWith("src/") || (name.startsWith("plugins/") && folderOf(name) !== folderOf(file)))
      .map(name => `${file} -> ${name}`),
  )
  expect(wrong).toEqual([])
})

test("imports of files end in their extension, and there are no barrels", () => {
  const all = [...kernel, ...plugins, ...sources("test"), ...sources("examples")]
  const bare = all.flatMap(file =>
    imports(file)
      .filter(name => /^(?:src|plugins|test|examples)\//.test(name) && !/\.\w+$/.test(name))
      .map(name => `${file} -> ${name}`),
  )
  expect(bare).toEqual([])
  expect([...kernel, ...plugins].filter(file => /(^|\/)index\.tsx?$/.test(file))).toEqual([])
})

test("the top level has only what belongs there", () => {
  const allowed = ["package.json", "package-lock.json", "bunfig.toml", "tsconfig.json", "src", "plugins", "test", "README.md"]
  allowed.push("bench", "docs", "examples", "CHANGELOG.md", "LICENSE", "node_modules", "dist")
  const found = readdirSync(root).filter(name => !name.startsWith(".") && !allowed.includes(name))
  expect(found).toEqual([])
})

test("what a promise is expected to reject with is awaited: the test would end before, and never fail", () => {
  const tests = ["src", "plugins", "test", "examples"].flatMap(sources).filter(isTest)
  const wrong = tests.flatMap(file => readFileSync(join(root, file), "utf8").split("\n").flatMap((line, i) => (/^\s*expect\(.*\)\.(?:not\.)?(?:rejects|resolves)\b/.test(line) ? [`${file}:${i + 1}`] : [])))
  expect(tests.length).toBeGreaterThan(150)
  expect(wrong).toEqual([])
})

test("strict types", () => {
  const { exitCode, stdout } = Bun.spawnSync([join(root, "node_modules/.bin/tsc"), "-p", root])
  expect(stdout.toString()).toBe("")
  expect(exitCode).toBe(0)
}, 120_000)

test("lint", () => {
  const { exitCode, stdout } = Bun.spawnSync([join(root, "node_modules/.bin/oxlint"), "--deny-warnings"], { cwd: root })
  if (exitCode !== 0) throw new Error(stdout.toString())
}, 60_000)
