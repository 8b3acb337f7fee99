import { afterEach, describe, expect, test } from "bun:test"
import type { PythonWorker } from "../../../test/kit/python-worker.ts"
import { DRAIN, ERROR, frame, HELLO, PING, PONG, STACK } from "../../../test/kit/raw-front.ts"
import { startWsgi } from "./testdata/start.ts"

let worker: PythonWorker
afterEach(() => worker.stop())

async function start(entry = "apps:application", options: Parameters<typeof startWsgi>[1] = {}): Promise<PythonWorker> {
  return (worker = await startWsgi(entry, options))
}

async function stackOf(w: PythonWorker): Promise<string> {
  const supervisor = await w.connect("supervisor")
  supervisor.send(frame(STACK))
  return (await supervisor.next(seen => seen.type === STACK))!.payload.toString()
}

describe("entry", () => {
  test.each(["apps", "apps:application", "apps:make()", "apps:Holder.inner", `apps:make_with("it's (:x", debug=True, more=[1, None])`])("%s", async entry => {
    const front = await (await start(entry)).connect()
    expect((await front.ask(1, { path: "/echo", method: "POST", body: "x" })).body.toString()).toBe("x")
  })

  test.each([
    ["broken_import", "ImportError: cannot import name 'no_such_name' from 'json'"],
    ["broken_import", 'testdata/broken_import.py", line 2'],
    ["not_there:app", "ModuleNotFoundError: No module named 'not_there'"],
    ["apps:missing", "module 'apps' has no 'missing'"],
    ["apps:BAD", "apps:BAD is a dict, which cannot be called"],
    ["apps:make(open('x'))", "is neither a name nor a call with literals"],
    ["apps:make(**{'a': 1})", "is neither a name nor a call with literals"],
    ["apps:make('a)", "is neither a name nor a call with literals"],
    ["json", "module 'json' has no 'application' or 'app'"],
  ])("%s exits with 3 and says %s", async (entry, words) => {
    const { code, output } = await (await start(entry)).ended()
    expect(code).toBe(3)
    expect(output).toContain(words)
    expect(output).not.toContain("frozen importlib")
  })
})

describe("control", () => {
  test("HELLO says who the worker is", async () => {
    const silent = await (await start("apps", { threads: 3 })).connectSilently()
    const hello = await silent.next()
    expect(hello!.type).toBe(HELLO)
    expect(JSON.parse(hello!.payload.toString())).toEqual({ version: 1, role: "worker", name: "wsgi", pid: expect.any(Number), concurrency: 3, ws: expect.stringMatching(/ws-\d+\.sock$/), head: true })
  })

  test("PING on the connections of front and supervisor", async () => {
    const w = await start()
    for (const role of ["front", "supervisor"]) {
      const peer = await w.connect(role)
      peer.send(frame(PING, { payload: "abc" }))
      const pong = await peer.next()
      expect(pong).toMatchObject({ type: PONG, id: 0 })
      expect(pong!.payload.toString()).toBe("abc")
    }
  })

  test.each([
    ["/spins", "in spins"],
    ["/slow?5", "in slow"],
  ])("STACK shows where the only app thread is stuck: %s", async (target, line) => {
    const w = await start()
    const front = await w.connect()
    const [path, query = ""] = target.split("?")
    front.request(1, { path: path!, query })
    await Bun.sleep(100)
    const text = await stackOf(w)
    expect(text).toContain(`Thread MainThread: GET ${target} for `)
    expect(text).toContain(line)
    expect(text).toContain("apps.py")
  })

  test("STACK names what each thread works on", async () => {
    const w = await start("apps", { threads: 2 })
    const front = await w.connect()
    front.request(1, { path: "/slow", query: "5" })
    await Bun.sleep(100)
    expect(await stackOf(w)).toMatch(/edge-app-\d: GET \/slow\?5 for [0-9.]+ s/)
    expect(await stackOf(w)).toMatch(/edge-app-\d: idle/)
  })

  test("SIGUSR1 shows the stack also while an extension holds the interpreter", async () => {
    const w = await start()
    const front = await w.connect()
    front.request(1, { path: "/locks_interpreter" })
    await Bun.sleep(200)
    w.process.kill("SIGUSR1")
    await w.printed("in locks_interpreter")
  })

  test("a front can connect while the only app thread is stuck", async () => {
    const w = await start()
    const front = await w.connect()
    front.request(1, { path: "/spins" })
    await Bun.sleep(50)
    await w.connect()
  })
})

describe.each([1, 4])("end with threads = %d", threads => {
  test.each(["DRAIN", "SIGTERM", "lost supervisor"])("%s: what was begun is finished, then exit 0", async how => {
    const w = await start("apps", { threads })
    const supervisor = await w.connect("supervisor")
    const front = await w.connect()
    front.request(1, { path: "/slow", query: "0.3" })
    front.request(2, { path: "/slow", query: "0" })
    await Bun.sleep(100)
    if (how === "DRAIN") supervisor.send(frame(DRAIN))
    else if (how === "SIGTERM") w.process.kill("SIGTERM")
    else supervisor.close()
    expect((await front.answer(1)).status).toBe(200)
    expect((await front.answer(2)).status).toBe(200)
    expect((await w.ended()).code).toBe(0)
  })

  test("a second supervisor keeps it when the first goes", async () => {
    const w = await start("apps", { threads })
    const first = await w.connect("supervisor")
    const second = await w.connect("supervisor")
    first.close()
    second.send(frame(PING))
    expect((await second.next())!.type).toBe(PONG)
    expect((await (await w.connect()).ask(1, { path: "/empty" })).status).toBe(200)
  })

  test("a front that goes takes its exchanges with it, and others go on", async () => {
    const w = await start("apps", { threads })
    const gone = await w.connect()
    gone.request(1, { path: "/endless" })
    await gone.next(s => s.id === 1)
    gone.close()
    const front = await w.connect()
    let closed: string[] = []
    for (let id = 1; !closed.includes("endless"); id++) {
      closed = JSON.parse((await front.ask(id, { path: "/what_closed" })).body.toString()) as string[]
    }
  })

  test("a child that the app forks and that comes out of the app ends", async () => {
    const front = await (await start("apps", { threads })).connect()
    expect((await front.ask(1, { path: "/forks" })).body.toString()).toBe("5")
    expect((await front.ask(2, { path: "/empty" })).status).toBe(200)
  })

  test("a child that outlives the worker does not hold its sockets", async () => {
    const w = await start("apps", { threads })
    const front = await w.connect()
    const pid = Number((await front.ask(1, { path: "/outlived" })).body)
    w.process.kill("SIGKILL")
    expect(await front.next()).toBeUndefined()
    process.kill(pid, "SIGKILL")
  })
})

test("threads run at once", async () => {
  const front = await (await start("apps", { threads: 4 })).connect()
  for (let id = 1; id <= 4; id++) front.request(id, { path: "/meets" })
  for (let id = 1; id <= 4; id++) expect((await front.answer(id)).body.toString()).toBe("met")
})

describe("a peer that breaks the protocol is told and dropped, and the worker goes on", () => {
  const head = Buffer.from("GET\0/\0/\0\0\0http")
  const long = Buffer.alloc(16)
  long.writeUInt32LE(2_000_000, 0)
  long[12] = 2
  const cases: [string, Uint8Array][] = [
    ["random bytes", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n and more and more and more")],
    ["a frame above 1 MiB", long],
    ["an unknown type", frame(99)],
    ["a type that only workers send", frame(3, { id: 1 })],
    ["REQUEST with id 0", frame(2, { payload: head, head: head.length })],
    ["REQUEST whose head is longer than the frame", frame(2, { id: 1, payload: head, head: 1000 })],
    ["REQUEST with too few fields", frame(2, { id: 1, payload: head, head: head.length })],
    ["ERROR", frame(ERROR, { payload: "I give up" })],
  ]
  test.each(cases)("%s", async (_, bytes) => {
    const w = await start()
    const other = await w.connect()
    const front = await w.connect()
    front.send(bytes)
    const last = await front.next(seen => seen.type === ERROR)
    expect(last).toMatchObject({ type: ERROR, id: 0 })
    expect(await front.next()).toBeUndefined()
    expect((await other.ask(1, { path: "/empty" })).status).toBe(200)
  })

  test.each([
    ["another version", frame(HELLO, { payload: '{"version":2,"role":"front"}' })],
    ["an unknown role", frame(HELLO, { payload: '{"version":1,"role":"client"}' })],
    ["no JSON", frame(HELLO, { payload: "hello" })],
    ["no HELLO", frame(PING)],
  ])("HELLO: %s", async (_, bytes) => {
    const w = await start()
    const peer = await w.connectSilently()
    await peer.next()
    peer.send(bytes)
    expect(await peer.next()).toMatchObject({ type: ERROR, id: 0 })
    expect(await peer.next()).toBeUndefined()
    await w.connect()
  })
})
