/**
 * A client that leaves while it is waited or worked for: what runs is told, what has not begun does not run, and the
 * access log says 499. In every layer, by every way a client can leave. nginx and uvicorn do the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from "node:http2"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { connect as connectTls } from "node:tls"
import { Edge, until } from "../kit/edge.ts"

const asgi = `
import asyncio, os
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    name = scope["path"]
    print("asked", name, flush=True)
    if scope["type"] == "websocket":
        await receive()
    elif name.endswith("/answering"):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
    while True:
        message = await receive()
        if message["type"].endswith(".disconnect"): break
    print("gone", name, flush=True)
    if name.endswith("/works-on"):
        while not os.path.exists("works-on"): await asyncio.sleep(0.01)
        print("ended", name, flush=True)
`
/** Runs until a file of the name behind "?" is there. */
const wsgi = `
import os, time
def app(environ, start_response):
    print("asked", environ["PATH_INFO"], flush=True)
    while environ["QUERY_STRING"] and not os.path.exists(environ["QUERY_STRING"]): time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
`
const fetchIt = `fetch(request) {
  const { pathname } = new URL(request.url)
  console.log("asked " + pathname)
  return new Promise(resolve => request.signal.addEventListener("abort", () => {
    console.log("gone " + pathname)
    resolve(new Response("too late"))
  }))
}`
const typescript = `export default { ${fetchIt} }`
const program = `Bun.serve({ unix: process.env.SOCKET, idleTimeout: 0, ${fetchIt} })`
const python = 'python = "/usr/bin/python3"'
/** A fifth of a second of work. */
const hash = Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 12 })
const signIn = `Authorization: Basic ${btoa("ann:secret")}\r\n`
const routes = (origin: number) => `
[[site.route]]
path = "/asgi/signed-in/*"
use = [{ basic_auth = { users = { ann = "${hash}" } } }]
app = "asgi"
${["asgi", "fetch", "inline", "http", "wsgi", "ahead"].map(app => `[[site.route]]\npath = "/${app}/*"\napp = "${app}"`).join("\n")}
[[site.route]]
path = "/proxy/*"
proxy = { to = ["http://127.0.0.1:${origin}"] }
[[site.route]]
path = "/cache/*"
use = [{ cache = { collapse = "60s" } }]
proxy = { to = ["http://127.0.0.1:${origin}"] }
[[site.route]]
path = "/auth/*"
use = [{ forward_auth = { to = "http://127.0.0.1:${origin}/allowed" } }]
respond = { status = 200, body = "in" }
`
const site = (origin: number) => `
[server]
fronts = 1
[log]
access = { path = "access.log", format = "json" }
[[site]]
listen = ["http://127.0.0.1:0", "127.0.0.2:0"]
tls = { cert = "cert.pem", key = "key.pem" }
https_redirect = false
${routes(origin)}
[[site]]
listen = ["unix:web.sock"]
${routes(origin)}
[app.asgi]
runtime = "asgi"
entry = "a:app"
${python}
[app.fetch]
entry = "app.ts"
[app.inline]
gateway = "inline"
entry = "app.ts"
[app.wsgi]
runtime = "wsgi"
entry = "w:app"
ahead = 0
${python}
[app.ahead]
runtime = "wsgi"
entry = "w:app"
${python}
[app.http]
runtime = "http"
command = [${JSON.stringify(process.execPath)}, "program.ts"]
`

/** Answers nothing but what the test says; who asked, and whose connection is gone. */
class Origin {
  readonly asked = new Map<string, Socket>()
  readonly gone: string[] = []
  readonly #server = Bun.listen<{ path: string }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: socket => void (socket.data = { path: "" }),
      data: (socket, chunk) => {
        const path = /^[A-Z]+ (\S+) HTTP/.exec(chunk.latin1Slice())?.[1]
        if (path === undefined) return
        socket.data.path = path
        this.asked.set(path, socket as never)
      },
      close: socket => void this.gone.push(socket.data.path),
    },
  })
  get port(): number {
    return this.#server.port
  }
  answer(path: string, body: string): void {
    this.asked.get(path)!.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nCache-Control: max-age=60\r\n\r\n${body}`)
  }
  stop(): void {
    this.#server.stop(true)
  }
}

let edge: Edge
const origin = new Origin()
beforeAll(async () => {
  edge = await Edge.start({
    config: site(origin.port),
    files: { "a.py": asgi, "w.py": wsgi, "app.ts": typescript, "program.ts": program },
    prepare: dir => {
      const made = Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem"), "-days", "2", "-subj", "/CN=localhost"])
      if (made.exitCode !== 0) throw new Error(String(made.stderr))
    },
  })
}, 60_000)
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  origin.stop()
})

interface Client {
  leave(): void
  /** What it got so far. */
  text(): string
}

function request(path: string, more = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`
}

async function ready(socket: Socket, event = "connect"): Promise<Socket> {
  socket.on("error", () => {})
  await new Promise(resolve => socket.once(event, resolve))
  return socket
}

const open = () => ready(connect(edge.port(), "127.0.0.1"))
const openTls = (ALPNProtocols = ["http/1.1"]) => ready(connectTls({ port: edge.port(1), host: "127.0.0.2", rejectUnauthorized: false, ALPNProtocols }), "secureConnect")

function collected(source: { on(event: "data", f: (chunk: Buffer) => void): unknown }): () => string {
  let text = ""
  source.on("data", chunk => (text += String(chunk)))
  return () => text
}

async function byHttp1(path: string, leave: (socket: Socket) => void, more = "", body = ""): Promise<Client> {
  const socket = await open()
  socket.write(request(path, more) + body)
  return { leave: () => leave(socket), text: collected(socket) }
}

function byHttp2(path: string, leave: (session: ClientHttp2Session, stream: ClientHttp2Stream) => void): Client {
  const session = connectHttp2(`https://127.0.0.2:${edge.port(1)}`, { rejectUnauthorized: false })
  session.on("error", () => {})
  const stream = session.request({ ":path": path })
  stream.on("error", () => {})
  stream.end()
  return { leave: () => leave(session, stream), text: collected(stream) }
}

/** How clients come and go. */
const ways: Record<string, (path: string) => Promise<Client>> = {
  "closes (FIN)": path => byHttp1(path, socket => socket.end()),
  "is cut (RST)": path => byHttp1(path, socket => socket.resetAndDestroy()),
  "closes behind TLS": async path => {
    const socket = await openTls()
    socket.write(request(path))
    return { leave: () => socket.end(), text: collected(socket) }
  },
  "is cut behind TLS": async path => {
    const socket = await openTls()
    socket.write(request(path))
    return { leave: () => socket.destroy(), text: collected(socket) }
  },
  "closes on a unix socket": async path => {
    const socket = await ready(connect(join(edge.dir, "web.sock")))
    socket.write(request(path))
    return { leave: () => socket.end(), text: collected(socket) }
  },
  "closes with pipelined requests behind": path => byHttp1(path, socket => socket.end(), "", request("/asgi/never-asked").repeat(3)),
  "resets its HTTP/2 stream": async path => byHttp2(path, (session, stream) => {
    stream.close(constants.NGHTTP2_CANCEL)
    setTimeout(() => session.close(), 100)
  }),
  "loses its HTTP/2 connection": async path => byHttp2(path, session => session.destroy()),
}

function statuses(path: string): number[] {
  const lines = readFileSync(join(edge.dir, "access.log"), "utf8").split("\n")
  return lines.filter(text => text.includes(`"${path}"`)).map(text => (JSON.parse(text) as { status: number }).status)
}

async function logged(path: string): Promise<number> {
  await until(() => statuses(path).length > 0)
  return statuses(path)[0]!
}

let n = 0
const nameFor = (way: string) => `${way.replaceAll(/\W+/g, "-")}-${++n}`

describe.each(Object.keys(ways))("a client that %s", way => {
  test.each(["asgi", "fetch", "inline", "http"])("%s is told", async app => {
    const path = `/${app}/${nameFor(way)}`
    const client = await ways[way]!(path)
    await edge.heard(`asked ${path}`)
    client.leave()
    await edge.heard(`gone ${path}`)
    expect(await logged(path)).toBe(499)
  })

  test("proxy: the upstream's connection is closed", async () => {
    const path = `/proxy/${nameFor(way)}`
    const client = await ways[way]!(path)
    await until(() => origin.asked.has(path))
    client.leave()
    await until(() => origin.gone.includes(path))
    expect(await logged(path)).toBe(499)
  })

  test.each(["wsgi", "ahead"])("%s: what waits does not run", async app => {
    const name = nameFor(way)
    const busy = await byHttp1(`/${app}/busy-${name}?${name}`, socket => socket.end())
    await edge.heard(`asked /${app}/busy-${name}`)
    const paths = [1, 2, 3].map(i => `/${app}/waits-${i}-${name}`)
    const clients = await Promise.all(paths.map(path => ways[way]!(path)))
    // Behind the others: once it is answered they had their turn.
    await Bun.sleep(50)
    const stays = await byHttp1(`/${app}/stays-${name}`, socket => socket.end())
    for (const client of clients) client.leave()
    for (const path of paths) expect(await logged(path)).toBe(499)
    edge.write(name, "")
    await until(() => stays.text().startsWith("HTTP/1.1 200 "))
    for (const path of paths) expect(edge.output).not.toContain(`asked ${path} `)
    stays.leave()
    busy.leave()
  })

  test("forward_auth: the question is given up", async () => {
    const path = `/auth/${nameFor(way)}`
    origin.asked.delete("/allowed")
    const before = origin.gone.filter(p => p === "/allowed").length
    const client = await ways[way]!(path)
    await until(() => origin.asked.has("/allowed"))
    client.leave()
    await until(() => origin.gone.filter(p => p === "/allowed").length > before)
    expect(await logged(path)).toBe(499)
  })

  test("cache: those who wait for the same go on", async () => {
    const path = `/cache/${nameFor(way)}`
    const client = await ways[way]!(path)
    await until(() => origin.asked.has(path))
    const other = await ways[way]!(path)
    await Bun.sleep(50)
    client.leave()
    await Bun.sleep(50)
    expect(origin.gone).not.toContain(path)
    origin.answer(path, "for the other")
    await until(() => other.text().endsWith("for the other"))
    await until(() => statuses(path).length === 2)
    expect(statuses(path).toSorted()).toEqual([200, 499])
    other.leave()
  })
})

test("while a middleware works: the app is not asked", async () => {
  const paths = [1, 2].map(i => `/asgi/signed-in/${i}`)
  const clients = await Promise.all(paths.map(path => byHttp1(path, socket => socket.end(), signIn)))
  // The password is checked once for all: whoever stays is let in after those who left.
  const stays = await byHttp1("/asgi/signed-in/stays", socket => socket.end(), signIn)
  await Bun.sleep(20)
  for (const client of clients) client.leave()
  await edge.heard("asked /asgi/signed-in/stays")
  for (const path of paths) {
    expect(await logged(path)).toBe(499)
    expect(edge.output).not.toContain(`asked ${path} `)
  }
  stays.leave()
})

test("in the middle of a streamed answer", async () => {
  const path = "/asgi/answering"
  const client = await byHttp1(path, socket => socket.end())
  await edge.heard(`asked ${path}`)
  client.leave()
  await edge.heard(`gone ${path}`)
  expect([200, 499]).toContain(await logged(path))
})

test("with the handshake of a WebSocket unanswered", async () => {
  const path = "/asgi/socket"
  const client = await byHttp1(path, socket => socket.end(), "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n")
  await edge.heard(`asked ${path}`)
  client.leave()
  await edge.heard(`gone ${path}`)
  expect(await logged(path)).toBe(499)
})

/** So much that the last of it stays in the kernel, with the end behind it: the front pauses at 64 kB, a worker may have 256 kB. */
test.each([["inline", 100_000], ["fetch", 360_000]])("%s: behind a body that nobody reads", async (app, size) => {
  for (const missing of [0, 1]) {
    const path = `/${app}/held-${missing}`
    const socket = await open()
    socket.write(`POST ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: ${size + missing}\r\n\r\n`)
    socket.end(Buffer.alloc(size))
    await edge.heard(`gone ${path}`)
    expect(await logged(path)).toBe(499)
  }
})

test("an ASGI app that works on when its client has left has its time to the deadline", async () => {
  const path = "/asgi/works-on"
  const client = await byHttp1(path, socket => socket.end())
  await edge.heard(`asked ${path}`)
  client.leave()
  await edge.heard(`gone ${path}`)
  // Longer than a task is waited for past its deadline.
  await Bun.sleep(6000)
  edge.write("works-on", "")
  await edge.heard(`ended ${path}`)
})

test("a body that ends early", async () => {
  const path = "/asgi/early"
  const client = await byHttp1(path, socket => socket.end(), "Content-Length: 10\r\n", "half")
  await edge.heard(`asked ${path}`)
  client.leave()
  await edge.heard(`gone ${path}`)
  expect([400, 499]).toContain(await logged(path))
})

test("half_close: a client that closes its side and reads on gets its answer", async () => {
  await using own = await Edge.start({
    config: `[server.limits]\nhalf_close = "30s"\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "w"\n[app.w]\nruntime = "wsgi"\nentry = "w:app"\n${python}\n`,
    files: { "w.py": wsgi },
  })
  const socket = connect(own.port(), "127.0.0.1")
  socket.end(request("/late?go"))
  let text = ""
  socket.on("data", chunk => (text += String(chunk)))
  await own.heard("asked /late")
  own.write("go", "")
  await new Promise(resolve => socket.once("close", resolve))
  expect(text).toStartWith("HTTP/1.1 200 ")
  expect(text).toEndWith("done")
})
