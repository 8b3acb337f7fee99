/** docs/reference.md is what the schemas say, and `edge help` says the same through the executable. */
import { beforeAll, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { toMarkdown } from "../../src/reference/markdown.ts"
import { standardSections } from "../../src/reference/standard-sections.ts"
import { executable } from "../build.ts"
import { Folder } from "../commands/kit.ts"

beforeAll(executable, 120_000)

test("docs/reference.md is current (npm run docs:write)", async () => {
  expect(readFileSync(join(import.meta.dir, "..", "..", "docs", "reference.md"), "utf8")).toBe(toMarkdown(await standardSections()))
})

test("every key of every part says what it means", async () => {
  const silent = (await standardSections()).flatMap(({ title, entries }) => entries.filter(({ help }) => help === "").map(({ key }) => `${title} ${key}`))
  expect(silent).toEqual([])
})

test.each([
  [["help", "head_timeout"], 0, "server.limits.head_timeout   [server]\n  Until a request head is complete\n"],
  [["help", "[server]"], 0, "server.fronts   [server]\n"],
  [["help", "hed_timeout"], 1, 'no key of site.toml, and no command, is called "hed_timeout"; did you mean "head_timeout"?\n'],
  [["help", "check"], 0, "Usage: edge check [options]\n"],
] as const)("edge %p", async (args, code, words) => {
  using folder = new Folder()
  const ran = await folder.edge(args)
  expect(ran.code).toBe(code)
  expect(code === 0 ? ran.stdout : ran.stderr).toStartWith(words)
})
