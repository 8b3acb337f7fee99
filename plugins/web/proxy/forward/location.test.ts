import { expect, test } from "bun:test"
import { HeaderList, HttpUpstream, parseTarget, Reply } from "edge"
import { exchange } from "../../../../test/kit/exchange.ts"
import { fixLocation } from "./location.ts"

function fixed(to: string, location: string, { status = 302, prefix = "" } = {}): string | null {
  const x = exchange("/a")
  x.prefix = prefix
  const reply = new Reply(status, new HeaderList(["Location", location]))
  fixLocation(reply, { x, upstream: new HttpUpstream({ target: parseTarget(to) }) })
  return reply.headers.get("location")
}

test.each([
  ["http://10.0.0.1:8080", "http://10.0.0.1:8080/login?a=b", {}, "/login?a=b"],
  ["http://10.0.0.1:8080", "http://10.0.0.1:8080", {}, "/"],
  ["http://10.0.0.1:8080", "HTTP://10.0.0.1:8080/x", { prefix: "/api" }, "/api/x"],
  ["http://10.0.0.1", "http://10.0.0.1:8080/x", {}, "http://10.0.0.1:8080/x"],
  ["http://app", "http://app.evil.example/x", {}, "http://app.evil.example/x"],
  ["http://app", "https://app/x", {}, "https://app/x"],
  ["http://app", "http://app//evil.example/x", {}, "/evil.example/x"],
  ["http://app", "http://app/\\evil.example", {}, "/evil.example"],
  ["http://app/base", "http://app/base/x", { prefix: "/api" }, "/api/x"],
  ["http://app/base", "/base/x", { prefix: "/api" }, "/api/x"],
  ["http://app/base", "/base", {}, "/"],
  ["http://app/base", "/based/x", {}, "/based/x"],
  ["http://app/base", "http://app/other", {}, "http://app/other"],
  ["http://app/base", "relative", {}, "relative"],
  ["http://app", "/login", { prefix: "/api" }, "/login"],
  ["unix:/run/a.sock", "http://localhost/x", {}, "http://localhost/x"],
  ["https://app", "https://app/new", { status: 201 }, "/new"],
  ["https://app", "https://app/new", { status: 200 }, "https://app/new"],
])("%s says %s %j: %s", (to, location, options, expected) => {
  expect(fixed(to, location, options)).toBe(expected)
})
