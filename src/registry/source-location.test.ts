import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { locateError } from "./source-location.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-location-"))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function locate(files: Record<string, string>, entry: string): Promise<string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  const file = join(dir, entry)
  const error: unknown = await import(file).then(module => (module as { default?: () => void }).default?.(), e => e)
  const { place, message } = locateError(error, file)
  return `${place.file.slice(dir.length + 1)}:${place.line}:${place.column}: ${message.replaceAll(`${dir}/`, "")}`
}

test.each([
  ["thrown at import", { "a1.ts": "type A = 1\n\nthrow new TypeError('no')\n" }, "a1.ts", "a1.ts:3:11: no"],
  ["thrown below", { "b1.ts": "import './b2.ts'", "b2.ts": "const f = () => {\n  throw new Error('deep')\n}\nf()" }, "b1.ts", "b2.ts:2:13: deep"],
  ["syntax", { "c1.ts": "const a = 1\nconst b = ;\n" }, "c1.ts", "c1.ts:2:11: Unexpected ;"],
  ["syntax below", { "d1.ts": "import './d2.ts'", "d2.ts": "\n  let 5" }, "d1.ts", "d2.ts:2:7: Expected \";\" but found \"5\""],
  ["missing file", { "e1.ts": "const x = 1\nimport './none.ts'\n" }, "e1.ts", "e1.ts:2:8: Cannot find module './none.ts' imported from e1.ts"],
  ["missing export", { "f1.ts": "import {\n  a as b,\n  c\n} from './f2.ts'\nconsole.log(b, c)", "f2.ts": "export const a = 1" }, "f1.ts", "f1.ts:3:3: Export named 'c' not found in module 'f2.ts'."],
  ["missing export of a re-export", { "g1.ts": "import { c } from './g2.ts'\nconsole.log(c)", "g2.ts": "export { c } from './g3.ts'", "g3.ts": "export const $c = 1" }, "g1.ts", "g2.ts:1:10: export 'c' not found in './g3.ts'"],
  ["thrown, but no error", { "h1.ts": "throw 'just text'" }, "h1.ts", "h1.ts:1:1: just text"],
])("%s", async (_, files, entry, expected) => {
  expect(await locate(files as Record<string, string>, entry)).toBe(expected)
})
