import { afterAll, beforeAll, expect, test } from "bun:test"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { CANCEL, CREDIT, DATA, ERROR, frame, MESSAGE, RESPONSE } from "../../../test/kit/raw-front.ts"
import type { RawFront } from "../../../test/kit/raw-front.ts"
import { startAsgi } from "./testdata/start.ts"

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const MORE = 0x80

let worker: PythonWorker
let front: RawFront
let id = 0

beforeAll(async () => {
  worker = await startAsgi("apps:application")
  front = await worker.connect()
})
afterAll(() => worker.stop())

function open(path: string, headers: string[] = []): number {
  front.request(++id, { path, scheme: "ws", end: false, headers: ["Host", "h", ...headers] })
  return id
}

async function accepted(mine: number): Promise<string[]> {
  const seen = await front.next(s => s.id === mine)
  expect(seen).toMatchObject({ type: RESPONSE, end: false })
  return seen!.payload.toString("latin1", 0, seen!.head).split("\0")
}

function send(mine: number, kind: number, data: Uint8Array | string): void {
  front.send(frame(MESSAGE, { id: mine, payload: Buffer.concat([Buffer.from([kind]), Buffer.from(data)]) }))
}

function sendClose(mine: number, code: number, reason = ""): void {
  send(mine, CLOSE, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]))
  front.send(frame(DATA, { id: mine, end: true }))
}

/** The next message, put together: [kind, data]. */
async function message(mine: number): Promise<[number, Buffer]> {
  const parts: Buffer[] = []
  for (;;) {
    const seen = await front.next(s => s.id === mine && s.type === MESSAGE)
    parts.push(seen!.payload.subarray(1))
    if ((seen!.payload[0]! & MORE) === 0) return [seen!.payload[0]!, Buffer.concat(parts)]
  }
}

const ended = (mine: number) => front.next(s => s.id === mine && s.type === DATA && s.end)

async function happened(event: string): Promise<void> {
  for (;;) {
    const seen = await front.ask(++id, { path: "/seen" })
    if ((JSON.parse(seen.body.toString()) as string[]).includes(event)) return
    await Bun.sleep(5)
  }
}

test("the scope", async () => {
  const mine = open("/scope", ["Sec-WebSocket-Protocol", "chat, other", "Sec-WebSocket-Protocol", "third"])
  await accepted(mine)
  const scope = JSON.parse((await message(mine))[1].toString()) as object
  expect(scope).toMatchObject({ type: "websocket", scheme: "ws", path: "/scope", subprotocols: ["chat", "other", "third"], state: { started: "yes" } })
  expect(scope).not.toHaveProperty("method")
})

test("accept with a subprotocol, text and binary both ways, close by the client", async () => {
  const mine = open("/echo", ["Sec-WebSocket-Protocol", "chat, other"])
  expect(await accepted(mine)).toEqual(["101", "", "x-a", "1", "Sec-WebSocket-Protocol", "chat"])
  send(mine, TEXT, "żółw")
  expect(await message(mine)).toEqual([TEXT, Buffer.from("echo żółw")])
  send(mine, BINARY, Buffer.from([0, 255]))
  expect(await message(mine)).toEqual([BINARY, Buffer.from([0, 255])])
  send(mine, BINARY, "")
  expect(await message(mine)).toEqual([BINARY, Buffer.from("")])
  sendClose(mine, 4002, "bye")
  await ended(mine)
  await happened("socket: 4002 bye")
})

test("close by the app", async () => {
  const mine = open("/echo")
  await accepted(mine)
  send(mine, TEXT, "close")
  const [kind, data] = await message(mine)
  expect([kind, data.readUInt16BE(0), data.toString("utf8", 2)]).toEqual([CLOSE, 4001, "as asked"])
  await ended(mine)
  sendClose(mine, 4001)
  await happened("socket: websocket.disconnect")
})

test("a message in parts, and one of 3 MB back", async () => {
  const mine = open("/echo")
  await accepted(mine)
  const data = Buffer.alloc(3_000_000, "m")
  let sent = 0
  for (let at = 0; at < data.length; at += 50_000) {
    await front.granted(mine, sent + 50_001 - 262144)
    send(mine, BINARY | (at + 50_000 < data.length ? MORE : 0), data.subarray(at, at + 50_000))
    sent += 50_001
  }
  // RawFront grants for DATA only.
  const parts: Buffer[] = []
  for (;;) {
    const seen = await front.next(s => s.id === mine && s.type === MESSAGE)
    front.send(frame(CREDIT, { id: mine, head: seen!.payload.length }))
    parts.push(seen!.payload.subarray(1))
    if ((seen!.payload[0]! & MORE) === 0) break
  }
  expect(Buffer.concat(parts).equals(data)).toBe(true)
})

test("an app that sends faster than the client reads waits for credit", async () => {
  const mine = open("/flood")
  await accepted(mine)
  let bytes = 0
  while (bytes < 262144 - 1) bytes += (await front.next(s => s.id === mine && s.type === MESSAGE))!.payload.length
  // The loop turned, and nothing above the credit came.
  await front.ask(++id, { path: "/seen" })
  expect(bytes).toBeLessThanOrEqual(262144)
  front.send(frame(CANCEL, { id: mine }))
  expect(await front.next(s => s.id === mine && s.type === ERROR)).toMatchObject({ end: true })
})

test("refused: 403, or an answer of the app's own", async () => {
  expect(await front.answer(open("/refuse"))).toMatchObject({ status: 403, bytes: 0 })
  const denied = await front.answer(open("/deny"))
  expect(denied).toMatchObject({ status: 401, headers: ["x-why", "no"] })
  expect(denied.body.toString()).toBe("not you")
})

test("an exception: 500 before the handshake, 1011 after it", async () => {
  expect(await front.answer(open("/fails"))).toMatchObject({ status: 500 })
  const mine = open("/echo")
  await accepted(mine)
  send(mine, TEXT, "fail")
  const [kind, data] = await message(mine)
  expect([kind, data.readUInt16BE(0)]).toEqual([CLOSE, 1011])
  await worker.printed("ValueError: socket failed")
})

test("a client that is gone without a close is 1006", async () => {
  const mine = open("/echo")
  await accepted(mine)
  front.send(frame(CANCEL, { id: mine }))
  expect(await front.next(s => s.id === mine && s.type === ERROR)).toMatchObject({ end: true })
  await happened("socket: 1006 ")
})

test("MESSAGE for an HTTP exchange breaks the protocol", async () => {
  const other = await worker.connect()
  other.request(1, { path: "/sleep", query: "1" })
  other.send(frame(MESSAGE, { id: 1, payload: "\x01x" }))
  expect(await other.next()).toMatchObject({ type: ERROR, id: 0 })
})
