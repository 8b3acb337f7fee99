import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as codec from "../../src/frames/codec.ts"
import { decodeRequestHead, decodeResponseHead, encodeRequestHead, encodeResponseHead } from "../../src/frames/heads.ts"
import { exchange } from "../kit/exchange.ts"
import { ByteStream } from "../../src/http/message/stream.ts"

/** One file of golden/ (its README says how to read them). */
interface Golden {
  readonly name: string
  readonly keys: Record<string, string>
  readonly bytes: Buffer
}

const folder = join(import.meta.dir, "golden")
const all = readdirSync(folder)
  .filter(name => name.endsWith(".txt"))
  .map(readGolden)

function readGolden(name: string): Golden {
  const [keys = "", hex = ""] = readFileSync(join(folder, name), "utf8").split("\n\n")
  const pairs = keys.split("\n").map(line => line.split(/: ?(.*)/s).slice(0, 2) as [string, string])
  return { name, keys: Object.fromEntries(pairs), bytes: Buffer.from(hex.replace(/\s/g, ""), "hex") }
}

interface Read {
  type: number
  id: number
  depth: number
  end: boolean
  head: number
  payload: Buffer
}

/** What the reader makes of the bytes when they come in pieces of `size`. */
function readAll(bytes: Buffer, size: number): Read[] {
  const frames: Read[] = []
  const reader = new codec.FrameReader(f =>
    frames.push({ type: f.type, id: f.id, depth: f.depth, end: f.end, head: f.head, payload: Buffer.from(f.bytes.subarray(f.start, f.stop)) }),
  )
  for (let i = 0; i < bytes.length; i += size) reader.push(Buffer.from(bytes.subarray(i, i + size)))
  return frames
}

/** Writes frames and returns the bytes. */
function written(write: (writer: codec.FrameWriter) => void): Buffer {
  const chunks: Buffer[] = []
  const writer = new codec.FrameWriter({
    write: (bytes, offset, length) => {
      chunks.push(Buffer.from(bytes.subarray(offset, offset + length)))
      return length
    },
  })
  write(writer)
  writer.flush()
  return Buffer.concat(chunks)
}

const good = all.filter(golden => golden.keys.error === undefined)

test("the folder holds every frame type, good and bad", () => {
  const types = new Set(good.map(golden => golden.keys.type))
  expect([...types].toSorted()).toEqual(Object.keys(codec).filter(name => /^[A-Z]+$/.test(name) && name !== "END").toSorted())
  expect(all.length - good.length).toBeGreaterThanOrEqual(13)
})

describe.each(good)("$name", ({ keys, bytes }) => {
  const payload = JSON.parse(keys.payload!) as string
  const head = keys.head === undefined ? "" : (JSON.parse(keys.head) as string[]).join("\0")
  const want = {
    type: codec[keys.type as "DATA"],
    id: Number(keys.id),
    depth: Number(keys.depth),
    end: keys.end === "true",
    head: keys.grant === undefined ? head.length : Number(keys.grant),
    payload: Buffer.from(head + payload, "latin1"),
  }

  test.each([1, 7, 16, 17, 1000])("is read from pieces of %i bytes", size => {
    expect(readAll(bytes, size)).toEqual([want])
    expect(readAll(Buffer.concat([bytes, bytes, bytes]), size)).toEqual([want, want, want])
  })

  test("is written", () => {
    const bytesOf = written(writer => {
      writer.depth = want.depth
      const body = Buffer.from(payload, "latin1")
      if (keys.head !== undefined) writer.head(want.type, want.id, { head, end: want.end, body })
      else writer.frame(want.type, { id: want.id, end: want.end, head: want.head, payload: body })
    })
    expect(bytesOf).toEqual(bytes)
  })

  if (keys.head !== undefined) {
    test("has a head that means what it says", () => {
      const fields = JSON.parse(keys.head!) as string[]
      if (keys.type !== "REQUEST") {
        const decoded = decodeResponseHead(head)
        const length = decoded.length < 0 ? [] : ["Content-Length", String(decoded.length)]
        expect([String(decoded.status), decoded.reason, ...decoded.flat, ...length]).toEqual(fields)
        expect(encodeResponseHead(decoded.status, decoded.reason, [...decoded.flat, ...length])).toBe(head)
      } else {
        const encoded = encodeRequestHead(asExchange(head))
        const buffer = Buffer.alloc(encoded.length)
        encoded.write(buffer, 0)
        expect(buffer.toString("latin1")).toBe(head)
      }
    })
  }
})

/** The Exchange that a front would have to send this head. */
function asExchange(head: string) {
  const r = decodeRequestHead(Buffer.from(head, "latin1"), { start: 0, stop: head.length })
  const body = r.length === null ? undefined : ByteStream.from(new ReadableStream(), r.length)
  const conn = { peer: r.ip, peerPort: r.port, local: r.local, secure: r.scheme === "https" }
  const x = exchange(r.target, { method: r.method, host: "", conn, httpVersion: r.httpVersion, headers: [...r.headers], ...(body && { body }) })
  return x.with({ path: r.path, prefix: r.prefix, query: r.query })
}

test.each(all.filter(golden => golden.keys.error !== undefined))("$name is refused", ({ bytes }) => {
  for (const size of [1, 16, 1000]) expect(() => readAll(bytes, size)).toThrow(codec.FrameError)
})
