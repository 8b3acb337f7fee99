import { expect, test } from "bun:test"
import { diffWords } from "./diff.ts"

const marked = (before: string, after: string) => diffWords(before, after).map(({ kind, text }) => (kind === "same" ? text : kind === "gone" ? `[-${text}-]` : `[+${text}+]`)).join("")

test("what differs, in words that are read in one go", () => {
  expect(marked("A map of every bench in the city", "The last cinema on Mill Street")).toBe("[-A map of every bench in the city-][+The last cinema on Mill Street+]")
  expect(marked("leaves at five past five. Nobody", "leaves at six. Nobody")).toBe("leaves at [-five past five-][+six+]. Nobody")
  expect(marked("is late", "is ever late")).toBe("is [+ever +]late")
  expect(marked("", "new")).toBe("[+new+]")
  expect(marked("same", "same")).toBe("same")
})

test("both texts can be put together again from the pieces", () => {
  const texts = ["", "a b  c", "a c", "x\ny z", "one, two, three!", "zażółć gęślą 🐝 jaźń", "a b  c d e f", "  lead", "trail  "]
  for (const before of texts) {
    for (const after of texts) {
      const pieces = diffWords(before, after)
      expect(pieces.filter(piece => piece.kind !== "new").map(piece => piece.text).join("")).toBe(before)
      expect(pieces.filter(piece => piece.kind !== "gone").map(piece => piece.text).join("")).toBe(after)
    }
  }
})

test("long texts that share nothing are told whole, and at once", () => {
  const before = Array.from({ length: 20_000 }, (_, i) => `a${i}`).join(" ")
  const after = Array.from({ length: 20_000 }, (_, i) => `b${i}`).join(" ")
  expect(diffWords(before, after).map(piece => piece.kind)).toEqual(["gone", "new"])
})
