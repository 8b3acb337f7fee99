import { afterAll, describe, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Config } from "./config.ts"
import { configFromText, loadConfig } from "./load.ts"
import type { Path } from "./path.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-load-"))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(dir, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

function read(text: string, env: Record<string, string> = {}): Promise<Config> {
  return configFromText(text, { file: join(dir, "site.toml"), env })
}

/** What it says, with the folder taken off. */
async function problems(promise: Promise<unknown>): Promise<string[]> {
  const error = (await promise.then(() => new Error("it was accepted"), (e: unknown) => e)) as Error
  return error.message.replaceAll(`${dir}/`, "").replace(/[^\s]*edge-load-[^/]*\//g, "").split("\n")
}

describe("places", () => {
  const text = `top = 1
[server]
  fronts = 2
limits.head = "1kb"
"quoted key" = { deep.er = [1, { x = 'y' }] }

[[site]]
hosts = ["a", "b"]
[[site.route]]
path = "/1"
[site.route.static]
root = "r"
[[site.route]]
path = '''
two
lines'''
[[site]]
[app.x]
entry = "é"  # columns count characters
env = { A = "ü", B = "x" }
`
  const cases: [Path, string, string][] = [
    // path, place of the key, place of the value
    [["top"], "1:1", "1:7"],
    [["server"], "2:2", "2:2"],
    [["server", "fronts"], "3:3", "3:12"],
    [["server", "limits"], "4:1", "4:1"],
    [["server", "limits", "head"], "4:8", "4:15"],
    [["server", "quoted key"], "5:1", "5:16"],
    [["server", "quoted key", "deep", "er"], "5:23", "5:28"],
    [["server", "quoted key", "deep", "er", 1, "x"], "5:34", "5:38"],
    [["site", 0], "7:3", "7:3"],
    [["site", 0, "hosts", 1], "8:15", "8:15"],
    [["site", 0, "route", 0], "9:8", "9:8"],
    [["site", 0, "route", 0, "static"], "11:13", "11:13"],
    [["site", 0, "route", 0, "static", "root"], "12:1", "12:8"],
    [["site", 0, "route", 1, "path"], "14:1", "14:8"],
    [["site", 1], "17:3", "17:3"],
    [["app", "x", "env", "B"], "20:18", "20:22"],
    // Not written: the table that lacks it.
    [["site", 0, "route", 1, "static"], "13:8", "13:8"],
  ]
  test.each(cases)("%j", async (path, key, value) => {
    const config = await read(text)
    const show = (p: { line: number; column: number }): string => `${p.line}:${p.column}`
    expect([show(config.placeOf(path, { key: true })), show(config.placeOf(path))]).toEqual([key, value])
  })

  test("objects of the tree know their path, also after a journey to another process", async () => {
    const config = await read(text)
    const copy = Config.fromJSON(JSON.parse(JSON.stringify(config)))
    expect(copy.tree).toEqual(config.tree)
    const route = (copy.tree as { site: { route: object[] }[] }).site[0]!.route[1]!
    expect(copy.pathOf(route)).toEqual(["site", 0, "route", 1])
    expect(copy.place(route)).toEndWith("site.toml:13:8")
    expect(copy.placeOf(["server", "limits", "head"])).toEqual(config.placeOf(["server", "limits", "head"]))
    expect(copy.dir).toBe(dir)
  })

  test("copies made by a schema are known where they are alike", async () => {
    const config = await read(text)
    const original = config.tree["site"]
    const copy = structuredClone(original) as { extra?: object; route: object[] }[]
    copy[0]!.extra = {}
    config.alias(copy, original, ["site"])
    expect(config.pathOf(copy[0]!.route[1])).toEqual(["site", 0, "route", 1])
    expect(config.pathOf(copy[0]!.extra)).toBeUndefined()
  })
})

describe("values", () => {
  test("dates are text, numbers must be exact", async () => {
    expect((await read("a = 2024-01-02T03:04:05Z\nb = 0xff\nc = 1_000")).tree).toEqual({ a: "2024-01-02T03:04:05Z", b: 255, c: 1000 })
    expect(await problems(read("a = 9007199254740993\nb = inf"))).toEqual([
      "site.toml:1:5: the number 9007199254740993 is out of range",
      "site.toml:2:5: the number inf is out of range",
    ])
  })

  test("__proto__ is no key", async () => {
    expect((await problems(read("[a]\n__proto__ = { admin = true }")))[0]).toStartWith('site.toml:2:1: unknown key "__proto__"')
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  test("CRLF and a byte order mark", async () => {
    const config = await read("[server]\r\nfronts = 1\r\n")
    expect(config.placeOf(["server", "fronts"])).toMatchObject({ line: 2, column: 10 })
    const file = write("bom.toml", "\ufeff[server]\nfronts = 1\n")
    expect((await loadConfig(file)).tree).toEqual({ server: { fronts: 1 } })
  })
})

describe("variables", () => {
  test("set, default, empty, literal, several, in lists and keys of tables", async () => {
    const env = { NAME: "x", EMPTY: "" }
    const config = await read(
      'a = "${NAME}"\nb = "${NONE:-d}"\nc = "${EMPTY:-d}"\nd = "${EMPTY}"\ne = "$${NAME} $5 ${NAME}-${NAME}"\nf = [{ g = "${NONE:-}" }]\nh = "${NONE:-http://a:80/}"',
      env,
    )
    expect(config.tree).toEqual({ a: "x", b: "d", c: "d", d: "", e: "${NAME} $5 x-x", f: [{ g: "" }], h: "http://a:80/" })
    expect([config.isVariable(["a"]), config.isVariable(["e"]), config.isVariable(["f", 0, "g"])]).toEqual([true, false, true])
  })

  test("what a variable says is text, not TOML and not a variable again", async () => {
    expect((await read('a = "${X}"', { X: '"\n[b] ${Y}' })).tree).toEqual({ a: '"\n[b] ${Y}' })
  })

  test("every unset or malformed one is told", async () => {
    expect(await problems(read('a = "${A}"\nb = ["${B C}", "${"]'))).toEqual([
      "site.toml:1:5: the environment variable A is not set; set it, or give a default as ${A:-value}",
      'site.toml:2:6: "${B C}" is no variable; write ${NAME} or ${NAME:-default}, or $${ for a literal ${',
      'site.toml:2:16: "${" is no variable; write ${NAME} or ${NAME:-default}, or $${ for a literal ${',
    ])
  })
})

describe("include", () => {
  test("tables are merged, lists of tables appended in the order of the list and of names", async () => {
    write("m/b.toml", '[[site]]\nn = "b"\n[app.b]\nx = 1')
    write("m/a.toml", '[[site]]\nn = "a"\n[server]\nfronts = 1')
    write("m/c.toml", '[[site]]\nn = "c"')
    const file = write("main.toml", 'include = ["m/c.toml", "m/*.toml"]\n[[site]]\nn = "main"\n[server]\ngrace = "1s"\n[app.a]\nx = 0')
    const config = await loadConfig(file)
    expect(config.tree).toEqual({
      site: [{ n: "main" }, { n: "c" }, { n: "a" }, { n: "b" }],
      server: { grace: "1s", fronts: 1 },
      app: { a: { x: 0 }, b: { x: 1 } },
    })
    expect(config.place(["site", 2, "n"])).toEndWith("m/a.toml:2:5")
    expect(config.files.map(f => f.slice(dir.length + 1))).toEqual(["main.toml", "m/c.toml", "m/a.toml", "m/b.toml"])
  })

  test("every conflict names both places", async () => {
    write("x/one.toml", '[server]\ngrace = "1s"\nuser = "a"\n[[log]]\n')
    const file = write("conflict.toml", 'include = ["x/one.toml"]\n[server]\nuser = "b"\ngrace = "2s"\n[log]\n')
    expect(await problems(loadConfig(file))).toEqual([
      "x/one.toml:2:1: server.grace: already set at conflict.toml:4:1",
      "x/one.toml:3:1: server.user: already set at conflict.toml:3:1",
      "x/one.toml:4:3: log: already set at conflict.toml:5:2",
    ])
  })

  test("what is wrong in an included file has the place there", async () => {
    write("bad/one.toml", "[a\n")
    write("bad/two.toml", "x = 1\nx = 2")
    write("bad/three.toml", 'include = ["one.toml"]')
    const file = write("bad.toml", 'include = ["bad/one.toml", "bad/two.toml", "bad/three.toml", "bad/none.toml", 5]')
    expect(await problems(loadConfig(file))).toEqual([
      'bad.toml:1:62: include "bad/none.toml" names a file that does not exist',
      'bad.toml:1:79: include takes a list of files or globs, such as ["sites/*.toml"]; found 5',
      "bad/one.toml:1:3: Expected ']' to close a table header but found (0x0A)",
      "bad/two.toml:2:1: Cannot redefine key 'x'",
      "bad/three.toml:1:1: an included file cannot include others; list them all in the main file",
    ])
  })
})

test("a file that cannot be read", async () => {
  expect((await problems(loadConfig(join(dir, "none.toml"))))[0]).toMatch(/^cannot read .*none.toml: there is no such file$/)
  expect((await problems(loadConfig(dir)))[0]).toMatch(/: it is a folder$/)
})

test("a syntax error is the file's as it is now, also when the same file was wrong before", async () => {
  const file = write("twice.toml", "a =\n")
  expect(await problems(loadConfig(file))).toEqual(["twice.toml:1:4: Missing value after '='; values must be on the same line"])
  write("twice.toml", "\n\nb = [1\n")
  expect((await problems(loadConfig(file)))[0]).toStartWith("twice.toml:")
  expect((await problems(loadConfig(file)))[0]).not.toStartWith("twice.toml:1:4")
})
