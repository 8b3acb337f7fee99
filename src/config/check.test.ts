import { describe, expect, test } from "bun:test"
import * as v from "valibot"
import { formatProblem } from "../errors.ts"
import { check } from "./check.ts"
import { configFromText } from "./load.ts"
import type { Path } from "./path.ts"
import { duration } from "./units.ts"
import { count } from "./values.ts"

/** Checks the value at `path`; the problems, or the output. */
async function run(schema: v.GenericSchema, text: string, options: { path?: Path; env?: Record<string, string> } = {}): Promise<unknown> {
  const config = await configFromText(text, { file: "/x/site.toml", env: options.env ?? {} })
  const path = options.path ?? ["a"]
  const value = path.reduce<unknown>((tree, part) => (tree as Record<string | number, unknown>)[part], config.tree)
  const result = check(schema, value, { config, path })
  return result.problems?.map(problem => formatProblem(problem).replace("/x/", "")) ?? result.output
}

const table = v.strictObject({
  name: v.string(),
  size: v.optional(v.number(), 1),
  mode: v.optional(v.picklist(["fast", "slow"]), "fast"),
  deep: v.optional(v.array(v.strictObject({ on: v.optional(v.boolean()), every: v.optional(duration()) }))),
})

describe("a table", () => {
  test("good", async () => {
    expect(await run(table, 'a = { name = "x", deep = [{ every = "1s" }] }')).toEqual({
      name: "x",
      size: 1,
      mode: "fast",
      deep: [{ every: 1000 }],
    })
  })

  test("every problem at once, each at its own place", async () => {
    const text = '[a]\nnme = "x"\nsize = "1"\nmode = "fsat"\n[[a.deep]]\non = 1\n[[a.deep]]\nof = true\nevry = "1s"\nevery = 5'
    expect(await run(table, text)).toEqual([
      'site.toml:1:2: a: "name" is missing; expected text in quotes',
      'site.toml:3:8: a.size: expected a number, found "1"',
      'site.toml:4:8: a.mode: expected "fast" or "slow", found "fsat"; did you mean "fast"?',
      "site.toml:6:6: a.deep[0].on: expected true or false, found 1",
      'site.toml:10:9: a.deep[1].every: expected a duration such as "500ms", "30s", "5m" or "1h", found 5',
      'site.toml:8:1: a.deep[1]: unknown key "of"; did you mean "on"?',
      'site.toml:9:1: a.deep[1]: unknown key "evry"; did you mean "every"?',
      'site.toml:2:1: a: unknown key "nme"; did you mean "name"?',
    ])
  })

  test("quoted keys are quoted in paths", async () => {
    expect(await run(v.record(v.string(), v.number()), 'a = { "x y" = "z" }')).toEqual(['site.toml:1:15: a."x y": expected a number, found "z"'])
  })
})

describe("lists and tables are not mixed up", () => {
  test.each([
    ["a = []", ["site.toml:1:5: a: expected a table, found a list; it is written [a]"]],
    ["[[a]]\nname = 'x'", ["site.toml:1:3: a: expected a table, found a list; it is written [a]"]],
    ['a = "x"', ['site.toml:1:5: a: expected a table, found "x"']],
    ["a = { name = 'x', deep = {} }", ["site.toml:1:26: a.deep: expected a list, found a table; it is written [[deep]]"]],
    ["a = { name = 'x', deep = [[]] }", ["site.toml:1:27: a.deep[0]: expected a table, found a list"]],
  ])("%s", async (text, problems) => {
    expect(await run(table, text)).toEqual(problems)
  })

  test("a record is a table too", async () => {
    expect(await run(v.record(v.string(), v.any()), "a = [1]")).toEqual(["site.toml:1:5: a: expected a table, found a list; it is written [a]"])
  })

  test("where anything goes, lists do", async () => {
    expect(await run(v.any(), "a = [[]]")).toEqual([[]])
    expect(await run(v.union([v.array(v.number()), table]), "a = [1]")).toEqual([1])
  })
})

describe("a choice of shapes", () => {
  const workers = v.union([count(), v.strictObject({ min: count(), max: count() })])
  const tls = v.union([v.picklist(["off", "auto"]), v.strictObject({ cert: v.string(), key: v.string() })], "must be on or off")
  test.each([
    ["a = 2", workers, 2],
    ["a = 0", workers, ["site.toml:1:5: a: expected at least 1, found 0"]],
    ["a = 'x'", workers, ['site.toml:1:5: a: expected a whole number or a table, found "x"']],
    // The shape that was meant says what is wrong, not "expected a number or a table".
    ["a = { min = 1, mx = 2 }", workers, ['site.toml:1:5: a: "max" is missing; expected a whole number', 'site.toml:1:16: a: unknown key "mx"; did you mean "max"?']],
    ["a = { min = 1, max = true }", workers, ["site.toml:1:22: a.max: expected a whole number, found true"]],
    ["a = 'of'", tls, ['site.toml:1:5: a: must be on or off, found "of"; did you mean "off"?']],
    ["a = { cert = 'x', ky = 'y' }", tls, ['site.toml:1:5: a: "key" is missing; expected text in quotes', 'site.toml:1:19: a: unknown key "ky"; did you mean "key"?']],
  ])("%s", async (text, schema, expected) => {
    expect(await run(schema as v.GenericSchema, text)).toEqual(expected)
  })

  test("the shape that shares most keys is the one that was meant", async () => {
    const shapes = v.union([v.strictObject({ file: v.string(), mode: v.number() }), v.strictObject({ url: v.string(), retries: v.number() })])
    expect(await run(shapes, "a = { url = 'x', retries = '3' }")).toEqual(['site.toml:1:28: a.retries: expected a number, found "3"'])
  })
})

describe("variables fill what is not text", () => {
  const env = { N: "5", T: "true", S: "x" }
  test.each([
    ["a = { name = '${N}', size = '${N}' }", { name: "5", size: 5, mode: "fast" }],
    ["a = { name = 'x', size = '1${N}' }", ['site.toml:1:26: a.size: expected a number, found "15"']],
    ["a = { name = 'x', size = '${S}' }", ['site.toml:1:26: a.size: expected a number, found "x"']],
    ["a = { name = 'x', deep = [{ on = '${T}' }] }", { name: "x", size: 1, mode: "fast", deep: [{ on: true }] }],
  ])("%s", async (text, expected) => {
    expect(await run(table, text, { env })).toEqual(expected)
  })

  test("in a choice, text comes first", async () => {
    expect(await run(v.strictObject({ x: v.union([v.string(), v.number()]) }), "a = { x = '${N}' }", { env })).toEqual({ x: "5" })
    expect(await run(v.strictObject({ x: v.union([v.literal("auto"), v.number()]) }), "a = { x = '${N}' }", { env })).toEqual({ x: 5 })
  })
})

test("the words of a plugin's author are kept, with what was found", async () => {
  const even = v.pipe(v.number(), v.check(n => n % 2 === 0, "must be even"))
  expect(await run(even, "a = 3")).toEqual(["site.toml:1:5: a: must be even, found 3"])
  const own = v.pipe(v.string(), v.check(() => false, "found no such colour"))
  expect(await run(own, "a = 'x'")).toEqual(["site.toml:1:5: a: found no such colour"])
})

test("long values are cut", async () => {
  const [problem] = (await run(v.number(), `a = "${"x".repeat(500)}"`)) as [string]
  expect(problem.length).toBeLessThan(120)
})
