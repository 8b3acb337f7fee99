import { expect, test } from "bun:test"
import { slug, text } from "./fields.ts"
import { model } from "./model.ts"
import { slugify, slugOf } from "./slug.ts"
import { check } from "./values.ts"

test("letters of other scripts are written in Latin ones", () => {
  const cases = {
    "Łódź płonie": "lodz-plonie",
    "Привет, мир!": "privet-mir",
    "Καλημέρα κόσμε": "kalimera-kosme",
    "Straße über Æbeltoft": "strasse-ueber-aebeltoft",
    "Don't stop": "dont-stop",
    "iPhone 15 Pro": "iphone-15-pro",
    "ＡＢＣ": "abc",
    "  --  a_b/c  -- ": "a-b-c",
    "你好": "",
    "…": "",
  }
  expect(Object.fromEntries(Object.keys(cases).map(given => [given, slugify(given)]))).toEqual(cases)
  expect(slugify("Łódź płonie", 5)).toBe("lodz")
  expect(slugify("x".repeat(1_000_000))).toBe("x".repeat(120))
})

test("a slug is made of any text but an empty one", () => {
  expect(slugOf("Łódź")).toBe("lodz")
  for (const given of ["你好", "!!!", "😀"]) expect(slugOf(given)).toMatch(/^[0-9a-f]{12}$/)
  expect(slugOf("你好")).not.toBe(slugOf("你好"))
  expect(slugOf("你好", 6)).toMatch(/^[0-9a-f]{6}$/)
  expect([slugOf(""), slugOf("  ")]).toEqual([undefined, undefined])
  const Page = model("slugPage", { title: text(), slug: slug({ from: "title", unique: true }) })
  expect(check(Page, { title: "東京" }, false).row.slug).toMatch(/^[0-9a-f]{12}$/)
  expect(() => check(Page, { title: "" }, false)).toThrow("slug: This is needed.")
})
