import { beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { executable } from "../build.ts"

setDefaultTimeout(60_000)
beforeAll(executable, 120_000)

test("examples/newsroom: types, migrations that fit, its own tests, with nothing but the executable", async () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-newsroom-"))
  try {
    cpSync(join(import.meta.dir, "..", "..", "examples", "newsroom"), dir, { recursive: true, filter: path => !/\.db|\.secret|media/.test(path) })
    const run = async (argv: string[]) => {
      const child = Bun.spawn(argv, { cwd: dir, stdout: "pipe", stderr: "pipe" })
      const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
      return { code, out, err }
    }
    const edge = await executable()
    expect(await run([edge, "manage", "migrate"])).toMatchObject({ code: 0, err: "" })
    expect(await run([edge, "manage", "migrate", "--check"])).toMatchObject({ code: 0, out: "up to date\n" })
    expect(await run([edge, "test"])).toMatchObject({ code: 0, out: expect.stringContaining("5 passed, 0 failed") })
    await run([edge, "types"])
    expect((await run([join(import.meta.dir, "..", "..", "node_modules", ".bin", "tsc"), "-p", "."])).out).toBe("")
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
