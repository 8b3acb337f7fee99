/** X-Accel-Redirect and X-Sendfile of a Python app: what frameworks quote, and what apps write as it is. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"

const names = ["a b.txt", "x, y (1) #2 ?.txt", "a+b&c=d;e@f:g$h!.txt", "za\u017c\u00f3\u0142\u0107.pdf", "100%.txt", "quote\"'.txt", "[x]{y}^`|~.txt", "sub/deep file.txt"]

const app = `
from urllib.parse import parse_qs, quote

def app(environ, start_response):
    asked = parse_qs(environ["QUERY_STRING"])
    name, header, how = asked["name"][0], asked["header"][0], asked["how"][0]
    path = asked["prefix"][0] + name
    value = {"quoted": quote(path), "all": quote(path[:1]) + quote(path[1:], safe=""), "raw": path}[how]
    start_response("200 OK", [("Content-Type", "text/plain"), (header, value.encode().decode("latin-1"))])
    return [b"what the app said"]
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({
    config: `
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
use = [{ send_file = { roots = { "/protected/" = "files" } } }]
app = "w"
[app.w]
runtime = "wsgi"
entry = "w:app"
`,
    files: { "w.py": app, ...Object.fromEntries(names.map(name => [`files/${name}`, `content of ${name}`])) },
  })
})
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
})

function ask(name: string, header: string, how: string): Promise<Response> {
  const prefix = header === "X-Sendfile" ? join(edge.dir, "files/") : "/protected/"
  return fetch(edge.url(`/?${new URLSearchParams({ name, header, how, prefix })}`))
}

test.each(names)("%s", async name => {
  for (const header of ["X-Accel-Redirect", "X-Sendfile"]) {
    for (const how of ["quoted", "all", "raw"]) {
      // Unquoted, an X-Accel-Redirect is a URL: "?" begins its query, as in nginx.
      if (header === "X-Accel-Redirect" && how === "raw" && name.includes("?")) continue
      const response = await ask(name, header, how)
      expect([header, how, response.status, await response.text()]).toEqual([header, how, 200, `content of ${name}`])
    }
  }
})

test.each(["../w.py", "sub/../../w.py", "..%2fw.py", "%2e%2e/w.py", "a b.txt\0.png", "none.txt"])("%j is not sent", async name => {
  for (const header of ["X-Accel-Redirect", "X-Sendfile"]) {
    for (const how of ["quoted", "all", "raw"]) {
      if (how === "raw" && name.includes("\0")) continue
      expect([404, 502]).toContain((await ask(name, header, how)).status)
    }
  }
})
