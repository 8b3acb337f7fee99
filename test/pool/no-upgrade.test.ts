/**
 * Requests that ask for another protocol, to apps that have none. They are requests like any other (RFC 9110, 7.8), and
 * a GET without framing has an empty body (RFC 9112, 6.3): an app that reads it must get its end.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { found } from "../kit/needs.ts"
import { RawClient } from "../proxy/raw-client.ts"

const wsgi = `
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s %s got=%d" % (environ["REQUEST_METHOD"], environ["wsgi.url_scheme"], len(body))).encode()]
`
const asgi = `
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown": return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"): break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ("%s %s got=%d" % (scope["method"], scope["scheme"], size)).encode()})
`
const typescript = `
export default { async fetch(request) {
  const body = await request.text()
  return new Response(request.method + " http got=" + body.length)
} }
`
const withSockets = typescript.replace("} }", "},\n  websocket: { message() {} } }")
const program = `
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        text = ("%s http got=%d" % (self.command, len(body))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = answer
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`
const php = `<?php $n = strlen(file_get_contents("php://input")); echo "$_SERVER[REQUEST_METHOD] $_SERVER[REQUEST_SCHEME] got=$n";`

const uwsgi = found("uwsgi")
const fpm = found("php-fpm")
const apps: Record<string, string> = {
  wsgi: `runtime = "wsgi"\nentry = "w:app"\npython = "/usr/bin/python3"`,
  threads: `runtime = "wsgi"\nentry = "w:app"\npython = "/usr/bin/python3"\nthreads = 2`,
  asgi: `runtime = "asgi"\nentry = "a:app"\npython = "/usr/bin/python3"`,
  fetch: `entry = "app.ts"`,
  sockets: `entry = "sockets.ts"`,
  inline: `entry = "app.ts"\ngateway = "inline"`,
  inline_sockets: `entry = "sockets.ts"\ngateway = "inline"`,
  http: `runtime = "http"\ncommand = ["/usr/bin/python3", "program.py"]`,
  ...(uwsgi !== undefined && {
    uwsgi: `runtime = "uwsgi"\ncommand = ["/usr/bin/uwsgi", "--socket", "$SOCKET", "--plugins", "python3", "--module", "w:app", "--die-on-term", "--need-app"]`,
  }),
  ...(fpm !== undefined && {
    php: `runtime = "fastcgi"\nroot = "php"${process.getuid!() === 0 ? `\nuser = "www-data"` : ""}`,
  }),
}
const config = `
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
${Object.keys(apps).map(name => `[[site.route]]\npath = "/${name}/*"\n${name === "php" ? `strip = "/php"\n` : ""}app = "${name}"`).join("\n")}
${Object.entries(apps).map(([name, text]) => `[app.${name}]\nworkers = 1\ntimeout = "8s"\n${text}`.replace(/workers = 1\n(?=[^[]*inline)/, "")).join("\n")}
`
const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
const handshake = `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({
    config,
    files: {
      "w.py": wsgi, "a.py": asgi, "app.ts": typescript, "sockets.ts": withSockets, "program.py": program,
      "php/index.php": php,
    },
  })
}, 60_000)
afterAll(() => edge?.[Symbol.asyncDispose]())

describe.each(Object.keys(apps))("%s", app => {
  const takes = ["asgi", "sockets", "inline_sockets"].includes(app)
  test.each([
    ["a handshake", `GET / HTTP/1.1`, handshake, 0, takes],
    ["a handshake with a body", `GET / HTTP/1.1`, `${handshake}Content-Length: 4\r\n`, 4, false],
    ["a handshake that Connection does not name", `GET / HTTP/1.1`, `Upgrade: websocket\r\n${key}`, 0, false],
    ["h2c", `GET / HTTP/1.1`, `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`, 0, false],
    ["another protocol", `GET / HTTP/1.1`, `Connection: upgrade\r\nUpgrade: foo/2\r\n`, 0, false],
    ["a POST with a body", `POST / HTTP/1.1`, `${handshake}Content-Length: 4\r\n`, 4, false],
    ["a POST without one", `POST / HTTP/1.1`, handshake, 0, false],
  ])("%s", async (_, line, fields, size, refused) => {
    const client = await RawClient.to(edge.port())
    // What each was asked for is plain HTTP: no scheme of a WebSocket either.
    client.send(`${line.replace(" /", ` /${app}/`)}\r\nHost: h\r\n${fields}\r\n${"x".repeat(size)}`)
    if (refused) {
      await client.until(c => c.text.includes("\r\n\r\n") || c.ended || c.closed)
      expect(client.text).toMatch(/^HTTP\/1\.1 [24]\d\d /)
    } else {
      await client.until(c => /got=|^HTTP\/1.1 [45]/.test(c.text) || c.ended || c.closed)
      expect(client.text).toStartWith("HTTP/1.1 200 ")
      expect(client.text).toContain(`${line.slice(0, line.indexOf(" "))} http got=${size}`)
    }
    client.socket.end()
  }, 15_000)
})
