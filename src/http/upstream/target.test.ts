import { describe, expect, test } from "bun:test"
import { parseTarget } from "./target.ts"

const good: [text: string, expected: Record<string, unknown>][] = [
  ["http://a", { hostname: "a", port: 80, secure: false, prefix: "", authority: "a" }],
  ["http://a:80/", { port: 80, prefix: "", authority: "a" }],
  ["http://10.0.0.1:8080", { hostname: "10.0.0.1", port: 8080, authority: "10.0.0.1:8080" }],
  ["http://[::1]:8080/x", { hostname: "::1", port: 8080, authority: "[::1]:8080", prefix: "/x" }],
  ["HTTPS://Example.com", { hostname: "Example.com", port: 443, secure: true, authority: "Example.com" }],
  ["https://a:8443/base/path/", { port: 8443, prefix: "/base/path", authority: "a:8443" }],
  ["unix:/run/x.sock", { unix: "/run/x.sock", prefix: "", authority: "localhost" }],
  ["unix:/run/x.sock:/base", { unix: "/run/x.sock", prefix: "/base" }],
]
describe("what names an upstream", () => {
  for (const [text, expected] of good) test(text, () => expect(parseTarget(text)).toMatchObject({ id: text, ...expected }))
  test("a relative socket path is made absolute", () => {
    expect(parseTarget("unix:x.sock", path => `/dir/${path}`).unix).toBe("/dir/x.sock")
  })
})

const bad = [
  "", "a", "a:80", "ftp://a", "http://", "http://a:0", "http://a:65536", "http://a:x", "http://a b", "http://a/b c",
  "http://a/b?c", "http://a/b#c", "http://user@a", "http://a\r\nX: y", "http://a/\r\nX: y", "unix:", "unix:/a:b", "unix:/a:/b:c",
]
describe("what does not", () => {
  for (const text of bad) test(JSON.stringify(text), () => expect(() => parseTarget(text)).toThrow(/ is not | has a /))
})
