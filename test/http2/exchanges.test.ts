/** One list of exchanges over HTTP/1.1, HTTP/1.1 with TLS and HTTP/2: status, fields and body are the same, and so is what the app is told. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { $ } from "bun"
import { writeFileSync } from "node:fs"
import { connect } from "node:http2"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { askHttp2 } from "../kit/raw-http2.ts"
import { listenRaw } from "../upstream/harness.ts"

const app = `
const answers: Record<string, () => Response> = {
  "/204": () => new Response(null, { status: 204, headers: { "X-A": "b" } }),
  "/205": () => new Response(null, { status: 205 }),
  "/304": () => new Response(null, { status: 304, headers: { ETag: '"e"' } }),
  "/404": () => new Response("none", { status: 404 }),
  "/untyped": () => new Response(new Uint8Array([104, 105])),
  "/empty": () => new Response(""),
  "/nothing": () => new Response(null),
  "/created": () => new Response(null, { status: 201, headers: { Location: "/x" } }),
  "/redirect": () => new Response(null, { status: 302, headers: { Location: "/x" } }),
  "/stream": () => new Response(new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("a")); setTimeout(() => { c.enqueue(new TextEncoder().encode("b")); c.close() }, 5) } })),
  "/told": () => new Response(new ReadableStream({ async start(c) { await 0; c.enqueue(new TextEncoder().encode("abcd")); c.close() } }), { headers: { "Content-Length": "4" } }),
  "/told-late": () => new Response(new ReadableStream({ async start(c) { for (const one of "abcd") { await Bun.sleep(3); c.enqueue(new TextEncoder().encode(one)) } c.close() } }), { headers: { "Content-Length": "4" } }),
  "/cookies": () => { const h = new Headers(); h.append("Set-Cookie", "a=1"); h.append("Set-Cookie", "b=2"); return new Response("c", { headers: h }) },
  "/latin": () => new Response("x", { headers: { "X-Name": "caf\\xe9", "Content-Type": "text/plain; charset=latin1" } }),
}
export default { async fetch(r: Request): Promise<Response> {
  const { pathname, search } = new URL(r.url)
  const own = answers[pathname.slice(2)]
  if (own !== undefined) return own()
  const body = await r.text()
  return Response.json({ method: r.method, path: pathname + search, body, headers: [...r.headers].sort() })
} }
`
const wsgi = `
import json, time
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/204":
        start_response("204 No Content", [("X-A", "b")])
        return []
    if path == "/untyped":
        start_response("200 OK", [])
        return [b"hi"]
    if path == "/head":
        start_response("200 OK", [("Content-Length", "5000"), ("Content-Type", "text/plain")])
        return [b"x" * 5000] if environ["REQUEST_METHOD"] != "HEAD" else []
    if path == "/late":
        start_response("200 OK", [("Content-Length", "6")])
        def late():
            for piece in (b"ab", b"cd", b"ef"):
                time.sleep(0.02)
                yield piece
        return late()
    body = environ["wsgi.input"].read().decode("latin-1")
    seen = {k: v for k, v in environ.items() if k.startswith("HTTP_") or k in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH", "CONTENT_TYPE")}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([seen, body], sort_keys=True).encode()]
`

let edge: Edge
let upstream: ReturnType<typeof listenRaw>
beforeAll(async () => {
  const pieces = new Map<unknown, string>()
  upstream = listenRaw((c, chunk) => {
    const text = (pieces.get(c) ?? "") + chunk.latin1Slice()
    const head = text.slice(0, text.indexOf("\r\n\r\n") + 4)
    const want = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
    const chunked = /^transfer-encoding: chunked/im.test(head)
    if (head.length < 4 || (chunked ? !text.endsWith("0\r\n\r\n") : text.length < head.length + want)) return void pieces.set(c, text)
    pieces.delete(c)
    const path = text.split(" ")[1]!
    if (text.startsWith("HEAD")) return c.write("HTTP/1.1 200 OK\r\nContent-Length: 77\r\nETag: \"u\"\r\n\r\n")
    if (path.endsWith("/204")) return c.write("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX-A: b\r\n\r\n")
    if (path.endsWith("/304")) return c.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"u\"\r\n\r\n")
    if (path.endsWith("/untyped")) return c.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    if (path.endsWith("/chunked")) return c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    if (path.endsWith("/trailers")) return c.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n")
    // Of one length, whatever the scheme is called.
    const body = text.replace(/(x-forwarded-proto: http)s/i, "$1").replace(/^(?:via|te|connection): .*\r\n/gim, "")
    c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  })
  edge = await Edge.start({
    config: `
[[site]]
listen = ["http://127.0.0.1:0", "127.0.0.2:0"]
tls = { cert = "c.pem", key = "k.pem" }
https_redirect = false
[[site.route]]
path = "/a/*"
app = "a"
[[site.route]]
path = "/w/*"
strip = "/w"
app = "w"
[[site.route]]
path = "/p/*"
proxy = { to = ["http://127.0.0.1:${upstream.port}"] }
[[site.route]]
path = "/s/*"
static = { root = "files" }
[app.a]
entry = "app.ts"
[app.w]
runtime = "wsgi"
entry = "w:app"
`,
    files: { "app.ts": app, "w.py": wsgi, "files/a.txt": "0123456789", "files/untyped.zzz": "?", "files/empty.txt": "", "files/large.bin": "x".repeat(3_000_000) },
    prepare: dir => {
      const made = Bun.spawnSync(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-days", "2", "-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test"],
        { cwd: dir },
      )
      expect(made.exitCode).toBe(0)
    },
  })
})
afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  upstream?.stop()
})

const ways = { plain: ["--http1.1"], tls: ["--http1.1", "-k"], http2: ["--http2", "-k"] }
type Way = keyof typeof ways

/** Of one version alone, or different in every answer. */
const ofVersion = new Set(["date", "connection", "keep-alive", "transfer-encoding", "trailer"])

interface Answer {
  readonly status: string
  readonly fields: string[]
  readonly body: string
}

async function ask(way: Way, path: string, args: readonly string[]): Promise<Answer> {
  const url = `${way === "plain" ? "http" : "https"}://a.test:${edge.port(way === "plain" ? 0 : 1)}${path}`
  const run = await $`curl -s -i --path-as-is --max-time 20 --resolve a.test:${edge.port(0)}:127.0.0.1 --resolve a.test:${edge.port(1)}:127.0.0.2 ${ways[way]} ${args} ${url}`.quiet().nothrow()
  expect(`${way} ${path}: exit ${run.exitCode}`).toBe(`${way} ${path}: exit 0`)
  let text = run.stdout.toString("latin1")
  while (/^HTTP\/\S+ 1\d\d/.test(text)) text = text.slice(text.indexOf("\r\n\r\n") + 4)
  const end = text.indexOf("\r\n\r\n")
  const [line = "", ...lines] = text.slice(0, end).split("\r\n")
  const chunked = lines.some(one => /^transfer-encoding:/i.test(one)) || path.startsWith("/p/chunked") || path.startsWith("/p/trailers") || path.startsWith("/a/stream")
  const fields = lines
    .map(one => one.replace(/^[^:]+/, name => name.toLowerCase()).replace(/boundary=\S+/, "boundary"))
    // Bun knows the length of a body that has come before its head left.
    .filter(one => !ofVersion.has(one.split(":")[0]!) && !(chunked && one.startsWith("content-length:")))
  if (way === "http2") expect(lines.filter(one => one.startsWith("trailer:"))).toEqual([])
  return { status: line.split(" ")[1]!, fields: fields.toSorted(), body: same(text.slice(end + 4)) }
}

/** What a body may say of the way it was asked for. */
function same(body: string): string {
  return body.replaceAll(/^--[0-9a-f-]{36}/gm, "--").replaceAll(/a\.test:\d+/g, "a.test").replaceAll(/(forwarded-proto(?:": "|: |","))https?/gi, "$1http").replaceAll(/^(?:via|te|connection): .*\r\n/gim, "").replaceAll(/via(": "|",")[12](?:\.[01])? /g, "via$1")
}

const list: [path: string, ...args: string[]][] = [
  ["/"],
  ["/", "-X", "GET", "-d", "hello"],
  ["/", "-X", "OPTIONS"],
  ["/", "-X", "OPTIONS", "-d", "hello"],
  ["/", "-X", "DELETE"],
  ["/", "-X", "DELETE", "-d", "hello"],
  ["/", "-X", "PROPFIND", "-d", "<x/>"],
  ["/", "-X", "QUERY", "-d", "select"],
  ["/", "-d", "hello"],
  ["/", "-d", ""],
  ["/", "-X", "PUT", "-H", "Content-Length: 0"],
  ["/", "-X", "POST", "-H", "Content-Type:", "-d", "x"],
  ["/", "-H", "Cookie: a=1", "-H", "Cookie: b=2"],
  ["/", "-H", "X-A: 1, 2", "-H", "X-Empty;"],
  ["/x/../y//z%2Fa?b=%20&c=a%5Cb"],
  ["/", "-H", "Expect: 100-continue", "-d", "hello"],
  ["/", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "X_A: b", "-H", "X-Accel-Redirect: /x"],
]
const own: Record<string, [path: string, ...args: string[]][]> = {
  "/a": [
    ["/204"], ["/205"], ["/304"], ["/404"], ["/untyped"], ["/empty"], ["/nothing"], ["/created"], ["/redirect"], ["/stream"], ["/told"], ["/told-late"], ["/cookies"], ["/latin"], ["/untyped", "-I"], ["/stream", "-I"], ["/204", "-I"],
    ["/204", "-d", "x"], ["/untyped", "-X", "GET", "-d", "x"],
  ],
  "/w": [["/204"], ["/untyped"], ["/head"], ["/head", "-I"], ["/late"], ["/untyped", "-d", "x"]],
  "/p": [["/204"], ["/304"], ["/untyped"], ["/chunked"], ["/head", "-I"]],
  "/s": [
    ["/a.txt"], ["/a.txt", "-I"], ["/large.bin"], ["/large.bin", "-I"], ["/large.bin", "-H", "Range: bytes=1000-2000000"], ["/untyped.zzz"], ["/empty.txt"], ["/none"], ["/a.txt", "-H", "Range: bytes=2-4"], ["/a.txt", "-H", "Range: bytes=90-"], ["/a.txt", "-H", "Range: bytes=0-1,4-5"], ["/empty.txt", "-H", "Range: bytes=-5"],
    ["/a.txt", "-X", "DELETE"], ["/a.txt%00"], ["/a.txt", "-X", "GET", "-d", "x"],
  ],
}

describe.each(["/a", "/w", "/p"])("%s", prefix => {
  test.each(list)("%s %p %p %p %p %p %p", async (path, ...args) => {
    const plain = await ask("plain", prefix + path, args)
    expect(plain.status).toBe("200")
    expect(await ask("tls", prefix + path, args)).toEqual(plain)
    expect(sorted(await ask("http2", prefix + path, args))).toEqual(sorted(plain))
  })
})

/** Over HTTP/2 names have no capitals, and Bun sorts them. */
function sorted(answer: Answer): Answer {
  const lines = answer.body.startsWith("{") || answer.body.startsWith("[") ? [answer.body] : answer.body.split("\r\n")
  return { ...answer, body: lines.map(line => line.replace(/^[A-Za-z-]+:/, name => name.toLowerCase())).toSorted().join("\n") }
}

describe.each(Object.keys(own))("%s", prefix => {
  test.each(own[prefix]!)("%s %p %p %p", async (path, ...args) => {
    const plain = await ask("plain", prefix + path, args)
    expect(await ask("tls", prefix + path, args)).toEqual(plain)
    expect(await ask("http2", prefix + path, args)).toEqual(plain)
  })
})

test("what is different: names that repeat are joined, trailers are not sent", async () => {
  const twice = ["-H", "X-A: 1", "-H", "X-A: 2"]
  expect((await ask("plain", "/p/", twice)).body).toContain("X-A: 1\r\nX-A: 2\r\n")
  expect((await ask("http2", "/p/", twice)).body).toContain("x-a: 1, 2\r\n")
  expect((await ask("plain", "/p/trailers", [])).body).toBe("hiX-Sum: 1\r\n")
  expect((await ask("http2", "/p/trailers", [])).body).toBe("hi")
})

test("a HEAD with a body is refused over HTTP/2", async () => {
  const { status } = await askHttp2(edge.port(0), { method: "HEAD", path: "/a/", headers: [["content-length", "5"]], body: "hello" })
  expect(status).toBe(400)
  expect((await askHttp2(edge.port(0), { method: "HEAD", path: "/a/", headers: [["content-length", "0"]], body: "" })).status).toBe(200)
})

describe("an upload that is answered before its end", () => {
  const answered = async (way: Way, path: string, file: string, ...args: string[]): Promise<string> => {
    const url = `https://a.test:${edge.port(1)}${path}`
    const run = await $`curl -s -o /dev/null -w ${"%{http_code} %{errormsg} %{size_upload}"} --max-time 25 --resolve a.test:${edge.port(1)}:127.0.0.2 ${ways[way]} ${args} --data-binary @${file} -H Expect: ${url}`.quiet().nothrow()
    return `exit ${run.exitCode}: ${run.stdout.toString().trim()}`
  }

  test("reaches curl over HTTP/2, and all of the body is taken", async () => {
    const file = join(edge.dir, "three")
    writeFileSync(file, Buffer.alloc(3_000_000))
    for (let i = 0; i < 5; i++) {
      // It stops by itself at an error.
      expect(await answered("http2", "/nope", file)).toStartWith("exit 0: 404 ")
      expect(await answered("http2", "/s/a.txt", file)).toStartWith("exit 0: 404 ")
      expect(await answered("http2", "/a/204", file)).toBe("exit 0: 204  3000000")
    }
  })

  test("other streams of the connection go on, and it can be used again", async () => {
    const session = connect(`http://a.test:${edge.port(0)}`, { lookup: (_: string, options: { all?: boolean }, done: (error: null, address: unknown, family?: number) => void) => (options.all === true ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)) } as never)
    const one = (path: string, body?: Buffer) =>
      new Promise<[number, string]>((resolve, reject) => {
        const stream = session.request({ ":path": path, ":method": body === undefined ? "GET" : "POST" }, { endStream: body === undefined })
        let status = 0
        let text = ""
        stream.on("response", headers => (status = Number(headers[":status"])))
        stream.setEncoding("latin1").on("data", (chunk: string) => (text += chunk))
        stream.on("end", () => resolve([status, text])).on("error", reject)
        if (body !== undefined) stream.end(body)
      })
    for (let round = 0; round < 3; round++) {
      const all = await Promise.all([one("/nope", Buffer.alloc(2_000_000)), one("/s/a.txt"), one("/p/untyped", Buffer.alloc(300_000)), one("/s/a.txt"), one("/nope", Buffer.alloc(500_000))])
      expect(all.map(([status]) => status)).toEqual([404, 200, 200, 200, 404])
    }
    session.close()
  })
})
