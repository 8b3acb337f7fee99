import { afterEach, expect, test } from "bun:test"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { nextTime } from "../../src/apps/attendants.ts"
import { createLogger } from "../../src/log/logger.ts"
import { Attendants } from "../../src/supervisor/daemons/attendants.ts"
import { Guard } from "../../src/supervisor/reaper.ts"
import type { AppSpec } from "../../src/contract/gateway.ts"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, pong } from "./site.ts"

const daemon = `
echo "$$" > "daemon.$EDGE_INDEX"
echo "daemon $EDGE_INDEX of $WHO $MORE"
trap 'echo "told to stop"; exit 0' TERM
while true; do sleep 0.05; done
`
const inlineApp = `
[app.app]
entry = "app.ts"
dir = "app"
gateway = "inline"
`
const more = `
[app.app.env]
WHO = "app"
[app.app.daemons.mailer]
command = ["sh", "daemon.sh"]
count = 2
env = { MORE = "and more" }
[app.app.daemons.bad]
command = ["sh", "-c", "echo I cannot; exit 3"]
[[app.app.cron]]
at = "30 3 1 1 *"
command = ["sh", "-c", "echo yearly"]
`
const files = { "app/app.ts": app, "app/daemon.sh": daemon }

test("daemons run beside the app: started again when they end, anew with new code, ended with edge", async () => {
  await using edge = await Edge.start({ config: pong() + inlineApp + more, files })
  const pids = () => [0, 1].map(n => Number(readFileSync(join(edge.dir, `app/daemon.${n}`), "utf8")))
  await edge.heard(/INFO {2}daemon 0 of app and more app=app daemon=mailer\.0 pid=\d+/)
  await edge.heard("daemon 1 of app and more")
  // One that cannot run is tried again, ever later, and harms nothing.
  await edge.heard(/ERROR daemon bad ended with exit code 3; started again in 100 ms/)
  await edge.heard(/ERROR daemon bad ended with exit code 3; started again in 200 ms/)
  expect(await edge.get("/ping")).toBe("pong")

  const before = pids()
  process.kill(before[0]!, "SIGKILL")
  await edge.heard(/daemon mailer\.0 was killed by SIGKILL; started again/)
  await until(() => pids()[0] !== before[0] && alive(pids()[0]!))
  expect(pids()[1]).toBe(before[1]!)

  // A reload leaves them; new code starts them anew, after the old ones have ended.
  const same = pids()
  await edge.command("reload")
  expect(pids()).toEqual(same)
  edge.write("app/daemon.sh", daemon.replace("daemon $EDGE_INDEX", "new daemon $EDGE_INDEX"))
  expect((await edge.command("reload")).code).toBe(0)
  await edge.heard("new daemon 0 of app")
  await edge.heard("new daemon 1 of app")
  expect(edge.output.match(/told to stop/g)).toHaveLength(2)
  expect(same.map(alive)).toEqual([false, false])

  const last = pids()
  edge.signal("SIGTERM")
  expect(await edge.exited).toBe(0)
  expect(last.map(alive)).toEqual([false, false])
}, 30_000)

test("status shows them; bad times are refused with their place", async () => {
  const pool = inlineApp.replace('gateway = "inline"', "")
  await using edge = await Edge.start({ config: pong() + pool + more, files })
  await until(async () => (await edge.status()).apps[0]!.attendants.length === 4)
  const { attendants } = (await edge.status()).apps[0]!
  expect(attendants.map(({ name, kind }) => [name, kind])).toEqual([["mailer.0", "daemon"], ["mailer.1", "daemon"], ["bad", "daemon"], ["sh -c echo yearly", "cron"]])
  expect(attendants[3]!.next).toBe(nextTime("30 3 1 1 *", new Date())!.getTime())
  expect((await edge.command("status")).out).toMatch(/app +mailer\.0 +\d+ +\d+ s +1\n/)
  edge.write("site.toml", pong() + pool + more.replace("30 3 1 1 *", "61 * * * *"))
  const refused = await edge.command("check")
  expect(refused.err + refused.out).toMatch(/site\.toml:\d+:\d+: app\.app\.cron\[0\]\.at: expected a time as in crontab/)
}, 20_000)

let folder: string | undefined
let guard: Guard | undefined
let attendants: Attendants | undefined
afterEach(async () => {
  await attendants?.stop()
  guard?.close()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  attendants = guard = folder = undefined
})

/** A clock whose next minute begins in a second. */
function start(cron: object): { lines: string[]; dir: string } {
  const dir = (folder = mkdtempSync(join(tmpdir(), "edge-cron-")))
  guard = new Guard()
  const lines: string[] = []
  const log = createLogger({ level: "info", format: "text", write: line => lines.push(line) })
  const began = Date.now()
  const base = new Date(2026, 0, 1, 12, 0, 59).getTime()
  const job = { at: "* * * * *", env: {}, timeout: 3_600_000, overlap: false, ...cron }
  const spec = { name: "app", dir, env: { WHO: "app" }, attendants: { daemons: {}, cron: [job] } } as unknown as AppSpec
  attendants = new Attendants({
    app: spec,
    run: dir,
    guard,
    log,
    now: () => new Date(base + Date.now() - began),
  })
  return { lines, dir }
}

test("cron: the command runs at its time, in the app's folder and environment", async () => {
  const { lines, dir } = start({ command: ["sh", "-c", "echo $WHO $MORE > ran; echo said; exit 5"], env: { MORE: "cron" } })
  await until(() => existsSync(join(dir, "ran")))
  expect(readFileSync(join(dir, "ran"), "utf8")).toBe("app cron\n")
  await until(() => lines.some(line => line.includes("ended with exit code 5")))
  expect(lines.some(line => /INFO {2}said daemon="?sh -c/.test(line))).toBe(true)
})

test("cron: what takes too long is ended, with all that it started", async () => {
  const { lines, dir } = start({ command: ["sh", "-c", "sleep 60 & echo $! > child; wait"], timeout: 1000 })
  await until(() => lines.some(line => line.includes("takes longer than 1 s and is ended")))
  await until(() => !alive(Number(readFileSync(join(dir, "child"), "utf8"))))
})

test("the next time of a crontab line", () => {
  const from = new Date(2026, 0, 30, 12, 34, 56)
  const next = (at: string) => nextTime(at, from)?.toString()
  expect(next("*/5 * * * *")).toBe(new Date(2026, 0, 30, 12, 35).toString())
  expect(next("0 9 * * MON-FRI")).toBe(new Date(2026, 1, 2, 9, 0).toString())
  expect(next("@daily")).toBe(new Date(2026, 0, 31).toString())
  expect(nextTime("0 0 30 2 *", from)).toBeNull()
})
