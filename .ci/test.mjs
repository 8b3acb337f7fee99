// npm test: sets the machine up, builds the executable, runs every suite; the last line counts.
import { spawn } from "node:child_process"
import { bun, ensureDebian, ensurePackages, root, run } from "./setup.mjs"

ensurePackages()
ensureDebian()
run(bun, [".ci/build.ts"])

// 5 s, the default, is short on a busy machine; Bun 1.4.5 reads no timeout from bunfig.toml.
const args = ["test", "--timeout", "30000", ...process.argv.slice(2)]
const child = spawn(bun, args, { cwd: root, stdio: ["ignore", "inherit", "pipe"] })
let tail = ""
child.stderr.on("data", chunk => {
  process.stderr.write(chunk)
  tail = (tail + chunk).slice(-4000)
})
child.on("close", code => {
  const count = word => Number([...tail.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0)
  const [passed, failed, skipped, errors] = [count("pass"), count("fail"), count("skip"), count("errors?")]
  // A crash of the runner, or of a file outside its tests, is a failure even when no test says so.
  const broken = failed + errors > 0 ? failed + errors : code === 0 ? 0 : 1
  const skippedIsFailure = process.env.CI === "true" ? skipped : 0
  if (skippedIsFailure > 0) console.log(`${skipped} skipped: under CI a skipped suite is a failure`)
  const total = broken + skippedIsFailure
  console.log(`${passed} passed, ${total} failed`)
  process.exit(total === 0 && passed > 0 ? 0 : 1)
})
