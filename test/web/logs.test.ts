/** Access logs: of the server and of sites, formats, what they hide, and USR1. Through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { existsSync, renameSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { listenRaw, type FakeUpstream } from "../upstream/harness.ts"

let upstream: FakeUpstream
let edge: Edge
const config = () => `
[server]
fronts = 2

[log]
access = { path = "all.log", format = "json", redact = ["token"], mask_ip = true }

[[site]]
hosts  = ["plain.test"]
listen = ["127.0.0.1:0"]
use    = ["request_id"]
[[site.route]]
path = "/quiet"
log  = false
respond = "quiet"
[[site.route]]
path = "/up"
proxy = "http://127.0.0.1:${upstream.port}"
[[site.route]]
respond = "plain"

[[site]]
hosts  = ["own.test"]
listen = ["127.0.0.1:0"]
log    = { path = "logs/own.log", format = '{ip} "{method} {target}" {status} {bytes} {header.x-a} {answer.content-type} {header.authorization} {cookie.sid}' }
[[site.route]]
respond = "own"

[[site]]
hosts  = ["fields.test"]
listen = ["127.0.0.1:0"]
log    = { path = "fields.log", fields = ["method", "path", "status", "header.x-a", "upstream"], sample = 0, slow = "1ms" }
[[site.route]]
path = "/up"
proxy = "http://127.0.0.1:${upstream.port}"
[[site.route]]
path = "/none"
respond = { status = 404 }
[[site.route]]
respond = "fields"

[[site]]
hosts  = ["common.test"]
listen = ["127.0.0.1:0"]
log    = { path = "common.log", format = "common" }
[[site.route]]
respond = "common"

[[site]]
hosts  = ["sampled.test"]
listen = ["127.0.0.1:0"]
log    = { path = "sampled.log", fields = ["path"], sample = 0 }
[[site.route]]
path = "/none"
respond = { status = 404 }
[[site.route]]
respond = "sampled"

[[site]]
hosts  = ["none.test"]
listen = ["127.0.0.1:0"]
log    = false
[[site.route]]
respond = "none"
`

beforeAll(async () => {
  upstream = listenRaw(c => setTimeout(() => c.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup"), 20))
  edge = await Edge.start({ config: config(), files: { "logs/.keep": "" } })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  upstream.stop()
})

async function ask(host: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  return await (await fetch(edge.url(path), { keepalive: false, headers: { Host: host, "User-Agent": "t", ...headers } })).text()
}
async function line(file: string, part: string): Promise<string> {
  let found: string | undefined
  await until(() => {
    found = existsSync(join(edge.dir, file)) ? edge.read(file).split("\n").find(one => one.includes(part)) : undefined
    return found !== undefined
  })
  return found!
}

test("the server's log: redacted, masked, with the upstream and the request's id; not for routes and sites that say so", async () => {
  await ask("plain.test", "/quiet?mark=quiet")
  await ask("none.test", "/?mark=none")
  await ask("plain.test", "/a?mark=1&token=secret&b=2", { Referer: "http://x/?token=secret#f" })
  const plain = JSON.parse(await line("all.log", "mark=1"))
  expect(plain).toMatchObject({ ip: "127.0.0.0", target: "/a?mark=1&token=***&b=2", referer: "http://x/?token=***#f", status: 200, host: "plain.test" })
  expect(plain.id).toMatch(/^[0-9a-f-]{36}$/)
  await ask("plain.test", "/up?mark=2")
  expect(JSON.parse(await line("all.log", "mark=2"))).toMatchObject({ upstream: `http://127.0.0.1:${upstream.port}` })
  expect(edge.read("all.log")).not.toContain("secret")
  expect(edge.read("all.log")).not.toMatch(/mark=quiet|mark=none/)
})

test("a site's own format: escaped, so that no client writes a line; passwords never", async () => {
  await ask("own.test", "/o?mark=3", { "X-A": 'a "b" \\', Authorization: "Basic c2VjcmV0", Cookie: "a=1; sid=42" })
  expect(await line("logs/own.log", "mark=3")).toBe('127.0.0.1 "GET /o?mark=3" 200 3 a \\"b\\" \\\\ text/plain; charset=utf-8 *** 42')
  await ask("common.test", "/c?mark=4")
  expect(await line("common.log", "mark=4")).toMatch(/^127\.0\.0\.1 - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET \/c\?mark=4 HTTP\/1\.1" 200 6$/)
  expect(edge.read("all.log")).not.toMatch(/mark=3|mark=4/)
})

test("chosen fields; samples leave out what went well and was quick; slow ones are told", async () => {
  for (let i = 0; i < 5; i++) await ask("fields.test", "/well")
  await ask("fields.test", "/none", { "X-A": "b" })
  expect(JSON.parse(await line("fields.log", "/none"))).toEqual({ method: "GET", path: "/none", status: 404, "header.x-a": "b" })
  await ask("fields.test", "/up")
  expect(JSON.parse(await line("fields.log", "/up"))).toEqual({ method: "GET", path: "/up", status: 200, upstream: `http://127.0.0.1:${upstream.port}` })
  await edge.heard(/WARN {2}slow request .*path=\/up status=200 ms=\d+ upstream=/)
})

test("a sample of nothing has the errors alone", async () => {
  for (let i = 0; i < 20; i++) await ask("sampled.test", "/well")
  await ask("sampled.test", "/none")
  await line("sampled.log", "/none")
  expect(edge.read("sampled.log")).toBe('{"path":"/none"}\n')
})

test("USR1 opens all of them anew", async () => {
  for (const file of ["all.log", "logs/own.log"]) renameSync(join(edge.dir, file), join(edge.dir, `${file}.1`))
  edge.signal("SIGUSR1")
  await until(() => existsSync(join(edge.dir, "all.log")) && existsSync(join(edge.dir, "logs/own.log")))
  // Each of the fronts has to have done so.
  await until(async () => {
    await ask("own.test", "/o?mark=5")
    await Bun.sleep(150)
    return edge.read("logs/own.log").split("\n").length > 8
  })
  await ask("plain.test", "/?mark=6")
  await line("all.log", "mark=6")
})

test("a format that cannot be is an error with its place", async () => {
  edge.write("bad.toml", '[log]\naccess = { format = "{ip} {nothing}" }\n[[site]]\nlog = { fields = ["ip", "header"] }\n[[site.route]]\nrespond = "a"\n')
  const { code, err } = await edge.command("check", "--config", "bad.toml")
  expect(code).toBe(1)
  expect(err).toContain("bad.toml:2:")
  expect(err).toContain("no {nothing} in a log format")
  expect(err).toContain("bad.toml:4:")
})
