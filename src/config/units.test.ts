import { describe, expect, test } from "bun:test"
import * as v from "valibot"
import { duration, parseDuration, parseSize, size } from "./units.ts"
import { address, cidr, count, path } from "./values.ts"

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["1w", 604_800_000],
  ["1y", 31_536_000_000],
  ["1.5h", 5_400_000],
  ["1h30m", 5_400_000],
  ["0", 0],
])("duration %s is %i ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(["", "30", "s", "30 s", "-1s", "1s!", "x1s", "1S", "1e3s", ".5s", "1.s"])("%j is no duration", text => {
  expect(parseDuration(text)).toBeNull()
})

test.each([
  ["0", 0],
  ["512b", 512],
  ["64kb", 65_536],
  ["10mb", 10_485_760],
  ["1gb", 1_073_741_824],
  ["1.5KB", 1536],
])("size %s is %i bytes", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each(["", "64", "kb", "64k", "-1kb", "64kib"])("%j is no size", text => {
  expect(parseSize(text)).toBeNull()
})

function why(schema: v.GenericSchema, value: unknown): string | undefined {
  return v.safeParse(schema, value).issues?.[0].message
}

test("bounds are told in the words of the config", () => {
  expect(why(duration({ min: "1s" }), "500ms")).toBe('expected at least "1s"')
  expect(why(size({ max: "1mb" }), "2mb")).toBe('expected at most "1mb"')
  expect(v.parse(duration({ min: "1s", max: "1m" }), "60s")).toBe(60_000)
})

describe("values", () => {
  test.each(["127.0.0.1:8080", "[::]:80", "[::1]:0", "localhost:80", ":80", "*:80", "unix:run/x.sock", "http://0.0.0.0:80"])(
    "%s is an address",
    text => {
      expect(v.is(address(), text)).toBe(true)
    },
  )
  test.each(["8080", "127.0.0.1", "127.0.0.1:65536", "::1:80", "[::1]", "example.com:80", "256.0.0.1:80", "unix:", "[127.0.0.1]:80"])(
    "%s is none",
    text => {
      expect(v.is(address(), text)).toBe(false)
    },
  )
  test.each(["10.0.0.0/8", "10.1.2.3", "::1", "2001:db8::/32", "0.0.0.0/0"])("%s is a range", text => {
    expect(v.is(cidr(), text)).toBe(true)
  })
  test.each(["10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.0/-1", "localhost", ""])(
    "%s is none",
    text => {
      expect(v.is(cidr(), text)).toBe(false)
    },
  )
  test("a path is not empty and has no NUL", () => {
    expect([v.is(path(), "a b"), v.is(path(), ""), v.is(path(), "a\0b")]).toEqual([true, false, false])
  })
  test("a count is whole and within bounds", () => {
    expect([1, 0, 1.5, 65].map(n => v.is(count({ max: 64 }), n))).toEqual([true, false, false, false])
  })
})
