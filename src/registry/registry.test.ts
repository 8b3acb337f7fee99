import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { configFromText } from "../config/load.ts"
import { formatProblem, type Problem } from "../errors.ts"
import { Registry, resolvePlugin } from "./registry.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-registry-"))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function write(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
}

function plugin(name: string, more = ""): string {
  return `{ name: "${name}", kind: "middleware", config: v.strictObject({}), setup: () => ({ part: next => next }), ${more} }`
}
const head = `import * as v from "valibot"\n`

async function open(plugins: Record<string, string>): Promise<{ registry: Registry; problems: string[] }> {
  const lines = Object.entries(plugins).map(([label, source]) => `${label} = ${JSON.stringify(source)}`)
  const config = await configFromText(`[plugins]\n${lines.join("\n")}\n`, { file: join(dir, "site.toml"), env: {} })
  const problems: Problem[] = []
  const registry = await Registry.open(config, problems)
  return { registry, problems: problems.map(problem => formatProblem(problem).replace(/[^\s(]*edge-registry-[^/]*\//g, "")) }
}

describe("what a file may export", () => {
  test.each([
    ["one", `export default ${plugin("r-one")}`, ["r-one"]],
    ["several", `export default [${plugin("r-two")}, ${plugin("r-three")}]`, ["r-two", "r-three"]],
    ["named", `export const a = ${plugin("r-four")}\nexport const helper = 5\nexport const b = ${plugin("r-five")}`, ["r-four", "r-five"]],
  ])("%s", async (name, text, names) => {
    write({ [`${name}.ts`]: head + text })
    const { registry, problems } = await open({ x: `./${name}.ts` })
    expect(problems).toEqual([])
    expect(registry.names("middleware").filter(known => known.startsWith("r-"))).toEqual(names)
    for (const known of names) expect(await registry.find("middleware", known)).toMatchObject({ file: join(dir, `${name}.ts`), plugin: { name: known } })
    expect(await registry.find("handler", names[0]!)).toBeUndefined()
  })

  test.each([
    ["null", "export default null", "its default export is null, not a plugin"],
    ["function", "export default () => 1", "its default export is a function, not a plugin"],
    ["empty list", "export default []", "it exports no plugin; write export default definePlugin({ ... })"],
    ["no setup", `export default { name: "x", kind: "handler", config: v.any() }`, "it has no function setup(config, ctx)"],
    ["no config", `export default { name: "x", kind: "handler", setup() {} }`, "its config is not a valibot schema"],
    ["a plain object as config", `export default { name: "x", kind: "handler", config: { a: 1 }, setup() {} }`, "its config is not a valibot schema"],
    ["no kind", `export default { name: "x", config: v.any(), setup() {} }`, "it has no kind; a kind is web, handler, middleware, balancer, gateway, runtime, framework, store or dns"],
  ])("not %s", async (name, text, why) => {
    const file = `bad-${name.replaceAll(" ", "-")}.ts`
    write({ [file]: `${head}void v\n${text}` })
    expect((await open({ x: file })).problems).toEqual([`site.toml:2:5: plugins.x: the plugin "x" (${file}) is not usable: ${why}`])
  })
})

test("one that is broken does not hide the others", async () => {
  write({ "fine.ts": `${head}export default ${plugin("r-fine")}`, "broken.ts": "throw new Error('x')" })
  const { registry, problems } = await open({ a: "broken.ts", b: "fine.ts", c: "none.ts" })
  expect(problems).toEqual([
    'site.toml:2:5: plugins.a: the plugin "a" cannot be loaded: broken.ts:1:11: x',
    'site.toml:4:5: plugins.c: cannot find the plugin "none.ts": there is no file none.ts',
  ])
  expect(await registry.find("middleware", "r-fine")).toBeDefined()
  expect(registry.isWhole).toBe(false)
})

test("a name that edge has itself is taken", async () => {
  write({ "mine.ts": `${head}export default ${plugin("headers")}` })
  expect((await open({ x: "mine.ts" })).problems).toEqual(['site.toml:2:5: plugins.x: there is a middleware named "headers" already, from edge itself'])
})

test("names of Object.prototype are no plugins", async () => {
  const { registry } = await open({})
  for (const name of ["constructor", "toString", "__proto__"]) expect(await registry.find("handler", name)).toBeUndefined()
})

test("modules of plugins can be imported; two plugins cannot bring the same one", async () => {
  const modules = `modules: { "edge/r-words": async () => ({ word: "hi" }) }`
  write({
    "words.ts": `${head}export default ${plugin("r-words", modules)}`,
    "words2.ts": `${head}export default ${plugin("r-words2", modules)}`,
    "user.ts": `import { word } from "edge/r-words"\nexport const got = word`,
  })
  const { problems } = await open({ a: "words.ts", b: "words2.ts" })
  expect(problems).toEqual(['site.toml:3:5: plugins.b: the module "edge/r-words" is served already, by a'])
  expect(await import(join(dir, "user.ts"))).toMatchObject({ got: "hi" })
})

describe("resolvePlugin", () => {
  write({
    "file.ts": "",
    "folder/index.ts": "",
    "packed/package.json": `{ "main": "lib/main.js" }`,
    "packed/lib/main.js": "",
    "empty/readme.md": "",
    "node_modules/@scope/thing/package.json": `{ "name": "@scope/thing", "exports": "./x.js" }`,
    "node_modules/@scope/thing/x.js": "",
  })
  test.each([
    ["file.ts", "file.ts"],
    ["./file.ts", "file.ts"],
    ["folder", "folder/index.ts"],
    ["./packed", "packed/lib/main.js"],
    ["@scope/thing", "node_modules/@scope/thing/x.js"],
    [join(dir, "file.ts"), "file.ts"],
  ])("%s", (source, file) => {
    expect(resolvePlugin(source, dir)).toBe(join(dir, file))
  })
  test.each([
    ["empty", "the folder has no package.json with main, and no index.ts"],
    ["./none", "there is no file "],
    ["@scope/other", "there is no such file, and no such package in a node_modules from "],
  ])("%s is not there", (source, why) => {
    expect(() => resolvePlugin(source, dir)).toThrow(`cannot find the plugin "${source}": ${why}`)
  })
})
