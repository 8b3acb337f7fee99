import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setApart } from "./apart.ts"
import { configFromText } from "./load.ts"

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "edge-apart-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function apart(text: string, given: Record<string, string> = {}): Promise<any> {
  const config = await configFromText(text, { file: "/srv/site.toml", env: {} })
  return (await setApart(config, { folder, given })).tree
}

test.each(["redis://10.0.0.1", "postgres://db/x", "sqlite:/var/lib/edge.db", undefined])("state %p is a file of the test", async state => {
  const tree = await apart(`[server]\ncontrol = "x.sock"\n${state === undefined ? "" : `state = "${state}"`}`)
  expect(tree.server).toMatchObject({ state: `sqlite:${folder}/edge.db` })
  expect((await apart(`[server]\nstate = { redis = { url = "redis://x" } }`)).server.state).toBe(`sqlite:${folder}/edge.db`)
  expect((await apart(`[server]\nstate = { mine = { a = 1 } }`)).server.state).toEqual({ mine: { a: 1 } })
})

test("addresses are free ports of this machine, the same for the same one, and keep what they mean", async () => {
  const { site } = await apart(`
[[site]]
listen = ["0.0.0.0:80", ":443", "http://*:8080", "[::]:81", "unix:run/x.sock", "127.0.0.1:0"]
tls = { cert = "c", key = "k" }
[[site]]
listen = [":443"]
tls = "auto"
[[site]]
`)
  const [plain, secure, written, v6, unix, free] = site[0].listen
  expect(plain).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(secure).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(written).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(v6).toMatch(/^\[::1\]:\d+$/)
  expect(unix).toStartWith(`unix:${folder}/`)
  expect(free).toBe("127.0.0.1:0")
  expect(site[1]).toMatchObject({ listen: [secure], tls: "internal" })
  expect(site[0].tls).toEqual({ cert: "c", key: "k" })
  expect(site[2].listen[0]).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(new Set([plain, secure, written, v6, site[2].listen[0]].map(address => /\d+$/.exec(address)![0])).size).toBe(5)
})

test("files that are written are the test's; those that are read stay", async () => {
  const tree = await apart(`
[server]
pid_file = "/run/edge.pid"
[log]
access = { path = "/var/log/edge/access.log" }
[[site]]
log = { path = "a.log", format = "common" }
use = [{ cache = { disk = { dir = "/var/cache/edge" } } }]
[[site.route]]
use = [{ cache = { disk = { dir = "/var/cache/edge", size = "1gb" } } }]
static = { root = "public" }
[[site]]
log = "-"
`)
  expect(tree.server.pid_file).toBe(`${folder}/edge.pid`)
  expect(tree.log.access.path).toBe(`${folder}/_var_log_edge_access.log`)
  expect(tree.site[0].log).toEqual({ path: `${folder}/a.log`, format: "common" })
  expect(tree.site[0].use[0].cache.disk).toEqual({ dir: `${folder}/cache-_var_cache_edge` })
  expect(tree.site[0].route[0].use[0].cache.disk).toEqual({ dir: `${folder}/cache-_var_cache_edge`, size: "1gb" })
  expect(tree.site[0].route[0].static).toEqual({ root: "public" })
  expect(tree.site[1].log).toBe("-")
})

test("apps have a database, files and mails of the test's; what the test gives wins; jobs and daemons do not run", async () => {
  const text = `
[app.blog]
entry = "app.ts"
env = { DATABASE_URL = "sqlite:/srv/data.db", SECRET_KEY = "of the server, long enough", A = "1" }
cron = [{ at = "@daily", command = ["x"] }]
daemons = { d = { command = ["x"] } }
log = "out.log"
[app.shop]
runtime = "wsgi"
entry = "shop:app"
env = { DATABASE_URL = "postgres://db/shop" }
[app.other]
runtime = "wsgi"
entry = "other:app"
`
  const { app } = await apart(text)
  expect(app.blog).toEqual({
    entry: "app.ts",
    log: `${folder}/out.log`,
    env: { DATABASE_URL: `sqlite:${folder}/blog.db`, EDGE_FILES: `${folder}/blog-files`, MAIL_URL: `file:${folder}/mails`, SECRET_KEY: "a secret for tests alone", EDGE_TEST: "1", A: "1" },
  })
  expect(app.shop.env).toEqual({ DATABASE_URL: `sqlite:///${folder}/shop.db` })
  expect(app.other.env).toEqual({})
  const given = (await apart(text, { DATABASE_URL: "postgres://test/x", A: "2" })).app
  expect(given.blog.env).toMatchObject({ DATABASE_URL: "postgres://test/x", A: "2" })
  expect(given.shop.env).toEqual({ DATABASE_URL: "postgres://test/x", A: "2" })
})

test("an app of ours on PostgreSQL is told to be given a database", async () => {
  await expect(apart(`[app.blog]\nentry = "app.ts"\nenv = { DATABASE_URL = "postgresql://db/blog" }`)).rejects.toThrow('app "blog" has its data in PostgreSQL')
})
