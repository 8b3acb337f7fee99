/** What README.md and docs/ show: every TOML block is taken by `edge check`, every command and option exists. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { executable } from "../build.ts"
import { Folder } from "../commands/kit.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

const root = join(import.meta.dir, "..", "..")
const documents = [join(root, "README.md"), ...readdirSync(join(root, "docs")).filter(name => name.endsWith(".md")).map(name => join(root, "docs", name))]

interface Block {
  readonly language: string
  readonly line: number
  readonly text: string
}

function blocks(text: string): Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(match => ({ language: match[1]!, line: text.slice(0, match.index).split("\n").length, text: match[2]! }))
}

/** Files, apps and plugins that a block names are somebody's; what it says of keys and values must be so all the same. */
const AWAY = /no such file|is not there|cannot read|there is no file|is not set|ENOENT/

for (const file of documents) {
  const text = readFileSync(file, "utf8")
  describe(basename(file), () => {
    for (const { language, line, text: toml } of blocks(text)) {
      if (language !== "toml") continue
      test(`the TOML at line ${line}`, async () => {
        using folder = new Folder()
        // A part of a config: routes of some site.
        folder.write({ "site.toml": /^\[\[site\]\]/m.test(toml) ? toml : toml.replace(/^\[\[site\.route\]\]/m, "[[site]]\n[[site.route]]") })
        const { stdout } = await folder.edge(["check", "--json"])
        const problems = (stdout.trimStart().startsWith("[") ? JSON.parse(stdout) : []) as { code: string; message: string }[]
        expect(problems.filter(({ code, message }) => /unknown-key|config\/value|config\/syntax/.test(code) && !AWAY.test(message)).map(({ message }) => message)).toEqual([])
      })
    }

    test("commands", async () => {
      using folder = new Folder()
      const help = (await folder.edge(["--help"])).stdout
      const known = new Set([...help.matchAll(/^ {2}([a-z]+)/gm)].map(match => match[1]!))
      const named = [...text.matchAll(/(?:`|^|\.\/|dist\/)edge ([a-z]+)\b/gm)].map(match => match[1]!)
      expect([...new Set(named)].filter(name => !known.has(name))).toEqual([])
    })
  })
}
