import { afterAll, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Exchange, ExchangeEnd } from "../http/message/exchange.ts"
import { HeaderList } from "../http/message/headers.ts"
import { AccessLog } from "./access.ts"
import { createLogger } from "./logger.ts"
import { LineSink } from "./sink.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-log-"))
afterAll(() => rmSync(dir, { recursive: true }))

const hostile = {
  ip: "127.0.0.1",
  method: "GET",
  host: "a.test",
  target: '/x"y\\z',
  httpVersion: "1.1",
  scheme: "http",
  headers: new HeaderList(["User-Agent", 'evil"\u0001\n{"forged":1}']),
  upstream: "",
} as unknown as Exchange
const settings = { fields: [], redact: [], maskIp: false, sample: 1, slowMs: 0 }
const open = (path: string, format: string, more = {}) => new AccessLog({ ...settings, path, format, ...more })
const end: ExchangeEnd = { status: 200, bytesOut: 5, ms: 1.234 }

test("a JSON access line is one valid object whatever the client sent", async () => {
  const path = join(dir, "a.json")
  const log = open(path, "json")
  log.write(hostile, end)
  log.write(hostile, { ...end, error: new Error("cut\nshort") })
  await log.close()
  const lines = readFileSync(path, "utf8").trimEnd().split("\n")
  expect(lines.length).toBe(2)
  expect(JSON.parse(lines[0]!)).toMatchObject({ target: '/x"y\\z', ua: 'evil"\u0001\n{"forged":1}', status: 200, bytes: 5, ms: 1.23 })
  expect(JSON.parse(lines[1]!).error).toBe("Error: cut\nshort")
})

test("a combined access line escapes what could forge another", async () => {
  const path = join(dir, "a.log")
  const log = open(path, "combined")
  log.write(hostile, { ...end, bytesOut: 0 })
  await log.close()
  expect(readFileSync(path, "utf8")).toMatch(
    /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/x\\"y\\\\z HTTP\/1\.1" 200 - "-" "evil\\"\\x01\\x0a\{\\"forged\\":1\}"\n$/,
  )
})

test("a short line: what was answered to what, in one line whatever the client sent", async () => {
  const path = join(dir, "s.log")
  const log = open(path, "short")
  log.write(hostile, end)
  log.write(hostile, { ...end, status: 502, ms: 12_345, bytesOut: 5_100, error: new Error("cut\nshort\u001b[0m") })
  await log.close()
  const clock = String.raw`\d\d:\d\d:\d\d`
  expect(readFileSync(path, "utf8")).toMatch(
    new RegExp(String.raw`^${clock} 200 GET  /x\\"y\\\\z 1\.2 ms 5 B\n${clock} 502 GET  /x\\"y\\\\z 12\.3 s 5\.1 kB Error: cut\\nshort\\u001b\[0m\n$`),
  )
})

test("after a rotation new lines go to the new file, none is lost", async () => {
  const path = join(dir, "r.log")
  const sink = new LineSink(path)
  for (let i = 0; i < 1000; i++) sink.line(`before ${i}`)
  await Bun.sleep(150)
  renameSync(path, path + ".1")
  for (let i = 0; i < 10; i++) sink.line(`between ${i}`)
  sink.reopen()
  for (let i = 0; i < 1000; i++) sink.line(`after ${i}`)
  await sink.close()
  const both = readFileSync(path + ".1", "utf8") + readFileSync(path, "utf8")
  expect(both.trimEnd().split("\n").length).toBe(2010)
  expect(readFileSync(path, "utf8")).toContain("after 999")
})

test("a full disk loses lines, counts them, and nothing throws", async () => {
  const told: string[] = []
  const sink = new LineSink("/dev/full", { told: { failing: why => told.push(why), wellAgain: lost => told.push(`lost ${lost}`) } })
  for (let i = 0; i < 5; i++) sink.line("x")
  await Bun.sleep(150)
  sink.line("y")
  await sink.close()
  expect(told).toEqual([expect.stringContaining("ENOSPC"), "lost 6"])
})

test("a file that cannot be opened is an error at once", () => {
  expect(() => new LineSink(join(dir, "no", "such", "x.log"))).toThrow("ENOENT")
})

test("the event log keeps one line a message and shows errors with their stack", () => {
  const lines: string[] = []
  const log = createLogger({ level: "info", format: "text", write: line => lines.push(line) }).with({ app: "blog" })
  log.debug("hidden")
  log.info("ready\nFORGED", { worker: 2 })
  log.error("broke", { error: new Error("why") })
  expect(lines.length).toBe(2)
  expect(lines[0]).toEndWith(String.raw`INFO  ready\nFORGED app=blog worker=2`)
  expect(lines[1]).toContain("\n    Error: why\n")
})

test("the JSON form has the same fields", () => {
  const lines: string[] = []
  createLogger({ level: "debug", format: "json", write: line => lines.push(line) }).warn("careful", { n: 1 })
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: "warn", message: "careful", n: 1 })
})
