import { expect, test } from "bun:test"
import { Output } from "./output.ts"

async function read(chunks: readonly (string | Uint8Array)[]): Promise<{ lines: string[]; tail: string }> {
  const lines: string[] = []
  const output = new Output(({ text }) => void lines.push(text))
  const encoder = new TextEncoder()
  await output.read(
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(typeof chunk === "string" ? encoder.encode(chunk) : chunk)
        controller.close()
      },
    }),
  )
  return { lines, tail: output.tail }
}

test("lines come whole, however they were cut", async () => {
  expect((await read(["on", "e\ntwo\r", "\nthree"])).lines).toEqual(["one", "two", "three"])
})

test("a character that is cut in two is one character", async () => {
  const bytes = new TextEncoder().encode("ż\n")
  expect((await read([bytes.subarray(0, 1), bytes.subarray(1)])).lines).toEqual(["ż"])
})

test("a line without end is cut and does not pile up", async () => {
  const { lines } = await read(Array.from({ length: 100 }, () => "x".repeat(1000)))
  expect(Math.max(...lines.map(line => line.length))).toBe(16_384)
  expect(lines.join("").length).toBe(100_000)
})

test("the last 30 lines are kept to explain a death", async () => {
  const { tail } = await read([Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("")])
  expect(tail.split("\n").length).toBe(30)
  expect(tail).toEndWith("line 99")
})

function entries(text: string): (string | boolean | undefined)[][] {
  const said: (string | boolean | undefined)[][] = []
  const output = new Output(({ text: entry, level, named }) => void said.push([entry, level, named]))
  output.push(text)
  output.flush()
  return said
}

test("a line that names its level has it once, and the last lines are without it", () => {
  expect(entries("<3>broke\n<4>odd\n<6>users: in\n<7>small\nplain\n<8>not a level\n")).toEqual([
    ["broke", "error", true],
    ["odd", "warn", true],
    ["users: in", "info", true],
    ["small", "debug", true],
    ["plain", undefined, false],
    ["<8>not a level", undefined, false],
  ])
  const output = new Output(() => {})
  output.push("<3>broke\n<3>\there\nplain\n")
  expect(output.tail).toBe("broke\nhere\nplain")
})

test("lines with a tab behind the same level go on with the entry", () => {
  expect(entries("<3>broke\n<3>\tat a\n<3>\n<3>\tnot of the blank\n<4>\todd\n")).toEqual([
    ["broke\nat a", "error", true],
    ["\nnot of the blank", "error", true],
    ["odd", "warn", true],
  ])
})

const trace = `Traceback (most recent call last):
  File "a.py", line 1, in f
    x()
    ~^^
KeyError: 'k'`

test.each([
  ["a traceback alone", `before\n${trace}\nafter\n`, [["before\n" + trace, "error", false], ["after", undefined, false]]],
  ["behind the line of a logger", `[2026-01-31 12:00:00,1] ERROR in app: Exception on / [GET]\n${trace}\n[2026] INFO in app: next\n`, [[`[2026-01-31 12:00:00,1] ERROR in app: Exception on / [GET]\n${trace}`, "error", false], ["[2026] INFO in app: next", "info", false]]],
  ["chained", `${trace}\n\nDuring handling of the above exception, another exception occurred:\n\n${trace}\nafter\n`, [[`${trace}\n\nDuring handling of the above exception, another exception occurred:\n\n${trace}`, "error", false], ["after", undefined, false]]],
  ["two", `${trace}\n${trace}\n`, [[trace, "error", false], [trace, "error", false]]],
  ["blank lines apart", "a\n\nb\n", [["a", undefined, false], ["", undefined, false], ["b", undefined, false]]],
  ["a stack of JavaScript", "TypeError: no\n    at f (a.ts:1)\n    at g\nnext\n", [["TypeError: no\n    at f (a.ts:1)\n    at g", undefined, false], ["next", undefined, false]]],
  ["words of loggers", "ERROR:root:x\nWARNING:  odd\n2026-01-31 12:00:00,123 CRITICAL y\nan ERROR inside\nINFO     ready\n", [["ERROR:root:x", "error", false], ["WARNING:  odd", "warn", false], ["2026-01-31 12:00:00,123 CRITICAL y", "error", false], ["an ERROR inside", undefined, false], ["INFO     ready", "info", false]]],
])("%s", (_, text, expected) => {
  expect(entries(text)).toEqual(expected)
})

test("an entry that never ends is cut and does not pile up", () => {
  const all = entries(`a\n${" indented for ever\n".repeat(20_000)}`)
  expect(all.length).toBeGreaterThan(4)
  expect(Math.max(...all.map(([text]) => (text as string).length))).toBeLessThan(80_000)
  expect(all.reduce((sum, [text]) => sum + (text as string).split("\n").length, 0)).toBe(20_001)
})

test("an entry that nothing follows comes after a moment", async () => {
  const { promise, resolve } = Promise.withResolvers<string>()
  new Output(({ text }) => resolve(text)).push("alone\n")
  expect(await promise).toBe("alone")
})
