/** Who is let in, and how much of it: through the executable, from a site.toml. */
import { expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"

const listen = 'listen = ["127.0.0.1:0"]'
const quiet = '[log]\naccess = { format = "off" }'

test("limit_conn: exactly as many at once over all fronts, and what a killed front held is free again", async () => {
  const waiting: (() => void)[] = []
  using upstream = Bun.serve({
    port: 0,
    idleTimeout: 60,
    fetch: () => new Promise<Response>(resolve => waiting.push(() => resolve(new Response("done")))),
  })
  const config = `
    ${quiet}
    [server]
    fronts = 3
    [[site]]
    ${listen}
    use = [{ limit_conn = [{ limit = 5, key = "site", name = "all" }] }]
    [[site.route]]
    proxy = "http://127.0.0.1:${upstream.port}"`
  await using edge = await Edge.start({ config })
  let refused = 0
  const ask = () =>
    fetch(edge.url("/"), { keepalive: false, headers: { Connection: "close" } }).then(
      async response => {
        await response.text()
        if (response.status === 503) refused++
        return response.status
      },
      () => 0,
    )
  const first = Array.from({ length: 20 }, ask)
  // Two fronts that take the last place at once may both be refused.
  await until(() => {
    if (waiting.length < 5) first.push(ask())
    return waiting.length >= 5
  })
  first.push(...Array.from({ length: 20 }, ask))
  await until(() => refused === first.length - 5)
  expect(waiting).toHaveLength(5)
  for (const { pid } of (await edge.status()).fronts) process.kill(pid, "SIGKILL")
  await Promise.all(first)
  await until(async () => (await edge.status()).fronts.filter(({ state }) => state === "serving").length === 3)
  waiting.length = 0
  // Their successors have the same numbers, or the dead are left out after some seconds.
  const more: Promise<number>[] = []
  await until(() => {
    if (waiting.length < 5) more.push(ask())
    return waiting.length >= 5
  })
  for (const answer of waiting) answer()
  expect((await Promise.all(more)).filter(status => status === 200)).toHaveLength(5)
}, 60_000)

test("body_limit: by its length at once, else where it gets too long; more than the server's own where a route says so", async () => {
  const config = `
    ${quiet}
    [server.limits]
    body = "1kb"
    [[site]]
    ${listen}
    [[site.route]]
    path = "/small"
    use = [{ body_limit = "100b" }]
    app = "echo"
    [[site.route]]
    path = "/large"
    use = [{ body_limit = "1mb" }]
    app = "echo"
    [[site.route]]
    app = "echo"
    [app.echo]
    gateway = "inline"
    entry = "echo.ts"`
  await using edge = await Edge.start({ config, files: { "echo.ts": "export default { fetch: async (r: Request) => new Response(String((await r.bytes()).length)) }" } })
  const post = async (path: string, size: number, chunked: boolean): Promise<string> => {
    const bytes = new Uint8Array(size)
    const body = chunked ? new ReadableStream({ start: c => (c.enqueue(bytes.subarray(0, size >> 1)), c.enqueue(bytes.subarray(size >> 1)), c.close()) }) : bytes
    const response = await fetch(edge.url(path), { method: "POST", body, keepalive: false, headers: { Connection: "close" } })
    return response.status === 200 ? await response.text() : String(response.status)
  }
  for (const chunked of [false, true]) {
    expect(await post("/small", 100, chunked)).toBe("100")
    expect(await post("/small", 101, chunked)).toBe("413")
    expect(await post("/large", 200_000, chunked)).toBe("200000")
    expect(await post("/other", 1024, chunked)).toBe("1024")
    expect(await post("/other", 1025, chunked)).toBe("413")
  }
}, 60_000)

test("ip and basic_auth before files; the user's name reaches limits behind it", async () => {
  const hash = await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })
  const config = `
    ${quiet}
    [server]
    trusted_proxies = ["127.0.0.1/32"]
    [[site]]
    ${listen}
    use = [{ ip = { rules = ["deny 192.0.2.66", "allow 192.0.2.0/24", "deny all"] } }]
    [[site.route]]
    path = "/private/*"
    use = [{ basic_auth = { file = "users", realm = "edge" } }, { rate_limit = { rate = "2/1d", key = "user" } }]
    static = { root = "private" }
    [[site.route]]
    respond = { body = "open" }`
  await using edge = await Edge.start({ config, files: { users: `ann:${hash}\nbob:${hash}\n`, "private/a.txt": "treasure" } })
  const get = async (path: string, ip: string, user = ""): Promise<string> => {
    const headers: Record<string, string> = { "X-Forwarded-For": ip }
    if (user !== "") headers["Authorization"] = `Basic ${btoa(user)}`
    const response = await fetch(edge.url(path), { headers })
    return `${response.status} ${(await response.text()).trim()}`
  }
  expect(await get("/", "192.0.2.1")).toBe("200 open")
  for (const ip of ["192.0.2.66", "198.51.100.1", "::ffff:192.0.2.66", "unknown"]) expect(await get("/", ip)).toStartWith("403")
  expect(await get("/private/a.txt", "192.0.2.1")).toStartWith("401")
  expect(await get("/private/a.txt", "192.0.2.1", "ann:wrong")).toStartWith("401")
  for (const ip of ["192.0.2.1", "192.0.2.2"]) expect(await get("/private/a.txt", ip, "ann:secret")).toBe("200 treasure")
  expect(await get("/private/a.txt", "192.0.2.3", "ann:secret")).toStartWith("429")
  expect(await get("/private/a.txt", "192.0.2.1", "bob:secret")).toBe("200 treasure")
}, 60_000)

test("edge hash makes what basic_auth takes", async () => {
  const config = `${quiet}\n[[site]]\n${listen}\n[[site.route]]\nrespond = {}`
  await using edge = await Edge.start({ config })
  const child = Bun.spawn([...edge.argv, "hash", "--user", "ann"], { stdin: Buffer.from("pass:word\n"), stdout: "pipe" })
  const line = (await new Response(child.stdout).text()).trim()
  expect(line).toMatch(/^ann:\$argon2id\$/)
  edge.write("users", `${line}\n`)
  edge.write("site.toml", config.replace("listen", 'use = [{ basic_auth = { file = "users" } }]\nlisten'))
  expect((await edge.command("reload")).code).toBe(0)
  const status = async (user: string) => (await fetch(edge.url("/"), { headers: { Authorization: `Basic ${btoa(user)}` } })).status
  expect([await status("ann:pass:word"), await status("ann:password")]).toEqual([200, 401])
}, 60_000)

test("cors, csrf and security_headers on files, errors and preflights; cors before sign-in", async () => {
  const config = `
    ${quiet}
    [[site]]
    ${listen}
    use = ["security_headers", { cors = { origins = ["https://app.example"], credentials = true } }, { csrf = { trusted = ["https://app.example"] } }]
    [[site.route]]
    path = "/files/*"
    static = { root = "files" }
    [[site.route]]
    path = "/form"
    respond = { body = "taken" }
    [[site.route]]
    path = "/private"
    use = [{ basic_auth = { users = { ann = "${await Bun.password.hash("x", { algorithm: "bcrypt", cost: 4 })}" } } }]
    respond = {}`
  await using edge = await Edge.start({ config, files: { "files/a.txt": "a" } })
  const ask = (path: string, init: RequestInit = {}) => fetch(edge.url(path), init)
  const app = { Origin: "https://app.example" }
  for (let i = 0; i < 2; i++) {
    const file = await ask("/files/a.txt", { headers: app })
    expect([file.status, file.headers.get("access-control-allow-origin"), file.headers.get("vary"), file.headers.get("x-frame-options")]).toEqual([200, app.Origin, "Origin", "SAMEORIGIN"])
    const other = await ask("/files/a.txt", { headers: { Origin: "https://evil.example" } })
    expect([other.status, other.headers.get("access-control-allow-origin"), other.headers.get("vary")]).toEqual([200, null, "Origin"])
  }
  const missing = await ask("/none", { headers: app })
  expect([missing.status, missing.headers.get("access-control-allow-origin"), missing.headers.get("x-content-type-options")]).toEqual([404, app.Origin, "nosniff"])
  const preflight = await ask("/private", { method: "OPTIONS", headers: { ...app, "Access-Control-Request-Method": "PUT" } })
  expect([preflight.status, preflight.headers.get("access-control-allow-methods")]).toEqual([204, "GET, HEAD, POST, PUT, PATCH, DELETE"])
  expect((await ask("/private", { headers: app })).status).toBe(401)
  const post = async (headers: Record<string, string>) => (await ask("/form", { method: "POST", headers })).status
  expect(await post({})).toBe(200)
  expect(await post({ Origin: `http://127.0.0.1:${edge.port()}` })).toBe(200)
  expect(await post({ ...app, "Sec-Fetch-Site": "cross-site" })).toBe(200)
  expect(await post({ Origin: "https://evil.example" })).toBe(403)
  expect(await post({ "Sec-Fetch-Site": "same-site" })).toBe(403)
}, 60_000)

test("what is wrong is told with its place, all of it", async () => {
  const config = `
    [[site]]
    ${listen}
    use = [
      { cors = { origins = ["*"], credentials = true } },
      { ip = { allow = ["10.0.0.0/99"] } },
      { limit_conn = { limit = 0 } },
      { body_limit = "much" },
      { basic_auth = { users = { ann = "hunter2" } } },
      { security_headers = { frame = "sometimes" } },
      { csrf = { trusted = ["app.example"] } },
    ]
    [[site.route]]
    respond = {}`
  await using edge = await Edge.launch({ config, args: ["check"] })
  expect(await edge.exited).toBe(1)
  for (const line of [5, 6, 7, 8, 9, 10, 11]) expect(edge.output).toMatch(new RegExp(`site\\.toml:${line}:\\d+: site\\[0\\]\\.use\\[${line - 5}\\]`))
  expect(edge.output).not.toContain("hunter2")
}, 30_000)

test("limit_conn holds a WebSocket's place until it is closed", async () => {
  using upstream = Bun.serve({
    port: 0,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("page")),
    websocket: { message: (ws, message) => void ws.send(message) },
  })
  const config = `${quiet}\n[[site]]\n${listen}\nuse = [{ limit_conn = 1 }]\n[[site.route]]\nproxy = "http://127.0.0.1:${upstream.port}"`
  await using edge = await Edge.start({ config })
  const socket = new WebSocket(edge.url("/").replace("http", "ws"))
  await new Promise(resolve => socket.addEventListener("open", resolve))
  const status = async () => (await fetch(edge.url("/"), { keepalive: false })).status
  expect([await status(), await status()]).toEqual([503, 503])
  socket.close()
  await until(async () => (await status()) === 200)
  // Each answer has given its place back.
  for (let i = 0; i < 5; i++) await until(async () => (await status()) === 200)
}, 30_000)

test("limits and sign-in over HTTP/2", async () => {
  const config = `
    ${quiet}
    [[site]]
    ${listen}
    use = [{ rate_limit = { rate = "3/1d", key = "header:x-key" } }, { cors = ["https://a.example"] }, { body_limit = "10b" }]
    [[site.route]]
    app = "echo"
    [app.echo]
    gateway = "inline"
    entry = "echo.ts"`
  await using edge = await Edge.start({ config, files: { "echo.ts": "export default { fetch: async (r: Request) => new Response(await r.text()) }" } })
  const { connect } = await import("node:http2")
  const session = connect(`http://127.0.0.1:${edge.port()}`)
  const ask = (headers: Record<string, string>, body = ""): Promise<{ status: number; headers: Record<string, unknown> }> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ":path": "/", ":method": body === "" ? "GET" : "POST", ...headers })
      stream.on("response", got => resolve({ status: Number(got[":status"]), headers: got }))
      stream.on("error", reject)
      stream.resume()
      stream.end(body)
    })
  const first = await ask({ "x-key": "a", origin: "https://a.example" })
  expect([first.status, first.headers["access-control-allow-origin"], first.headers["ratelimit-policy"]]).toEqual([200, "https://a.example", '"default";q=3;w=86400'])
  expect((await ask({ "x-key": "a" }, "0123456789")).status).toBe(200)
  expect((await ask({ "x-key": "a" }, "0123456789x")).status).toBe(413)
  const refused = await ask({ "x-key": "a" })
  expect([refused.status, Number(refused.headers["retry-after"]) > 0]).toEqual([429, true])
  session.close()
}, 30_000)

test("who guesses passwords is stopped, over all fronts; who knows it is not, from elsewhere", async () => {
  const hash = await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 })
  const config = `
    ${quiet}
    [server]
    fronts = 2
    trusted_proxies = ["127.0.0.1/32"]
    [[site]]
    ${listen}
    use = [{ rate_limit = { rate = "3/1d", count = [401] } }, { basic_auth = { users = { ann = "${hash}" } } }]
    [[site.route]]
    respond = {}`
  await using edge = await Edge.start({ config })
  const ask = async (password: string, ip: string) => {
    const headers = { "X-Forwarded-For": ip, Authorization: `Basic ${btoa(`ann:${password}`)}` }
    return (await fetch(edge.url("/"), { keepalive: false, headers })).status
  }
  for (let i = 0; i < 10; i++) expect(await ask("secret", "192.0.2.1")).toBe(200)
  const guesses = []
  for (let i = 0; i < 6; i++) guesses.push(await ask(`guess ${i}`, "192.0.2.66"))
  expect(guesses).toEqual([401, 401, 401, 429, 429, 429])
  expect(await ask("secret", "192.0.2.66")).toBe(429)
  expect(await ask("secret", "192.0.2.1")).toBe(200)
}, 30_000)
