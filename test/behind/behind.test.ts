/** edge behind nginx, HAProxy and Apache, over TCP and unix sockets, with and without their buffering: one list for all. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const app = `
import { existsSync } from "node:fs"
import { createHash } from "node:crypto"
export default {
  async fetch(request, { ip, scheme, prefix, server }) {
    const url = new URL(request.url)
    if (url.pathname === "/facts") {
      return Response.json({ ip, scheme, host: request.headers.get("host"), method: request.method, query: url.search, path: url.pathname, cookies: request.headers.get("cookie") },
        { headers: [["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"], ["X-Accel-Buffering", "no"]] })
    }
    if (url.pathname === "/hash") {
      const hash = createHash("sha256")
      let bytes = 0
      for await (const chunk of request.body) { hash.update(chunk); bytes += chunk.length }
      return Response.json([bytes, hash.digest("hex")])
    }
    if (url.pathname === "/stream") {
      return new Response(async function* () {
        yield "first\\n"
        while (!existsSync(url.searchParams.get("gate"))) await Bun.sleep(5)
        yield "last\\n"
      })
    }
    if (url.pathname === "/large") return new Response("x".repeat(Number(url.searchParams.get("n"))))
    if (url.pathname === "/moved") return Response.redirect("/facts", 307)
    if (url.pathname === "/status") return new Response(null, { status: Number(url.searchParams.get("s")) })
    if (url.pathname === "/ws" && server.upgrade(request)) return
    return new Response("no such path", { status: 404 })
  },
  websocket: { message: (ws, text) => void ws.send("echo " + text) },
}
`
const root = process.getuid!() === 0
/** Apache does not serve as root, and a unix socket of edge is its fronts' own. */
const config = `
[server]
${root ? 'user = "www-data"' : ""}
fronts = 2
trusted_proxies = ["127.0.0.1/32", "unix"]
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0", "unix:edge.http"]
[[site.route]]
app = "app"
[app.app]
entry = "app.ts"
`
interface Proxy {
  readonly name: string
  /** Bytes leave as the app makes them. */
  readonly streams: boolean
  /** Lets go of edge as soon as its own client is gone. */
  readonly noticesAbort: boolean
  start(at: { dir: string; port: number; edge: Edge }): string[]
}

const nginx = (name: string, o: { unix: boolean; buffered: boolean }): Proxy => ({
  name: `nginx, ${name}`,
  streams: !o.buffered,
  noticesAbort: !o.buffered,
  start({ dir, port, edge }) {
    const to = o.unix ? `unix:${edge.dir}/edge.http` : `127.0.0.1:${edge.port()}`
    const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(kind => `${kind}_temp_path ${dir}/${kind};`).join(" ")
    writeFileSync(
      join(dir, "nginx.conf"),
      `${root ? "user root;" : ""} daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log; worker_processes 1; events {}
       http { access_log off; ${temp} client_max_body_size 100m; upstream edge { server ${to}; keepalive 4; }
         map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
         server { listen 127.0.0.1:${port}; location / { proxy_pass http://edge; proxy_http_version 1.1;
           proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
           proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
           proxy_buffering ${o.buffered ? "on" : "off"}; proxy_request_buffering ${o.buffered ? "on" : "off"}; } } }`,
    )
    return ["/usr/sbin/nginx", "-p", dir, "-e", join(dir, "error.log"), "-c", join(dir, "nginx.conf")]
  },
})

const apache = (name: string, o: { unix: boolean; buffered: boolean }): Proxy => ({
  name: `Apache, ${name}`,
  streams: !o.buffered,
  noticesAbort: false,
  start({ dir, port, edge }) {
    const to = (scheme: string) => (o.unix ? `unix:${edge.dir}/edge.http|${scheme}://localhost/` : `${scheme}://127.0.0.1:${edge.port()}/`)
    const modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "rewrite", "headers"]
    writeFileSync(
      join(dir, "apache.conf"),
      `ServerRoot ${dir}\nServerName localhost\nPidFile ${dir}/apache.pid\nErrorLog ${dir}/error.log\nListen 127.0.0.1:${port}\nDefaultRuntimeDir ${dir}\nMutex file:${dir}\n
       ${root ? "User www-data\nGroup www-data" : ""}\n${modules.map(module => `LoadModule ${module}_module /usr/lib/apache2/modules/mod_${module}.so`).join("\n")}\n
       ProxyPreserveHost On\nAllowEncodedSlashes NoDecode\nRequestHeader set X-Forwarded-Proto http\n
       RewriteEngine On\nRewriteCond %{HTTP:Upgrade} websocket [NC]\nRewriteRule ^/(.*) "${to("ws")}$1" [P,L]\n
       ProxyPass / "${to("http")}" ${o.buffered ? "" : "flushpackets=on"}\n`,
    )
    return ["/usr/sbin/apache2", "-f", join(dir, "apache.conf"), "-D", "FOREGROUND"]
  },
})

const haproxy = (name: string, o: { unix: boolean }): Proxy => ({
  name: `HAProxy, ${name}`,
  streams: true,
  noticesAbort: false,
  start({ dir, port, edge }) {
    const to = o.unix ? `unix@${edge.dir}/edge.http` : `127.0.0.1:${edge.port()}`
    writeFileSync(
      join(dir, "haproxy.cfg"),
      `global\n  maxconn 1000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout tunnel 60s\n  option forwardfor\n
frontend in\n  bind 127.0.0.1:${port}\n  http-request set-header X-Forwarded-Proto http\n  default_backend edge\nbackend edge\n  server edge ${to}\n`,
    )
    return ["/usr/sbin/haproxy", "-db", "-q", "-f", join(dir, "haproxy.cfg")]
  },
})

const proxies: readonly Proxy[] = [
  nginx("TCP, buffering", { unix: false, buffered: true }),
  nginx("unix, no buffering", { unix: true, buffered: false }),
  haproxy("TCP", { unix: false }),
  haproxy("unix", { unix: true }),
  apache("TCP, buffering", { unix: false, buffered: true }),
  apache("unix, flushing", { unix: true, buffered: false }),
]
const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

for (const proxy of proxies) {
  describeWith(["nginx", "apache2", "haproxy"], proxy.name, () => {
    let edge: Edge
    let dir: string
    let port: number
    let server: Bun.Subprocess
    beforeAll(async () => {
      edge = await Edge.start({ config, files: { "app.ts": app } })
      chmodSync(edge.dir, 0o755)
      dir = mkdtempSync(join(tmpdir(), "edge-behind-"))
      // Apache serves as another user, who writes there.
      chmodSync(dir, 0o777)
      const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
      port = free.port
      free.stop()
      server = Bun.spawn(proxy.start({ dir, port, edge }), { stdio: ["ignore", "ignore", "inherit"], cwd: dir })
      await until(async () => (await fetch(url("/facts")).then(answer => answer.status, () => 0)) === 200)
    }, 60_000)
    afterAll(async () => {
      server?.kill("SIGTERM")
      await server?.exited
      await edge?.[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    })
    const url = (path: string) => `http://127.0.0.1:${port}${path}`

    test("who asks for what: client, scheme, host, query, cookies; a forged X-Forwarded-For stays on the left", async () => {
      const answer = await fetch(url("/facts?a=%20b&c=d"), { headers: { Cookie: "k=v; l=w", "X-Forwarded-For": "198.51.100.1" } })
      expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"])
      // The proxy saw 127.0.0.1, which is trusted itself: what that one said is believed as well.
      expect(await answer.json()).toEqual({ ip: "198.51.100.1", scheme: "http", host: `127.0.0.1:${port}`, method: "GET", query: "?a=%20b&c=d", path: "/facts", cookies: "k=v; l=w" })
    })

    test("bodies in: none, empty, 10 MB, chunked", async () => {
      const body = randomBytes(10_000_000)
      expect(await (await fetch(url("/hash"), { method: "POST", body })).json()).toEqual([body.length, hash(body)])
      const stream = new ReadableStream({
        start(c) {
          for (let at = 0; at < 1_000_000; at += 100_000) c.enqueue(body.subarray(at, at + 100_000))
          c.close()
        },
      })
      expect(await (await fetch(url("/hash"), { method: "PUT", body: stream })).json()).toEqual([1_000_000, hash(body.subarray(0, 1_000_000))])
      expect((await fetch(url("/facts"), { method: "POST", body: "" })).status).toBe(200)
    }, 20_000)

    test("answers: 20 MB, HEAD, 204, 304, 404, a redirect, many on one connection", async () => {
      expect((await (await fetch(url("/large?n=20000000"))).bytes()).length).toBe(20_000_000)
      const head = await fetch(url("/large?n=1000"), { method: "HEAD" })
      expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "1000", ""])
      for (const status of [204, 304, 404, 500]) expect((await fetch(url(`/status?s=${status}`))).status).toBe(status)
      const moved = await fetch(url("/moved"), { redirect: "manual" })
      expect([moved.status, moved.headers.get("location")]).toEqual([307, "/facts"])
      const many = await Promise.all(Array.from({ length: 200 }, (_, i) => fetch(url(`/large?n=${i}`)).then(answer => answer.text())))
      expect(many.map(text => text.length)).toEqual(Array.from({ length: 200 }, (_, i) => i))
    }, 20_000)

    test(proxy.streams ? "a stream passes as it is made" : "a stream arrives whole", async () => {
      const gate = join(edge.dir, `gate-${port}`)
      const answer = await fetch(url(`/stream?gate=${gate}`))
      const reader = answer.body!.getReader()
      if (proxy.streams) expect(Buffer.from((await reader.read()).value!).toString()).toBe("first\n")
      writeFileSync(gate, "")
      let rest = ""
      for (let part = await reader.read(); !part.done; part = await reader.read()) rest += Buffer.from(part.value).toString()
      expect(rest).toBe(proxy.streams ? "last\n" : "first\nlast\n")
    })

    test("a WebSocket", async () => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`)
      await new Promise((resolve, reject) => ([ws.onopen, ws.onerror] = [resolve, reject]))
      const long = "y".repeat(200_000)
      for (const text of ["hello", long]) {
        const heard = new Promise(resolve => (ws.onmessage = event => resolve(event.data)))
        ws.send(text)
        expect(await heard).toBe(`echo ${text}`)
      }
      ws.close()
    })

    test("a reload of edge behind it loses no request", async () => {
      let failed = 0
      let answered = 0
      let stop = false
      const asking = Promise.all(
        Array.from({ length: 4 }, async () => {
          while (!stop) {
            const status = await fetch(url("/large?n=10")).then(answer => answer.status, () => 0)
            if (status === 200) answered++
            else failed++
          }
        }),
      )
      expect((await edge.command("reload")).code).toBe(0)
      await until(() => answered > 200)
      stop = true
      await asking
      expect(failed).toBe(0)
    }, 20_000)

    // Others find out when they write to it.
    if (!proxy.noticesAbort) return
    test("a client that goes away in the middle leaves nothing behind", async () => {
      const socket = connect(port, "127.0.0.1")
      socket.write(`GET /stream?gate=${join(edge.dir, "never")} HTTP/1.1\r\nHost: x\r\n\r\n`)
      const active = async () => (await edge.status()).apps[0]!.workers[0]!.active
      await until(async () => (await active()) === 1)
      socket.destroy()
      await until(async () => (await active()) === 0)
    }, 20_000)
  })
}
