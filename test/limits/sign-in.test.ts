/** Sign-in by somebody else: forward_auth and jwt, through the executable. */
import { afterEach, describe, expect, test } from "bun:test"
import { generateKeyPairSync, sign } from "node:crypto"
import { connect } from "node:net"
import { Edge, until } from "../kit/edge.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

type Seen = { method: string; url: string; headers: [string, string][]; body: string }

/** A server that keeps what it was asked. */
function server(answer: (seen: Seen, request: Request) => Response | Promise<Response>): { port: number; seen: Seen[]; stop(): Promise<void> } {
  const seen: Seen[] = []
  const running = Bun.serve({
    port: 0,
    async fetch(request) {
      const one = { method: request.method, url: new URL(request.url).pathname + new URL(request.url).search, headers: [...request.headers] as [string, string][], body: await request.text() }
      seen.push(one)
      return await answer(one, request)
    },
  })
  closers.push(() => running.stop(true))
  return { port: running.port!, seen, stop: () => running.stop(true) }
}

const header = (seen: Seen | undefined, name: string): string | undefined => seen?.headers.find(([key]) => key === name)?.[1]

async function edgeWith(use: string, { app, more = "" }: { app: number; more?: string }): Promise<Edge> {
  const config = `
    [log]
    access = { format = "off" }
    [server]
    fronts = 1
    [[site]]
    listen = ["127.0.0.1:0"]
    use = [${use}]
    [[site.route]]
    proxy = "http://127.0.0.1:${app}"
    ${more}`
  const edge = await Edge.start({ config })
  closers.push(() => edge[Symbol.asyncDispose]())
  return edge
}

describe("forward_auth", () => {
  test("2xx lets in, with headers of the answer in place of the client's; all else goes to the client", async () => {
    const app = server(seen => new Response(`app got ${seen.body}`, { headers: { "Set-Cookie": "app=1" } }))
    const auth = server(seen => {
      const cookie = header(seen, "cookie") ?? ""
      if (cookie.includes("good")) return new Response("fine", { headers: [["Remote-User", "ann"], ["Remote-Groups", "a,b"], ["Set-Cookie", "sid=new"], ["Set-Cookie", "b=2"], ["X-Other", "no"]] })
      if (cookie.includes("api")) return new Response("no", { status: 401, headers: { "WWW-Authenticate": "Cookie" } })
      if (cookie.includes("broken")) return new Response("oops", { status: 500 })
      return new Response("to the door", { status: 302, headers: { Location: "https://login.example/?rd=x", "Set-Cookie": "state=1" } })
    })
    const use = `{ forward_auth = { to = "http://127.0.0.1:${auth.port}/api/verify?rd=%2F", copy = ["Remote-User", "Remote-Groups>X-Groups", "Remote-Email"], answer = ["Set-Cookie"], user = "Remote-User" } }, { rate_limit = { rate = "3/1d", key = "user" } }`
    const edge = await edgeWith(use, { app: app.port })
    const good = await fetch(edge.url("/shop/%2e?q=1"), { method: "POST", body: "the body", headers: { Cookie: "sid=good", "Remote-User": "root", "X-Groups": "admins", "remote-email": "root@x", "If-None-Match": '"a"', "Content-Type": "text/x" } })
    expect([good.status, await good.text(), good.headers.getSetCookie()]).toEqual([200, "app got the body", ["app=1", "sid=new", "b=2"]])
    const [asked] = auth.seen
    expect([asked!.method, asked!.url, asked!.body]).toEqual(["GET", "/api/verify?rd=%2F", ""])
    expect(["x-forwarded-method", "x-forwarded-uri", "x-forwarded-host", "x-forwarded-proto", "x-original-url", "content-type", "content-length", "if-none-match", "host"].map(name => header(asked, name))).toEqual([
      "POST",
      expect.stringMatching(/^\/shop\/(?:%2e)?\?q=1$/),
      `127.0.0.1:${edge.port()}`,
      "http",
      expect.stringMatching(new RegExp(`^http://127\\.0\\.0\\.1:${edge.port()}/shop/(?:%2e)?\\?q=1$`)),
      undefined,
      undefined,
      undefined,
      `127.0.0.1:${auth.port}`,
    ])
    const [got] = app.seen
    expect(["remote-user", "x-groups", "remote-email", "x-other", "content-type"].map(name => header(got, name))).toEqual(["ann", "a,b", undefined, undefined, "text/x"])

    const away = await fetch(edge.url("/"), { redirect: "manual" })
    expect([away.status, await away.text(), away.headers.get("location"), away.headers.get("set-cookie")]).toEqual([302, "to the door", "https://login.example/?rd=x", "state=1"])
    const denied = await fetch(edge.url("/"), { headers: { Cookie: "api" } })
    expect([denied.status, await denied.text(), denied.headers.get("www-authenticate")]).toEqual([401, "no", "Cookie"])
    expect((await fetch(edge.url("/"), { headers: { Cookie: "broken" } })).status).toBe(500)
    expect(app.seen).toHaveLength(1)
    // Who it is, is known behind it.
    const more = []
    for (let i = 0; i < 3; i++) more.push((await fetch(edge.url("/"), { headers: { Cookie: "good" } })).status)
    expect(more).toEqual([200, 200, 429])
  }, 30_000)

  test("a sign-in server that is down, slow or gone lets nobody in", async () => {
    const app = server(() => new Response("app"))
    let slow = true
    const auth = server(async () => {
      if (slow) await Bun.sleep(2000)
      return new Response("fine")
    })
    const edge = await edgeWith(`{ forward_auth = { to = "http://127.0.0.1:${auth.port}", timeout = "300ms" } }`, { app: app.port })
    expect((await fetch(edge.url("/"))).status).toBe(504)
    slow = false
    expect((await fetch(edge.url("/"))).status).toBe(200)
    await auth.stop()
    expect((await fetch(edge.url("/"))).status).toBe(502)
    expect(app.seen).toHaveLength(1)
  }, 30_000)

  test("WebSockets are asked for too, and the question is none", async () => {
    const auth = server(seen => new Response(null, { status: header(seen, "cookie") === "good" ? 204 : 403 }))
    const app = Bun.serve({
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: { message: (ws, message) => void ws.send(message) },
    })
    closers.push(() => app.stop(true))
    const edge = await edgeWith(`{ forward_auth = { to = "http://127.0.0.1:${auth.port}/v" } }`, { app: app.port! })
    const ask = (cookie: string): Promise<string> =>
      new Promise(resolve => {
        const socket = connect(edge.port(), "127.0.0.1")
        socket.write(`GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nCookie: ${cookie}\r\n\r\n`)
        socket.once("data", data => {
          resolve(data.toString("latin1").split("\r\n")[0]!)
          socket.destroy()
        })
      })
    expect(await ask("good")).toContain(" 101 ")
    expect(await ask("bad")).toContain(" 403 ")
    expect(auth.seen.map(seen => [seen.url, header(seen, "upgrade")])).toEqual([["/v", undefined], ["/v", undefined]])
  }, 30_000)

  test("only the headers that are to be sent, and over a unix socket", async () => {
    const app = server(() => new Response("app"))
    const seen: Record<string, string>[] = []
    const edge = await edgeWith(`{ forward_auth = { to = "unix:auth.sock:/check", send = ["Cookie"] } }`, { app: app.port })
    const auth = Bun.serve({ unix: `${edge.dir}/auth.sock`, fetch: request => (seen.push({ path: new URL(request.url).pathname, ...Object.fromEntries(request.headers) }), new Response("fine")) })
    closers.push(() => auth.stop(true))
    expect((await fetch(edge.url("/a"), { headers: { Cookie: "c", Authorization: "secret", "X-Big": "b" } })).status).toBe(200)
    expect([seen[0]!["path"], seen[0]!["cookie"], seen[0]!["authorization"], seen[0]!["x-big"], seen[0]!["x-forwarded-uri"]]).toEqual(["/check", "c", undefined, undefined, "/a"])
  }, 30_000)
})

test("jwt: keys from a URL that change while edge runs; claims for the app; limits by user", async () => {
  const pair = () => generateKeyPairSync("ec", { namedCurve: "prime256v1" })
  const [old, next] = [pair(), pair()]
  let keys = [{ ...old.publicKey.export({ format: "jwk" }), kid: "old" }]
  const issuer = server(() => Response.json({ keys }))
  const app = server(seen => new Response(`${header(seen, "x-user")} ${header(seen, "x-roles")}`))
  const use = `{ jwt = { algorithms = "ES256", jwks = "http://127.0.0.1:${issuer.port}/keys", jwks_refresh = "1s", issuer = "me", audience = "shop", headers = { X-User = "sub", X-Roles = "roles" } } }, { rate_limit = { rate = "4/1d", key = "user" } }`
  const edge = await edgeWith(use, { app: app.port })
  const token = (by: typeof old, kid: string, claims: object = {}): string => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
    const signed = `${part({ alg: "ES256", kid })}.${part({ iss: "me", aud: "shop", sub: "ann", roles: ["x", "y"], exp: Date.now() / 1000 + 60, ...claims })}`
    return `${signed}.${sign("sha256", Buffer.from(signed), { key: by.privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`
  }
  const ask = async (jwt: string): Promise<string> => {
    const response = await fetch(edge.url("/"), { headers: { Authorization: `Bearer ${jwt}`, "X-User": "root", "X-Roles": "admin" } })
    return response.status === 200 ? await response.text() : String(response.status)
  }
  expect(await ask(token(old, "old"))).toBe("ann x,y")
  expect((await fetch(edge.url("/"))).headers.get("www-authenticate")).toBe('Bearer realm="edge"')
  expect(await ask(token(next, "old"))).toBe("401")
  expect(await ask(token(old, "old", { aud: "bank" }))).toBe("401")
  // The issuer takes another key: the new one is found, and the old one is no longer good, though its token was known.
  const known = token(old, "old")
  expect(await ask(known)).toBe("ann x,y")
  keys = [{ ...next.publicKey.export({ format: "jwk" }), kid: "next" }]
  await until(async () => (await ask(known)) === "401")
  expect(await ask(token(next, "next", { sub: "bob" }))).toBe("bob x,y")
  const counted = []
  for (let i = 0; i < 5; i++) counted.push(await ask(token(next, "next", { sub: "carl", n: i })))
  expect(counted).toEqual([...Array.from({ length: 4 }, () => "carl x,y"), "429"])
}, 60_000)

test("what is wrong is told with its place", async () => {
  const config = `
    [[site]]
    listen = ["127.0.0.1:0"]
    use = [
      { jwt = { algorithms = "HS256", secret = "hunter2" } },
      { jwt = { algorithms = ["HS256", "RS256"], secret = "x" } },
      { forward_auth = { to = "auth:9091" } },
      { forward_auth = { to = "http://127.0.0.1:9091/#x" } },
      { forward_auth = { to = "http://127.0.0.1:9091", copy = ["A B"] } },
    ]
    [[site.route]]
    respond = {}`
  await using edge = await Edge.launch({ config, args: ["check"] })
  expect(await edge.exited).toBe(1)
  for (const line of [5, 6, 7, 8, 9]) expect(edge.output).toMatch(new RegExp(`site\\.toml:${line}:\\d+: site\\[0\\]\\.use\\[${line - 5}\\]`))
  expect(edge.output).not.toContain("hunter2")
}, 30_000)
