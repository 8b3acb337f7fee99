/** What an app says of the connection, from every kind of app: it closes where it says so, and the rest is the engine's. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"
import { RawClient } from "../proxy/raw-client.ts"

const lines = { close: [["Connection", "close"]], keep: [["Connection", "keep-alive"], ["Keep-Alive", "timeout=5"], ["Trailer", "X-Sum"], ["Date", "Thu, 01 Jan 1970 00:00:00 GMT"], ["Upgrade", "h2c"]], upgrade: [["Upgrade", "websocket"], ["Connection", "upgrade"]] }
const json = JSON.stringify(lines)
const files = {
  "f.ts": `const lines = ${json}
export default { fetch: request => {
  const kind = new URL(request.url).searchParams.get("k")
  const headers = new Headers(lines[kind])
  return new Response("ok", { status: kind === "upgrade" ? 426 : 200, headers })
} }`,
  "w.py": `
import json
lines = json.loads('''${json}''')
def app(environ, start_response):
    kind = environ["QUERY_STRING"][2:]
    start_response("426 Upgrade Required" if kind == "upgrade" else "200 OK", [(k, v) for k, v in lines[kind]] + [("Content-Length", "2")])
    return [b"ok"]
`,
  "a.py": `
import json
lines = json.loads('''${json}''')
async def app(scope, receive, send):
    if scope["type"] != "http": return
    kind = scope["query_string"].decode()[2:]
    headers = [(k.lower().encode(), v.encode()) for k, v in lines[kind]]
    await send({"type": "http.response.start", "status": 426 if kind == "upgrade" else 200, "headers": headers + [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
`,
  "php/index.php": `<?php foreach (json_decode('${json}')->{$_GET["k"]} as [$k, $v]) header("$k: $v"); if ($_GET["k"] === "upgrade") http_response_code(426); header("Content-Length: 2"); echo "ok";`,
}

const kinds = ["fetch", "inline", "wsgi", "asgi", "php"]

describeWith(["php-fpm"], "an app's word about the connection", () => {
  let edge: Edge
  beforeAll(async () => {
    const php = `[app.php]\nruntime = "fastcgi"\nroot = "php"\n${process.getuid!() === 0 ? `user = "www-data"\n` : ""}`
    const apps = `[app.fetch]\nentry = "f.ts"\nworkers = 1\n[app.inline]\nentry = "f.ts"\ngateway = "inline"\n[app.wsgi]\nruntime = "wsgi"\nentry = "w:app"\nworkers = 1\n[app.asgi]\nruntime = "asgi"\nentry = "a:app"\nworkers = 1\n${php}`
    const routes = kinds.map(name => `[[site.route]]\npath = "/${name}"\napp = "${name}"\n`)
    edge = await Edge.start({ config: `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n${routes.join("")}${apps}`, files })
  }, 60_000)
  afterAll(() => edge?.[Symbol.asyncDispose]())

  /** The first answer's head; whether the connection went on. */
  async function two(name: string, kind: string): Promise<{ head: string; went: boolean }> {
    const client = await RawClient.to(edge.port())
    client.send(`GET /${name}?k=${kind} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await client.until(c => c.text.endsWith("ok") || c.closed || c.ended)
    const head = client.text.split("\r\n\r\n")[0]!.toLowerCase()
    client.send(`GET /${name}?k=close HTTP/1.1\r\nHost: a\r\n\r\n`)
    await client.until(c => c.closed || c.ended)
    client.socket.end()
    return { head, went: client.text.split("HTTP/1.1 ").length === 3 }
  }

  test.each(kinds)("%s closes", async name => {
    const close = await two(name, "close")
    expect([close.went, close.head.match(/^connection: .*$/gm)]).toEqual([false, ["connection: close"]])
  })

  test.each(kinds)("%s: the rest is the engine's", async name => {
    const keep = await two(name, "keep")
    expect(keep.went).toBe(true)
    expect(keep.head).not.toMatch(/^(?:connection|keep-alive|trailer|upgrade):/m)
    expect(keep.head.match(/^date: .*$/gm)).toHaveLength(1)
    expect(keep.head).not.toContain("1970")
    const upgrade = await two(name, "upgrade")
    expect(upgrade.head).toStartWith("http/1.1 426 ")
    expect([upgrade.head.match(/^upgrade: .*$/gm), upgrade.head.match(/^connection: .*$/gm)]).toEqual([["upgrade: websocket"], ["connection: upgrade"]])
  })
})
