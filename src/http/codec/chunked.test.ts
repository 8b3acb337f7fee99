import { describe, expect, test } from "bun:test"
import { HeaderList } from "../message/headers.ts"
import { ChunkedError, ChunkedReader, encodeChunk, lastChunk } from "./chunked.ts"

interface Got {
  body: string
  trailers: string[]
  /** What follows the body. */
  rest: string
  done: boolean
  pieces: number
}

/** Reads `wire` cut into pieces of `step` bytes, as a socket would bring them. */
function read(wire: string, step = wire.length): Got {
  const reader = new ChunkedReader()
  let body = ""
  let pieces = 0
  const bytes = Buffer.from(wire, "latin1")
  for (let at = 0; at < bytes.length; at += step) {
    const piece = Buffer.from(bytes.subarray(at, at + step))
    const used = reader.read(piece, 0, data => {
      body += data.latin1Slice()
      pieces++
    })
    if (reader.done) {
      const rest = piece.latin1Slice(used) + bytes.latin1Slice(Math.min(bytes.length, at + step))
      return { body, trailers: [...(reader.trailers?.flat ?? [])], rest, done: true, pieces }
    }
    expect(used).toBe(piece.length)
  }
  return { body, trailers: [], rest: "", done: false, pieces }
}

const good: [name: string, wire: string, body: string, trailers?: string[], rest?: string][] = [
  ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
  ["two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
  ["upper and lower hex", "A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a"],
  ["zeros in front", "0005\r\nhello\r\n000\r\n\r\n", "hello"],
  ["extension is ignored", '5;a=b;c="x y"\r\nhello\r\n0;last\r\n\r\n', "hello"],
  ["empty body", "0\r\n\r\n", ""],
  ["data that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"],
  ["pipelined bytes stay", "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1", "x", [], "GET / HTTP/1.1"],
  ["trailers", "1\r\nx\r\n0\r\nA: 1\r\nb:  2 \r\n\r\nrest", "x", ["A", "1", "b", "2"], "rest"],
  ["framing is not taken from trailers", "0\r\nContent-Length: 9\r\nX: y\r\nTransfer-Encoding: z\r\n\r\n", "", ["X", "y"]],
]

describe("what RFC 9112, 7.1 allows", () => {
  for (const [name, wire, body, trailers = [], rest = ""] of good) {
    for (const step of [wire.length, 1, 2, 3, 7]) {
      test(`${name}, ${step} bytes at a time`, () => {
        expect(read(wire, step)).toMatchObject({ body, trailers, rest, done: true })
      })
    }
  }
  test("small chunks of one read come as one piece", () => {
    const wire = "1\r\na\r\n".repeat(1000) + "0\r\n\r\n"
    expect(read(wire)).toMatchObject({ body: "a".repeat(1000), pieces: 1 })
  })
  test("large chunks are views of what was read", () => {
    const reader = new ChunkedReader()
    const bytes = Buffer.from(`2000\r\n${"x".repeat(8192)}\r\n2000\r\n${"y".repeat(8192)}\r\n0\r\n\r\n`)
    const got: Buffer[] = []
    reader.read(bytes, 0, data => got.push(data))
    expect(got.map(b => b.length)).toEqual([8192, 8192])
    for (const b of got) expect(b.buffer).toBe(bytes.buffer)
    expect(Buffer.concat(got).toString()).toBe("x".repeat(8192) + "y".repeat(8192))
  })
  test("small and large mixed keep their order", () => {
    const sizes = [1, 5000, 3, 4, 4096, 4095, 2, 9000]
    let wire = ""
    let body = ""
    sizes.forEach((size, i) => {
      const data = String.fromCharCode(97 + i).repeat(size)
      body += data
      wire += `${size.toString(16)}\r\n${data}\r\n`
    })
    expect(read(wire + "0\r\n\r\n").body).toBe(body)
    expect(read(wire + "0\r\n\r\n", 1000).body).toBe(body)
  })
})

const bad: [name: string, wire: string][] = [
  ["no size", "\r\nhello\r\n"],
  ["plus", "+5\r\nhello\r\n0\r\n\r\n"],
  ["minus", "-5\r\nhello\r\n0\r\n\r\n"],
  ["0x", "0x5\r\nhello\r\n0\r\n\r\n"],
  ["underscore", "1_0\r\n"],
  ["space in front", " 5\r\nhello\r\n"],
  ["space behind", "5 \r\nhello\r\n"],
  ["tab behind", "5\t\r\nhello\r\n"],
  ["space before the extension", "5 ;a\r\nhello\r\n"],
  ["overflow of 64 bits", "10000000000000005\r\nhello\r\n"],
  ["above 2^52", "20000000000000\r\nhello\r\n"],
  ["many zeros", "0".repeat(17) + "5\r\nhello\r\n"],
  ["bare LF after the size", "5\nhello\r\n0\r\n\r\n"],
  ["bare CR after the size", "5\rhello"],
  ["bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n"],
  ["CR in an extension", "5;a\rb\r\nhello\r\n"],
  ["NUL in an extension", "5;a\0b\r\nhello\r\n"],
  ["bare LF after the data", "5\r\nhello\n0\r\n\r\n"],
  ["data longer than its size", "3\r\nhello\r\n0\r\n\r\n"],
  ["data shorter than its size", "6\r\nhello\r\n0\r\n\r\n"],
  ["no CRLF after the data", "5\r\nhello0\r\n\r\n"],
  ["bare LF ends the body", "0\r\n\n"],
  ["bare LF after the last size", "0\n\r\n"],
  ["bare LF in the trailers", "0\r\nA: 1\nB: 2\r\n\r\n"],
  ["folded trailer", "0\r\nA: 1\r\n b\r\n\r\n"],
  ["space before the colon of a trailer", "0\r\nA : 1\r\n\r\n"],
  ["NUL in a trailer", "0\r\nA: \0\r\n\r\n"],
  ["junk as trailer", "0\r\nGET / HTTP/1.1\r\n\r\n"],
  ["endless extensions", "1;" + "a".repeat(17_000)],
  ["extensions in many chunks", ("1;" + "a".repeat(1000) + "\r\nx\r\n").repeat(17)],
  ["endless trailer", "0\r\nA: " + "a".repeat(9000)],
  ["many trailers", "0\r\n" + "A: 1\r\n".repeat(65) + "\r\n"],
]

describe("what is refused", () => {
  for (const [name, wire] of bad) {
    for (const step of [wire.length, 1, 5]) {
      test(`${name}, ${step} bytes at a time`, () => {
        expect(() => read(wire, step)).toThrow(ChunkedError)
      })
    }
  }
})

test("a body cut short is not done", () => {
  const wire = "5\r\nhello\r\n0\r\nA: b\r\n\r\n"
  for (let end = 0; end < wire.length; end++) expect(read(wire.slice(0, end)).done).toBe(false)
})

test("what the writer makes the reader reads", () => {
  const trailers = new HeaderList(["X-Sum", "abc"])
  const wire =
    encodeChunk(Buffer.from("hello ")).latin1Slice() +
    encodeChunk(new Uint8Array(0)).latin1Slice() +
    encodeChunk(Buffer.alloc(70_000, "z")).latin1Slice() +
    lastChunk(trailers)
  expect(wire.startsWith("6\r\nhello \r\n11170\r\n")).toBe(true)
  expect(read(wire)).toMatchObject({ body: "hello " + "z".repeat(70_000), trailers: ["X-Sum", "abc"], done: true })
  expect(lastChunk()).toBe("0\r\n\r\n")
})
