/** `edge test [FILE ...]`: runs *.test.ts below the working folder, one after the other. */
import { resolve } from "node:path"
import { locateError, formatLocated } from "../registry/source-location.ts"
import { EdgeError, errors, showFile } from "../errors.ts"
import { Registry } from "../registry/registry.ts"
import { takeTests, type Test } from "../testing.ts"

export async function run(_options: object, given: readonly string[]): Promise<number> {
  // Tests import the framework's modules ("edge/test") before any app is loaded.
  await new Registry().find("framework", "hono")
  const files = given.length > 0 ? given.map(file => resolve(file)) : findTests()
  if (files.length === 0) throw new EdgeError(errors.noTests())
  let failed = 0
  let passed = 0
  for (const file of files) {
    console.log(showFile(file))
    for (const test of await load(file)) {
      const why = await outcome(test, file)
      if (why === undefined) passed++
      else failed++
      console.log(why === undefined ? `  ok    ${test.name}` : `  FAIL  ${test.name}\n        ${why.replaceAll("\n", "\n        ")}`)
    }
  }
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 && passed > 0 ? 0 : 1
}

function findTests(): string[] {
  const glob = new Bun.Glob("**/*.test.{ts,tsx,js,jsx}")
  const files = [...glob.scanSync({ absolute: true, onlyFiles: true })]
  return files.filter(file => !file.includes("/node_modules/")).toSorted()
}

/** A file that cannot be imported is one failed test. */
async function load(file: string): Promise<readonly Test[]> {
  try {
    await import(file)
    return takeTests()
  } catch (error) {
    takeTests()
    return [{ name: "is imported", run: () => Promise.reject(error) }]
  }
}

async function outcome(test: Test, file: string): Promise<string | undefined> {
  try {
    await test.run()
    return undefined
  } catch (error) {
    return formatLocated(locateError(error, file))
  }
}
