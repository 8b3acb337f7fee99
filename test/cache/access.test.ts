/** A cache and what looks at who asks: access checks, limits, splits, routes by address; whatever their order in the file. */
import { afterEach, expect, test } from "bun:test"
import { createHmac } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

const head = `[server]\nfronts = 1\ntrusted_proxies = ["127.0.0.1/32"]\n[log]\naccess = { path = "-", format = "off" }\n`

async function start(config: string, files: Record<string, string> = {}): Promise<Edge> {
  const edge = await Edge.start({ config: head + config, files })
  closers.push(() => edge[Symbol.asyncDispose]())
  return edge
}

/** Says who asked, as an app does that believes what edge tells it; for all, it says, unless the path says otherwise. */
function secrets(delay?: () => Promise<unknown>): Origin {
  const origin = new Origin(async ({ target, headers }) => {
    await delay?.()
    const control = new URL(target, "http://a").searchParams.get("cc") ?? "public, max-age=600"
    return { status: 200, headers: [["Cache-Control", control], ["ETag", '"1"']], body: `secret ${origin.got.length} of ${headers.get("x-user") ?? "nobody"}` }
  })
  closers.push(() => origin.stop())
  return origin
}

/** Lets in those with the cookie s=ann. */
function verifier(): number {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: request => {
      const user = /\bs=(\w+)/.exec(request.headers.get("cookie") ?? "")?.[1]
      return user === undefined
        ? new Response("sign in", { status: 401, headers: { "cache-control": "public, max-age=600" } })
        : new Response(null, { status: 200, headers: { "x-user": user } })
    },
  })
  closers.push(() => server.stop(true))
  return server.port!
}

const key = "01234567890123456789012345678901"
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
function token(sub: string): string {
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub, exp: 4e9 })}`
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`
}

const byKey = `
import { definePlugin, HttpError } from "edge"
import * as v from "valibot"
export default definePlugin({
  name: "api_key", kind: "middleware", role: "access", config: v.strictObject({ key: v.string() }),
  setup: ({ key }) => ({ part: next => x => {
    if (x.headers.get("x-api-key") !== key) throw new HttpError(403, "a wrong key", { quiet: true })
    return next(x)
  } }),
})
`

const jwt = `{ jwt = { algorithms = "HS256", secret = "${key}", from = "cookie:t", headers = { X-User = "sub" } } }`
const basic = `{ basic_auth = { users = { ann = '${Bun.password.hashSync("pw", { algorithm: "argon2id", memoryCost: 8, timeCost: 1 })}' }, header = "X-User" } }`

/** The check, who passes it, and how a stranger is refused. */
const checks = {
  ip: { use: `{ ip = { allow = ["10.0.0.0/8"] } }`, friend: { "x-forwarded-for": "10.1.1.1" }, refusal: 403 },
  jwt: { use: jwt, friend: { cookie: `t=${token("ann")}` }, refusal: 401 },
  basic_auth: { use: basic, friend: { authorization: `Basic ${btoa("ann:pw")}` }, refusal: 401 },
  forward_auth: { use: `{ forward_auth = { to = "http://127.0.0.1:VERIFY/v", copy = ["X-User"] } }`, friend: { cookie: "s=ann" }, refusal: 401 },
  "a third party's": { use: `{ api_key = { key = "k" } }`, friend: { "x-api-key": "k" }, refusal: 403 },
} as const

const configOf = (use: string, { around, to, cache = "{}" }: { around: string; to: string; cache?: string }) =>
  `[plugins]\nby_key = "./by-key.ts"\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [${around === "site" ? `{ cache = ${cache} }` : ""}]\n[[site.route]]\npath = "/in/*"\nuse = [${use}${around === "route" ? `, { cache = ${cache} }` : ""}]\n${to}\n[[site.route]]\n${to}\n`

test.each(Object.entries(checks))("behind %s nothing is kept by the cache of the site", async (_, { use, friend, refusal }) => {
  const origin = secrets()
  const to = `proxy = "http://127.0.0.1:${origin.port}"`
  const edge = await start(configOf(use.replace("VERIFY", String(verifier())), { around: "site", to, cache: `{ stale_while_revalidate = "1h", stale_if_error = "1h" }` }), { "by-key.ts": byKey })
  const ask = (headers: Record<string, string>, init: RequestInit = {}) => fetch(edge.url("/in/a"), { headers, redirect: "manual", ...init })
  for (let i = 0; i < 2; i++) {
    expect((await ask({})).status).toBe(refusal)
    expect((await ask({}, { method: "HEAD" })).status).toBe(refusal)
    const let_in = await ask(friend)
    expect({ status: let_in.status, text: await let_in.text() }).toEqual({ status: 200, text: expect.stringMatching(/^secret /) })
    expect(let_in.headers.get("cache-status")).toBe("edge; fwd=uri-miss; detail=for-this-client")
  }
  expect((await ask({ "if-none-match": '"1"' })).status).toBe(refusal)
  expect((await ask({ range: "bytes=0-1" })).status).toBe(refusal)
  // What no check protects is kept as ever.
  await edge.get("/out")
  expect((await fetch(edge.url("/out"))).headers.get("cache-status")).toBe("edge; hit")
}, 60_000)

test.each(Object.entries(checks))("a cache behind %s keeps", async (name, { use, friend, refusal }) => {
  const origin = secrets()
  const to = `proxy = "http://127.0.0.1:${origin.port}"`
  const edge = await start(configOf(use.replace("VERIFY", String(verifier())), { around: "route", to }), { "by-key.ts": byKey })
  const ask = (headers: Record<string, string>, path = "/in/a") => fetch(edge.url(path), { headers })
  await ask(friend)
  expect((await ask(friend)).headers.get("cache-status")).toBe("edge; hit")
  expect((await ask({})).status).toBe(refusal)
  // What the check told the app of the one who asks may be in the answer: kept only where that says it is for all.
  const named = name !== "ip" && name !== "a third party's"
  await ask(friend, "/in/b?cc=max-age=600")
  expect((await ask(friend, "/in/b?cc=max-age=600")).headers.get("cache-status")).toBe(named ? "edge; fwd=uri-miss" : "edge; hit")
}, 60_000)

test("one user's answer is not given to another who may enter too", async () => {
  const origin = secrets()
  const edge = await start(configOf(jwt, { around: "route", to: `proxy = "http://127.0.0.1:${origin.port}"` }), { "by-key.ts": byKey })
  const as = (user: string) => edge.get("/in/a?cc=max-age=600", { headers: { cookie: `t=${token(user)}` } })
  expect(await as("ann")).toBe("secret 1 of ann")
  expect(await as("bob")).toBe("secret 2 of bob")
}, 60_000)

test("strangers who wait for the same answer are asked themselves, and a stranger's refusal is nobody else's", async () => {
  const gate = Promise.withResolvers<void>()
  const origin = secrets(() => gate.promise)
  const edge = await start(configOf(checks.ip.use, { around: "site", to: `proxy = "http://127.0.0.1:${origin.port}"` }), { "by-key.ts": byKey })
  const ask = (from: string) => fetch(edge.url("/in/a"), { headers: { "x-forwarded-for": from } })
  const first = ask("10.0.0.1")
  await until(() => origin.got.length === 1)
  const others = ["10.0.0.2", "1.2.3.4", "5.6.7.8", "10.0.0.3", "9.9.9.9", "10.0.0.4"].map(ask)
  await Bun.sleep(200)
  gate.resolve()
  const statuses = (await Promise.all([first, ...others])).map(answer => answer.status)
  expect(statuses).toEqual([200, 200, 403, 403, 200, 403, 200])
}, 60_000)

test("a slow refusal is not given to those who wait and may enter", async () => {
  const origin = secrets()
  const gate = Promise.withResolvers<void>()
  let asked = 0
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async request => {
      asked++
      await gate.promise
      return new Response(null, { status: request.headers.get("cookie") === "s=ann" ? 200 : 302, headers: { location: "/sign-in", "cache-control": "public, max-age=600" } })
    },
  })
  closers.push(() => server.stop(true))
  const use = `{ forward_auth = { to = "http://127.0.0.1:${server.port}/v" } }`
  const edge = await start(configOf(use, { around: "site", to: `proxy = "http://127.0.0.1:${origin.port}"` }), { "by-key.ts": byKey })
  const ask = (cookie: string) => fetch(edge.url("/in/a"), { headers: { cookie }, redirect: "manual" })
  const stranger = ask("s=eve")
  await until(() => asked === 1)
  const waiting = ["s=ann", "s=eve", "s=ann"].map(ask)
  await Bun.sleep(200)
  gate.resolve()
  expect((await Promise.all([stranger, ...waiting])).map(answer => answer.status)).toEqual([302, 200, 302, 200])
}, 60_000)

test("an inline app, and a route that only some addresses take", async () => {
  const app = `export default { fetch: r => new Response("of " + new URL(r.url).pathname, { headers: { "cache-control": "public, max-age=600" } }) }`
  const config = `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\npath = "/in/*"\nuse = [${checks.ip.use}]\napp = "a"
[[site.route]]\npath = "/where"\nip = "10.0.0.0/8"\napp = "a"
[[site.route]]\npath = "/field"\nheader = { X-Key = "k" }\napp = "a"
[[site.route]]\npath = ["/where", "/field"]\nrespond = { status = 403 }\n[[site.route]]\napp = "a"\n[app.a]\nentry = "app.ts"\ngateway = "inline"\n`
  const edge = await start(config, { "app.ts": app })
  for (const [path, headers] of [["/in/a", { "x-forwarded-for": "10.0.0.1" }], ["/where", { "x-forwarded-for": "10.0.0.1" }], ["/field", { "x-key": "k" }]] as const) {
    expect(await edge.get(path, { headers })).toBe(`of ${path}`)
    expect({ path, status: (await fetch(edge.url(path))).status }).toEqual({ path, status: 403 })
    expect(await edge.get(path, { headers })).toBe(`of ${path}`)
  }
  await edge.get("/out")
  expect((await fetch(edge.url("/out"))).headers.get("cache-status")).toBe("edge; hit")
}, 60_000)

test("what those see who may look during maintenance, and what one arm of a split says, is kept for nobody", async () => {
  const origin = secrets()
  const to = `"http://127.0.0.1:${origin.port}"`
  const config = `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache"]\n[[site.route]]\npath = "/split"\nsplit = { groups = [{ name = "a", weight = 1, respond = { body = "a", headers = { Cache-Control = "public, max-age=600" } } }, { name = "b", weight = 0, respond = { body = "b" } }], header = "X-Arm" }
[[site.route]]\nuse = [{ maintenance = { file = "down", allow = ["10.0.0.0/8"] } }]\nproxy = ${to}\n`
  const edge = await start(config, { down: "" })
  expect((await fetch(edge.url("/a"), { headers: { "x-forwarded-for": "10.0.0.1" } })).status).toBe(200)
  expect((await fetch(edge.url("/a"))).status).toBe(503)
  expect(await edge.get("/split")).toBe("a")
  expect(await edge.get("/split", { headers: { "X-Arm": "b" } })).toBe("b")
}, 60_000)

test("one client's limit is nobody else's", async () => {
  const gate = Promise.withResolvers<void>()
  const origin = secrets(() => gate.promise)
  const config = `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ["cache", { rate_limit = { rate = "1/h", headers = "always" } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`
  const edge = await start(config)
  const ask = (from: string, path: string) => fetch(edge.url(path), { headers: { "x-forwarded-for": from } })
  gate.resolve()
  expect((await ask("1.1.1.1", "/b")).headers.get("ratelimit")).not.toBeNull()
  // It is kept, without the count of the first.
  const hit = await ask("2.2.2.2", "/b")
  expect([hit.headers.get("cache-status"), hit.headers.get("ratelimit")]).toEqual(["edge; hit", null])
  expect((await ask("1.1.1.1", "/c")).status).toBe(429)
  expect((await ask("2.2.2.2", "/c")).status).toBe(200)
}, 60_000)

test("an error page of one client's refusal is kept for nobody, whatever default_ttl says", async () => {
  const origin = secrets()
  const to = `proxy = "http://127.0.0.1:${origin.port}"`
  const site = `[[site]]\nlisten = ["127.0.0.1:0"]\nerrors = { 403 = "page.html", 429 = "page.html", 503 = "page.html" }\nintercept_errors = true\nuse = [{ cache = { default_ttl = { any = "10m" } } }]\n`
  const config = `${site}[[site.route]]\npath = "/ip"\nuse = [${checks.ip.use}]\n${to}\n[[site.route]]\npath = "/rate"\nuse = [{ rate_limit = { rate = "1/h" } }]\n${to}\n`
  const edge = await start(config, { "page.html": "the page" })
  const ask = async (path: string, from: string) => (await fetch(edge.url(path), { headers: { "x-forwarded-for": from } })).status
  expect([await ask("/ip", "1.2.3.4"), await ask("/ip", "10.0.0.1"), await ask("/ip", "1.2.3.4")]).toEqual([403, 200, 403])
  expect([await ask("/rate?a", "1.1.1.1"), await ask("/rate?b", "1.1.1.1"), await ask("/rate?b", "2.2.2.2")]).toEqual([200, 429, 200])
}, 60_000)

test("a mirror around a check copies only what that lets through", async () => {
  const origin = secrets()
  const shadow = secrets()
  const to = `proxy = "http://127.0.0.1:${origin.port}"`
  const uses = Object.values(checks).map(({ use }, i) => `[[site.route]]\npath = "/${i}"\nuse = [${use.replace("VERIFY", String(verifier()))}]\n${to}\n`)
  const config = `[plugins]\nby_key = "./by-key.ts"\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ mirror = "http://127.0.0.1:${shadow.port}" }]\n${uses.join("")}`
  const edge = await start(config, { "by-key.ts": byKey })
  for (const [i, { refusal }] of Object.values(checks).entries()) {
    expect((await fetch(edge.url(`/${i}`))).status).toBe(refusal)
    expect((await fetch(edge.url(`/${i}`), { method: "POST", body: "x" })).status).toBe(refusal)
    expect((await fetch(edge.url(`/${i}`), { headers: { authorization: `Basic ${btoa("ann:wrong")}` } })).status).toBe(refusal)
  }
  for (const [i, { friend }] of Object.values(checks).entries()) expect((await fetch(edge.url(`/${i}?in`), { headers: friend })).status).toBe(200)
  await until(() => shadow.got.length >= 5)
  expect(shadow.got.map(({ target }) => target).toSorted()).toEqual(["/0?in", "/1?in", "/2?in", "/3?in", "/4?in"])
}, 60_000)

test("files that were kept before a route had its check are not handed out after", async () => {
  const origin = secrets()
  const dir = mkdtempSync(join(tmpdir(), "edge-access-"))
  closers.push(() => rmSync(dir, { recursive: true, force: true }))
  const config = (use: string) =>
    `${head}[[site]]\nhosts = ["a.test"]\nlisten = ["127.0.0.1:0"]\nuse = [{ cache = { disk = { dir = "${dir}" } } }]\n[[site.route]]\npath = "/in/*"\nuse = [${use}]\nproxy = "http://127.0.0.1:${origin.port}"\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`
  const ask = (edge: Edge, path: string, from: string) => fetch(edge.url(path), { headers: { Host: "a.test", "x-forwarded-for": from } })
  const run = async (use: string) => {
    const edge = await Edge.start({ config: config(use) })
    closers.push(() => edge[Symbol.asyncDispose]())
    return edge
  }
  const open = await run("")
  for (const path of ["/in/a", "/in/b", "/out"]) expect((await ask(open, path, "1.2.3.4")).status).toBe(200)
  open.signal("SIGTERM")
  await open.exited
  const again = await run("")
  expect((await ask(again, "/in/a", "1.2.3.4")).headers.get("cache-status")).toBe("edge; hit")
  again.signal("SIGTERM")
  await again.exited
  const closed = await run(checks.ip.use)
  expect((await ask(closed, "/in/a", "1.2.3.4")).status).toBe(403)
  expect((await ask(closed, "/in/b", "10.0.0.1")).status).toBe(200)
  expect((await ask(closed, "/in/b", "1.2.3.4")).status).toBe(403)
  // What needs no check is asked about once, and used from then on.
  expect((await ask(closed, "/out", "1.2.3.4")).status).toBe(200)
  expect((await ask(closed, "/out", "1.2.3.4")).headers.get("cache-status")).toBe("edge; hit")
}, 60_000)
