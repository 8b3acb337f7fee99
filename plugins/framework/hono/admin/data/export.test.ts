import { expect, test } from "bun:test"
import { textCell } from "./export.ts"

test("a text is never a formula when a spreadsheet opens it", () => {
  const formulas = ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "|x", "%0A=1", "=HYPERLINK(\"http://evil\")"]
  for (const text of formulas) expect(textCell(text).replace(/^"/, "")).toStartWith("'")
  expect(["plain", "a,b", 'say "x"', "two\nlines", "semi;colon"].map(textCell)).toEqual(["plain", '"a,b"', '"say ""x"""', '"two\nlines"', '"semi;colon"'])
})
