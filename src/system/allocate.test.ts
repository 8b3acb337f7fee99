import { expect, test } from "bun:test"
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { allocate } from "./allocate.ts"

const small = ["unshare", "-rm", "/bin/sh", "-c", 'mount -t tmpfs -o size=64k tmpfs /run && exec "$@"', "sh"]
const canMount = process.platform === "linux" && Bun.spawnSync([...small, "true"], { stderr: "ignore" }).exitCode === 0

test("a file gets its length and keeps what it has", () => {
  const dir = mkdtempSync(join(tmpdir(), "edge-allocate-"))
  const file = join(dir, "page")
  writeFileSync(file, "begin")
  allocate(openSync(file, "r+"), 4096)
  const bytes = readFileSync(file)
  expect(bytes.length).toBe(4096)
  expect(bytes.subarray(0, 6).toString("latin1")).toBe("begin\0")
  allocate(openSync(file, "r+"), 10)
  expect(readFileSync(file).length).toBe(4096)
  rmSync(dir, { recursive: true })
})

test.skipIf(!canMount)("on a full disk a page is an error, not a process killed by SIGBUS at its first write", () => {
  const script = `
    const { createPage } = await import(${JSON.stringify(join(import.meta.dir, "../slots/page.ts"))})
    try {
      createPage("/run/page", { workers: 40, capacity: 500 }).words.fill(1)
    } catch (error) {
      console.log(error.message)
    }`
  const { exitCode, stdout } = Bun.spawnSync([...small, process.execPath, "-e", script])
  expect(stdout.toString()).toContain("no space left on the disk")
  expect(exitCode).toBe(0)
})
