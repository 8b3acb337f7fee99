/** rewrite, request_id, maintenance, split and mirror, from a site.toml, through the executable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { listenRaw, type FakeUpstream } from "../upstream/harness.ts"

/** Answers with what it got; remembers it. */
function echo(name: string, answers = true): FakeUpstream & { seen: string[] } {
  const seen: string[] = []
  const server = listenRaw((c, chunk) => {
    const text = chunk.latin1Slice()
    seen.push(text)
    const body = `${name} ${text}`
    if (answers) c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  return Object.assign(server, { seen })
}

let real: ReturnType<typeof echo>
let shadow: ReturnType<typeof echo>
let stuck: ReturnType<typeof echo>
let moved: FakeUpstream
let failing: FakeUpstream
let edge: Edge

const config = () => `
[server]
fronts = 1
trusted_proxies = ["127.0.0.1/32"]

[[site]]
hosts  = ["plain.test"]
listen = ["127.0.0.1:0"]
use    = ["request_id", { rewrite = { from = "^/user/(\\\\d+)$", to = "/profile/$1?v=2" } }, { maintenance = { file = "down", except = ["/up"], retry_after = "90s" } }]
errors = { 503 = "503.html" }

[[site.route]]
path    = "/profile/*"
proxy   = "http://127.0.0.1:${real.port}"

[[site.route]]
path = "/in/*"
use  = [{ rewrite = { from = "^/in/(.*)$", to = "/out/$1" } }]
proxy = "http://127.0.0.1:${real.port}"

[[site.route]]
path  = "/real"
proxy = { to = "http://127.0.0.1:${real.port}", forwarded = "rfc7239", headers = { set = { X-Real-IP = "{ip}", X-Id = "{id}" } } }

[[site.route]]
path  = "/moved/*"
strip = "/moved"
proxy = "http://127.0.0.1:${moved.port}/base"

[[site.route]]
path = "/up"
respond = "up"

[[site]]
hosts  = ["split.test"]
listen = ["127.0.0.1:0"]
[[site.route]]
split = { cookie = "ab", header = "X-Canary", groups = [{ name = "old", weight = 1, respond = "old" }, { name = "new", weight = 0, proxy = "http://127.0.0.1:${real.port}" }] }

[[site]]
hosts  = ["pages.test"]
listen = ["127.0.0.1:0"]
errors = { 404 = "404.html", 502 = "502.html", 5xx = "5xx.html" }
intercept_errors = true
[[site.route]]
path  = "/down"
proxy = "http://127.0.0.1:9"
[[site.route]]
path  = "/fails/*"
proxy = "http://127.0.0.1:${failing.port}"

[[site]]
hosts  = ["own-pages.test"]
listen = ["127.0.0.1:0"]
errors = { 5xx = "5xx.html" }
[[site.route]]
path  = "/down"
proxy = "http://127.0.0.1:9"
[[site.route]]
proxy = "http://127.0.0.1:${failing.port}"

[[site]]
hosts  = ["mirror.test"]
listen = ["127.0.0.1:0"]
[[site.route]]
path  = "/m/*"
use   = [{ mirror = { to = "http://127.0.0.1:${shadow.port}", body = "1kb" } }]
proxy = "http://127.0.0.1:${real.port}"
[[site.route]]
path  = "/stuck/*"
use   = [{ mirror = { to = "http://127.0.0.1:${stuck.port}", most = 2 } }]
proxy = "http://127.0.0.1:${real.port}"
[[site.route]]
path  = "/dead/*"
use   = [{ mirror = "http://127.0.0.1:9" }]
proxy = "http://127.0.0.1:${real.port}"
`

beforeAll(async () => {
  real = echo("real")
  shadow = echo("shadow")
  stuck = echo("stuck", false)
  moved = listenRaw(c => c.write(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${moved.port}/base/new?x=1\r\nContent-Length: 0\r\n\r\n`))
  failing = listenRaw(c => {
    const status = / \/fails\/(\d+)/.exec(c.text)?.[1] ?? "500"
    c.text = ""
    c.write(`HTTP/1.1 ${status} Own\r\nRetry-After: 7\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nown`)
  })
  const files = { "503.html": "<h1>soon</h1>", "404.html": "not here", "502.html": "no answer", "5xx.html": "our fault" }
  edge = await Edge.start({ config: config(), files })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  for (const server of [real, shadow, stuck, moved, failing]) server.stop()
})

function ask(host: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(edge.url(path), { redirect: "manual", ...init, headers: { Host: host, ...(init.headers as Record<string, string>) } })
}

test("a site's rewrite chooses the route, a route's only what its handler sees", async () => {
  expect(await (await ask("plain.test", "/user/7?a=b")).text()).toStartWith("real GET /profile/7?v=2&a=b HTTP/1.1\r\n")
  expect(await (await ask("plain.test", "/in/x%20y?a=b")).text()).toStartWith("real GET /out/x%20y?a=b HTTP/1.1\r\n")
})

test("fields of the request's own: {ip}, {id}; Forwarded in place of X-Forwarded-*", async () => {
  const got = await ask("plain.test", "/real", { headers: { "X-Forwarded-For": "192.0.2.44", "X-Real-IP": "6.6.6.6" } })
  const text = await got.text()
  expect(text).toContain("\r\nX-Real-IP: 192.0.2.44\r\n")
  expect(text).toContain(`\r\nX-Id: ${got.headers.get("x-request-id")}\r\n`)
  expect(text).not.toMatch(/x-forwarded|6\.6\.6\.6/i)
  expect(text).toMatch(/\r\nForwarded: for=192\.0\.2\.44, for=127\.0\.0\.1;proto=http;host="plain\.test"\r\n/)
})

test("a redirect of an upstream to itself is one to us", async () => {
  const got = await ask("plain.test", "/moved/old")
  expect([got.status, got.headers.get("location")]).toEqual([302, "/moved/new?x=1"])
})

test("request_id: the same in the upstream's request, the answer and the access log; a trusted peer's is kept", async () => {
  const own = await ask("plain.test", "/profile/id")
  const id = own.headers.get("x-request-id")!
  expect(await own.text()).toContain(`\r\nX-Request-Id: ${id}\r\n`)
  const given = await ask("plain.test", "/profile/id", { headers: { "X-Request-Id": "given-1" } })
  expect([given.headers.get("x-request-id"), (await given.text()).match(/x-request-id: .*/gi)]).toEqual(["given-1", ["X-Request-Id: given-1"]])
  await edge.heard(`"id":"${id}"`)
  await edge.heard('"id":"given-1"')
})

test("maintenance by a file, switched while it runs", async () => {
  expect((await ask("plain.test", "/profile/a")).status).toBe(200)
  edge.write("down", "")
  await until(async () => (await ask("plain.test", "/profile/a")).status === 503)
  const down = await ask("plain.test", "/profile/a")
  expect([await down.text(), down.headers.get("retry-after")]).toEqual(["<h1>soon</h1>", "90"])
  expect(await (await ask("plain.test", "/up")).text()).toBe("up")
  rmSync(join(edge.dir, "down"))
  await until(async () => (await ask("plain.test", "/profile/a")).status === 200)
})

test("pages for errors of edge itself, and with intercept_errors for those of upstreams", async () => {
  const page = async (host: string, path: string) => {
    const got = await ask(host, path)
    return `${got.status} ${await got.text()} ${got.headers.get("retry-after")}`
  }
  expect(await page("pages.test", "/down")).toBe("502 no answer null")
  expect(await page("pages.test", "/fails/500")).toBe("500 our fault 7")
  expect(await page("pages.test", "/fails/404")).toBe("404 not here 7")
  expect(await page("pages.test", "/fails/403")).toBe("403 own 7")
  expect(await page("pages.test", "/none")).toBe("404 not here null")
  expect(await page("own-pages.test", "/down")).toBe("502 our fault null")
  expect(await page("own-pages.test", "/fails/500")).toBe("500 own 7")
})

test("split: by weight, by cookie, by a field", async () => {
  const first = await ask("split.test", "/")
  expect([await first.text(), first.headers.get("set-cookie")]).toEqual(["old", "ab=old; Path=/; SameSite=Lax; HttpOnly"])
  expect(await (await ask("split.test", "/", { headers: { "X-Canary": "new" } })).text()).toStartWith("real GET / ")
  const back = await ask("split.test", "/", { headers: { Cookie: "ab=old" } })
  expect([await back.text(), back.headers.get("set-cookie")]).toEqual(["old", null])
})

describe("mirror", () => {
  test("a copy with its body, of which the client sees nothing", async () => {
    const got = await ask("mirror.test", "/m/post?x", { method: "POST", body: "hello", headers: { "X-A": "b" } })
    expect(await got.text()).toStartWith("real POST /m/post?x")
    await until(() => shadow.seen.some(text => text.includes("POST /m/post?x")))
    const copy = shadow.seen.find(text => text.includes("POST /m/post?x"))!
    expect(copy).toContain("\r\nX-A: b\r\n")
    expect(copy).toEndWith("\r\n\r\nhello")
  })
  test("a body that is too large is not copied", async () => {
    await (await ask("mirror.test", "/m/large", { method: "POST", body: "x".repeat(2000) })).text()
    await (await ask("mirror.test", "/m/after")).text()
    await until(() => shadow.seen.some(text => text.includes("/m/after")))
    expect(shadow.seen.some(text => text.includes("/m/large"))).toBe(false)
  })
  test("a shadow that never answers holds nobody and gets no more than it may have at once", async () => {
    for (let i = 0; i < 10; i++) expect((await ask("mirror.test", "/stuck/a")).status).toBe(200)
    await until(() => stuck.seen.length === 2)
    await edge.heard(/copies of requests were not answered .*no room/)
    expect(stuck.seen.length).toBe(2)
  })
  test("a shadow that is not there fails nobody", async () => {
    for (let i = 0; i < 5; i++) expect(await (await ask("mirror.test", "/dead/a")).text()).toStartWith("real ")
  })
})
