/**
 * `edge check` of the executable. broken/NAME.toml must be refused with exactly the words of broken/NAME.txt and exit
 * code 1; good/NAME.toml must be accepted, and the config in force (--dump) must have every line of good/NAME.txt.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { executable } from "../build.ts"

const env = { PATH: process.env["PATH"], EDGE_TEST_FRONTS: "some", EDGE_TEST_FLAG: "true", EDGE_TEST_STATUS: "201", EDGE_TEST_EMPTY: "" }

let edge: string
beforeAll(async () => {
  edge = await executable()
}, 120_000)

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function check(folder: string, args: readonly string[], more: Record<string, string> = {}): Promise<Ran> {
  const child = Bun.spawn([edge, "check", ...args], { cwd: folder, env: { ...env, ...more }, stdout: "pipe", stderr: "pipe" })
  const [code, stdout, stderr] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { code, stdout, stderr }
}

function cases(folder: string): string[] {
  return readdirSync(folder).filter(file => file.endsWith(".toml")).map(file => file.slice(0, -5)).toSorted()
}

describe("broken", () => {
  const folder = join(import.meta.dir, "broken")
  test.each(cases(folder))("%s", async name => {
    const { code, stdout, stderr } = await check(folder, ["-c", `${name}.toml`])
    expect(stderr).toBe(readFileSync(join(folder, `${name}.txt`), "utf8"))
    expect(stdout).toBe("")
    expect(code).toBe(1)
  })
})

describe("good", () => {
  const folder = join(import.meta.dir, "good")
  const made: string[] = []
  afterAll(() => made.forEach(file => rmSync(file, { force: true })))

  test.each(cases(folder))("%s", async name => {
    const { code, stdout, stderr } = await check(folder, ["--dump", "-c", `${name}.toml`], { EDGE_TEST_FRONTS: "2" })
    expect(stderr).toBe("")
    expect(code).toBe(0)
    const wanted = readFileSync(join(folder, `${name}.txt`), "utf8").trim().split("\n")
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(wanted))
    // What is dumped stands for the same config: it dumps to itself, with no variable left to fill in.
    const again = join(folder, `.${name}.dumped`)
    made.push(again)
    writeFileSync(again, stdout)
    expect((await check(folder, ["--dump", "-c", again])).stdout).toBe(stdout)
  })

  test("the files of the config are relative to it, not to the working folder", async () => {
    const elsewhere = mkdtempSync(join(import.meta.dir, "..", "..", "dist", ".elsewhere-"))
    made.push(elsewhere)
    expect(await check(elsewhere, ["-c", join(folder, "plugin.toml")])).toMatchObject({ code: 0, stderr: "" })
    rmSync(elsewhere, { recursive: true })
  })
})

test("--json gives problems that an editor can show", async () => {
  const folder = join(import.meta.dir, "broken")
  const { code, stdout } = await check(folder, ["--json", "-c", "server-key.toml"])
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toEqual([
    expect.objectContaining({ code: "config/unknown-key", at: "server", place: { file: join(folder, "server-key.toml"), line: 6, column: 1 } }),
    expect.objectContaining({ code: "config/unknown-key", at: "server", place: { file: join(folder, "server-key.toml"), line: 7, column: 1 } }),
  ])
})

test("a config that is not there", async () => {
  const { code, stderr } = await check(join(import.meta.dir, "good"), ["-c", "none.toml"])
  expect([code, stderr]).toEqual([1, "cannot read none.toml: there is no such file\n"])
})
