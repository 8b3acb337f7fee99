import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { CANCEL, CREDIT, DATA, frame, header, requestFrame } from "../../../test/kit/raw-front.ts"
import type { Ask, RawFront } from "../../../test/kit/raw-front.ts"
import { startWsgi } from "./testdata/start.ts"

describe.each([1, 4])("request bodies with threads = %d", threads => {
  let worker: PythonWorker
  let front: RawFront
  let id = 0
  const post = (path: string, ask: Ask = {}) => front.ask(++id, { method: "POST", path, ...ask })

  beforeAll(async () => {
    worker = await startWsgi("apps:application", { threads })
    front = await worker.connect()
  })
  afterAll(() => worker.stop())

  /** Sends `bytes` in DATA frames of 64 kB as credit allows; resolves with the hash of what was sent. */
  async function upload(mine: number, bytes: number): Promise<string> {
    const piece = Buffer.alloc(65536)
    const hash = createHash("sha256")
    for (let sent = 0; sent < bytes; ) {
      const n = Math.min(piece.length, bytes - sent)
      await front.granted(mine, sent + n - 262144)
      piece.writeUInt32LE(sent >>> 0, 0)
      hash.update(piece.subarray(0, n))
      sent += n
      front.send(frame(DATA, { id: mine, payload: piece.subarray(0, n), end: sent === bytes }))
    }
    return hash.digest("hex")
  }

  /** The request in its first frame, the rest of the body in one frame per piece. */
  async function inPieces(path: string, pieces: string[], length?: string) {
    const mine = ++id
    const total = pieces.join("").length
    front.request(mine, { method: "POST", path, body: pieces[0]!, length: length ?? String(total), end: false })
    for (const [n, piece] of pieces.slice(1).entries()) {
      front.send(frame(DATA, { id: mine, payload: piece, end: n === pieces.length - 2 }))
    }
    return front.answer(mine)
  }

  const text = "ab\ncdefgh\nijk\nlast\nno newline"

  test.each(["whole", "in pieces"])("read, readline, readlines with sizes: %s", async how => {
    const answer = how === "whole" ? await post("/reads", { body: text }) : await inPieces("/reads", ["", "a", "b\ncdef", "gh\nijk\n", "last\nno newline"])
    expect(JSON.parse(answer.body.toString())).toEqual(["ab\n", "cdefgh\n", "ij", "k\n", "last\n", "no newline", "", ""])
  })

  test.each(["whole", "in pieces"])("iteration by lines: %s", async how => {
    const answer = how === "whole" ? await post("/iterates", { body: text }) : await inPieces("/iterates", ["ab\nc", "defgh\nijk\nlast\nno", " newline"])
    expect(JSON.parse(answer.body.toString())).toEqual(["ab\n", "cdefgh\n", "ijk\n", "last\n", "no newline"])
  })

  test("an empty body, and one that ends with an empty frame", async () => {
    expect((await post("/echo")).body.toString()).toBe("")
    expect((await inPieces("/echo", ["abc", ""])).body.toString()).toBe("abc")
  })

  test("a chunked body is given a CONTENT_LENGTH before the app runs, in memory or on disk", async () => {
    const whole = await post("/echo", { body: "at once", length: "-1" })
    expect(whole.body.toString()).toBe("at once")
    expect(header(whole, "x-length")).toBe("7")
    const pieces = await inPieces("/echo", ["in ", "pieces"], "-1")
    expect(pieces.body.toString()).toBe("in pieces")
    expect(header(pieces, "x-length")).toBe("9")
    expect(header(await inPieces("/echo", ["", ""], "-1"), "x-length")).toBe("0")
    const mine = ++id
    front.request(mine, { method: "POST", path: "/digest", length: "-1", end: false })
    const sha256 = await upload(mine, 5_000_000)
    expect(JSON.parse((await front.answer(mine)).body.toString())).toMatchObject({ bytes: 5_000_000, sha256 })
  })

  test("200 MB in and out in constant memory", async () => {
    const size = 200_000_000
    const before = Number((await post("/memory")).body)
    const mine = ++id
    front.request(mine, { method: "POST", path: "/digest", length: String(size), end: false })
    const sha256 = await upload(mine, size)
    const answer = await front.answer(mine)
    expect(JSON.parse(answer.body.toString())).toMatchObject({ bytes: size, sha256 })
    const out = ++id
    front.request(out, { path: "/download", query: String(size) })
    expect((await front.answer(out, false)).bytes).toBe(size)
    // High-water mark, in kB.
    expect(Number((await post("/memory")).body) - before).toBeLessThan(10_000)
  }, 60_000)

  test("an app that does not read holds the front back at the first credit", async () => {
    const mine = ++id
    front.request(mine, { method: "POST", path: "/slow", query: "0.05", length: "1000000", end: false })
    for (let n = 0; n < 4; n++) front.send(frame(DATA, { id: mine, payload: Buffer.alloc(65536) }))
    expect((await front.answer(mine)).status).toBe(200)
    expect(front.credit.get(mine)).toBeUndefined()
  })

  test("an answer before the body was read; what still comes of it is dropped", async () => {
    const mine = ++id
    front.request(mine, { method: "POST", path: "/ignores_body", length: "200000", end: false, body: "x".repeat(1000) })
    expect((await front.answer(mine)).status).toBe(413)
    front.send(frame(DATA, { id: mine, payload: Buffer.alloc(65536) }), frame(DATA, { id: mine, end: true }))
    // The id is free again.
    expect((await front.ask(mine, { path: "/echo", method: "POST", body: "next" })).body.toString()).toBe("next")
  })

  test("CANCEL while the app waits for its body", async () => {
    const mine = ++id
    front.request(mine, { method: "POST", path: "/digest", length: "100000", end: false, body: "begun" })
    front.send(frame(CANCEL, { id: mine }))
    expect(await front.answer(mine)).toMatchObject({ status: 0, error: "cancelled" })
  })

  test("CANCEL while a chunked body comes, before the app runs", async () => {
    const mine = ++id
    front.request(mine, { method: "POST", path: "/digest", length: "-1", end: false, body: "begun" })
    front.send(frame(CANCEL, { id: mine }))
    expect(await front.answer(mine)).toMatchObject({ status: 0, error: "cancelled" })
    expect((await post("/echo", { body: "on" })).body.toString()).toBe("on")
  })

  test("CANCEL while the client does not read", async () => {
    front.granting = false
    const mine = ++id
    front.request(mine, { path: "/one_large", query: "3000000" })
    await front.next(s => s.id === mine)
    front.send(frame(CANCEL, { id: mine }))
    expect((await front.answer(mine)).error).toBe("cancelled")
    front.granting = true
  })

  test("CANCEL of what waits is answered while every thread is busy, and never runs", async () => {
    const busy = id + 1
    for (let n = 0; n < threads; n++) front.request(++id, { path: "/slow", query: "0.5" })
    const waits = ++id
    front.request(waits, { path: "/closing", query: "never" })
    front.send(frame(CANCEL, { id: waits }))
    expect((await front.answer(waits)).error).toBe("cancelled")
    for (let n = 0; n < threads; n++) expect((await front.answer(busy + n)).status).toBe(200)
    expect(JSON.parse((await post("/what_closed")).body.toString())).not.toContain("never")
  })

  test("CANCEL and CREDIT for ids that are not known are dropped", async () => {
    front.send(frame(CANCEL, { id: 4_000_000_000 }), frame(CREDIT, { id: 4_000_000_001, head: 7 }))
    expect((await post("/echo", { body: "on" })).body.toString()).toBe("on")
  })

  test("frames cut anywhere are put together", async () => {
    const first = ++id
    const bytes = Buffer.concat([
      requestFrame(first, { method: "POST", path: "/echo", body: "one" }),
      requestFrame(++id, { method: "POST", path: "/echo", body: "x".repeat(300_000) }),
      requestFrame(++id, { method: "POST", path: "/echo", body: "three" }),
    ])
    for (let at = 0; at < bytes.length; at += at < 400 ? 7 : 99_991) {
      front.send(bytes.subarray(at, at + (at < 400 ? 7 : 99_991)))
      await new Promise(setImmediate)
    }
    expect((await front.answer(first)).body.toString()).toBe("one")
    expect((await front.answer(first + 1)).bytes).toBe(300_000)
    expect((await front.answer(first + 2)).body.toString()).toBe("three")
  })
})
