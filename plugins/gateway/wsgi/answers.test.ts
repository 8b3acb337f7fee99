import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { CANCEL, CREDIT, DATA, frame, header, RESPONSE } from "../../../test/kit/raw-front.ts"
import type { Ask, RawFront } from "../../../test/kit/raw-front.ts"
import { startWsgi } from "./testdata/start.ts"

const bad = [
  "status_number", "status_bytes", "status_split", "status_interim", "name_bytes",
  "name_space", "name_newline", "name_empty", "value_bytes", "value_number", "value_split", "value_nul", "value_wide",
  "one_of_three", "length_word", "length_two", "headers_dict",
]

/** Every case holds whether the app runs in the main loop or in a pool of threads. */
describe.each([1, 4])("answers with threads = %d", threads => {
  let worker: PythonWorker
  let front: RawFront
  let id = 0
  const get = (path: string, ask: Ask = {}) => front.ask(++id, { path, ...ask })
  /** Waits until close() of that name ran; with threads it may do so after the answer. */
  async function closed(name: string): Promise<void> {
    while (!(JSON.parse((await get("/what_closed")).body.toString()) as string[]).includes(name)) await Bun.sleep(2)
  }

  beforeAll(async () => {
    worker = await startWsgi("apps:application", { threads })
    front = await worker.connect()
  })
  afterAll(() => worker.stop())

  test("one piece gets a Content-Length and leaves in one frame", async () => {
    const answer = await get("/one_large", { query: "10" })
    expect(answer).toMatchObject({ status: 200, reason: "", frames: 1, headers: ["Content-Type", "text/plain", "Content-Length", "10"] })
    expect(answer.body.toString()).toBe("zzzzzzzzzz")
  })

  test("a body above the credit of one exchange", async () => {
    const answer = await get("/one_large", { query: "3000000" })
    expect(answer.bytes).toBe(3_000_000)
    expect(header(answer, "content-length")).toBe("3000000")
  })

  test("no more than the credit leaves before it is granted", async () => {
    front.granting = false
    const mine = ++id
    front.request(mine, { path: "/one_large", query: "300000" })
    let bytes = 0
    while (bytes < 262144) {
      const seen = await front.next(s => s.id === mine && (s.type === RESPONSE || s.type === DATA))
      bytes += seen!.payload.length - seen!.head
    }
    expect(bytes).toBe(262144)
    front.granting = true
    front.send(frame(CREDIT, { id: mine, head: 65536 }))
    const rest = await front.next(s => s.id === mine)
    expect(rest).toMatchObject({ type: DATA, end: true })
    expect(rest!.payload.length).toBe(300000 - 262144)
  })

  test("each piece of a generator leaves before the next is asked for", async () => {
    const file = join(worker.run, `go-${threads}`)
    const mine = ++id
    front.request(mine, { path: "/stepwise", query: file })
    const first = await front.next(s => s.id === mine)
    expect(first!.payload.subarray(first!.head).toString()).toBe("first")
    await Bun.write(file, "")
    expect((await front.answer(mine)).body.toString()).toBe("second")
  })

  test("write(), and what is returned after it", async () => {
    expect((await get("/writes")).body.toString()).toBe("one two three")
  })

  test.each([
    ["/empty", 200, "", "0"],
    ["/no_content", 204, "", undefined],
    ["/not_modified", 304, "", undefined],
    ["/lazy", 201, "lazy", undefined],
  ])("%s", async (path, status, body, length) => {
    const answer = await get(path)
    expect(answer).toMatchObject({ status, error: undefined })
    expect(answer.body.toString()).toBe(body)
    expect(header(answer, "content-length")).toBe(length)
  })

  test.each(["/one_large", "/closing", "/writes", "/download", "/endless", "/too_short", "/endless_file"])("HEAD %s has no body", async path => {
    const answer = await get(path, { method: "HEAD", query: "100000" })
    expect(answer).toMatchObject({ status: 200, bytes: 0, frames: 1, error: undefined })
    if (path === "/download" || path === "/one_large") expect(header(answer, "content-length")).toBe("100000")
  })

  test("reason, duplicates and Latin-1 are kept; Connection and Date are not", async () => {
    const answer = await get("/drops")
    expect(answer.reason).toBe("Fine")
    expect(answer.headers).toEqual(["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-L", "café", "Content-Length", "1"])
  })

  test("a body longer than its Content-Length is cut there", async () => {
    expect((await get("/too_long")).body.toString()).toBe("12345")
    const answer = await get("/too_long_pieces")
    expect(answer).toMatchObject({ error: undefined })
    expect(answer.body.toString()).toBe("12345")
    await closed("too_long_pieces")
    await worker.printed("gave more than its Content-Length of 5 bytes")
  })

  test("a body shorter than its Content-Length does not look complete", async () => {
    expect((await get("/too_short")).error).toContain("ended after 3 bytes of 5")
  })

  test("file_wrapper: from where the file stands, to a Content-Length, and any object with read()", async () => {
    const path = join(import.meta.dir, "testdata/apps.py")
    const whole = Buffer.from(await Bun.file(path).arrayBuffer())
    expect((await get("/file", { query: path })).body).toEqual(whole.subarray(5))
    expect((await get("/file_range", { query: path })).body).toEqual(whole.subarray(0, 10))
    expect((await get("/own_reader")).body.toString()).toBe("piecepiecepiece")
    await closed("own_reader")
  })

  test("close() is called, also after an error in it", async () => {
    expect((await get("/closing", { query: "one" })).body.toString()).toBe("xy")
    expect((await get("/close_fails")).body.toString()).toBe("x")
    await closed("one")
    await closed("close_fails")
    await worker.printed("close failed")
  })

  test.each(["endless", "endless_file"])("close() is called when the client has gone: %s", async name => {
    const mine = ++id
    front.request(mine, { path: `/${name}` })
    await front.next(s => s.id === mine && s.type === DATA)
    front.send(frame(CANCEL, { id: mine }))
    expect((await front.answer(mine)).error).toBe("cancelled")
    await closed(name)
  })

  test("an exception before the headers is 500 and its traceback is on stderr only", async () => {
    const answer = await get("/fails", { query: "q=1" })
    expect(answer).toMatchObject({ status: 500, error: undefined })
    expect(answer.body.toString()).toBe("Internal Server Error\n")
    await worker.printed("<3>edge wsgi: error in GET /fails?q=1")
    await worker.printed("<3>\tValueError: the secret reason")
    expect(await get("/fails_after_start")).toMatchObject({ status: 500 })
    expect(header(await get("/fails_after_start"), "x-lost")).toBeUndefined()
    expect(await get("/exits")).toMatchObject({ status: 500 })
  })

  test("an exception after the headers ends the exchange with ERROR", async () => {
    const answer = await get("/fails_late")
    expect(answer).toMatchObject({ status: 200, error: "the app raised an exception after its headers" })
    expect(answer.body.toString()).toBe("begun")
  })

  test("exc_info replaces the headers until they left, then raises", async () => {
    const answer = await get("/corrects")
    expect(answer).toMatchObject({ status: 503, headers: ["X-Corrected", "1", "Content-Length", "5"] })
    expect((await get("/corrects_late")).error).toBeDefined()
    await worker.printed("ValueError: too late")
  })

  test.each(["/starts_twice", "/never_starts", "/returns_text", "/yields_text", "/returns_none"])("%s is 500", async path => {
    expect(await get(path)).toMatchObject({ status: 500, error: undefined })
  })

  test.each(bad)("start_response with %s is 500", async query => {
    const answer = await get("/bad", { query })
    expect(answer).toMatchObject({ status: 500, error: undefined })
    expect(answer.headers).toEqual(["Content-Type", "text/plain; charset=utf-8", "Content-Length", "22"])
  })

  test("print() of anything works and comes out", async () => {
    expect((await get("/prints")).body.toString()).toBe("printed")
    await worker.printed("printed ✓ \\ud800")
    await worker.printed("to wsgi.errors")
  })

  test("wsgiref.validate finds nothing", async () => {
    const post = await get("/valid_echo", { method: "POST", body: "checked", headers: ["Content-Type", "text/plain"] })
    expect(post).toMatchObject({ status: 200, error: undefined })
    expect(post.body.toString()).toBe("checked")
    expect((await get("/valid_echo")).status).toBe(200)
    const generator = await get("/valid_generator")
    expect(generator).toMatchObject({ status: 200, error: undefined })
    expect(generator.body.toString()).toBe("abc")
  })

  test("1,000 pipelined requests, each with its own answer", async () => {
    const first = id + 1
    for (let n = 0; n < 1000; n++) front.request(++id, { path: "/echo", method: "POST", body: `body ${n}` })
    for (let n = 0; n < 1000; n++) expect((await front.answer(first + n)).body.toString()).toBe(`body ${n}`)
  })
})

test("in dev the traceback is in the answer", async () => {
  const worker = await startWsgi("apps:application", { dev: true })
  try {
    const front = await worker.connect()
    expect((await front.ask(1, { path: "/fails" })).body.toString()).toContain("ValueError: the secret reason")
    const page = await front.ask(2, { path: "/fails", query: "<b>", target: "/fails?<b>", headers: ["accept", "text/html,*/*;q=0.8"] })
    expect(header(page, "content-type")).toBe("text/html; charset=utf-8")
    expect(page.body.toString()).toContain("<h1>ValueError: the secret reason</h1>\n<p>GET /fails?&lt;b&gt;</p>")
    // From the app's first frame on.
    expect(page.body.toString()).not.toContain("edge_wsgi_")
  } finally {
    await worker.stop()
  }
})

test("a closed stdout does not reach the app", async () => {
  const worker = await startWsgi("apps:application")
  try {
    const front = await worker.connect()
    expect(await front.ask(1, { path: "/closes_stdout" })).toMatchObject({ status: 200 })
  } finally {
    await worker.stop()
  }
})
