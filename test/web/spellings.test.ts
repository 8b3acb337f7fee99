/**
 * Made-up spellings of paths, over both versions, to every kind of handler that hands a target on: whatever way a server behind
 * edge reads what it got, it is a path of the route that edge took. So what holds for a route cannot be walked around.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { posix } from "node:path"
import { Edge } from "../kit/edge.ts"
import { askHttp2 } from "../kit/raw-http2.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { listenRaw } from "../upstream/harness.ts"

const wsgi = `
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1")]
`
const asgi = `
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only http")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode("utf-8", "replace")})
`
const app = "export default { fetch: (r: Request) => new Response(decodeURIComponent(new URL(r.url).pathname.replace(/%(?![0-7])/g, '%25'))) }"

const hosts = ["proxy", "strip", "rewrite", "wsgi", "asgi", "fetch"] as const
type Host = (typeof hosts)[number]

let edge: Edge
let upstream: ReturnType<typeof listenRaw>
beforeAll(async () => {
  upstream = listenRaw((c, chunk) => {
    const target = chunk.latin1Slice().split(" ")[1]!
    c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`)
  })
  const proxy = `proxy = { to = ["http://127.0.0.1:${upstream.port}"] }`
  const handlers: Record<Host, string> = { proxy, strip: proxy, rewrite: proxy, wsgi: 'app = "wsgi"', asgi: 'app = "asgi"', fetch: 'app = "fetch"' }
  const sites = hosts.map(host => {
    const route = (name: string, path: string) => `
[[site.route]]
${path === "" ? "" : `path = "${path}"`}
${host === "strip" && path !== "" ? `strip = "/${name}"` : ""}
use = [{ headers = { set = { X-Route = "${name}" } } }]
${handlers[host]}
`
    const use = host === "rewrite" ? 'use = [{ rewrite = { from = "^/moved/(.*)$", to = "/$1" } }]' : ""
    return `[[site]]\nlisten = ["127.0.0.1:0"]\nhosts = ["${host}.test"]\n${use}${route("admin", "/admin/*")}${route("public", "/public/*")}${route("rest", "")}`
  })
  const when = `
[[site]]
listen = ["127.0.0.1:0"]
hosts = ["when.test"]
[[site.route]]
path = "/admin/*"
method = "GET"
header = { X-Key = "*" }
use = [{ ip = { allow = ["192.0.2.0/24"] } }]
${proxy}
[[site.route]]
${proxy}
`
  const apps = `
[app.wsgi]
runtime = "wsgi"
entry = "w:app"
[app.asgi]
runtime = "asgi"
entry = "a:app"
[app.fetch]
entry = "app.ts"
`
  edge = await Edge.start({ config: sites.join("") + when + apps, files: { "w.py": wsgi, "a.py": asgi, "app.ts": app } })
})
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  upstream?.stop()
})

interface Answer {
  readonly status: number
  readonly route: string
  readonly body: string
}

async function overHttp1(host: string, target: string, lines = "", method = "GET"): Promise<Answer> {
  const text = await RawClient.ask(edge.port(), `${method} ${target} HTTP/1.1\r\nHost: ${host}.test\r\n${lines}Connection: close\r\n\r\n`)
  const head = text.slice(0, text.indexOf("\r\n\r\n"))
  return { status: Number(text.split(" ")[1]), route: /^x-route: (.*)$/im.exec(head)?.[1]?.trim() ?? "", body: bodyOf(text, head) }
}

function bodyOf(text: string, head: string): string {
  const body = text.slice(head.length + 4)
  if (!/^transfer-encoding/im.test(head)) return body
  return [...body.matchAll(/([0-9a-f]+)\r\n/g)].length === 0 ? "" : body.replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n(?:\r\n)?/g, "")
}

async function overHttp2(host: string, path: string): Promise<Answer> {
  const { status, headers, body } = await askHttp2(edge.port(), { path, authority: `${host}.test` })
  return { status, route: headers.find(([name]) => name === "x-route")?.[1] ?? "", body }
}

/** Park-Miller: the same spellings in every run. */
function random(seed: number): (below: number) => number {
  let state = seed
  return below => (state = (state * 48_271) % 2_147_483_647) % below
}

const starts = ["/", "/", "/admin/", "/public/", "/x/", "/admin", "/moved/", "//", "/%61dmin/"]
const pieces = [
  "admin", "public", "secret", "x", "a", "..", ".", "%2e%2e", "%2E", ".%2e", "..;", ".;a=b", "admin;v=1", ";", "", "%00", "%e9", "%c0%ae%c0%ae", "é", "..%00", "%252e%252e", "%2525", "a.php", "%3b", "..%3b",
]
const joints = ["/", "/", "/", "//", "%2F", "%2f", "%5C", "%5c", "%252F", "%255c", "/./", "%2F/", ";/", "%c0%af"]

function spellings(count: number): string[] {
  const below = random(20_261)
  const pick = (list: readonly string[]): string => list[below(list.length)]!
  return Array.from({ length: count }, () => {
    let path = pick(starts)
    for (let i = below(5); i >= 0; i--) path += pick(pieces) + (i === 0 && below(2) === 0 ? "" : pick(joints))
    return Buffer.from(path).toString("latin1")
  })
}

function unquote(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function pathOf(target: string): string {
  return target.split("?")[0]!
}

/** A "." or ".." at the end leaves a slash (RFC 3986 5.2.4); `posix.normalize` takes it away. */
function resolved(path: string): string {
  return posix.normalize(/\/\.\.?$/.test(path) ? `${path}/` : path)
}

/** What servers make of a target; each is that of a real one. */
const readers: Record<string, (target: string) => string> = {
  "unquoted (gunicorn, uvicorn)": target => unquote(pathOf(target)),
  "unquoted, then dots resolved (file servers)": target => resolved(unquote(pathOf(target))),
  "dots resolved, then unquoted": target => unquote(resolved(pathOf(target))),
  "an URL parser's, unquoted (Node, Deno, Bun)": target => unquote(new URL(`http://h${target}`).pathname),
  "with backslashes (IIS)": target => resolved(unquote(pathOf(target)).replaceAll("\\", "/")),
  "without parameters (Tomcat)": target => resolved(unquote(pathOf(target).replace(/;[^/]*/g, ""))),
  "unquoted, then without parameters": target => resolved(unquote(pathOf(target)).replace(/;[^/]*/g, "")),
}

/** The route of a path that needs no decoding any more. */
function routeOf(path: string): string {
  const [first, second] = path.split("/").filter((segment, i, all) => segment !== "" || i === all.length - 1)
  return second !== undefined && (first === "admin" || first === "public") ? first : "rest"
}

describe.each(hosts)("%s", host => {
  const raw = host === "proxy" || host === "strip" || host === "rewrite"

  test("the route taken is that of every reading", async () => {
    const wrong: string[] = []
    const counts: Record<number, number> = {}
    for (const spelling of spellings(raw ? 600 : 150)) {
      const one = await overHttp1(host, spelling)
      const two = await overHttp2(host, spelling)
      counts[one.status] = (counts[one.status] ?? 0) + 1
      if (one.status !== two.status || one.route !== two.route || one.body !== two.body) wrong.push(`${spelling}: ${JSON.stringify([one, two])}`)
      if (one.status !== 200) {
        if (one.status !== 400 && one.status !== 308) wrong.push(`${spelling}: ${one.status}`)
        continue
      }
      const target = host === "strip" && one.route !== "rest" ? `/${one.route}${one.body}` : one.body
      // Apps were given a path, decoded once.
      const readings = raw ? Object.entries(readers) : ([["given", path => path], ["resolved", path => resolved(path)]] as [string, (path: string) => string][])
      for (const [name, read] of readings) {
        const route = routeOf(read(target))
        if (route !== one.route) wrong.push(`${spelling}: ${one.route}, but ${name} ${JSON.stringify(read(target))} is of ${route}`)
      }
    }
    expect(wrong).toEqual([])
    // Some of each, or the test says nothing.
    expect(counts[200]).toBeGreaterThan(20)
    expect(counts[400]).toBeGreaterThan(20)
  }, 120_000)
})

describe("both readings on one route: %2F is data", () => {
  test.each([
    ["proxy", "/public/a%2Fb%5Cc;d", "public", "/public/a%2Fb%5Cc;d"],
    ["proxy", "/x%2Fy", "rest", "/x%2Fy"],
    ["strip", "/public/a%2Fb//c%252Fd", "public", "/a%2Fb//c%252Fd"],
    ["strip", "/x/../public/a%252Fb", "public", "/a%252Fb"],
    ["rewrite", "/moved/public/a%2Fb", "public", "/public/a%2Fb"],
    ["rewrite", "/moved/public/a%252Fb", "public", "/public/a%252Fb"],
    ["wsgi", "/public/a%2Fb//c%252Fd", "public", "/public/a/b//c%2Fd"],
    ["asgi", "/public/a%2Fb//c%252Fd", "public", "/public/a/b//c%2Fd"],
  ])("%s %s", async (host, target, route, body) => {
    expect(await overHttp1(host, target)).toEqual({ status: 200, route, body })
    expect(await overHttp2(host, target)).toEqual({ status: 200, route, body })
  })
})

test.each(["/admin%2Fsecret", "/x%2f..%2fadmin/secret", "/x/..%2Fadmin/x", "/admin%5csecret", "/admin;x/secret", "/x/..;/admin/secret", "/public%2f..%2fadmin/x", "/moved/admin%2Fx"])(
  "%s is 400: another reading has another route",
  async target => {
    expect((await overHttp1("rewrite", target)).status).toBe(400)
    expect((await overHttp2("rewrite", target)).status).toBe(400)
  },
)

test("dots that would lead elsewhere unresolved go on resolved", async () => {
  for (const host of ["proxy", "wsgi", "asgi"]) {
    expect(await overHttp1(host, "/admin/../x?q=/../y")).toMatchObject({ status: 200, route: "rest", body: host === "proxy" ? "/x?q=/../y" : "/x" })
    expect(await overHttp1(host, "/admin//../public/%2e/y")).toMatchObject({ status: 200, route: "public", body: "/public/y" })
    expect(await overHttp1(host, "/x/../y")).toMatchObject({ status: 200, route: "rest", body: "/x/../y" })
  }
})

test("a route that another condition rules out is no other route", async () => {
  expect((await overHttp1("when", "/admin%2Fsecret", "X-Key: 1\r\n")).status).toBe(400)
  expect((await overHttp1("when", "/admin/secret", "X-Key: 1\r\n")).status).toBe(403)
  expect(await overHttp1("when", "/admin%2Fsecret")).toMatchObject({ status: 200, body: "/admin%2Fsecret" })
  expect(await overHttp1("when", "/admin%2Fsecret", "X-Key: 1\r\n", "DELETE")).toMatchObject({ status: 200, body: "/admin%2Fsecret" })
})
