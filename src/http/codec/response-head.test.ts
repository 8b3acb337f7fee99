import { describe, expect, test } from "bun:test"
import { ResponseHeadError, ResponseHeadReader } from "./response-head.ts"

const limits = { headBytes: 4096, headFields: 20 }
const parse = (text: string) => new ResponseHeadReader(limits).read(Buffer.from(text, "latin1"), 0)

const good: [name: string, wire: string, expected: Record<string, unknown>][] = [
  ["plain", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", { status: 200, reason: "OK", flat: ["A", "b"], size: 25 }],
  ["no field", "HTTP/1.1 204 No Content\r\n\r\n", { status: 204, flat: [], contentLength: -1, persistent: true }],
  ["empty reason", "HTTP/1.1 200 \r\n\r\n", { status: 200, reason: "" }],
  ["no reason", "HTTP/1.1 200\r\n\r\n", { status: 200, reason: "" }],
  ["reason in Latin-1", "HTTP/1.1 404 Ni\xe9 ma\r\n\r\n", { reason: "Ni\xe9 ma" }],
  ["unknown status", "HTTP/1.1 799 Odd\r\n\r\n", { status: 799 }],
  ["length", "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", { contentLength: 12, flat: [] }],
  ["chunked", "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", { chunked: true, flat: [] }],
  ["close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", { persistent: false, flat: [] }],
  ["HTTP/1.0 closes", "HTTP/1.0 200 OK\r\n\r\n", { persistent: false, minor: 0 }],
  ["HTTP/1.0 keeps", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", { persistent: true }],
  [
    "keep-alive time",
    "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: max=5, timeout=7\r\n\r\n",
    { keepAliveSec: 7, flat: [] },
  ],
  [
    "fields named by Connection go no further",
    "HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop, X-Two\r\nx-two: 2\r\nKeep: me\r\nX-HOP: 3\r\n\r\n",
    { flat: ["Keep", "me"], persistent: true },
  ],
  [
    "order, case, duplicates and empty values",
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nx: \r\nSET-COOKIE:b=2\r\nX:\t c \t\r\n\r\n",
    { flat: ["Set-Cookie", "a=1", "x", "", "SET-COOKIE", "b=2", "X", "c"] },
  ],
  ["switching", "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", { status: 101, upgrade: "websocket" }],
  ["Latin-1 value", "HTTP/1.1 200 OK\r\nA: \xe9\r\n\r\n", { flat: ["A", "\xe9"] }],
]

describe("what is a response head", () => {
  for (const [name, wire, expected] of good) {
    test(name, () => expect(parse(wire)).toMatchObject(expected))
    test(`${name}, cut short anywhere`, () => {
      const end = wire.indexOf("\r\n\r\n") + 4
      for (let i = 0; i < end; i++) expect(parse(wire.slice(0, i))).toBeNull()
    })
  }
  test("behind other bytes", () => {
    const bytes = Buffer.from("xxxHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody")
    expect(new ResponseHeadReader(limits).read(bytes, 3)).toMatchObject({ flat: ["A", "b"], size: 25 })
  })
  test("longer than 1 kB, with a body behind it", () => {
    const wire = `HTTP/1.1 200 OK\r\nA: ${"a".repeat(2000)}\r\nContent-Length: 3\r\n\r\nabc` + "x".repeat(100_000)
    expect(parse(wire)).toMatchObject({ contentLength: 3, size: wire.indexOf("abc") })
  })
})

describe("the same head again", () => {
  const first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n\r\n"
  test("is read once, whatever follows it", () => {
    const reader = new ResponseHeadReader(limits)
    const head = reader.read(Buffer.from(first + "ok"), 0)
    expect(reader.read(Buffer.from(first + "no"), 0)).toBe(head)
    expect(reader.read(Buffer.from("xx" + first), 2)).toBe(head)
  })
  test("another one is not taken for it", () => {
    const reader = new ResponseHeadReader(limits)
    reader.read(Buffer.from(first + "ok"), 0)
    expect(reader.read(Buffer.from(first.slice(0, -1)), 0)).toBeNull()
    expect(reader.read(Buffer.from(first.replace("A: b", "A: c")), 0)).toMatchObject({ flat: ["A", "c"] })
    expect(reader.read(Buffer.from(first.replace("\r\n\r\n", "\r\nC: d\r\n\r\n")), 0)).toMatchObject({ flat: ["A", "b", "C", "d"] })
    expect(() => reader.read(Buffer.from(first.replace("A: b", "A : b")), 0)).toThrow(ResponseHeadError)
  })
})

const bad: [name: string, wire: string][] = [
  ["garbage", "hello\r\n\r\n"],
  ["garbage without an end", "\x16\x03\x01\x02\x00"],
  ["HTTP/0.9 page", "<html>"],
  ["HTTP/2", "HTTP/2 200\r\n\r\n"],
  ["HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n"],
  ["HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n"],
  ["lower case", "http/1.1 200 OK\r\n\r\n"],
  ["blank line first", "\r\nHTTP/1.1 200 OK\r\n\r\n"],
  ["two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["four digits", "HTTP/1.1 2000 OK\r\n\r\n"],
  ["status below 100", "HTTP/1.1 099 OK\r\n\r\n"],
  ["no status", "HTTP/1.1 OK\r\n\r\n"],
  ["two spaces", "HTTP/1.1  200 OK\r\n\r\n"],
  ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n"],
  ["bare LF after the status line", "HTTP/1.1 200 OK\nA: b\r\n\r\n"],
  ["bare LF, and one CRLF", "HTTP/1.1 200 OK\nA: b\r\n\n"],
  ["bare LF, and CRLF at the end", "HTTP/1.1 200 OK\nA: b\n\r\n"],
  ["a LF in a value", "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: evil\r\n\r\n"],
  ["bare CR", "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n"],
  ["obs-fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"],
  ["fold of the first line", "HTTP/1.1 200 OK\r\n A: b\r\n\r\n"],
  ["space before the colon", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n"],
  ["no colon", "HTTP/1.1 200 OK\r\nAb\r\n\r\n"],
  ["no name", "HTTP/1.1 200 OK\r\n: b\r\n\r\n"],
  ["NUL in a value", "HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"],
  ["DEL in a value", "HTTP/1.1 200 OK\r\nA: \x7f\r\n\r\n"],
  ["Latin-1 in a name", "HTTP/1.1 200 OK\r\n\xe9: a\r\n\r\n"],
  ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"],
  ["list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n"],
  ["signed length", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"],
  ["hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\n"],
  ["empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n"],
  ["length that overflows", "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n"],
  ["length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunked and length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"],
  ["unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
  ["chunked not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n"],
  ["two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["chunked with a tail", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;a\r\n\r\n"],
  ["coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["head that is too large", "HTTP/1.1 200 OK\r\nA: " + "a".repeat(5000)],
  ["whole head that is too large", "HTTP/1.1 200 OK\r\nA: " + "a".repeat(5000) + "\r\n\r\n"],
  ["too many fields", "HTTP/1.1 200 OK\r\n" + "A: b\r\n".repeat(21) + "\r\n"],
]

describe("what is none", () => {
  for (const [name, wire] of bad) test(name, () => expect(() => parse(wire)).toThrow(ResponseHeadError))
})
