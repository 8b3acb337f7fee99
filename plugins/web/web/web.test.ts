/** Sites, routes and error pages, from TOML and over real sockets. */
import { afterEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeWith } from "../../../test/kit/needs.ts"
import { serve, type Served } from "../../../test/kit/served.ts"
import { certificate } from "../../../test/wire/certificate.ts"

let served: Served | undefined
afterEach(async () => {
  await served?.stop()
  served = undefined
})

async function at(toml: string, files: Record<string, string> = {}): Promise<Served> {
  return (served = await serve(toml, files))
}

async function pair(): Promise<{ cert: string; key: string }> {
  const folder = mkdtempSync(join(tmpdir(), "edge-cert-"))
  try {
    return await certificate(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const listen = 'listen = ["127.0.0.1:8080"]'
const say = (text: string) => `respond = { body = "${text}" }`

async function get(path: string, options: RequestInit & { host?: string; n?: number } = {}) {
  const headers = { ...(options.headers as Record<string, string>), ...(options.host === undefined ? {} : { Host: options.host }) }
  const response = await fetch(served!.url(path, options.n), { redirect: "manual", ...options, headers })
  return { status: response.status, headers: response.headers, text: await response.text(), location: response.headers.get("location") }
}

/** The raw answer to a raw request: what fetch would not send. */
function raw(request: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let text = ""
  const socket = connect(served!.port(), "127.0.0.1", () => socket.write(request))
  socket.on("data", chunk => (text += chunk.toString("latin1")))
  socket.on("close", () => resolve(text))
  socket.on("error", reject)
  return promise
}

describe("sites", () => {
  const sites = `
[[site]]
hosts = ["example.com", "*.example.com"]
${listen}
[[site.route]]
${say("example")}
[[site]]
hosts = ["*.deep.example.com"]
${listen}
[[site.route]]
${say("deep")}
[[site]]
hosts = ["Exact.Deep.Example.COM", "bücher.example"]
${listen}
[[site.route]]
${say("exact")}
`
  const any = `
[[site]]
${listen}
[[site.route]]
${say("any")}
`
  test.each([
    ["example.com", "example"],
    ["EXAMPLE.com:8080", "example"],
    ["example.com.", "example"],
    ["a.b.example.com", "example"],
    ["x.deep.example.com", "deep"],
    ["exact.deep.example.com", "exact"],
    ["deep.example.com", "example"],
    ["xn--bcher-kva.example", "exact"],
    ["notexample.com", "any"],
    ["[::1]", "any"],
  ])("%s is answered by %s", async (host, text) => {
    await at(sites + any)
    expect((await get("/", { host })).text).toBe(text)
  })

  test("a host that no site has: 421", async () => {
    await at(sites)
    const got = await get("/", { host: "other.example" })
    expect(got.status).toBe(421)
    expect(got.text).toBe("421 Misdirected Request\n")
  })

  test("addresses have sites of their own", async () => {
    await at(`
[[site]]
listen = ["127.0.0.1:8001", "127.0.0.1:8002"]
[[site.route]]
${say("both")}
[[site]]
hosts = ["two.example"]
listen = "127.0.0.1:8002"
[[site.route]]
${say("two")}
`)
    expect((await get("/", { n: 0, host: "two.example" })).text).toBe("both")
    expect((await get("/", { n: 1, host: "two.example" })).text).toBe("two")
  })
})

describe("routes", () => {
  test.each([
    ["/ping", "exact"],
    ["/ping/", "rest"],
    ["/assets/", "assets"],
    ["/assets/a/b.css", "assets"],
    ["/%61ssets/x", "assets"],
    ["/x/../assets/x", "assets"],
    ["//assets//x", "assets"],
    ["/assetsx", "rest"],
    ["/user/7", "user"],
    ["/user/", "rest"],
    ["/user/7/", "rest"],
    ["/user/7/posts/9", "post"],
    ["/user/me", "me"],
    ["/img1.png", "stem"],
    ["/a/b/x.php", "php"],
    ["/a/b/x.phpx", "rest"],
    ["/one", "list"],
    ["/two", "list"],
  ])("%s is answered by %s", async (path, text) => {
    await at(`
[[site]]
${listen}
[[site.route]]
path = "/user/me"
${say("me")}
[[site.route]]
path = "/user/:id"
${say("user")}
[[site.route]]
path = "/user/:id/posts/:post"
${say("post")}
[[site.route]]
path = "/ping"
${say("exact")}
[[site.route]]
path = "/assets/*"
${say("assets")}
[[site.route]]
path = "/img*"
${say("stem")}
[[site.route]]
path = "*.php"
${say("php")}
[[site.route]]
path = ["/one", "/two"]
${say("list")}
[[site.route]]
${say("rest")}
`)
    const text2 = await raw(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    expect(text2.split("\r\n\r\n")[1]).toBe(text)
  })

  test("the order of the file decides, not how exact a path is", async () => {
    await at(`
[[site]]
${listen}
[[site.route]]
path = "/a/*"
method = "POST"
${say("post")}
[[site.route]]
path = "/*"
header = { X-Mode = "any" }
${say("wide")}
[[site.route]]
path = "/a/b"
${say("exact")}
[[site.route]]
path = "/a/:x"
${say("param")}
`)
    expect((await get("/a/b", { method: "POST" })).text).toBe("post")
    expect((await get("/a/b", { headers: { "X-Mode": "any" } })).text).toBe("wide")
    expect((await get("/a/b")).text).toBe("exact")
    expect((await get("/a/c")).text).toBe("param")
    expect((await get("/b")).status).toBe(404)
  })

  test("a handler that passes leaves the request to the next route, without its middleware's changes", async () => {
    await at(
      `
[[site]]
${listen}
use = [{ headers = { set = { X-Site = "yes" } } }]
[[site.route]]
path = "/f/*"
use = [{ headers = { set = { X-Route = "files" }, request = { set = { X-In = "files" } } } }]
static = { root = "files" }
[[site.route]]
path = "/f/*"
header = { X-In = false }
use = [{ headers = { set = { X-Second = "yes" } } }]
${say("second")}
`,
      { "files/a.txt": "a" },
    )
    const file = await get("/f/a.txt")
    expect([file.text, file.headers.get("x-route"), file.headers.get("x-second"), file.headers.get("x-site")]).toEqual(["a", "files", null, "yes"])
    const second = await get("/f/b.txt")
    expect([second.text, second.headers.get("x-route"), second.headers.get("x-second"), second.headers.get("x-site")]).toEqual(["second", null, "yes", "yes"])
  })

  test("/a is redirected to /a/ only where nothing else answers", async () => {
    await at(`
[[site]]
${listen}
[[site.route]]
path = "/a/*"
${say("a")}
[[site.route]]
path = "/b/*"
${say("b")}
[[site.route]]
path = "/b"
${say("b itself")}
[[site.route]]
path = "/evil.example/*"
${say("evil")}
[[site.route]]
path = "/u/:id/*"
${say("u")}
[[site.route]]
path = "/get/*"
method = "GET"
${say("get")}
`)
    const a = await get("/a?x=1", { method: "POST" })
    expect([a.status, a.location]).toEqual([308, "/a/?x=1"])
    expect((await get("/b")).text).toBe("b itself")
    expect((await get("/u/7")).location).toBe("/u/7/")
    expect((await get("/get", { method: "POST" })).status).toBe(404)
    // "//evil.example/" in a Location would be another host.
    const evil = await raw("GET //evil.example HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    expect(evil).toContain("Location: /evil.example/\r\n")
  })

  test("matchers: method, host, header and query", async () => {
    await at(`
[[site]]
${listen}
[[site.route]]
path = "/m"
method = ["GET", "put"]
${say("method")}
[[site.route]]
host = "*.api.example"
${say("host")}
[[site.route]]
header = { X-Kind = "beta*", X-Not = false }
${say("header")}
[[site.route]]
query = { v = "2", debug = true }
${say("query")}
`)
    expect((await get("/m", { method: "PUT" })).text).toBe("method")
    expect((await get("/m", { method: "HEAD" })).status).toBe(200)
    expect((await get("/m", { method: "POST" })).status).toBe(404)
    expect((await get("/", { host: "v1.api.example" })).text).toBe("host")
    expect((await get("/", { headers: { "X-Kind": "beta-7" } })).text).toBe("header")
    expect((await get("/", { headers: { "X-Kind": "beta-7", "X-Not": "1" } })).status).toBe(404)
    expect((await get("/?debug&v=2")).text).toBe("query")
    expect((await get("/?v=2")).status).toBe(404)
    expect((await get("/?v=%32&debug=")).text).toBe("query")
  })

  test("10,000 routes of each kind are found", async () => {
    const routes = Array.from(
      { length: 2500 },
      (_, i) =>
        `[[site.route]]\npath = ["/x${i}", "/p${i}/*", "/q/${i}/:id", "/s${i}/deep/er/*"]\nrespond = "${i}"\n`,
    )
    await at(`[[site]]\n${listen}\n${routes.join("")}`)
    for (const i of [0, 1249, 2499]) {
      for (const path of [`/x${i}`, `/p${i}/a/b`, `/q/${i}/7`, `/s${i}/deep/er/x`]) expect((await get(path)).text).toBe(String(i))
    }
    expect((await get("/x2500")).status).toBe(404)
  })
})

describe("strip", () => {
  const toml = `
[[site]]
${listen}
[[site.route]]
path = "/api/*"
strip = "/api"
static = { root = "files" }
[[site.route]]
path = "/v2/api/*"
strip = "/v2"
redirect = { to = "/{rest}", status = 302 }
`
  test("the handler sees the path without it, and redirects with it", async () => {
    await at(toml, { "files/a/index.html": "in a", "files/x.txt": "x" })
    expect((await get("/api/x.txt")).text).toBe("x")
    expect((await get("/api/a/")).text).toBe("in a")
    expect((await get("/api/a")).location).toBe("/api/a/")
    expect((await get("/v2/api/b")).location).toBe("/b")
  })
})

describe("errors", () => {
  test("pages by status and class, with the site's middleware around them", async () => {
    await at(
      `
[[site]]
${listen}
use = [{ headers = { set = { X-Frame-Options = "DENY" } } }]
errors = { 404 = "gone.html", 5xx = "sorry.txt" }
[[site.route]]
path = "/503"
respond = { status = 503, headers = { Retry-After = "9" } }
[[site.route]]
path = "/403"
respond = { status = 403 }
[[site.route]]
path = "/own"
respond = { status = 404, body = "own" }
`,
      { "gone.html": "<h1>gone</h1>", "sorry.txt": "sorry" },
    )
    const missing = await get("/nothing")
    expect([missing.status, missing.text, missing.headers.get("content-type"), missing.headers.get("x-frame-options")]).toEqual([
      404,
      "<h1>gone</h1>",
      "text/html; charset=utf-8",
      "DENY",
    ])
    const busy = await get("/503")
    expect([busy.status, busy.text, busy.headers.get("retry-after")]).toEqual([503, "sorry", "9"])
    expect((await get("/403")).text).toBe("403 Forbidden\n")
    expect((await get("/403", { headers: { Accept: "text/html" } })).text).toContain("<h1>403 Forbidden</h1>")
    expect((await get("/own")).text).toBe("own")
    const head = await get("/nothing", { method: "HEAD" })
    expect([head.status, head.headers.get("content-length"), head.text]).toEqual([404, "13", ""])
  })

  test("intercept_errors replaces those of handlers too", async () => {
    await at(`[[site]]\n${listen}\nintercept_errors = true\nerrors = { 404 = "gone.html" }\n[[site.route]]\nrespond = { status = 404, body = "own", headers = { X-Own = "1", ETag = '"a"' } }\n`, {
      "gone.html": "gone",
    })
    const got = await get("/")
    expect([got.text, got.headers.get("x-own"), got.headers.get("etag")]).toEqual(["gone", "1", null])
  })
})

const route = `[[site.route]]\n${say("x")}\n`

async function mistake(toml: string, files: Record<string, string> = {}): Promise<string> {
  try {
    const made = await serve(toml, files)
    await made.stop()
  } catch (error) {
    return (error as Error).message.replaceAll(/\S*site\.toml/g, "site.toml")
  }
  throw new Error("no error")
}
describe("mistakes are errors with their place", () => {

  test.each([
    ["unknown key of a site", `[[site]]\nlistn = ["127.0.0.1:1"]\n${route}`, 'site.toml:2:1: site[0]: unknown key "listn"; did you mean "listen"?'],
    ["unknown key of a route", `[[site]]\n[[site.route]]\npth = "/"\nrespond = "x"\n`, 'site.toml:3:1: site[0].route[0]: unknown key "pth"; did you mean "path"?'],
    ["misspelt handler", `[[site]]\n[[site.route]]\nrespnd = "x"\n`, 'unknown key "respnd"; did you mean "respond"?'],
    ["no handler", `[[site]]\n[[site.route]]\npath = "/x"\n`, "site.toml:2:8: site[0].route[0]: a route needs a handler: one of "],
    ["two handlers", `[[site]]\n[[site.route]]\nrespond = "x"\nredirect = "/y"\n`, 'site[0].route[0].redirect: a route has one handler; "respond" and "redirect" are two'],
    ["unknown middleware", `[[site]]\nuse = ["heders"]\n${route}`, 'site.toml:2:8: site[0].use[0]: no middleware named "heders"; did you mean "headers"?'],
    ["unknown middleware of a route", `[[site]]\n[[site.route]]\nuse = [{ compres = {} }]\nrespond = "x"\n`, 'no middleware named "compres"; did you mean "compress"?'],
    ["bad option of a middleware", `[[site]]\nuse = [{ headers = { st = {} } }]\n${route}`, 'site.toml:2:22: site[0].use[0].headers: unknown key "st"; did you mean "set"?'],
    ["bad option of a handler", `[[site]]\n[[site.route]]\nrespond = { status = 99 }\n`, "site.toml:3:22: site[0].route[0].respond.status"],
    ["bad host", `[[site]]\nhosts = ["a b"]\n${route}`, 'site.toml:2:10: site[0].hosts[0]: "a b" is no host'],
    ["host with a port", `[[site]]\nhosts = ["a:80"]\n${route}`, "must not have a port"],
    ["bad address", `[[site]]\nlisten = ["nonsense"]\n${route}`, 'site.toml:2:11: site[0].listen[0]: "nonsense" is no address'],
    ["bad path", `[[site]]\n[[site.route]]\npath = "x"\nrespond = "x"\n`, 'site.toml:3:8: site[0].route[0].path: the path "x" must begin with "/"'],
    ["star in the middle", `[[site]]\n[[site.route]]\npath = "/a/*/b"\nrespond = "x"\n`, 'may have "*" only at its end'],
    ["missing error page", `[[site]]\nerrors = { 404 = "no.html" }\n${route}`, "site.toml:2:18: site[0].errors.404"],
    ["automatic certificates", `[[site]]\ntls = "auto"\n${route}`, 'site.toml:2:7: site[0].tls: tls = "auto" needs names'],
    ["no site", `[server]\n`, "there is no site"],
  ])("%s", async (_, toml, message) => {
    expect(await mistake(toml)).toContain(message)
  })

  test("the same host twice on one address names both places", async () => {
    const message = await mistake(`[[site]]\nhosts = ["a.example"]\n${route}[[site]]\nhosts = ["b.example", "A.example"]\n${route}`)
    expect(message).toContain('site.toml:6:23: site[1].hosts[1]: the host "A.example" is on 127.0.0.1:8080 already, at site.toml:2:10')
  })

  test("two sites for any host on one address", async () => {
    const message = await mistake(`[[site]]\n${route}[[site]]\n${route}`)
    expect(message).toContain("site.toml:4:3: site[1]: another site for any host is on 127.0.0.1:8080 already, at site.toml:1:3")
  })
})

describeWith(["openssl"], "tls", () => {
  test("TLS and plain on one address", async () => {
    const { cert, key } = await pair()
    const tls = `tls = { cert = "c.pem", key = "k.pem" }`
    const message = await mistake(`[[site]]\nhosts = ["a.example"]\n${tls}\nlisten = ["127.0.0.1:443"]\n${route}[[site]]\nlisten = ["127.0.0.1:443"]\n${route}`, { "c.pem": cert, "k.pem": key })
    expect(message).toContain("127.0.0.1:443 is plain here and with TLS at site.toml:4:11")
  })

  test("certificates by address; port 80 and http:// are plain and redirect", async () => {
    const { cert, key } = await pair()
    await at(
      `
[[site]]
hosts = ["a.example"]
listen = ["127.0.0.1:80", "127.0.0.1:8443", "http://127.0.0.1:8081"]
tls = { cert = "c.pem", key = "k.pem" }
[[site.route]]
${say("secret")}
[[site]]
hosts = ["b.example"]
listen = ["127.0.0.1:80"]
tls = "off"
[[site.route]]
${say("plain")}
`,
      { "c.pem": cert, "k.pem": key },
    )
    const { dir } = served!
    const bindings = served!.generation.bindings
    expect(bindings.map(b => [b.address, b.tls?.certificates])).toEqual([
      ["127.0.0.1:80", undefined],
      ["127.0.0.1:8443", [{ cert, key, hosts: ["a.example"], files: { cert: join(dir, "c.pem"), key: join(dir, "k.pem") } }]],
      ["127.0.0.1:8081", undefined],
    ])
    expect(bindings[1]!.urls).toEqual(["https://a.example:8443/"])
    const redirect = await get("/x%20y?q=1", { host: "a.example:80", method: "POST" })
    expect([redirect.status, redirect.location]).toEqual([308, "https://a.example:8443/x%20y?q=1"])
    expect((await get("/", { n: 2, host: "a.example" })).status).toBe(308)
    expect((await get("/", { host: "b.example" })).text).toBe("plain")
  })
})
