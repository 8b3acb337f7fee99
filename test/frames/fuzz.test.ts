import { expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Reply } from "edge"
import { FrameClient } from "../../src/frames/client.ts"
import { FrameError, FrameReader, maxPayload } from "../../src/frames/codec.ts"
import { FrameServer } from "../../src/frames/server.ts"
import { exchange } from "../kit/exchange.ts"

const front = { version: 1, role: "front", name: "x" }

/** xorshift32: the same bytes in every run. */
function random(seed: number): (below: number) => number {
  let s = seed
  return below => {
    s ^= s << 13
    s ^= s >>> 17
    s ^= s << 5
    return (s >>> 0) % below
  }
}

/** A frame of random content, nine times in ten a valid one. */
function someFrame(next: (below: number) => number): Buffer {
  const type = 1 + next(13)
  const size = [5, 7, 12].includes(type) ? 0 : next(4) === 0 ? next(300) : next(12)
  const body = Buffer.from(Array.from({ length: [8, 9].includes(type) ? Math.min(size, 64) : size }, () => next(256)))
  const frame = Buffer.concat([Buffer.alloc(16), body])
  frame.writeUInt32LE(body.length, 0)
  frame.writeUInt32LE([1, 8, 9, 11, 12].includes(type) ? 0 : 1 + next(4), 4)
  frame.writeUInt32LE([2, 3, 10].includes(type) ? next(body.length + 1) : type === 7 || type === 5 ? next(100_000) : 0, 8)
  frame[12] = type
  frame[13] = [2, 3, 4, 6].includes(type) ? next(2) : 0
  if (next(10) === 0) frame[next(16)] = next(256)
  return frame
}

/** What docs/worker-protocol.md says, written again as simply as can be: frames up to the first bad one. */
function simplyRead(bytes: Buffer): { frames: string[]; bad: boolean } {
  const frames: string[] = []
  let at = 0
  while (bytes.length - at >= 16) {
    const [length, id, head] = [0, 4, 8].map(o => bytes.readUInt32LE(at + o)) as [number, number, number]
    const [type, flags] = [bytes[at + 12]!, bytes[at + 13]!]
    const about = [1, 8, 9, 11, 12].includes(type)
    const bad =
      type < 1 || type > 13 || length > maxPayload || flags > 1 ||
      (flags === 1 && ![2, 3, 4, 6].includes(type)) ||
      (type !== 6 && (id === 0) !== about) ||
      (length > 0 && [5, 7, 12].includes(type)) ||
      (length > 64 && [8, 9].includes(type)) ||
      ([2, 3, 10].includes(type) ? head > length : type === 7 || type === 5 ? head > 0x7fffffff : head !== 0)
    if (bad) return { frames, bad }
    if (bytes.length - at - 16 < length) break
    frames.push(`${type} ${id} ${head} ${flags} ${bytes.toString("hex", at + 16, at + 16 + length)}`)
    at += 16 + length
  }
  return { frames, bad: false }
}

test("the reader finds what a simple one finds, in whatever pieces the bytes come", () => {
  const next = random(0x5eed)
  let read = 0
  for (let round = 0; round < 4000; round++) {
    const bytes = Buffer.concat(Array.from({ length: 1 + next(12) }, () => someFrame(next)))
    const want = simplyRead(bytes)
    const frames: string[] = []
    const reader = new FrameReader(f =>
      frames.push(`${f.type} ${f.id} ${f.head} ${f.end ? 1 : 0} ${f.bytes.toString("hex", f.start, f.stop)}`),
    )
    let bad = false
    try {
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + next(next(2) === 0 ? 20 : 400)
        reader.push(Buffer.from(bytes.subarray(at, at + size)))
        at += size
      }
    } catch (error) {
      expect(error).toBeInstanceOf(FrameError)
      bad = true
    }
    expect({ frames, bad }).toEqual(want)
    read += frames.length
  }
  // The generator must not drown the test in errors.
  expect(read).toBeGreaterThan(5000)
})

test("a peer that breaks the protocol loses its connection and nobody else's", async () => {
  const folder = mkdtempSync(join(tmpdir(), "edge-fuzz-"))
  const path = join(folder, "w.sock")
  const server = new FrameServer({
    unix: path,
    hello: { name: "fuzz", concurrency: 10 },
    handler: async x => Reply.text(200, `${x.path} ${x.body === null ? "" : (await x.body.bytes()).length}`),
    onError: () => {},
  })
  const client = await FrameClient.connect({ path, name: "good" })
  try {
    const next = random(0xbad)
    const hello = Buffer.from('{"version":1,"role":"front","name":"bad"}')
    const greeting = Buffer.concat([Buffer.from([hello.length, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]), hello])
    for (let round = 0; round < 300; round++) {
      const closed = Promise.withResolvers<void>()
      const socket = await Bun.connect({ unix: path, socket: { data() {}, close: () => closed.resolve(), error() {} } })
      if (next(8) !== 0) socket.write(greeting)
      for (let i = 0; i < 20; i++) socket.write(someFrame(next))
      // Type 0 at the end is an error, unless a length before it swallows the zeros: then the end of the stream is one.
      socket.write(Buffer.alloc(2048))
      socket.end()
      await closed.promise
      if (round % 50 === 0) expect((await client.send(exchange("/ok"))).status).toBe(200)
    }
    expect(client.active).toBe(0)
    expect(await client.ping()).toBeGreaterThanOrEqual(0)
    expect(server.active).toBe(0)
  } finally {
    client.close()
    server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}, 30_000)

test.each([
  ["the first frame is not HELLO", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0])],
  ["protocol version 2", hello({ version: 2, role: "front", name: "x" })],
  ["HELLO is not JSON", frame(1, "{")],
  ["HELLO has no role", hello({ version: 1, name: "x" })],
  ["HELLO is not an object", frame(1, "null")],
  ["a second HELLO", Buffer.concat([hello(front), hello(front)])],
  ["malformed REQUEST head", Buffer.concat([hello(front), frame(2, "GET\0/", { id: 1, head: 5 })])],
  ["id 1 is taken", Buffer.concat([hello(front), request(1), request(1)])],
  ["DATA after END", Buffer.concat([hello(front), request(1), frame(4, "x", { id: 1 })])],
  ["only the supervisor", Buffer.concat([hello(front), frame(12, "")])],
  ["only the supervisor", Buffer.concat([hello(front), frame(11, "")])],
  ["does not send frame type 3", Buffer.concat([hello(front), frame(3, "", { id: 9 })])],
])("says why it closes: %s", async (why, bytes) => {
  const folder = mkdtempSync(join(tmpdir(), "edge-fuzz-"))
  const path = join(folder, "w.sock")
  const server = new FrameServer({
    unix: path,
    hello: { name: "fuzz", concurrency: 10 },
    handler: () => new Promise<never>(() => {}),
    onError: () => {},
  })
  try {
    let got = ""
    const closed = Promise.withResolvers<void>()
    const socket = await Bun.connect({
      unix: path,
      socket: { data: (_, chunk) => void (got += chunk.toString("latin1")), close: () => closed.resolve() },
    })
    socket.write(bytes)
    await closed.promise
    expect(got).toContain(why)
    expect(server.active).toBe(0)
  } finally {
    server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
})

function hello(value: object): Buffer {
  return frame(1, JSON.stringify(value))
}

function request(id: number): Buffer {
  const head = ["GET", "/", "/", "", "", "http", "1.1", "h", "", "", "", ""].join("\0")
  return frame(2, head, { id, head: head.length, end: true })
}

function frame(type: number, payload: string, o: { id?: number; head?: number; end?: boolean } = {}): Buffer {
  const bytes = Buffer.alloc(16 + payload.length)
  bytes.writeUInt32LE(payload.length, 0)
  bytes.writeUInt32LE(o.id ?? 0, 4)
  bytes.writeUInt32LE(o.head ?? 0, 8)
  bytes[12] = type
  bytes[13] = o.end === true ? 1 : 0
  bytes.write(payload, 16, "latin1")
  return bytes
}
