import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash, randomBytes } from "node:crypto"
import { Edge, until } from "../kit/edge.ts"
import { clientFrame, closeBody, RawWebSocket } from "../kit/raw-websocket.ts"

/** A bare ASGI app of the shape that Starlette's and FastAPI's are; its lines say what it saw. */
const app = `
import asyncio, os
gate = asyncio.Event()
seen = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    path = scope["path"]
    if scope["type"] == "http":
        if path == "/open":
            gate.set()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": repr(seen).encode() if path == "/seen" else b"%d" % os.getpid()})
        return
    assert (await receive())["type"] == "websocket.connect"
    if path == "/refuse":
        return await send({"type": "websocket.close", "code": 4000})
    if path == "/deny":
        await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]})
        return await send({"type": "websocket.http.response.body", "body": b"not you"})
    protocols = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": protocols[-1] if protocols else None,
                "headers": [(b"x-app", b"1"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]})
    if path.endswith("/scope"):
        await send({"type": "websocket.send", "text": repr([scope[k] for k in ("scheme", "path", "root_path", "query_string", "client")])})
    if path == "/slow":
        await gate.wait()
    if path == "/flood":
        for n in range(2000):
            await send({"type": "websocket.send", "bytes": b"f" * 100000})
            seen.append(n)
    if path == "/fail":
        raise ValueError("as asked")
    count = 0
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            seen.append((message["code"], message.get("reason")))
            return
        count += 1
        if message.get("text") == "close":
            return await send({"type": "websocket.close", "code": 4001, "reason": "as asked " + "ż" * 70})
        if message.get("text") == "quiet":
            seen.append("quiet")
        elif message.get("text") == "pid":
            await send({"type": "websocket.send", "text": str(os.getpid())})
        elif message.get("text") == "count":
            await send({"type": "websocket.send", "text": str(count)})
        elif "text" in message:
            await send({"type": "websocket.send", "text": message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})
`
const config = `
[server]
fronts = 2
tunnel_grace = "1h"
[log]
access = { format = "off" }
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/mounted/*"
strip = "/mounted"
app = "app"
[[site.route]]
app = "app"
[app.app]
runtime = "asgi"
entry = "hello:app"
python = "/usr/bin/python3"
websocket = { max_message = "4mb" }
`

let edge: Edge
beforeAll(async () => {
  edge = await Edge.start({ config, files: { "hello.py": app } })
}, 60_000)
afterAll(() => edge?.[Symbol.asyncDispose]())

const open = (path: string, fields: Record<string, string> = {}) => RawWebSocket.open(edge.port(), path, fields)
const seen = async (what: string) => until(async () => (await edge.get("/seen")).includes(what))

test("the handshake: accept, subprotocol, the app's headers, no extension", async () => {
  const ws = await open("/echo", { "Sec-WebSocket-Protocol": "chat, superchat", "Sec-WebSocket-Extensions": "permessage-deflate" })
  expect(ws.head).toStartWith("HTTP/1.1 101 ")
  expect(ws.head).toContain("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
  expect(ws.head).toContain("\r\nSec-WebSocket-Protocol: superchat\r\n")
  expect(ws.head).toContain("\r\nx-app: 1\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n")
  expect(ws.head.toLowerCase()).not.toContain("extensions")
  ws.destroy()
})

test("the scope: ws, root_path, query", async () => {
  const ws = await open("/mounted/scope?a=1")
  expect(String(await ws.message())).toMatch(/^\['ws', '\/mounted\/scope', '\/mounted', b'a=1', [[(]'127\.0\.0\.1', \d+[\])]\]$/)
  ws.destroy()
})

test("refused handshakes", async () => {
  for (const [fields, status] of [
    [{ "Sec-WebSocket-Key": "short" }, 400],
    [{ "Sec-WebSocket-Key": "" }, 400],
    [{ "Sec-WebSocket-Version": "8" }, 426],
  ] as const) {
    const ws = await open("/echo", fields as unknown as Record<string, string>)
    expect([fields, Number(ws.head.split(" ")[1])]).toEqual([fields, status])
    if (status === 426) expect(ws.head).toContain("Sec-WebSocket-Version: 13")
    ws.destroy()
  }
})

test("the app refuses: 403, or an answer of its own; it fails: 1011", async () => {
  const refused = await open("/refuse")
  expect(refused.head).toStartWith("HTTP/1.1 403 ")
  refused.destroy()
  const denied = await open("/deny", { "X-Last": "1" })
  expect(denied.head).toStartWith("HTTP/1.1 401 ")
  expect(denied.head).toContain("x-why: no")
  denied.destroy()
  expect(await (await open("/fail")).closed()).toBe(1011)
})

test("messages both ways: empty, text, binary, in parts, byte by byte, with pings between", async () => {
  const ws = await open("/echo")
  ws.send(clientFrame("żółw"))
  expect(String(await ws.message())).toBe("żółw")
  ws.send(clientFrame("", { opcode: 2 }))
  expect(await ws.frame()).toMatchObject({ opcode: 2, fin: true, payload: Buffer.alloc(0) })
  for (const byte of clientFrame("slowly")) ws.send(Buffer.from([byte]))
  expect(String(await ws.message())).toBe("slowly")
  // A character cut between two frames, a ping in the middle.
  const text = Buffer.from("ż")
  ws.send(Buffer.concat([clientFrame(text.subarray(0, 1), { fin: false }), clientFrame("p", { opcode: 9 }), clientFrame(text.subarray(1), { opcode: 0 })]))
  expect(await ws.frame()).toMatchObject({ opcode: 10, payload: Buffer.from("p") })
  expect(String(await ws.message())).toBe("ż")
  ws.send(clientFrame(randomBytes(0), { opcode: 0x2, fin: false }))
  ws.send(clientFrame("", { opcode: 0 }))
  expect((await ws.message()).length).toBe(0)
  ws.send(clientFrame("late pong", { opcode: 10 }))
  ws.send(clientFrame("count"))
  expect(String(await ws.message())).toBe("6")
  ws.destroy()
})

test("a message of 3 MB there and back; one above max_message is 1009", async () => {
  const ws = await open("/echo")
  const data = randomBytes(3_000_000)
  ws.send(clientFrame(data, { opcode: 2 }))
  const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")
  expect(hash(await ws.message())).toBe(hash(data))
  ws.send(clientFrame(Buffer.alloc(5_000_000), { opcode: 2 }))
  expect(await ws.closed()).toBe(1009)
  await seen("(1009, ")
})

test("close by the client, with and without a code; gone without a close is 1006", async () => {
  const ws = await open("/echo")
  ws.send(Buffer.concat([clientFrame("quiet"), clientFrame(closeBody(4321, "bye"), { opcode: 8 }), clientFrame("ignored")]))
  expect(await ws.closed()).toBe(4321)
  expect(await ws.rest()).toBe("")
  await seen("'quiet', (4321, 'bye')")
  const bare = await open("/echo")
  bare.send(clientFrame("", { opcode: 8 }))
  expect(await bare.closed()).toBe(1005)
  await seen("(1005, ")
  const gone = await open("/echo")
  gone.destroy()
  await seen("(1006, ")
})

test("close by the app, with a reason cut between characters", async () => {
  const ws = await open("/echo")
  ws.send(clientFrame("close"))
  const frame = await ws.frame()
  expect(frame!.payload.readUInt16BE(0)).toBe(4001)
  expect(new TextDecoder("utf-8", { fatal: true }).decode(frame!.payload.subarray(2))).toBe("as asked " + "ż".repeat(57))
  ws.send(clientFrame(closeBody(4001), { opcode: 8 }))
  expect(await ws.rest()).toBe("")
})

test("a client that breaks a rule is closed with the code of that rule", async () => {
  const cases: [name: string, bytes: Buffer, code: number][] = [
    ["unmasked", clientFrame("a", { masked: false }), 1002],
    ["reserved bit", clientFrame("a", { rsv: 4 }), 1002],
    ["opcode 3", clientFrame("a", { opcode: 3 }), 1002],
    ["opcode 11", clientFrame("a", { opcode: 11 }), 1002],
    ["a ping in parts", clientFrame("a", { opcode: 9, fin: false }), 1002],
    ["a ping of 126 bytes", clientFrame(Buffer.alloc(126), { opcode: 9 }), 1002],
    ["nothing to go on with", clientFrame("a", { opcode: 0 }), 1002],
    ["a message inside another", Buffer.concat([clientFrame("a", { fin: false }), clientFrame("b")]), 1002],
    ["a close of one byte", clientFrame("a", { opcode: 8 }), 1002],
    ["a close with 1005", clientFrame(closeBody(1005), { opcode: 8 }), 1002],
    ["a close with 2999", clientFrame(closeBody(2999), { opcode: 8 }), 1002],
    ["a reason that is not UTF-8", clientFrame(Buffer.from([3, 232, 255]), { opcode: 8 }), 1007],
    ["text that is not UTF-8", clientFrame(Buffer.from([97, 255])), 1007],
    ["an overlong character", clientFrame(Buffer.from([0xc0, 0xaf])), 1007],
    ["a surrogate", clientFrame(Buffer.from([0xed, 0xa0, 0x80])), 1007],
    ["text cut in a character", Buffer.concat([clientFrame("a", { fin: false }), clientFrame(Buffer.from([0xc5]), { opcode: 0 })]), 1007],
    ["2^63 bytes", Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), 1009],
  ]
  const codes = await Promise.all(
    cases.map(async ([name, bytes]) => {
      const ws = await open("/echo")
      ws.send(bytes)
      const code = await ws.closed()
      ws.destroy()
      return [name, code]
    }),
  )
  expect(codes).toEqual(cases.map(([name, , code]) => [name, code]))
})

test("a browser's client", async () => {
  const ws = new WebSocket(`ws://127.0.0.1:${edge.port()}/echo`, ["chat"])
  const next = () => new Promise<MessageEvent>((resolve, reject) => {
    ws.onmessage = resolve
    ws.onclose = event => reject(new Error(`closed with ${event.code}`))
  })
  await new Promise((resolve, reject) => ([ws.onopen, ws.onerror] = [resolve, reject]))
  expect(ws.protocol).toBe("chat")
  const long = "long ".repeat(100_000)
  for (const text of ["short", long]) {
    const answer = next()
    ws.send(text)
    expect((await answer).data).toBe(text)
  }
  const closed = new Promise<CloseEvent>(resolve => (ws.onclose = resolve))
  ws.send("close")
  expect(await closed).toMatchObject({ code: 4001, wasClean: true })
})

test("many messages in one packet", async () => {
  const ws = await open("/echo", { "X-Pad": "1" })
  ws.send(Buffer.concat(Array.from({ length: 500 }, (_, n) => clientFrame(String(n)))))
  for (let n = 0; n < 500; n++) expect(String(await ws.message())).toBe(String(n))
  ws.destroy()
})

test("a client that does not read holds the app back; an app that does not read holds the client back", async () => {
  const reader = await open("/flood")
  await reader.frame()
  reader.pause()
  let before = -1
  await until(async () => {
    const now = (await edge.get("/seen")).split(",").length
    await Bun.sleep(200)
    const still = now === before
    before = now
    return still
  })
  // 2000 messages of 100 kB are 200 MB; far less is under way.
  expect(before).toBeLessThan(500)
  reader.destroy()

  const writer = await open("/slow")
  const chunk = clientFrame(Buffer.alloc(60_000), { opcode: 2 })
  const total = 1000
  for (let n = 0; n < total; n++) writer.send(chunk)
  writer.send(clientFrame("count"))
  let unsent = -1
  await until(async () => {
    await Bun.sleep(200)
    const still = unsent === writer.unsent
    unsent = writer.unsent
    return still
  })
  expect(unsent).toBeGreaterThan(total * 60_000 * 0.5)
  await edge.get("/open")
  for (;;) {
    const message = await writer.message()
    if (message.length < 100) {
      expect(String(message)).toBe(String(total + 1))
      break
    }
  }
  writer.destroy()
}, 30_000)

test("a WebSocket holds no slot, and outlives a reload and a roll", async () => {
  const sockets = await Promise.all(Array.from({ length: 120 }, () => open("/echo")))
  const pid = await edge.get("/pid")
  const [app] = (await edge.status()).apps
  expect(app!.workers[0]!.active).toBeLessThan(100)
  expect((await edge.command("reload", "--apps")).code).toBe(0)
  expect(await edge.get("/pid")).not.toBe(pid)
  for (const ws of sockets) ws.send(clientFrame("pid"))
  for (const ws of sockets) expect(String(await ws.message())).toBe(pid)
  for (const ws of sockets) {
    ws.send(clientFrame(closeBody(1000), { opcode: 8 }))
    expect(await ws.closed()).toBe(1000)
  }
  await until(async () => (await edge.status()).apps[0]!.workers.length === 1)
}, 30_000)

test("when the grace of a roll or of a reload is over, the client is told 1012", async () => {
  const short = config.replace('tunnel_grace = "1h"', 'tunnel_grace = "100ms"\ngrace = "100ms"') + 'tunnel_grace = "100ms"\ndrain_timeout = "100ms"\n'
  await using other = await Edge.start({ config: short, files: { "hello.py": app } })
  const rolled = await RawWebSocket.open(other.port(), "/echo")
  expect((await other.command("reload", "--apps")).code).toBe(0)
  expect(await rolled.closed()).toBe(1012)
  rolled.destroy()
  const reloaded = await RawWebSocket.open(other.port(), "/echo")
  expect((await other.command("reload")).code).toBe(0)
  expect(await reloaded.closed()).toBe(1012)
  reloaded.send(clientFrame(closeBody(1012), { opcode: 8 }))
  await until(async () => (await other.get("/seen")).includes("(1012, "))
  reloaded.destroy()
}, 30_000)

test("a client that is silent is pinged, and given up when it stays so", async () => {
  const quick = config.replace('max_message = "4mb"', 'ping = "1s"')
  await using other = await Edge.start({ config: quick, files: { "hello.py": app } })
  const alive = await RawWebSocket.open(other.port(), "/echo")
  const dead = await RawWebSocket.open(other.port(), "/echo")
  const ping = await alive.frame()
  expect(ping).toMatchObject({ opcode: 9 })
  alive.send(clientFrame(ping!.payload, { opcode: 10 }))
  expect(await dead.closed()).toBe(1006)
  await until(async () => (await other.get("/seen")).includes("(1006, "))
  alive.send(clientFrame("still there"))
  for (let frame = await alive.frame(); ; frame = await alive.frame()) {
    if (frame?.opcode === 1) break
    expect(frame?.opcode).toBe(9)
    alive.send(clientFrame("", { opcode: 10 }))
  }
  alive.destroy()
}, 30_000)

test("a killed worker is 1011; a stop of edge says 1012", async () => {
  const ws = await open("/echo")
  ws.send(clientFrame("pid"))
  process.kill(Number(await ws.message()), "SIGKILL")
  expect(await ws.closed()).toBe(1011)
  ws.destroy()
  const last = await open("/echo")
  edge.signal("SIGTERM")
  expect(await last.closed()).toBe(1012)
  last.send(clientFrame(closeBody(1012), { opcode: 8 }))
  expect(await edge.exited).toBe(0)
}, 30_000)
