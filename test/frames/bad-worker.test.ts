import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ByteStream, Reply } from "edge"
import type { Socket } from "bun"
import { WorkerLost } from "../../src/frames/call.ts"
import { FrameClient } from "../../src/frames/client.ts"
import { CREDIT, DATA, EARLY, ERROR, FrameReader, HELLO, MESSAGE, REQUEST, RESPONSE } from "../../src/frames/codec.ts"
import { bytesOf, exchange } from "../kit/exchange.ts"
import { frame } from "../kit/raw-front.ts"

const folders: string[] = []
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const greeting = frame(HELLO, { payload: JSON.stringify({ version: 1, role: "worker", name: "bad", pid: 1, concurrency: 1 }) })

/** A worker that greets with `hello` and answers each REQUEST with what `answer` makes of its id. */
function badWorker(answer: (id: number, n: number) => Uint8Array | null, hello: Uint8Array | null = greeting): string {
  const folder = mkdtempSync(join(tmpdir(), "edge-bad-"))
  folders.push(folder)
  const path = join(folder, "w.sock")
  let n = 0
  let tail: Uint8Array = new Uint8Array()
  const send = (socket: Socket<FrameReader>, bytes: Uint8Array): void => {
    tail = bytes.subarray(socket.write(bytes))
  }
  const listener = Bun.listen<FrameReader>({
    unix: path,
    socket: {
      open(socket: Socket<FrameReader>) {
        socket.data = new FrameReader(f => {
          if (f.type !== REQUEST) return
          const bytes = answer(f.id, n++)
          if (bytes === null) socket.end()
          else send(socket, bytes)
        })
        if (hello !== null) socket.write(hello)
      },
      data: (socket, chunk) => socket.data.push(chunk),
      drain: socket => send(socket, tail),
      error() {},
    },
  })
  stops.push(() => listener.stop(true))
  return path
}

async function connect(path: string, helloMs = 5000): Promise<FrameClient> {
  const client = await FrameClient.connect({ path, name: "front 0", helloMs })
  stops.push(() => client.close())
  return client
}

function response(id: number, head: string, o: { body?: string; end?: boolean } = {}): Buffer {
  return frame(RESPONSE, { id, head: Buffer.byteLength(head, "latin1"), end: o.end ?? true, payload: Buffer.from(head + (o.body ?? ""), "latin1") })
}

const fine = (id: number): Buffer => response(id, "200\0", { body: "fine" })

// Answers that are the app's fault: this exchange gets 502, the connection and all others go on.
test.each<[string, (id: number) => Uint8Array]>([
  ["a value with CR LF", id => response(id, "200\0\0X-A\0a\r\nX-B: b")],
  ["a value with LF", id => response(id, "200\0\0X-A\0a\nSet-Cookie: b=c")],
  ["a reason with CR LF", id => response(id, "200\0OK\r\nX-B: b")],
  ["a name with a colon", id => response(id, "200\0\0X-A: b\0c")],
  ["a name with a space", id => response(id, "200\0\0X A\0c")],
  ["an empty name", id => response(id, "200\0\0\0c")],
  ["a name without a value", id => response(id, "200\0\0X-A")],
  ["no reason", id => response(id, "200")],
  ["status 99", id => response(id, "99\0")],
  ["status 1000", id => response(id, "1000\0")],
  ["status 2e2", id => response(id, "2e2\0")],
  ["status 101", id => response(id, "101\0")],
  ["an empty head", id => response(id, "")],
  ["a Content-Length that is too long", id => response(id, "200\0\0Content-Length\x005", { body: "four" })],
  ["a Content-Length that is too short", id => response(id, "200\0\0Content-Length\x003", { body: "four" })],
  ["a Content-Length of -1", id => response(id, "200\0\0Content-Length\0-1", { body: "four" })],
  ["two Content-Lengths", id => response(id, "200\0\0Content-Length\x004\0Content-Length\x005", { body: "four" })],
  ["an ERROR", id => frame(ERROR, { id, end: true, payload: "no" })],
])("%s is a 502, and the next request is served", async (_, answer) => {
  const client = await connect(badWorker((id, n) => (n === 0 ? answer(id) : fine(id))))
  let freed = 0
  await expect(client.send(exchange("/"), () => freed++)).rejects.toMatchObject({ status: 502 })
  expect([freed, client.active, client.down]).toEqual([1, 0, false])
  expect((await bytesOf(await client.send(exchange("/")))).toString()).toBe("fine")
})

// Answers that break the protocol: nobody can say what the bytes mean from here on.
test.each<[string, (id: number) => Uint8Array]>([
  ["garbage", () => Buffer.from("HTTP/1.1 200 OK\r\n\r\nhello, this is no frame at all")],
  ["DATA before RESPONSE", id => frame(DATA, { id, payload: "x" })],
  ["EARLY with status 200", id => frame(EARLY, { id, head: 4, payload: "200\0" })],
  ["a REQUEST", id => frame(REQUEST, { id, end: true })],
  ["a second HELLO", () => greeting],
  ["a frame of 2 MiB", id => Buffer.concat([frame(DATA, { id, payload: "x" }).fill(0x20, 2, 3)])],
  ["an ERROR about the connection", () => frame(ERROR, { payload: "I give up", end: true })],
  ["a closed connection", () => Buffer.alloc(0)],
])("%s ends the connection: WorkerLost for all", async (name, answer) => {
  const client = await connect(badWorker((id, n) => (n === 0 ? new Uint8Array() : name === "a closed connection" ? null : answer(id))))
  const lost: Error[] = []
  let freed = 0
  const first = client.send(exchange("/"), () => freed++).catch((error: unknown) => error)
  const second = client.send(exchange("/"), () => freed++).catch((error: Error) => void lost.push(error))
  const error = (await first) as WorkerLost
  await second
  expect(error).toBeInstanceOf(WorkerLost)
  expect(error.safeToRetry).toEqual({ sent: true, bodyTaken: 0, before: 0 })
  expect([freed, lost.length, client.active, client.down]).toEqual([2, 1, 0, true])
})

async function streamed(client: FrameClient): Promise<{ reply: Reply; error: unknown }> {
  const reply = await client.send(exchange("/"))
  return { reply, error: await (reply.body as ByteStream).bytes().catch((e: unknown) => e) }
}

const kb = (n: number): string => "x".repeat(n * 1024)

test("a worker that overdraws its credit loses its connection", async () => {
  const client = await connect(
    badWorker(id => Buffer.concat([response(id, "200\0", { end: false }), frame(DATA, { id, payload: kb(256) }), frame(DATA, { id, payload: "x" })])),
  )
  const reply = await client.send(exchange("/"))
  // Nobody reads, so nothing was granted.
  await new Promise<void>(resolve => {
    const look = setInterval(() => client.down && (clearInterval(look), resolve()), 5)
  })
  await expect((reply.body as ByteStream).bytes()).rejects.toThrow("more body than credit")
})

test.each<[string, (id: number) => Uint8Array, string]>([
  ["longer than its Content-Length", id => Buffer.concat([response(id, "200\0\0Content-Length\x003", { end: false }), frame(DATA, { id, payload: "four", end: true })]), "longer"],
  ["shorter than its Content-Length", id => Buffer.concat([response(id, "200\0\0Content-Length\x005", { end: false }), frame(DATA, { id, payload: "four", end: true })]), "shorter"],
  ["cut by an ERROR", id => Buffer.concat([response(id, "200\0", { end: false, body: "a" }), frame(ERROR, { id, end: true, payload: "oops" })]), "oops"],
])("a stream that is %s fails, and harms nobody else", async (_, answer, words) => {
  const client = await connect(badWorker((id, n) => (n === 0 ? answer(id) : fine(id))))
  const { error } = await streamed(client)
  expect((error as Error).message).toContain(words)
  expect((await bytesOf(await client.send(exchange("/")))).toString()).toBe("fine")
})

test("frames for an exchange that is over are dropped", async () => {
  const client = await connect(
    badWorker(id =>
      Buffer.concat([fine(id), frame(DATA, { id, payload: "late" }), frame(CREDIT, { id, head: 65_536 }), frame(DATA, { id: 4_000_000_000, payload: "whose" }), frame(MESSAGE, { id, payload: "x" })]),
    ),
  )
  for (let i = 0; i < 3; i++) expect((await bytesOf(await client.send(exchange("/")))).toString()).toBe("fine")
})

test.each<[string, Uint8Array | null, string]>([
  ["version 2", frame(HELLO, { payload: '{"version":2,"role":"worker"}' }), "version 2 is not spoken"],
  ["another front", frame(HELLO, { payload: '{"version":1,"role":"front"}' }), "no worker"],
  ["no HELLO at first", frame(ERROR, { id: 1, end: true }), "not HELLO"],
  ["HTTP", Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), ""],
  ["silence", null, "does not say HELLO"],
])("connect rejects: %s", async (_, hello, words) => {
  await expect(connect(badWorker(() => null, hello), 100)).rejects.toThrow(words)
})

test("connect rejects when nobody is there", async () => {
  await expect(connect(join(tmpdir(), "edge-nobody.sock"))).rejects.toThrow()
})
