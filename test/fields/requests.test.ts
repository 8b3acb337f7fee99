/** Fields of a request on their way to every kind of app: what edge says of a client is the last word. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Origin } from "../cache/origin.ts"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { files, names, seenBy, waysTo } from "./apps.ts"

const hash = Bun.password.hashSync("pw", { algorithm: "argon2id", memoryCost: 8, timeCost: 1 })
const echo = () => new Origin(({ headers }) => ({ status: 200, headers: [["Content-Type", "application/json"]], body: JSON.stringify([...headers]) }))

describeWith(["php-fpm", "uwsgi"], "what edge says of a client", () => {
  let edge: Edge
  const origin = echo()
  const shadow = echo()
  beforeAll(async () => {
    const use = `[{ basic_auth = { users = { ann = '${hash}' }, header = "X-User" } }, { headers = { request = { set = { X-Set = "ours" }, remove = ["X-Gone"] } } }, "request_id", { mirror = "http://127.0.0.1:${shadow.port}" }]`
    const config = `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = ${use}\n${waysTo(origin.port)}`
    edge = await Edge.start({ config, files })
  }, 60_000)
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    origin.stop()
    shadow.stop()
  })

  /** The body of the answer; fields go as they are written. */
  async function ask(name: string, lines: readonly string[]): Promise<string> {
    const head = [`GET /${name} HTTP/1.1`, "Host: a.test", `Authorization: Basic ${btoa("ann:pw")}`, ...lines]
    const text = await RawClient.ask(edge.port(), `${head.join("\r\n")}\r\n\r\n`)
    const chunked = /transfer-encoding: chunked/i.test(text.split("\r\n\r\n")[0]!)
    const body = text.slice(text.indexOf("\r\n\r\n") + 4)
    return chunked ? body.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n(?:\r\n$)?/g, "") : body
  }

  test.each(names)("Connection does not take it away: %s", async name => {
    const got = seenBy(await ask(name, ["X-Hop: 1", "X-User: eve", "Connection: close, X-User, X-Set, X-Request-Id, X-Hop, X-Forwarded-For, Host"]))
    expect(Object.fromEntries(got)).toMatchObject({ x_user: "ann", x_set: "ours", x_request_id: expect.stringMatching(/^[0-9a-f-]{36}$/), host: "a.test" })
    expect(got.has("x_hop")).toBe(false)
  })

  test("nor from a shadow", async () => {
    await until(() => shadow.got.length >= names.length)
    for (const { headers } of shadow.got) expect([headers.get("x-user"), headers.get("x-set"), headers.get("x-hop")]).toEqual(["ann", "ours", null])
  })

  test.each(names)("a name that the app takes for it does not stand in for it: %s", async name => {
    const spellings = ["X.User", "X_User", "x-user", "X~User", "X!User", "X'User"].flatMap(user => [`${user}: eve`, `${user.replace("User", "Set")}: theirs`, `${user.replace("User", "Gone")}: 1`])
    const trust = ["X.Forwarded.For: 6.6.6.6", "X-Forwarded.For: 6.6.6.6", "X_Forwarded-For: 6.6.6.6", "X.Real.IP: 6.6.6.6", "X.Accel-Redirect: /x", "x.request.id: theirs"]
    const text = await ask(name, [...spellings, ...trust, "Connection: close"])
    const got = seenBy(text)
    expect(Object.fromEntries(got)).toMatchObject({ x_user: "ann", x_set: "ours" })
    expect(text).not.toMatch(/eve|theirs|6\.6\.6\.6|x.gone|x.accel/i)
  })

  test.each(names)("two Cookie lines are one: %s", async name => {
    const text = await ask(name, ["Cookie: a=1", "X-Between: 1", "cookie: b=2; c=3", "Cookie: d=4", "Connection: close"])
    const cookies = (JSON.parse(text) as [string, string][]).filter(([field]) => field.toLowerCase() === "cookie")
    expect(cookies.map(([, value]) => value)).toEqual(["a=1; b=2; c=3; d=4"])
  })

  test.each(names)("fields of the client's connection are not the app's: %s", async name => {
    const got = seenBy(await ask(name, ["Connection: close, TE", "Keep-Alive: timeout=5", "TE: trailers", "Trailer: X-Sum", "Upgrade: foo", "Proxy-Connection: keep-alive"]))
    // Those of our own connection to a server that speaks HTTP are ours.
    const own = name === "proxy" || name === "http" ? ["connection", "te"] : []
    expect(["connection", "keep_alive", "te", "trailer", "upgrade", "proxy_connection", "transfer_encoding"].filter(field => got.has(field) && !own.includes(field))).toEqual([])
  })

  test("also where nobody is named: a token without the claim", async () => {
    const config = `[log]\naccess = { format = "off" }\n[server]\ntrusted_proxies = ["127.0.0.1/32"]\nlimits = { underscores = true }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ forward_auth = { to = "http://127.0.0.1:${origin.port}/v", copy = ["X-Name"] } }]\n[[site.route]]\napp = "php"\n[app.php]\nruntime = "fastcgi"\nroot = "php"\n${process.getuid!() === 0 ? `user = "www-data"\n` : ""}`
    await using other = await Edge.start({ config, files })
    const text = await other.get("/", { headers: { "X.Name": "eve", X_Name: "eve", "X-Name": "eve", "X_Forwarded-For": "6.6.6.6", "X-Forwarded-For": "7.7.7.7", X_Kept: "kept", "X-Twin": "ours", X_Twin: "theirs" } })
    expect(text).not.toMatch(/eve|6\.6\.6\.6|theirs/)
    expect([seenBy(text).get("x_kept"), seenBy(text).get("x_forwarded_for"), seenBy(text).get("x_twin")]).toEqual(["kept", "7.7.7.7", "ours"])
  }, 60_000)
})

test("an upgrade that Connection names still goes through, with what edge says", async () => {
  let asked: Headers | undefined
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) => {
      asked = request.headers
      return self.upgrade(request) ? undefined : new Response("no", { status: 400 })
    },
    websocket: { message: (ws, message) => void ws.send(`echo ${message}`) },
  })
  const config = `[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ headers = { request = { set = { X-User = "ann" } } } }]\n[[site.route]]\nproxy = "http://127.0.0.1:${server.port}"\n`
  await using edge = await Edge.start({ config })
  const client = await RawClient.to(edge.port())
  client.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, X-User\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
  await client.until(() => client.text.includes("\r\n\r\n"))
  expect(client.text).toStartWith("HTTP/1.1 101 ")
  expect(asked?.get("x-user")).toBe("ann")
  client.socket.terminate()
  server.stop(true)
}, 60_000)
