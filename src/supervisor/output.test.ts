import { expect, test } from "bun:test"
import { Output } from "./output.ts"

async function read(chunks: readonly (string | Uint8Array)[]): Promise<{ lines: string[]; tail: string }> {
  const lines: string[] = []
  const output = new Output(line => lines.push(line))
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

test("a line that names its level has it once, and the last lines are without it", async () => {
  const said: [string, string | undefined][] = []
  const output = new Output((line, level) => said.push([line, level]))
  output.push("<3>broke\n<4>odd\n<6>users: in\n<7>small\nplain\n<8>not a level\n")
  expect(said).toEqual([
    ["broke", "error"],
    ["odd", "warn"],
    ["users: in", "info"],
    ["small", "debug"],
    ["plain", undefined],
    ["<8>not a level", undefined],
  ])
  expect(output.tail).toBe("broke\nodd\nusers: in\nsmall\nplain\n<8>not a level")
})
