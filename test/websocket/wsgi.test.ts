/** WebSockets of WSGI apps, which take the socket from the environ as simple-websocket does: the same interface, of the standard library alone. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { alive, Edge, until } from "../kit/edge.ts"
import { systemPython } from "../kit/python-worker.ts"
import { clientFrame, closeBody, RawWebSocket } from "../kit/raw-websocket.ts"

const app = `
import base64, hashlib, json, os, struct, sys, threading, time
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSED = []
HANG = threading.Event()

class Ended(Exception):
    pass

class WebSocket:
    """What simple-websocket does, without extensions."""
    def __init__(self, environ):
        self.sock = environ["werkzeug.socket"] if "werkzeug.socket" in environ else environ["gunicorn.socket"]
        assert environ["HTTP_CONNECTION"].lower() == "upgrade" and environ["HTTP_UPGRADE"] == "websocket"
        accept = base64.b64encode(hashlib.sha1((environ["HTTP_SEC_WEBSOCKET_KEY"] + GUID).encode()).digest()).decode()
        self.sock.send(("HTTP/1.1 101 \\r\\nUpgrade: WebSocket\\r\\nConnection: Upgrade\\r\\nX-App: 1\\r\\nSec-WebSocket-Accept: %s\\r\\n\\r\\n" % accept).encode())
    def exactly(self, n):
        data = b""
        while len(data) < n:
            chunk = self.sock.recv(min(65536, n - len(data)))
            if not chunk:
                raise Ended()
            data += chunk
        return data
    def receive(self):
        first, second = self.exactly(2)
        n = second & 127
        if n == 126: n, = struct.unpack(">H", self.exactly(2))
        elif n == 127: n, = struct.unpack(">Q", self.exactly(8))
        mask = self.exactly(4)
        data = self.exactly(n)
        data = (int.from_bytes(data, "little") ^ int.from_bytes((mask * (n // 4 + 1))[:n], "little")).to_bytes(n, "little")
        return first & 15, data
    def send(self, data, opcode=1):
        n = len(data)
        head = bytes([128 | opcode]) + (bytes([n]) if n < 126 else struct.pack(">BH", 126, n) if n < 65536 else struct.pack(">BQ", 127, n))
        self.sock.sendall(head + data)

def serve(environ):
    path = environ["PATH_INFO"]
    ws = WebSocket(environ)
    if path == "/environ":
        ws.send(json.dumps({k: v for k, v in environ.items() if isinstance(v, (str, bool))}).encode())
    if path == "/leaves":
        ws.send(struct.pack(">H", 4002) + b"enough", 8)
        return
    if path == "/raises":
        raise ValueError("in the socket")
    if path == "/dies":
        os._exit(9)
    try:
        while True:
            opcode, data = ws.receive()
            if opcode == 8:
                ws.send(data, 8)
                return
            ws.send(b"%d " % os.getpid() + data if path == "/pid" else data, opcode)
    except Ended:
        pass
    finally:
        CLOSED.append(path)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/facts":
        start_response("200 OK", [])
        return [json.dumps({"closed": CLOSED, "threads": [t.name for t in threading.enumerate()], "pid": os.getpid()}).encode()]
    if path == "/refuse":
        start_response("403 Forbidden", [("X-Why", "no"), ("Content-Length", "6")])
        return [b"not yo", b""]
    if path == "/stream":
        start_response("200 OK", [])
        return iter([b"one ", b"two"])
    if path == "/error":
        raise ValueError("before the socket")
    if path == "/hang":
        HANG.wait(600)
    if environ.get("HTTP_UPGRADE") != "websocket":
        start_response("400 Bad Request", [])
        return [b"no socket: %r" % ("werkzeug.socket" in environ)]
    serve(environ)
    if path == "/stop":
        raise StopIteration()
    if path == "/connection":
        raise ConnectionError()
    start_response("200 OK", [])
    return [b"never sent"]
`
const config = (more = "", top = "") => `[server]\nfronts = 2\n${top}\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\npath = "/one/*"\nstrip = "/one"\napp = "one"\n[[site.route]]\napp = "w"
[app.one]\nruntime = "wsgi"\nentry = "a:app"\npython = "${systemPython}"\nworkers = 1\n
[app.w]\nruntime = "wsgi"\nentry = "a:app"\npython = "${systemPython}"\nworkers = 1\nthreads = 2\n${more}\n`
const files = { "a.py": app }

const open = (edge: Edge, path: string, fields = {}) => RawWebSocket.open(edge.port(), path, fields)
const facts = async (edge: Edge) => JSON.parse(await edge.get("/facts")) as { closed: string[]; threads: string[]; pid: number }
const sockets = async (edge: Edge) => (await facts(edge)).threads.filter(name => name === "edge-websocket").length

async function chunked(socket: RawWebSocket): Promise<string> {
  let text = ""
  for (let n = 1; !text.endsWith("0\r\n\r\n") && !socket.ended; n++) text = await socket.bytes(n)
  let body = ""
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at)
    const size = Number.parseInt(text.slice(at, end), 16)
    if (!(size > 0)) return body
    body += text.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}

describe("with threads", () => {
  let edge: Edge
  beforeAll(async () => void (edge = await Edge.start({ config: config("websockets = 5\ntimeout = \"2s\""), files })), 60_000)
  afterAll(() => edge[Symbol.asyncDispose]())

  test("the app shakes hands itself; messages of any size both ways", async () => {
    const socket = await open(edge, "/echo")
    expect(socket.head).toMatch(/^HTTP\/1\.1 101 /)
    expect(socket.head).toMatch(/x-app: 1/i)
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      const message = Buffer.alloc(size, "ab")
      socket.send(clientFrame(message, { opcode: 2 }))
      expect((await socket.message()).equals(message)).toBe(true)
    }
    socket.send(clientFrame(closeBody(1000), { opcode: 8 }))
    expect(await socket.closed()).toBe(1000)
    await until(async () => (await sockets(edge)) === 0)
  })

  test("they hold no thread that answers requests, and past `websockets` it is 503", async () => {
    const before = (await facts(edge)).closed.length
    const all = await Promise.all(Array.from({ length: 5 }, () => open(edge, "/echo")))
    for (const socket of all) expect(socket.head).toMatch(/^HTTP\/1\.1 101 /)
    expect(await sockets(edge)).toBe(5)
    const late = await open(edge, "/echo")
    expect(late.head).toMatch(/^HTTP\/1\.1 503 /)
    expect(late.head).toMatch(/retry-after: 5/i)
    await edge.heard("all 5 WebSockets of this worker are open")
    for (const socket of all) socket.send(clientFrame("x"))
    for (const socket of all) expect((await socket.message()).toString()).toBe("x")
    // Gone without a close: the app sees the end of the bytes.
    for (const socket of all) socket.destroy()
    await until(async () => (await sockets(edge)) === 0)
    expect((await facts(edge)).closed.length).toBe(before + 5)
    expect((await open(edge, "/leaves")).head).toMatch(/^HTTP\/1\.1 101 /)
  }, 60_000)

  test("the environ is that of any request", async () => {
    const socket = await open(edge, "/environ?a=%20b", { "X-One": "1", Cookie: "a=1", "Sec-WebSocket-Protocol": "chat" })
    expect(JSON.parse((await socket.message()).toString())).toMatchObject({
      REQUEST_METHOD: "GET", PATH_INFO: "/environ", QUERY_STRING: "a=%20b", RAW_URI: "/environ?a=%20b", REMOTE_ADDR: "127.0.0.1", SCRIPT_NAME: "",
      SERVER_PROTOCOL: "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.multithread": true, HTTP_X_ONE: "1", HTTP_COOKIE: "a=1", HTTP_SEC_WEBSOCKET_PROTOCOL: "chat",
      HTTP_CONNECTION: "Upgrade", HTTP_UPGRADE: "websocket",
    })
    socket.destroy()
  })

  test("code and reason of the app's close", async () => {
    const socket = await open(edge, "/leaves")
    const { opcode, payload } = (await socket.frame())!
    expect([opcode, payload.readUInt16BE(0), payload.toString("utf8", 2)]).toEqual([8, 4002, "enough"])
    expect(await socket.rest()).toBe("")
  })

  test.each([
    ["/refuse", 403, "not yo"],
    ["/stream", 200, "one two"],
    ["/error", 500, "Internal Server Error\n"],
  ])("an app that does not take the socket gives an ordinary answer: %s", async (path, status, body) => {
    const socket = await open(edge, path)
    expect(socket.head).toStartWith(`HTTP/1.1 ${status} `)
    const length = /content-length: (\d+)/i.exec(socket.head)?.[1]
    // How a body of unknown length is cut into chunks is a matter of time.
    const bytes = length === undefined ? await chunked(socket) : await socket.bytes(Number(length))
    expect(bytes).toBe(body)
    socket.destroy()
    await until(async () => (await sockets(edge)) === 0)
  })

  test.each(["/stop", "/connection", "/echo"])("what Engine.IO and Flask-Sock do behind the last message is no error: %s", async path => {
    const socket = await open(edge, path)
    socket.send(clientFrame(closeBody(1000), { opcode: 8 }))
    expect(await socket.closed()).toBe(1000)
    expect(await socket.rest()).toBe("")
    await until(async () => (await sockets(edge)) === 0)
    expect(edge.output).not.toContain(`error in the WebSocket GET ${path}`)
  })

  test("what it raises is in the log, and the client is cut off", async () => {
    const socket = await open(edge, "/raises")
    expect(await socket.closed()).toBe(1006)
    await edge.heard("error in the WebSocket GET /raises")
    await edge.heard("ValueError: in the socket")
  })

  test("a handshake past the deadline is 504, and nobody else waits", async () => {
    const hangs = open(edge, "/hang")
    const socket = await open(edge, "/echo")
    socket.send(clientFrame("quick"))
    expect((await socket.message()).toString()).toBe("quick")
    expect((await hangs).head).toMatch(/^HTTP\/1\.1 504 /)
    socket.destroy()
  }, 30_000)
})

test("an app of one thread is given no socket unless it asks for them; the request is one like any other", async () => {
  await using edge = await Edge.start({ config: config(), files })
  const socket = await open(edge, "/one/echo")
  expect(socket.head).toMatch(/^HTTP\/1\.1 400 /)
  expect(await socket.bytes(16)).toBe("no socket: False")
}, 60_000)

test("a roll lets open ones go on until tunnel_grace is over; a worker that dies ends its own", async () => {
  await using edge = await Edge.start({ config: config('tunnel_grace = "3s"\ndrain_timeout = "1s"\nrestart = { delay = "10ms" }'), files })
  const old = await open(edge, "/pid")
  const ask = async (socket: RawWebSocket) => {
    socket.send(clientFrame("x"))
    return Number((await socket.message()).toString().split(" ")[0])
  }
  const pid = await ask(old)
  expect((await edge.command("reload", "--apps")).code).toBe(0)
  await until(async () => (await facts(edge)).pid !== pid)
  expect(await ask(old)).toBe(pid)
  const fresh = await open(edge, "/pid")
  const second = await ask(fresh)
  expect(second).not.toBe(pid)
  // Its bytes are the app's own: nobody may write a close into them.
  expect(await old.closed()).toBe(1006)
  await until(() => !alive(pid))
  expect(await ask(fresh)).toBe(second)
  const dying = await open(edge, "/dies")
  expect(await dying.closed()).toBe(1006)
  expect(await fresh.closed()).toBe(1006)
  await until(async () => (await edge.get("/facts")).includes("pid"))
}, 60_000)
