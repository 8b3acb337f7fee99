/** Who gets a request, from a site.toml, through the executable with two fronts. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith, found } from "../kit/needs.ts"
import { answering, listenRaw, type FakeUpstream } from "../upstream/harness.ts"
import { RawClient } from "./raw-client.ts"

const names = ["a", "b", "c"]
let servers: FakeUpstream[]
let busy: FakeUpstream
let stuck: FakeUpstream
let edge: Edge

const ok = (name: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`
beforeAll(async () => {
  servers = names.map(name => answering(ok(name)))
  busy = answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy")
  stuck = listenRaw(() => {})
  const urls = servers.map(({ port }) => `http://127.0.0.1:${port}`)
  const to = `to = [${urls.map(url => `"${url}"`).join(", ")}]`
  const route = (path: string, options: string) => `[[site.route]]\npath = "${path}"\nproxy = { ${options} }\n`
  edge = await Edge.start({
    config: `
[server]
fronts = 2
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
${route("/rr", to)}
${route("/weight", `to = [{ url = "${urls[0]}", weight = 3 }, "${urls[1]}"]`)}
${route("/least", `${to}, balance = "least_conn"`)}
${route("/random", `${to}, balance = "random"`)}
${route("/ip", `${to}, balance = "ip_hash"`)}
${route("/uri", `${to}, balance = "uri_hash"`)}
${route("/header", `${to}, balance = { header_hash = "X-User" }`)}
${route("/cookie", `${to}, balance = { cookie_hash = "sid" }`)}
${route("/query", `${to}, balance = { query_hash = "id" }`)}
${route("/sticky", `${to}, balance = { sticky = { secret = "0123456789abcdef" } }`)}
${route("/backup", `to = [{ url = "${urls[0]}", backup = true }, "http://127.0.0.1:9"], health = { max_fails = 1 }`)}
${route("/busy", `to = ["http://127.0.0.1:${busy.port}", "${urls[0]}"], health = { fail_status = [503] }`)}
${route("/max", `to = [{ url = "http://127.0.0.1:${stuck.port}", max_conns = 1 }]`)}
`,
  })
}, 120_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  for (const server of [...servers, busy, stuck]) server.stop()
})

/** Fresh connections, so that both fronts are met. */
async function many(path: string, { n = 24, headers = {} }: { n?: number; headers?: Record<string, string> } = {}): Promise<string[]> {
  const got: string[] = []
  for (let i = 0; i < n; i++) got.push(await edge.get(path, { headers }))
  return got
}
const count = (list: readonly string[], name: string) => list.filter(one => one === name).length

test("in turn, by weight, by load, by chance: everybody gets some", async () => {
  const weighted = await many("/weight")
  // Each front is exact for itself; together they are within one round of it.
  expect(Math.abs(count(weighted, "a") - 18)).toBeLessThanOrEqual(2)
  const turn = await many("/rr")
  for (const name of names) expect(Math.abs(count(turn, name) - 8)).toBeLessThanOrEqual(2)
  for (const path of ["/least", "/random"]) expect(new Set(await many(path, { n: 60 })).size).toBe(3)
})

test("by what is the same, in every front", async () => {
  expect(new Set(await many("/ip")).size).toBe(1)
  const of = async (path: string, headers: Record<string, string> = {}) => new Set(await many(path, { n: 8, headers }))
  const chosen = { uri: new Set<string>(), header: new Set<string>(), cookie: new Set<string>(), query: new Set<string>() }
  for (let i = 0; i < 12; i++) {
    for (const [name, got] of [
      ["uri", await of(`/uri?${i}`)],
      ["header", await of("/header", { "X-User": `user ${i}` })],
      ["cookie", await of("/cookie", { Cookie: `sid=s${i}` })],
      ["query", await of(`/query?x=${Math.random()}&id=${i}`)],
    ] as const) {
      expect([name, i, got.size]).toEqual([name, i, 1])
      chosen[name].add([...got][0]!)
    }
  }
  for (const set of Object.values(chosen)) expect(set.size).toBeGreaterThan(1)
})

test("sticky: the cookie of one front holds in the other", async () => {
  const first = await fetch(edge.url("/sticky"), { keepalive: false })
  const cookie = first.headers.get("set-cookie")!.split(";")[0]!
  expect(new Set(await many("/sticky", { headers: { Cookie: cookie } }))).toEqual(new Set([await first.text()]))
})

test("a backup, an answer that counts as a failure, and a limit of requests at once", async () => {
  expect(new Set(await many("/backup", { n: 8 }))).toEqual(new Set(["a"]))
  expect(new Set(await many("/busy", { n: 8 }))).toEqual(new Set(["a"]))
  const clients: RawClient[] = []
  // One for each front, and then no more.
  const refused = async () => {
    const client = await RawClient.to(edge.port())
    client.send("GET /max HTTP/1.1\r\nHost: a\r\n\r\n")
    clients.push(client)
    await Promise.race([client.until(c => c.text.includes("\r\n\r\n")), Bun.sleep(200)])
    return client.text.startsWith("HTTP/1.1 503 ")
  }
  await until(async () => (await refused()) && stuck.accepted.length === 2)
  expect(stuck.accepted.length).toBe(2)
  for (const client of clients) client.socket.terminate()
}, 30_000)

describeWith(["gunicorn"], "gunicorn with one sync worker", () => {
  const app = `
import sys
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s %d %s" % (environ["REQUEST_METHOD"], len(body), environ.get("CONTENT_LENGTH"))).encode()]
`
  test("buffer_request: slow uploads hold nobody up", async () => {
    const dir = mkdtempSync(join(tmpdir(), "edge-gunicorn-"))
    writeFileSync(join(dir, "app.py"), app)
    const socket = join(dir, "g.sock")
    const gunicorn = Bun.spawn([found("gunicorn")!, "--workers", "1", "--timeout", "120", "--bind", `unix:${socket}`, "app:app"], { cwd: dir, stdout: "ignore", stderr: "ignore" })
    try {
      await using front = await Edge.start({
        config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nproxy = { to = "unix:${socket}", buffer_request = "1mb" }\n`,
      })
      await until(async () => (await fetch(front.url("/")).then(response => response.status, () => 0)) === 200)
      const slow = await Promise.all(
        [1, 2, 3].map(async () => {
          const client = await RawClient.to(front.port())
          client.send("POST /slow HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n")
          return client
        }),
      )
      // The only worker is free although three uploads have begun.
      for (let i = 0; i < 5; i++) expect(await front.get("/")).toBe("GET 0 None")
      for (const client of slow) client.send("6\r\n world\r\n0\r\n\r\n")
      await Promise.all(slow.map(client => client.until(c => c.ended || c.closed)))
      for (const client of slow) expect(client.text).toContain("POST 11 11")
    } finally {
      gunicorn.kill("SIGTERM")
      await gunicorn.exited
      rmSync(dir, { recursive: true })
    }
  }, 60_000)
})
