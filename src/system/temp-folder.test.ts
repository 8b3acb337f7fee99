import { expect, test } from "bun:test"
import { existsSync, mkdirSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { tempFolder } from "./temp-folder.ts"

const kind = `test${process.pid}`

test("folders of processes that are gone are removed, those of others stay", async () => {
  const child = Bun.spawn(["true"])
  await child.exited
  const [gone, alive, foreign] = [`edge-${kind}-${child.pid}-aaaaaa`, `edge-${kind}-${process.pid}-aaaaaa`, `edge-${kind}-x-aaaaaa`].map(name => join(tmpdir(), name))
  for (const path of [gone!, alive!, foreign!]) mkdirSync(join(path, "sub"), { recursive: true })
  const made = tempFolder(kind)
  expect([gone!, alive!, foreign!, made].map(existsSync)).toEqual([false, true, true, true])
  expect(statSync(made).mode & 0o777).toBe(0o700)
  await Bun.$`rm -rf ${alive!} ${foreign!} ${made}`
})

test("it goes with its process", async () => {
  const script = `const { tempFolder } = await import(${JSON.stringify(join(import.meta.dir, "temp-folder.ts"))}); console.log(tempFolder("${kind}"))`
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" })
  const path = (await new Response(child.stdout).text()).trim()
  await child.exited
  expect(path).toContain(`edge-${kind}-${child.pid}-`)
  expect(existsSync(path)).toBe(false)
})
