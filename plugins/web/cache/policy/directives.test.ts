import { expect, test } from "bun:test"
import { fieldNames, parseAge, parseDirectives, parseTargeted, seconds } from "./directives.ts"

test.each([
  ["max-age=60", { "max-age": "60" }],
  ["MAX-AGE=60, Public", { "max-age": "60", public: true }],
  ["max-age=1, max-age=2", { "max-age": "1" }],
  ['x="max-age=9, a", max-age=1', { x: "max-age=9, a", "max-age": "1" }],
  ['max-age=1, x="max-age=9', { "max-age": "1" }],
  ["max-age =60", {}],
  ["max-age= 60", {}],
  [",, no-store ,", { "no-store": true }],
  ["", {}],
  ['private="a\\"b"', { private: 'a"b' }],
  ["=, max-age=5", { "max-age": "5" }],
])("%s", (text, want) => {
  expect(Object.fromEntries(parseDirectives(text))).toEqual(want as never)
})

test("no text takes long, and none throws", () => {
  for (const piece of [",", '"', "=", " ", "\\", 'a="', "max-age=1,", "a=b;"]) parseDirectives(piece.repeat(20_000))
  // A pattern that begins anew at every comma took half a second for the last of these.
  for (const a of [",", " ", "a", "="]) for (const b of ['"', "\\", ",", " "]) for (const end of ["x", "="]) parseDirectives((a + b).repeat(8000) + end)
  for (const piece of ["a,", "a=b;", " ", "a;a=", "a=?1,"]) parseTargeted(piece.repeat(2000))
})

test.each([
  ["60", 60],
  ["99999999999", 2 ** 31],
  ["-1", 0],
  ["1.5", 0],
  ["'60'", 0],
  ["", 0],
])("max-age=%s is %d seconds", (value, want) => {
  expect(seconds(new Map([["max-age", value]]), "max-age")).toBe(want)
})

test("Age: the first member, or none", () => {
  expect([undefined, "7", "7, 0", "0, 7", "-7", "7.0", "7;a", "a"].map(parseAge)).toEqual([0, 7, 7, 0, 0, 0, 0, 0])
})

test("a targeted field with one mistake is as if not there", () => {
  expect(parseTargeted("max-age=60, &&&")).toBeNull()
  expect(parseTargeted('max-age="60"')).toBeNull()
  expect(parseTargeted("max-age, no-store")).toBeNull()
  expect(Object.fromEntries(parseTargeted("max-age=60, x;y=1, no-store")!)).toEqual({ "max-age": "60", x: true, "no-store": true })
})

test("fields that a directive names", () => {
  expect(fieldNames("Set-Cookie, X-A ,")).toEqual(["set-cookie", "x-a"])
  expect(fieldNames(true)).toEqual([])
})
