import { afterEach, describe, expect, test } from "bun:test"
import { describeWith } from "../../../test/kit/needs.ts"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { DRAIN, ERROR, frame, header, PING, PONG, STACK } from "../../../test/kit/raw-front.ts"
import { startAsgi } from "./testdata/start.ts"

let worker: PythonWorker
afterEach(() => worker.stop())

async function start(entry = "apps:application", options: Parameters<typeof startAsgi>[1] = {}): Promise<PythonWorker> {
  return (worker = await startAsgi(entry, options))
}

describe("lifespan", () => {
  test("a failed start-up exits with 3 and says why, and nobody was served before", async () => {
    const { code, output } = await (await start("apps:cannot_start")).ended()
    expect(code).toBe(3)
    expect(output).toContain("the app cannot start: no database")
  })

  test("an app without one is run without", async () => {
    const w = await start("apps:no_lifespan")
    expect((await (await w.connect()).ask(1)).body.toString()).toBe("{}")
    expect(w.output).toContain("the app has no lifespan (AssertionError")
  })

  test("an import error exits with 3", async () => {
    const { code, output } = await (await start("not_there:app")).ended()
    expect(code).toBe(3)
    expect(output).toContain("ModuleNotFoundError: No module named 'not_there'")
  })
})

describe("control", () => {
  test("a stuck loop misses its PING and shows its stack", async () => {
    const w = await start()
    const front = await w.connect()
    const supervisor = await w.connect("supervisor")
    supervisor.send(frame(PING, { payload: "1" }))
    expect((await supervisor.next())!.type).toBe(PONG)
    front.request(1, { path: "/blocks", query: "3" })
    front.request(2, { path: "/sleep", query: "3" })
    await Bun.sleep(100)
    supervisor.send(frame(PING, { payload: "2" }), frame(STACK))
    // The stack comes first although it was asked for later.
    const first = await supervisor.next()
    expect(first!.type).toBe(STACK)
    const text = first!.payload.toString()
    expect(text).toContain("Thread MainThread: the loop")
    expect(text).toContain("time.sleep")
    expect((await supervisor.next())!.type).toBe(PONG)
  })

  test("STACK shows where each exchange waits", async () => {
    const w = await start()
    const front = await w.connect()
    front.request(1, { path: "/sleep", query: "3" })
    await Bun.sleep(100)
    const supervisor = await w.connect("supervisor")
    supervisor.send(frame(STACK))
    const text = (await supervisor.next())!.payload.toString()
    expect(text).toMatch(/GET \/sleep\?3 for 0\.\d+ s/)
    expect(text).toContain("in sleep")
    expect(text).toContain("apps.py")
  })

  test.each(["DRAIN", "SIGTERM", "lost supervisor"])("%s: what was begun is finished, the lifespan ended, then exit 0", async how => {
    const w = await start()
    const supervisor = await w.connect("supervisor")
    const front = await w.connect()
    front.request(1, { path: "/sleep", query: "0.4" })
    await Bun.sleep(50)
    if (how === "DRAIN") supervisor.send(frame(DRAIN))
    else if (how === "SIGTERM") w.process.kill("SIGTERM")
    else supervisor.close()
    expect((await front.answer(1)).body.toString()).toBe("slept")
    front.close()
    const { code, output } = await w.ended()
    expect(code).toBe(0)
    expect(output).toContain("shut down cleanly")
  })

  test.each([
    ["random bytes", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n and more")],
    ["an unknown type", frame(99)],
    ["REQUEST with too few fields", frame(2, { id: 1, payload: "GET\0/", head: 5 })],
  ])("%s closes that connection only", async (_, bytes) => {
    const w = await start()
    const other = await w.connect()
    const front = await w.connect()
    front.send(bytes)
    expect(await front.next()).toMatchObject({ type: ERROR, id: 0 })
    expect(await front.next()).toBeUndefined()
    expect((await other.ask(1, { path: "/seen" })).status).toBe(200)
  })
})

test("in dev the traceback is in the answer", async () => {
  const front = await (await start("apps", { dev: true })).connect()
  expect((await front.ask(1, { path: "/fails" })).body.toString()).toContain("ValueError: the secret reason")
})

const multipart = [
  "--edge", 'Content-Disposition: form-data; name="user"', "", "ann",
  "--edge", 'Content-Disposition: form-data; name="file"; filename="a.txt"', "", "x".repeat(100_000), "--edge--", "",
].join("\r\n")

describeWith(["django"], "Django over ASGI, unmodified", () => {
  test("sync and async views, session, upload, stream, error", async () => {
    const w = await start("django_app")
    const front = await w.connect()
    const headers = ["Host", "example.com"]
    const first = await front.ask(1, { path: "/sync/", prefix: "/shop", headers })
    expect(first.body.toString()).toBe("sync /shop/sync/ seen 1")
    const cookie = header(first, "set-cookie")!.split(";")[0]!
    expect((await front.ask(2, { path: "/sync/", headers: [...headers, "Cookie", cookie] })).body.toString()).toBe("sync /sync/ seen 2")
    const facts = await front.ask(3, { path: "/async/", prefix: "/shop", scheme: "https", headers })
    expect(JSON.parse(facts.body.toString())).toEqual({ path: "/shop/async/", url: "https://example.com/shop/async/", ip: "192.0.2.7" })
    const type = ["Content-Type", "multipart/form-data; boundary=edge", "Content-Length", String(multipart.length)]
    const upload = await front.ask(4, { method: "POST", path: "/upload/", body: multipart, headers: [...headers, ...type] })
    expect(JSON.parse(upload.body.toString())).toEqual({ bytes: 100_000, user: "ann" })
    expect((await front.ask(5, { path: "/stream/", headers })).body.toString()).toBe("row 0\nrow 1\nrow 2\n")
    expect((await front.ask(6, { path: "/fails/", headers })).status).toBe(500)
    expect((await front.ask(7, { path: "/sync", headers })).status).toBe(301)
  })
})
