import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { clientScript } from "./client.ts"

test("the script is a script, of every file in client/, each in a scope of its own", () => {
  expect(() => new Function(clientScript)).not.toThrow()
  expect(clientScript).not.toMatch(/^\s*(?:import|export)\b/m)
  const folder = join(import.meta.dir, "client")
  const files = readdirSync(folder)
  expect(files.length).toBeGreaterThan(10)
  for (const file of files) {
    const last = readFileSync(join(folder, file), "utf8").trimEnd().split("\n").slice(-3).join("\n")
    expect([file, clientScript.includes(last)]).toEqual([file, true])
    expect([file, file === "page.client.js" || !/^export\b/m.test(readFileSync(join(folder, file), "utf8"))]).toEqual([file, true])
  }
})
