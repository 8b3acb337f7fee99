import { describe, expect, test } from "bun:test"
import { readProxyHeader, writeProxyHeader } from "./proxy-protocol.ts"

const bytes = (text: string) => Buffer.from(text, "latin1")
const binary = (command: number, family: number, body: number[]) =>
  Buffer.concat([bytes("\r\n\r\n\0\r\nQUIT\n"), Buffer.from([command, family, body.length >> 8, body.length & 255, ...body])])
const four = [192, 0, 2, 1, 198, 51, 100, 2, 0xc3, 0x50, 0, 80]
const six = (hex: string) => [...Buffer.from(hex, "hex"), ...Buffer.alloc(16), 0xc3, 0x50, 0, 80]

describe("version 1", () => {
  test.each([
    ["PROXY TCP4 192.0.2.1 198.51.100.2 50000 80\r\nGET", { size: 44, source: { address: "192.0.2.1", port: 50_000 } }],
    ["PROXY TCP6 2001:DB8::1 ::1 50000 80\r\n", { size: 37, source: { address: "2001:db8::1", port: 50_000 } }],
    ["PROXY TCP6 ::ffff:192.0.2.1 ::1 1 0\r\n", { size: 37, source: { address: "192.0.2.1", port: 1 } }],
    ["PROXY UNKNOWN\r\n", { size: 15, source: null }],
    ["PROXY UNKNOWN ff:: :: 1 2\r\nx", { size: 27, source: null }],
    ["PROXY TCP4 192.0.2.1", null],
    ["PRO", null],
  ])("%j", (text, expected) => {
    expect(readProxyHeader(bytes(text))).toEqual(expected as never)
  })
  test.each([
    "GET / HTTP/1.1\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 50000\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 050 80\r\n",
    "PROXY TCP4 192.0.2.1 198.51.100.2 65536 80\r\n",
    "PROXY TCP4 192.0.2.256 198.51.100.2 1 80\r\n",
    "PROXY TCP4 ::1 ::1 1 80\r\n",
    "PROXY TCP6 192.0.2.1 ::1 1 80\r\n",
    "PROXY  TCP4 192.0.2.1 198.51.100.2 1 80\r\n",
    "PROXY UDP4 192.0.2.1 198.51.100.2 1 80\r\n",
    "PROXY UNKNOWN\n",
    `PROXY UNKNOWN ${"x".repeat(200)}`,
    "proxy UNKNOWN\r\n",
  ])("%j is refused", text => {
    expect(() => readProxyHeader(bytes(text))).toThrow()
  })
})

describe("version 2", () => {
  test.each([
    [binary(0x21, 0x11, four), { size: 28, source: { address: "192.0.2.1", port: 50_000 } }],
    [binary(0x21, 0x11, [...four, 4, 0, 1, 0]), { size: 32, source: { address: "192.0.2.1", port: 50_000 } }],
    [binary(0x21, 0x21, six("20010db8000000000000000000000001")), { size: 52, source: { address: "2001:db8::1", port: 50_000 } }],
    [binary(0x21, 0x21, six("20010db8000100000000000200030004")), { size: 52, source: { address: "2001:db8:1::2:3:4", port: 50_000 } }],
    [binary(0x21, 0x21, six("00000000000000000000000000000000")), { size: 52, source: { address: "::", port: 50_000 } }],
    [binary(0x21, 0x21, six("00000000000000000000000000000001")), { size: 52, source: { address: "::1", port: 50_000 } }],
    [binary(0x21, 0x21, six("00000000000000000000ffffc0000201")), { size: 52, source: { address: "192.0.2.1", port: 50_000 } }],
    [binary(0x20, 0x00, []), { size: 16, source: null }],
    [binary(0x20, 0x11, four), { size: 28, source: null }],
    [binary(0x21, 0x31, [...Buffer.alloc(216)]), { size: 232, source: null }],
    [binary(0x21, 0x11, four).subarray(0, 20), null],
    [binary(0x21, 0x11, four).subarray(0, 5), null],
  ])("%#", (header, expected) => {
    expect(readProxyHeader(header)).toEqual(expected as never)
  })
  test.each([
    binary(0x31, 0x11, four),
    binary(0x22, 0x11, four),
    binary(0x21, 0x11, four.slice(0, 8)),
    binary(0x21, 0x21, four),
    Buffer.concat([bytes("\r\n\r\n\0\r\nQUIT\n"), Buffer.from([0x21, 0x11, 0xff, 0xff])]),
    bytes("\r\n\r\n\0\r\nQUIX"),
  ])("%# is refused", header => {
    expect(() => readProxyHeader(header)).toThrow()
  })
})

test("what we write is what we read", () => {
  const to = { address: "127.0.0.1", port: 80 }
  for (const version of ["v1", "v2"] as const) {
    for (const address of ["192.0.2.1", "2001:db8::1", "::1", "2001:db8:1:2:3:4:5:6"]) {
      const header = writeProxyHeader(version, { from: { address, port: 1234 }, to })
      expect(readProxyHeader(header)).toEqual({ size: header.length, source: { address, port: 1234 } })
    }
    for (const from of [null, { address: "fe80::1%eth0", port: 1 }]) {
      const header = writeProxyHeader(version, { from, to })
      expect(readProxyHeader(header)).toEqual({ size: header.length, source: null })
    }
  }
})
