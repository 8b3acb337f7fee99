import { afterAll, beforeAll, expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { join } from "node:path"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { CANCEL, CREDIT, DATA, EARLY, frame, header, RESPONSE } from "../../../test/kit/raw-front.ts"
import type { Ask, RawFront } from "../../../test/kit/raw-front.ts"
import { startAsgi } from "./testdata/start.ts"

let worker: PythonWorker
let front: RawFront
let id = 0
const get = (path: string, ask: Ask = {}) => front.ask(++id, { path, ...ask })

beforeAll(async () => {
  worker = await startAsgi("apps:application")
  front = await worker.connect()
})
afterAll(() => worker.stop())

/** Waits until the app noted an event. */
async function happened(event: string): Promise<void> {
  for (;;) {
    if ((JSON.parse((await get("/seen")).body.toString()) as string[]).includes(event)) return
    await Bun.sleep(5)
  }
}

test("an app that asks again and again whether its client has left costs nothing for it", async () => {
  expect((await get("/polls")).body.toString()).toBe("0")
})

test("the scope", async () => {
  const headers = ["Host", "example.com:8080", "X-One", "1", "x-one", "2", "X_One", "evil", "X-L", "café"]
  const answer = await get("/scope", { method: "PUT", query: "a=%20b", target: "/sc%6Fpe?a=%20b", headers })
  expect(JSON.parse(answer.body.toString())).toEqual({
    type: "http",
    asgi: { version: "3.0", spec_version: "2.4" },
    http_version: "1.1",
    method: "PUT",
    scheme: "http",
    path: "/scope",
    raw_path: "/sc%6Fpe",
    query_string: "a=%20b",
    root_path: "",
    headers: [["host", "example.com:8080"], ["x-one", "1"], ["x-one", "2"], ["x-l", "café"]],
    client: ["192.0.2.7", 5555],
    server: ["example.com", 8080],
    state: { started: "yes" },
    extensions: { "http.response.early_hint": {} },
  })
})

test("path is decoded UTF-8 and holds the prefix; root_path is the prefix", async () => {
  const latin1 = (text: string) => Buffer.from(text).toString("latin1")
  const answer = await get(latin1("/scope/żółw"), { prefix: latin1("/sklep-ż"), scheme: "https", host: "h" })
  expect(JSON.parse(answer.body.toString())).toMatchObject({
    path: "/sklep-ż/scope/żółw", root_path: "/sklep-ż", scheme: "https", server: ["h", 443],
  })
})

test("one piece gets a Content-Length and leaves in one frame", async () => {
  const answer = await get("/echo", { method: "POST", body: "hello" })
  expect(answer).toMatchObject({ status: 200, frames: 1, headers: ["Content-Length", "5"] })
  expect(answer.body.toString()).toBe("hello")
})

test("bodies in pieces, both ways", async () => {
  const mine = ++id
  front.request(mine, { method: "POST", path: "/echo", body: "one ", length: "-1", end: false })
  front.send(frame(DATA, { id: mine, payload: "two " }), frame(DATA, { id: mine, payload: "three" }), frame(DATA, { id: mine, end: true }))
  expect((await front.answer(mine)).body.toString()).toBe("one two three")
})

test("a body above the credit of one exchange waits for more", async () => {
  front.granting = false
  const mine = ++id
  front.request(mine, { path: "/one_large", query: "300000" })
  const first = await front.next(s => s.id === mine)
  expect(first!.payload.length - first!.head).toBe(262144)
  // The loop goes on meanwhile.
  expect((await get("/echo", { method: "POST", body: "on" })).body.toString()).toBe("on")
  front.granting = true
  front.send(frame(CREDIT, { id: mine, head: 65536 }))
  expect(await front.next(s => s.id === mine)).toMatchObject({ type: DATA, end: true })
})

test("each piece leaves before the next is made", async () => {
  const file = join(worker.run, "go")
  const mine = ++id
  front.request(mine, { path: "/stepwise", query: file })
  const first = await front.next(s => s.id === mine)
  expect(first).toMatchObject({ type: RESPONSE, end: false })
  expect(first!.payload.subarray(first!.head).toString()).toBe("first")
  await Bun.write(file, "")
  expect((await front.answer(mine)).body.toString()).toBe("second")
})

test("200 MB in and out in constant memory", async () => {
  const size = 200_000_000
  const before = Number((await get("/memory")).body)
  const mine = ++id
  front.request(mine, { method: "POST", path: "/digest", length: String(size), end: false })
  const piece = Buffer.alloc(65536)
  const hash = createHash("sha256")
  for (let sent = 0; sent < size; ) {
    const n = Math.min(piece.length, size - sent)
    await front.granted(mine, sent + n - 262144)
    piece.writeUInt32LE(sent >>> 0, 0)
    hash.update(piece.subarray(0, n))
    sent += n
    front.send(frame(DATA, { id: mine, payload: piece.subarray(0, n), end: sent === size }))
  }
  expect(JSON.parse((await front.answer(mine)).body.toString())).toEqual({ bytes: size, sha256: hash.digest("hex") })
  const out = ++id
  front.request(out, { path: "/download", query: String(size) })
  expect((await front.answer(out, false)).bytes).toBe(size)
  expect(Number((await get("/memory")).body) - before).toBeLessThan(10_000)
}, 60_000)

test("fifty requests at once in one worker", async () => {
  const first = id + 1
  for (let n = 0; n < 50; n++) front.request(++id, { path: "/meets" })
  for (let n = 0; n < 50; n++) expect((await front.answer(first + n)).body.toString()).toBe("met")
})

test("1,000 pipelined requests, each with its own answer", async () => {
  const first = id + 1
  for (let n = 0; n < 1000; n++) front.request(++id, { path: "/echo", method: "POST", body: `body ${n}` })
  for (let n = 0; n < 1000; n++) expect((await front.answer(first + n)).body.toString()).toBe(`body ${n}`)
})

test("CANCEL: send() raises an OSError, receive() says http.disconnect, a deaf app is cancelled", async () => {
  for (const [path, event] of [["/endless", "endless: ClientGone"], ["/listens", "listens: http.disconnect"]] as const) {
    const mine = ++id
    front.request(mine, { path })
    await front.next(s => s.id === mine && s.type === RESPONSE)
    front.send(frame(CANCEL, { id: mine }))
    expect((await front.answer(mine)).error).toBe("cancelled")
    await happened(event)
  }
  const deaf = ++id
  front.request(deaf, { path: "/ignores" })
  front.send(frame(CANCEL, { id: deaf }))
  expect(await front.answer(deaf)).toMatchObject({ status: 0, error: "cancelled" })
  await happened("ignores: cancelled")
}, 15_000)

test("what a framework makes of a client's leaving is not in the log, an error of the app's own is", async () => {
  const mine = ++id
  front.request(mine, { path: "/translates" })
  await front.next(s => s.id === mine && s.type === RESPONSE)
  front.send(frame(CANCEL, { id: mine }))
  await happened("translates")
  const other = ++id
  front.request(other, { path: "/fails_after" })
  front.send(frame(CANCEL, { id: other }))
  await worker.printed("an error of its own")
  expect(worker.output).not.toContain("what a framework calls it")
})

test("an app may work on after its answer", async () => {
  expect((await get("/after_answer")).body.toString()).toBe("done")
  await happened("after_answer: http.disconnect")
  await happened("after_answer: worked on")
})

test("what does not fit the Content-Length", async () => {
  expect(await get("/too_long")).toMatchObject({ bytes: 5, error: undefined })
  await worker.printed("gave more than its Content-Length of 5 bytes")
  expect((await get("/too_short")).error).toContain("ended after 3 bytes of 5")
  expect((await get("/too_short_pieces")).error).toContain("ended after 3 bytes of 5")
})

test("no body on HEAD, 204", async () => {
  for (const path of ["/one_large", "/download", "/endless", "/stepwise"]) {
    expect(await get(path, { method: "HEAD", query: "100000" })).toMatchObject({ status: 200, bytes: 0, frames: 1, error: undefined })
    if (path === "/endless") front.send(frame(CANCEL, { id }))
  }
  expect(header(await get("/one_large", { method: "HEAD", query: "7" }), "content-length")).toBe("7")
  expect(await get("/no_content")).toMatchObject({ status: 204, bytes: 0, headers: [] })
})

test("what an app raises is 500 before its headers, ERROR after them", async () => {
  const answer = await get("/fails")
  expect(answer).toMatchObject({ status: 500, error: undefined })
  expect(answer.body.toString()).toBe("Internal Server Error\n")
  await worker.printed("ValueError: the secret reason")
  expect(await get("/fails_late")).toMatchObject({ status: 200, error: "the app raised an exception after its headers" })
  expect((await get("/returns_early")).error).toContain("returned before the end")
})

test.each(["/returns", "/starts_twice", "/body_first", "/unknown_message"])("%s is 500", async path => {
  expect(await get(path)).toMatchObject({ status: 500, error: undefined })
})

const bad = ["status_text", "status_interim", "name_text", "name_space", "value_text", "value_split", "value_nul", "length_word", "length_two"]
test.each(bad)("an answer with %s is 500", async query => {
  const answer = await get("/bad", { query })
  expect(answer).toMatchObject({ status: 500, error: undefined })
  expect(answer.headers).toEqual(["Content-Type", "text/plain; charset=utf-8", "Content-Length", "22"])
})

test("the front's headers are dropped but for the wish to close, the others kept as they are", async () => {
  expect((await get("/drops")).headers).toEqual(["connection", "close", "set-cookie", "a=1", "set-cookie", "b=2", "x-l", "café", "Content-Length", "1"])
})

test("early hints", async () => {
  const mine = ++id
  front.request(mine, { path: "/hints" })
  const early = await front.next(s => s.id === mine && s.type === EARLY)
  expect(early!.payload.toString().split("\0")).toEqual(["103", "", "Link", "</a.css>; rel=preload", "Link", "</b.js>; rel=preload"])
  expect((await front.answer(mine)).body.toString()).toBe("hinted")
})
