/** What apps answer that no server should be strict about, alike in every runtime and through the executable. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { connect } from "node:net"
import { Edge } from "../kit/edge.ts"
import { systemPython } from "../kit/python-worker.ts"
import { clientFrame, RawWebSocket } from "../kit/raw-websocket.ts"

const files = {
  "w.py": `
import json
from urllib.parse import parse_qsl
def app(environ, start_response):
    path, query = environ["PATH_INFO"], parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
    if path == "/environ":
        start_response("200 OK", [])
        return [json.dumps({key: value for key, value in environ.items() if isinstance(value, (str, bool))}).encode()]
    if path == "/hints":
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload"), (b"X-B", b"1")])
        environ["wsgi.early_hints"](iter([("Link", "</b.css>")]))
        write = start_response("200 OK", [])
        write(b"begun")
        environ["wsgi.early_hints"]([("Link", "</late.css>")])
        return []
    if path == "/badhint":
        environ["wsgi.early_hints"]([("Link", "a\\r\\nX: y")])
    headers = [(name, value) for name, value in query if name != "status"]
    if path == "/tuple":
        headers = tuple(headers)
    if path == "/iterator":
        headers = iter(headers)
    start_response(dict(query).get("status", "200 OK"), headers)
    return [b"x" * 5]
`,
  "a.py": `
from urllib.parse import parse_qsl
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError
    query = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001, "reason": "as I say"})
        print("told", (await receive()))
        return
    if scope["path"] == "/a/headers":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr([v for n, v in scope["headers"] if n == b"content-length"]).encode()})
        return
    headers = [(name.encode(), value.encode()) for name, value in query if name != "status"]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * 5})
`,
  "f.ts": `
export default { fetch: (request: Request) => {
  const headers = new Headers()
  for (const [name, value] of new URL(request.url).searchParams) if (name !== "status") headers.append(name, value)
  return new Response("xxxxx", { headers })
} }
`,
}
const app = (name: string, keys: string) => `[app.${name}]\n${keys}\npython = "${systemPython}"\n`
const config = `[server]\nfronts = 1\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]
[[site.route]]\npath = "/a/*"\napp = "a"\n[[site.route]]\npath = "/f/*"\napp = "f"\n[[site.route]]\npath = "/two/*"\nstrip = "/two"\napp = "two"\n[[site.route]]\napp = "w"
${app("w", 'runtime = "wsgi"\nentry = "w:app"\nworkers = 1')}
${app("two", 'runtime = "wsgi"\nentry = "w:app"\nworkers = { min = 1, max = 2 }')}
${app("a", 'runtime = "asgi"\nentry = "a:app"\nworkers = 1')}
[app.f]\nentry = "f.ts"\nworkers = 1\n`

let edge: Edge
beforeAll(async () => void (edge = await Edge.start({ config, files })), 60_000)
afterAll(() => edge[Symbol.asyncDispose]())

/** The bytes of the answer until the server closes. */
function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ""
    const socket = connect(edge.port(), "127.0.0.1", () => socket.write(request))
    socket.setEncoding("latin1").on("data", data => (text += data)).on("error", reject).on("close", () => resolve(text))
  })
}
const get = (target: string, more = "", version = "1.1") => raw(`GET ${target} HTTP/${version}\r\nHost: a.test\r\nConnection: close\r\n${more}\r\n`)
const times = (what: RegExp) => [...edge.output.matchAll(what)].length

describe.each([
  ["wsgi", "/"],
  ["asgi", "/a/"],
  ["fetch", "/f/"],
])("%s", (runtime, prefix) => {
  test("an app's Connection: close closes", async () => {
    // Without it the connection stays open, and this would wait for ever.
    const text = await raw(`GET ${prefix}?Connection=close HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    expect(text).toMatch(/\r\nconnection: close\r\n/i)
  })

  test.each(["Transfer-Encoding=chunked", "TE=trailers", "Trailer=X-Sum", "Upgrade=h2c", "Proxy-Connection=keep-alive", "Keep-Alive=timeout%3D5", "Connection=keep-alive"])(
    "an answer with %s is sent without it, and the log says so once",
    async field => {
      const name = field.split("=")[0]!
      for (let n = 0; n < 3; n++) {
        const text = await get(`${prefix}?${field}&X-Kept=1`)
        expect(text).toStartWith("HTTP/1.1 200 OK\r\n")
        expect(text.toLowerCase()).toContain("x-kept: 1\r\n")
        if (name !== "Connection") expect(text.toLowerCase()).not.toContain(`\r\n${name.toLowerCase()}:`)
        expect(text).toEndWith("\r\n\r\nxxxxx")
      }
      if (name === "Connection" || name === "Keep-Alive") return
      const said = new RegExp(`WARN  edge ${runtime}: the app sets ${name}[, ]`, "i")
      await edge.heard(said)
      expect(times(new RegExp(said, "gi"))).toBe(1)
    },
  )
})

describe.each([
  ["wsgi", "/"],
  ["asgi", "/a/"],
])("%s: Content-Length of the app", (_, prefix) => {
  // Not of fetch: the length of a Response with a text is counted, whatever its headers say.
  test("a body shorter than its Content-Length goes as far as it goes, and does not look whole", async () => {
    const text = await get(`${prefix}?Content-Length=9`)
    expect(text).toStartWith("HTTP/1.1 200 OK\r\n")
    expect(text).toEndWith("\r\n\r\nxxxxx")
    expect(text.toLowerCase()).toContain("content-length: 9\r\n")
  })

  test.each(["Content-Length=5&Content-Length=5", "Content-Length=%205%20", "Content-Length=05"])("%s is 5", async query => {
    const text = await get(`${prefix}?${query}`)
    expect([...text.matchAll(/^content-length:.*$/gim)].map(([line]) => line.toLowerCase().trim())).toEqual(["content-length: 5"])
    expect(text).toEndWith("\r\n\r\nxxxxx")
  })

  test.each(["Content-Length=5&Content-Length=6", "Content-Length=-5", "Content-Length=%2B5", "Content-Length=5,5", "Content-Length="])("%s is 500", async query => {
    expect(await get(`${prefix}?${query}`)).toStartWith("HTTP/1.1 500 ")
  })
})

describe("wsgi", () => {
  test("a status without a reason works, and is warned of once", async () => {
    for (let n = 0; n < 3; n++) expect(await get("/?status=299")).toMatch(/^HTTP\/1\.1 299 ?\r\n/)
    for (let n = 0; n < 3; n++) expect(await get("/?status=200")).toStartWith("HTTP/1.1 200 OK\r\n")
    await edge.heard("the app answers with the status '200'")
    expect(times(/the app answers with the status '200'/g)).toBe(1)
  })

  test.each(["416 Requested Range Not Satisfiable", "422 Unprocessable Entity", "413 Request Entity Too Large", "418 I'm a Teapot", "404 Nowhere", "404 Not Found"])("the reason of %s is the app's", async status => {
    expect(await get(`/?status=${encodeURIComponent(status)}`)).toStartWith(`HTTP/1.1 ${status}\r\n`)
  })

  test.each(["/tuple", "/iterator"])("headers need not be a list: %s", async path => {
    expect(await get(`${path}?X-A=1&X-A=2`)).toMatch(/x-a: 1\r\nx-a: 2\r\n/i)
  })

  test("early hints leave as 103, until the answer has begun; to HTTP/1.0 none", async () => {
    const text = await get("/hints")
    expect(text).toStartWith("HTTP/1.1 103 Early Hints\r\n")
    expect(text.split("HTTP/1.1 ").map(part => part.slice(0, 3))).toEqual(["", "103", "103", "200"])
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\nX-B: 1\r\n\r\n/)
    expect(text).not.toContain("late.css")
    expect(await get("/hints", "", "1.0")).toStartWith("HTTP/1.1 200 OK\r\n")
    expect(await get("/badhint")).toStartWith("HTTP/1.1 500 ")
  })

  test("wsgi.multiprocess is true where more than one worker may be", async () => {
    expect(JSON.parse(await edge.get("/environ"))["wsgi.multiprocess"]).toBe(false)
    expect(JSON.parse(await edge.get("/two/environ"))["wsgi.multiprocess"]).toBe(true)
  })

  test("Content-Length: 0 is passed on, and none is none", async () => {
    expect(await raw("POST /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")).toContain('"CONTENT_LENGTH": "0"')
    expect(await raw("GET /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")).toContain('"CONTENT_LENGTH": "0"')
    expect(await raw("POST /environ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).not.toContain("CONTENT_LENGTH")
    expect(await raw("POST /a/headers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")).toEndWith("[b'0']")
  })
})

test("asgi: the code and reason of the app's own close reach the client, and come back to the app", async () => {
  const socket = await RawWebSocket.open(edge.port(), "/a/ws")
  const { opcode, payload } = (await socket.frame())!
  expect([opcode, payload.readUInt16BE(0), payload.toString("utf8", 2)]).toEqual([8, 4001, "as I say"])
  socket.send(clientFrame(payload, { opcode: 8 }))
  await edge.heard("told {'type': 'websocket.disconnect', 'code': 4001, 'reason': 'as I say'}")
})
