/** Logs on a disk that fills up and has room again: what was lost is counted and said. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { readFileSync, unlinkSync } from "node:fs"
import { Edge, until } from "../kit/edge.ts"
import { python } from "./site.ts"

setDefaultTimeout(60_000)

/** A /run of its own with so much room, which the test reaches through /proc; what edge says goes to a file in it, too. */
const smallRun = (argv: string[]) => ["unshare", "-rm", "/bin/sh", "-c", 'mount -t tmpfs -o size=512k tmpfs /run && exec "$@" 2>/run/events.log', "sh", ...argv]
const canMount = process.platform === "linux" && Bun.spawnSync(smallRun(["true"]), { stderr: "ignore" }).exitCode === 0

const config = `
[server]
fronts = 1
[log]
access = { path = "/run/access.log", format = "json" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/ping"
respond = "pong"
[[site.route]]
app = "app"
[app.app]
runtime = "wsgi"
entry = "hello:app"
python = "/usr/bin/python3"
log = "/run/app.log"
`
const app = python().replace("def app", "import sys\ndef app").replace("    start_response", '    print("x" * 200, environ["PATH_INFO"], file=sys.stderr, flush=True)\n    start_response')

test.skipIf(!canMount)("access log, an app's log and the event log", async () => {
  await using edge = await Edge.launch({ config, files: { "hello.py": app }, wrap: smallRun })
  await edge.heard(/^serving /m)
  const run = `/proc/${edge.pid}/root/run`
  const events = () => readFileSync(`${run}/events.log`, "utf8")
  const access = () => readFileSync(`${run}/access.log`, "utf8").split("\n").filter(Boolean)
  const printed = () => readFileSync(`${run}/app.log`, "utf8").split("\n").filter(Boolean)
  await until(() => events().includes("serving generation=1"))
  expect(await edge.get("/before")).toContain("hello")
  await until(() => access().length === 1 && printed().length === 1)

  Bun.spawnSync(["dd", "if=/dev/zero", `of=${run}/fill`, "bs=1k"], { stderr: "ignore" })
  const full = 100
  for (let i = 0; i < full; i++) expect(await edge.get(`/full/${i}`)).toContain("hello")
  // Also lines of the event log, which has no room either.
  edge.write("site.toml", `${Array.from({ length: 100 }, (_, i) => `unknown_key_number_${i} = 1`).join("\n")}\n${config}`)
  expect((await edge.command("reload", "--control", "edge.sock")).code).toBe(1)
  edge.write("site.toml", config)
  unlinkSync(`${run}/fill`)
  let after = 0
  await until(async () => {
    await edge.get(`/after/${after++}`)
    return /lines of a log were lost .*access\.log/.test(events()) && /lines of a log were lost .*app\.log/.test(events())
  })
  const lost = (file: string) => [...events().matchAll(new RegExp(`lines of a log were lost .*${file} lost=(\\d+)`, "g"))].reduce((sum, match) => sum + Number(match[1]), 0)
  expect(lost("access.log")).toBeGreaterThan(0)
  expect(lost("app.log")).toBeGreaterThan(0)
  // Every line is there whole or counted; the last batch may be on its way.
  await until(() => access().filter(isWhole).length + lost("access.log") === 1 + full + after)
  await until(() => printed().filter(line => /x{200} \/\w+/.test(line)).length + lost("app.log") === 1 + full + after)
  expect((await edge.command("reload", "--control", "edge.sock")).code).toBe(0)
  await until(() => /lines of this log were lost, it could not be written lost=\d+/.test(events()))
})

function isWhole(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object"
  } catch {
    return false
  }
}
