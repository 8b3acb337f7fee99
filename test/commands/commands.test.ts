import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { chmodSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { executable } from "../build.ts"
import { Folder } from "./kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const tsc = join(import.meta.dir, "..", "..", "node_modules", ".bin", "tsc")

describe("command line", () => {
  test("edge serve of an app that is not there ends with its words", async () => {
    using folder = new Folder()
    const { code, stderr } = await folder.edge(["serve", "nope:app", "-l", "127.0.0.1:0"])
    expect(code).toBe(1)
    expect(stderr).toMatch(/cannot start:/)
    expect(stderr).toContain("No module named 'nope'")
    folder.write({ "app.ts": "throw new Error('too early')" })
    const other = await folder.edge(["serve", "app.ts", "-l", "127.0.0.1:0"])
    expect(other.code).toBe(1)
    expect(other.stderr).toContain("too early")
  })

  test("places keep their slash for who starts in /", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": "[[sites]]\n" })
    const child = Bun.spawnSync([await executable(), "check", "-c", `.${join(folder.path, "site.toml")}`], { cwd: "/" })
    expect(child.stderr.toString()).toStartWith(`${join(folder.path, "site.toml")}:1:3: `)
  })

  test.skipIf(process.getuid?.() !== 0 || Bun.which("setpriv") === null)("a folder that may not be written: who may not, and what to do", async () => {
    using folder = new Folder()
    folder.write({ "site.toml": '[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nrespond = "x"\n' })
    chmodSync(folder.path, 0o755)
    const { exitCode, stderr } = Bun.spawnSync(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", await executable()], { cwd: folder.path })
    expect(stderr.toString()).toContain(`cannot start: cannot open the control socket ${folder.path}/edge.sock: the user nobody may not write in ${folder.path}; name another place in [server] control, or with --control\n`)
    expect(exitCode).toBe(1)
  })

  test.each([
    [["chekc"], 'there is no command "chekc"; did you mean "check"?\n'],
    [["check", "--appz"], "error: unknown option '--appz'\n(Did you mean --apps?)\n"],
    [["scale", "blog"], "error: missing required argument 'workers'\n"],
    [["serve", "nothing"], 'there is no "nothing" here; give a folder, an app.ts, or module:callable of Python\n'],
    [["plugin", "old", "x"], "edge plugin new NAME [--kind middleware|handler]\n"],
    [["plugin", "new", "x", "--kind", "handlr"], 'there is no template for "handlr"; did you mean "handler"?\n'],
    [["plugin", "new", "compress"], 'edge has a middleware "compress" of its own; choose another name\n'],
    [["plugin", "new", "static", "--kind", "handler"], 'edge has a handler "static" of its own; choose another name\n'],
    [["new", "../x"], '"../x" cannot be a name; use letters, digits, - and _, and start with a letter\n'],
    [["test"], "there is no *.test.ts here or below\n"],
    [["run"], /^\S+ ERROR cannot start: cannot read site\.toml: there is no such file\n/],
    [["status", "--control", "none.sock"], /^no answer on the control socket .*none\.sock: edge is not running there\n$/],
  ])("%j is refused with words", async (args, words) => {
    using folder = new Folder()
    const { code, stderr, stdout } = await folder.edge(args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    if (typeof words === "string") expect(stderr).toBe(words)
    else expect(stderr).toMatch(words)
  })

  test("version and help", async () => {
    using folder = new Folder()
    const version = await folder.edge(["version"])
    expect(version.stdout).toMatch(/^edge \d+\.\d+\.\d+ \(bun \d+\.\d+\.\d+, commit \S+, \w+-\w+\)\n$/)
    const help = await folder.edge(["--help"])
    expect(help.code).toBe(0)
    for (const name of ["run", "check", "dev", "serve", "reload", "stop", "status", "workers", "scale", "new", "plugin", "schema", "types"]) {
      expect(help.stdout).toContain(`\n  ${name} `)
    }
  })
})

test("what to type next can be typed: edge of the PATH, or the path of the executable", async () => {
  using folder = new Folder()
  const { mkdirSync, symlinkSync } = await import("node:fs")
  mkdirSync(join(folder.path, "bin"))
  symlinkSync(await executable(), join(folder.path, "bin", "edge"))
  const onPath = await folder.edge(["plugin", "new", "one"], { env: { PATH: join(folder.path, "bin") } })
  expect(onPath.stdout).toEndWith("cd one, then: edge dev\n")
  const { stdout } = await folder.edge(["plugin", "new", "two"])
  const [, command = ""] = /cd two, then: (\S+) dev\n$/.exec(stdout) ?? []
  const child = Bun.spawn(["sh", "-c", `${command} version`], { cwd: join(folder.path, "two"), stdout: "pipe" })
  expect(await new Response(child.stdout).text()).toStartWith("edge ")
})

describe("scaffolds, with nothing but the executable", () => {
  test("edge new: checks, types and passes its tests", async () => {
    using folder = new Folder()
    expect(await folder.edge(["new", "shop"])).toMatchObject({ code: 0, stderr: "" })
    expect(readdirSync(join(folder.path, "shop")).toSorted()).toEqual([".gitignore", ".secret", "app.test.ts", "app.tsx", "data.db", "migrations", "site.toml", "static"])
    expect((await folder.edge(["check", "--apps"], { in: "shop" })).stdout).toBe("site.toml is good: 1 address, 1 app\n")
    const tests = await folder.edge(["test"], { in: "shop" })
    expect(tests.stdout).toEndWith("\n5 passed, 0 failed\n")
    expect(tests.code).toBe(0)
    expect((await folder.edge(["new", "shop"])).stderr).toBe("shop exists already; choose another name\n")
    expect(await typesOf(folder, "shop")).toBe("")
  })

  test.each(["middleware", "handler"])("edge plugin new --kind %s", async kind => {
    using folder = new Folder()
    expect(await folder.edge(["plugin", "new", "my-part", "--kind", kind])).toMatchObject({ code: 0, stderr: "" })
    expect((await folder.edge(["check"], { in: "my-part" })).stdout).toBe("site.toml is good: 1 address, 0 apps\n")
    expect(await folder.edge(["test"], { in: "my-part" })).toMatchObject({ code: 0, stdout: expect.stringContaining("1 passed, 0 failed") })
    expect(await typesOf(folder, "my-part")).toBe("")
  })

  test("a test that fails is told with its line", async () => {
    using folder = new Folder()
    folder.write({
      "a.test.ts": `import { test } from "edge/plugin-test"\ntest("good", () => {})\ntest("bad", () => {\n  throw new Error("no")\n})\n`,
      "b.test.ts": `import { nothing } from "edge/plugin-test"\nnothing()\n`,
    })
    const { code, stdout } = await folder.edge(["test"])
    expect(code).toBe(1)
    expect(stdout).toBe(
      "a.test.ts\n  ok    good\n  FAIL  bad\n        a.test.ts:4:13: no\n" +
        "b.test.ts\n  FAIL  is imported\n        b.test.ts:1:10: Export named 'nothing' not found in module 'edge/plugin-test'.\n1 passed, 2 failed\n",
    )
  })
})

/** What an editor would say: the strict type check with the declarations that `edge types` writes. */
async function typesOf(folder: Folder, below: string): Promise<string> {
  expect(await folder.edge(["types"], { in: below })).toMatchObject({ code: 0, stderr: "" })
  const child = Bun.spawn([tsc, "-p", "."], { cwd: join(folder.path, below), stdout: "pipe" })
  return new Response(child.stdout).text()
}

test("edge types finds mistakes, and leaves a tsconfig.json alone", async () => {
  using folder = new Folder()
  folder.write({
    "tsconfig.json": `{ "extends": "./.edge/types/tsconfig.json", "compilerOptions": { "noUnusedLocals": true } }`,
    "app.tsx": `import { Hono } from "hono"\nimport { cors } from "hono/cors"\nconst app = new Hono()\napp.use(cors({ orign: "*" }))\nexport default app\n`,
  })
  expect((await typesOf(folder, "")).split("\n")[0]).toMatch(/^app\.tsx\(4,16\): error TS\d+: .*orign/)
  expect(readFileSync(join(folder.path, "tsconfig.json"), "utf8")).toContain("noUnusedLocals")
})

test("edge types knows models: an unknown field or a wrong value is a type error", async () => {
  using folder = new Folder()
  folder.write({
    "app.tsx": `import { App } from "edge/app"
import { datetime, model, references, text } from "edge/db"
const Author = model("author", { name: text() })
const Post = model("post", { title: text(), author: references(Author), at: datetime({ optional: true }) })
const app = new App({ models: [Author, Post], layout: ({ title, children }) => <html><title>{title}</title>{children}</html> })
app.get("/", async c => {
  const post = await Post.with("author").get(1)
  const name: string = post.author.name
  const at: Date | null = post.at
  const wrong: number = post.title
  post.nope
  await Post.create({ title: name })
  await Post.where({ titel: "x" })
  c.var.session.set("seen", [at, wrong])
  c.var.nobody
  return c.render(<p>{name}</p>, { title: "x" })
})
export default app
`,
  })
  const told = (await typesOf(folder, "")).split("\n").filter(line => line.startsWith("app.tsx("))
  expect(told.map(line => Number(/\((\d+),/.exec(line)![1]))).toEqual([10, 11, 12, 13, 15])
})

test("edge types refuses a condition whose value may be undefined, without exactOptionalPropertyTypes", async () => {
  using folder = new Folder()
  folder.write({
    "app.tsx": `import { App } from "edge/app"
import { has, integer, model, ne, references, text } from "edge/db"
const Owner = model("owner", { name: text(), boss: references("self", { optional: true }) })
const Key = model("key", { secret: text(), uses: integer({ optional: true }), owner: references(Owner) })
const app = new App({ models: [Owner, Key] })
app.get("/api", async c => {
  const given: { code?: string } = {}
  await Key.all.get({ secret: c.req.header("x-api-key") })
  await Key.get({ secret: c.req.query("key") })
  await Key.where({ secret: given.code }).delete()
  await Key.where({ or: [{ secret: given.code }] })
  await Key.where({ owner: has({ name: given.code }) })
  await Key.where({ secret: ne(given.code) })
  await Key.where({ secret: { ne: "" } })
  await Key.where({ owner: { name: "x" } })
  await Key.where({ secret: c.req.header("x-api-key") ?? "", uses: null, owner: has({ boss: has({ name: "x" }) }) })
  await Key.where({ ...(given.code !== undefined && { secret: given.code }) })
  return c.text((await Key.get({ secret: "x" })).secret)
})
export default app
`,
  })
  const told = (await typesOf(folder, "")).split("\n").filter(line => line.startsWith("app.tsx("))
  expect([...new Set(told.map(line => Number(/\((\d+),/.exec(line)![1])))]).toEqual([8, 9, 10, 11, 12, 13, 14, 15])
  expect(told[0]).toContain("this value may be undefined")
})

test("edge schema describes sites, parts and apps, with the plugins of a config", async () => {
  using folder = new Folder()
  folder.write({
    "site.toml": `[plugins]\nhello = "hello.ts"\n`,
    "hello.ts": `import { definePlugin } from "edge"\nimport * as v from "valibot"
export default definePlugin({ name: "hello", kind: "middleware", config: v.strictObject({ loud: v.boolean() }), setup: () => ({ part: next => next }) })`,
  })
  type Schema = { properties: Record<string, Schema>; items: Schema; additionalProperties: Schema | boolean; anyOf: Schema[]; enum: string[]; description: string; default: unknown }
  const plain = JSON.parse((await folder.edge(["schema"])).stdout) as Schema
  expect(Object.keys(plain.properties).toSorted()).toEqual(["app", "include", "layers", "log", "plugins", "server", "site", "tls"])
  expect(plain.properties["server"]!.properties["grace"]).toMatchObject({ type: "string", default: "30s", description: expect.any(String) } as never)
  const route = plain.properties["site"]!.items.properties["route"]!.items
  expect(Object.keys(route.properties)).toEqual(expect.arrayContaining(["path", "use", "static", "proxy", "app"]))
  expect(route.additionalProperties).toBe(false)
  const app = plain.properties["app"]!.additionalProperties as Schema
  expect(Object.keys(app.properties)).toEqual(expect.arrayContaining(["entry", "runtime", "workers", "command", "python", "queue"]))
  const own = JSON.parse((await folder.edge(["schema", "--config", "site.toml"])).stdout) as Schema
  const use = own.properties["site"]!.items.properties["use"]!.items
  expect(use.anyOf[0]!.enum).toContain("hello")
  expect(use.anyOf.find(one => one.properties?.["hello"])?.properties["hello"]).toMatchObject({ properties: { loud: { type: "boolean" } } } as never)
})
