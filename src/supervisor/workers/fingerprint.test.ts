import { afterAll, expect, test } from "bun:test"
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fingerprint } from "./fingerprint.ts"

const root = mkdtempSync(join(tmpdir(), "edge-fingerprint-"))
afterAll(() => rmSync(root, { recursive: true }))

let folders = 0
function folder(files: Readonly<Record<string, string>>): string {
  const dir = join(root, String(folders++))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(dir, name, ".."), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
  return dir
}

test("it is the same as long as nothing changes", () => {
  const dir = folder({ "app.ts": "1", "lib/a.ts": "2" })
  expect(fingerprint(dir)).toBe(fingerprint(dir))
})

test.each([
  ["a file is edited", (dir: string) => writeFileSync(join(dir, "lib/a.ts"), "longer")],
  ["a file is touched", (dir: string) => utimesSync(join(dir, "app.ts"), 1, 1)],
  ["a file is added", (dir: string) => writeFileSync(join(dir, "lib/b.ts"), "")],
  ["a file is removed", (dir: string) => rmSync(join(dir, "lib/a.ts"))],
  ["a file is renamed", (dir: string) => renameSync(join(dir, "lib/a.ts"), join(dir, "lib/c.ts"))],
])("it changes when %s", (_, change) => {
  const dir = folder({ "app.ts": "1", "lib/a.ts": "2" })
  const before = fingerprint(dir)
  change(dir)
  expect(fingerprint(dir)).not.toBe(before)
})

test.each(["app.log", "state.db", "state.db-wal", "state.sqlite3-journal", "edge.pid", ".git/HEAD", "node_modules/x/index.js", "__pycache__/app.pyc"])(
  "%s is written by the running app or a tool and does not count",
  name => {
    const dir = folder({ "app.ts": "1" })
    const before = fingerprint(dir)
    mkdirSync(join(dir, name, ".."), { recursive: true })
    writeFileSync(join(dir, name), "new")
    expect(fingerprint(dir)).toBe(before)
  },
)

test("a folder that is not there has a fingerprint of its own", () => {
  expect(fingerprint(join(root, "none"))).not.toBe(fingerprint(folder({ "app.ts": "1" })))
})
