/** One app for each way that a request leaves a front: each answers JSON with the fields that it got, as `[name, value]` pairs. */
const wsgi = `
import json
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([[k[5:], v] for k, v in environ.items() if k.startswith("HTTP_")]).encode()]
`
const asgi = `
import json
async def app(scope, receive, send):
    if scope["type"] != "http": return
    body = json.dumps([[k.decode("latin1"), v.decode("latin1")] for k, v in scope["headers"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
`
const fetched = `export default { fetch: request => Response.json([...request.headers]) }`
const program = `Bun.serve({ unix: process.env.SOCKET, fetch: request => Response.json([...request.headers]) })`
const php = `<?php $o = []; foreach ($_SERVER as $k => $v) if (str_starts_with($k, "HTTP_")) $o[] = [substr($k, 5), $v]; echo json_encode($o);`

export const files = { "w.py": wsgi, "a.py": asgi, "f.ts": fetched, "h.ts": program, "php/index.php": php }

/** Routes `/NAME` of one site, and their apps. `origin`: port of one that answers with what it got. */
export const names = ["wsgi", "asgi", "fetch", "inline", "http", "php", "uwsgi", "proxy"] as const

export function waysTo(origin: number): string {
  const uwsgi = ["/usr/bin/uwsgi", "--socket", "$SOCKET", "--plugins", "python3", "--wsgi-file", "w.py", "--need-app", "--master", "--die-on-term"]
  const apps: Record<string, string> = {
    wsgi: `runtime = "wsgi"\nentry = "w:application"\nworkers = 1\n`,
    asgi: `runtime = "asgi"\nentry = "a:app"\nworkers = 1\n`,
    fetch: `entry = "f.ts"\nworkers = 1\n`,
    inline: `entry = "f.ts"\ngateway = "inline"\n`,
    http: `runtime = "http"\ncommand = ["${process.execPath}", "h.ts"]\nworkers = 1\n`,
    php: `runtime = "fastcgi"\nroot = "php"\n${process.getuid!() === 0 ? `user = "www-data"\n` : ""}`,
    uwsgi: `runtime = "uwsgi"\ncommand = ${JSON.stringify(uwsgi)}\nconcurrency = 1\n`,
  }
  const routes = Object.keys(apps).map(name => `[[site.route]]\npath = "/${name}"\napp = "${name}"\n`)
  const tables = Object.entries(apps).map(([name, keys]) => `[app.${name}]\n${keys}`)
  return `${routes.join("")}[[site.route]]\npath = "/proxy"\nproxy = "http://127.0.0.1:${origin}"\n${tables.join("")}`
}

/** As apps see names: CGI's and PHP's spelling. */
export function seenBy(text: string): Map<string, string> {
  const pairs = JSON.parse(text) as [string, string][]
  return new Map(pairs.map(([name, value]) => [name.toLowerCase().replaceAll(/[^a-z0-9]/g, "_"), value]))
}
