import { expect, test } from "bun:test"
import { type ByteSink, ByteStream } from "edge"
import { Fill } from "./fill.ts"

/** A body that the test pushes. */
class Source extends ByteStream {
  sink!: ByteSink
  paused = false
  cancelled = false
  constructor(readonly length: number) {
    super()
  }
  pipe(sink: ByteSink): void {
    this.sink = sink
  }
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  cancel(): void {
    this.cancelled = true
  }
  push(text: string): void {
    this.sink.data(Buffer.from(text))
  }
}

/** What a reader got, and how it ended. */
class Reader implements ByteSink {
  text = ""
  ended: "" | "end" | "fail" = ""
  constructor(readonly stream: ByteStream) {
    stream.pipe(this)
  }
  data(chunk: Uint8Array): void {
    this.text += Buffer.from(chunk).toString()
  }
  end(): void {
    this.ended = "end"
  }
  fail(): void {
    this.ended = "fail"
  }
}

function filling(length: number, most = Infinity) {
  const source = new Source(length)
  const outcome: { body?: string; failed?: unknown } = {}
  let size = 0
  const fill = new Fill(source, {
    length,
    reserve: bytes => (size += bytes) <= most,
    done: body => void (outcome.body = Buffer.from(body).toString()),
    failed: why => void (outcome.failed = why),
  })
  return { source, fill, outcome }
}

test("readers that come at any time get all of it", () => {
  const { source, fill, outcome } = filling(10)
  const first = new Reader(fill.reader())
  fill.start()
  source.push("01234")
  const second = new Reader(fill.reader())
  expect([first.text, second.text]).toEqual(["01234", "01234"])
  source.push("56789")
  source.sink.end()
  const late = new Reader(fill.reader())
  for (const reader of [first, second, late]) expect([reader.text, reader.ended]).toEqual(["0123456789", "end"])
  expect(outcome).toEqual({ body: "0123456789" })
})

test("a part", () => {
  const { source, fill } = filling(10)
  const part = new Reader(fill.reader({ start: 3, end: 7 }))
  fill.start()
  for (const c of "0123456789") source.push(c)
  source.sink.end()
  expect([part.text, part.ended]).toEqual(["3456", "end"])
})

test("a slow reader holds up neither the origin nor another reader", () => {
  const { source, fill, outcome } = filling(-1)
  const slow = new Reader(fill.reader())
  slow.stream.pause()
  const quick = new Reader(fill.reader())
  fill.start()
  for (let i = 0; i < 100; i++) source.push("x".repeat(10_000))
  expect([source.paused, quick.text.length]).toEqual([false, 1_000_000])
  source.sink.end()
  expect([outcome.body?.length, slow.text.length]).toEqual([1_000_000, 0])
  slow.stream.resume()
  expect([slow.text.length, slow.ended]).toEqual([1_000_000, "end"])
})

test("too large to be kept: it goes on at the reader's pace, in bounded memory", () => {
  const { source, fill, outcome } = filling(-1, 50_000)
  const reader = new Reader(fill.reader())
  fill.start()
  let pushed = 0
  reader.stream.pause()
  while (!source.paused) {
    source.push("x".repeat(10_000))
    pushed += 10_000
  }
  expect(pushed).toBeLessThan(400_000)
  expect(outcome.failed).toBe("too large")
  reader.stream.resume()
  expect(reader.text).toHaveLength(pushed)
  expect<boolean>(source.paused).toBe(false)
  source.push("end")
  source.sink.end()
  expect([reader.text.endsWith("xend"), reader.ended, outcome.body]).toEqual([true, "end", undefined])
})

test("it is filled although its reader left, unless it is too large", () => {
  const kept = filling(-1)
  const reader = kept.fill.reader()
  kept.fill.start()
  reader.cancel()
  kept.source.push("all")
  kept.source.sink.end()
  expect([kept.outcome.body, kept.source.cancelled]).toEqual(["all", false])

  const large = filling(-1, 2)
  const gone = large.fill.reader()
  large.fill.start()
  gone.cancel()
  large.source.push("all")
  expect([large.outcome.failed, large.source.cancelled]).toEqual(["too large", true])
})

test("a body that is cut, too short or too long is kept by nobody", () => {
  for (const [text, end] of [["01234", "fail"], ["01234", "end"], ["0123456789ab", "end"]] as const) {
    const { source, fill, outcome } = filling(10)
    const reader = new Reader(fill.reader())
    fill.start()
    source.push(text)
    if (end === "fail") source.sink.fail(new Error("cut"))
    else source.sink.end()
    expect(outcome.body).toBeUndefined()
    if (text.length < 10) expect(reader.ended).toBe("fail")
  }
})
