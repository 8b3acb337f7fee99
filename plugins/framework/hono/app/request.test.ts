import { describe, expect, test } from "bun:test"
import { readCookie } from "./cookies.ts"
import { safeNext } from "./request.ts"

describe("safeNext: only paths of this site", () => {
  test.each(["/", "/a/b?c=d#e", "/%2F%2Fevil.example", "/a//b", "/ä"])("%j is one", path => {
    expect(new URL(safeNext(path, "/no"), "https://here.example").origin).toBe("https://here.example")
    expect(safeNext(path, "/no")).not.toBe("/no")
  })

  test.each([
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "",
    "/a\\..\\..\\\\evil.example",
    `/${"a".repeat(3000)}`,
    null,
    undefined,
    7,
  ])("%j is not", value => {
    expect(safeNext(value, "/no")).toBe("/no")
  })
})

test("cookies are found by their whole name, the first of one name", () => {
  expect(readCookie("a=1; session=x; session=y", "session")).toBe("x")
  expect(readCookie("xsession=1;session=2", "session")).toBe("2")
  expect(readCookie("session2=1", "session")).toBeUndefined()
  expect(readCookie("__Host-session=1", "session")).toBeUndefined()
  expect(readCookie("", "session")).toBeUndefined()
})
