import { expect, test } from "bun:test"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, inlineApp, pong, python, pythonApp } from "./site.ts"

const files = { "app/app.ts": app, "app/hello.py": python() }
const inline = pong() + inlineApp

/** A connection of our own, so that nothing reconnects behind our back. */
async function open(port: number, request: string) {
  let text = ""
  let ended = false
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, chunk) => void (text += chunk.toString("latin1")),
      close: () => void (ended = true),
      end: () => void (ended = true),
    },
  })
  socket.write(request)
  return { text: () => text, ended: () => ended, write: (more: string) => socket.write(more), has: (part: string) => until(() => text.includes(part)) }
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

async function openWebSocket(edge: Edge) {
  const ws = new WebSocket(`ws://127.0.0.1:${edge.port()}/app/ws`)
  const heard: string[] = []
  ws.onmessage = event => void heard.push(String(event.data))
  await new Promise((resolve, reject) => {
    ws.onopen = resolve
    ws.onerror = reject
  })
  return {
    ws,
    async echo(text: string) {
      ws.send(text)
      await until(() => heard.includes(`echo ${text}`))
    },
    closed: new Promise<number>(resolve => (ws.onclose = event => resolve(event.code))),
  }
}

test("a reload takes up the new config in new processes, and the old ones go", async () => {
  await using edge = await Edge.start({ config: inline, files })
  const before = await edge.status()
  edge.write("site.toml", inline.replace("pong", "changed"))
  expect(await edge.command("reload")).toMatchObject({ code: 0, out: "reloaded: generation 2 serves\n" })
  expect(await edge.get("/ping")).toBe("changed")
  await until(() => before.fronts.every(({ pid }) => !alive(pid)))
  expect((await edge.status()).fronts.map(front => front.generation)).toEqual([2, 2])
})

test("an edited inline app is new after a reload", async () => {
  await using edge = await Edge.start({ config: inline, files })
  expect(await edge.get("/app/pid")).toContain("VERSION")
  edge.write("app/app.ts", app.replace("VERSION", "EDITED"))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/app/pid")).toContain("EDITED")
})

test.each([
  ["an unknown key", (text: string) => text.replace("respond =", "respnd ="), "respnd"],
  ["a syntax error", (text: string) => text + "\n[[[", "site.toml:"],
  ["a port that is taken", (text: string) => text.replace('"127.0.0.1:0"', '"127.0.0.1:0", "127.0.0.1:TAKEN"'), "address already in use"],
])("with %s the reload fails, says where, and the old processes go on", async (_, spoil, word) => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  await using edge = await Edge.start({ config: inline, files })
  const before = await edge.status()
  edge.write("site.toml", spoil(inline).replace("TAKEN", String(taken.port)))
  const { code, err } = await edge.command("reload", "--control", "edge.sock")
  expect(code).toBe(1)
  expect(err).toContain(word)
  expect(err).toMatch(/site\.toml:\d+:\d+/)
  expect(await edge.get("/ping")).toBe("pong")
  const after = await edge.status().catch(() => undefined)
  if (after !== undefined) expect(after.fronts.map(({ pid }) => pid)).toEqual(before.fronts.map(({ pid }) => pid))
  for (const { pid } of before.fronts) expect(alive(pid)).toBe(true)
  taken.stop(true)
  edge.write("site.toml", inline.replace("pong", "mended"))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/ping")).toBe("mended")
})

test("an inline app that does not load fails the reload with its file and line", async () => {
  await using edge = await Edge.start({ config: inline, files })
  edge.write("app/app.ts", "export default { fetch() {} }\nthrow new Error('not today')\n")
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toContain("not today")
  expect(err).toMatch(/app\.ts:2/)
  expect(await edge.get("/app/pid")).toContain("VERSION")
})

test("new addresses open, addresses no longer wanted close", async () => {
  await using edge = await Edge.start({ config: inline, files })
  const old = edge.port()
  const unix = join(edge.dir, "x.sock")
  edge.write("site.toml", inline.replace('"127.0.0.1:0"', '"localhost:0", "unix:x.sock"'))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await (await fetch("http://x/ping", { unix })).text()).toBe("pong")
  expect(await (await fetch(edge.url("/ping", 1))).text()).toBe("pong")
  await until(() => fetch(`http://127.0.0.1:${old}/ping`, { keepalive: false }).then(() => false, () => true))
  edge.write("site.toml", inline)
  expect((await edge.command("reload")).code).toBe(0)
  await until(() => !existsSync(unix))
})

test("a WebSocket and a slow download survive reloads; idle connections are closed", async () => {
  await using edge = await Edge.start({ config: inline, files })
  const socket = await openWebSocket(edge)
  await socket.echo("one")
  const download = await open(edge.port(), get("/app/stream?gate=go"))
  await download.has("first")
  const idle = await open(edge.port(), get("/ping"))
  await idle.has("pong")
  for (let i = 0; i < 2; i++) expect((await edge.command("reload")).code).toBe(0)
  await until(idle.ended)
  await socket.echo("two")
  edge.write("app/go", "")
  await download.has("last")
  await download.has("\r\n0\r\n\r\n")
  await socket.echo("three")
  // The second generation had nothing to keep; the first has the WebSocket.
  await until(async () => {
    const generations = new Set((await edge.status()).fronts.map(({ generation }) => generation))
    return [...generations].toSorted().join() === "1,3"
  })
  socket.ws.close()
  await until(async () => (await edge.status()).fronts.every(({ generation }) => generation === 3))
})

test("at most three generations linger: the oldest is closed", async () => {
  await using edge = await Edge.start({ config: inline, files })
  const sockets: Awaited<ReturnType<typeof openWebSocket>>[] = []
  for (let i = 0; i < 4; i++) {
    sockets.push(await openWebSocket(edge))
    expect((await edge.command("reload")).code).toBe(0)
  }
  expect([1012, 1006]).toContain(await sockets[0]!.closed)
  for (const socket of sockets.slice(1)) await socket.echo("still here")
  await until(async () => {
    const lingering = (await edge.status()).fronts.filter(({ state }) => state === "leaving")
    return new Set(lingering.map(({ generation }) => generation)).size === 3
  })
  for (const socket of sockets) socket.ws.close()
})

test("reloads that come together become one, and each gets its answer", async () => {
  await using edge = await Edge.start({ config: inline, files })
  const answers = await Promise.all(Array.from({ length: 5 }, () => edge.command("reload")))
  expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
  expect((await edge.status()).generation).toBeLessThanOrEqual(4)
})

test("workers survive a reload; changed files, `--apps` and HUP replace them", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(), files })
  const pids = async () => (await edge.status()).apps[0]!.workers.filter(({ state }) => state === "ready").map(({ pid }) => pid)
  const settled = async () => {
    await until(async () => (await edge.status()).apps[0]!.workers.every(({ state }) => state === "ready"))
    return pids()
  }
  const first = await settled()
  expect(first.length).toBe(2)
  edge.write("site.toml", pong("changed") + pythonApp())
  expect((await edge.command("reload")).code).toBe(0)
  expect(await pids()).toEqual(first)

  edge.write("app/hello.py", python("hallo"))
  expect((await edge.command("reload")).code).toBe(0)
  const second = await settled()
  expect(second.filter(pid => first.includes(pid))).toEqual([])
  expect(await edge.get("/app/")).toContain("hallo")

  expect((await edge.command("reload", "--apps")).code).toBe(0)
  const third = await settled()
  expect(third.filter(pid => second.includes(pid))).toEqual([])

  edge.signal("SIGHUP")
  await edge.heard("serving generation=5")
  expect((await settled()).filter(pid => third.includes(pid))).toEqual([])
})

test("an app's new environment reaches its workers", async () => {
  const env = (value: string) => `${pong()}${pythonApp(1)}env = { WORD = "${value}" }\n`
  const code = `import os\n${python().replace('b"hello %d" % os.getpid()', 'os.environ["WORD"].encode()')}`
  await using edge = await Edge.start({ config: env("one"), files: { "app/hello.py": code } })
  expect(await edge.get("/app/")).toBe("one")
  edge.write("site.toml", env("two"))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/app/")).toBe("two")
})

test("new code that cannot boot leaves the old workers, and the error is shown", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(), files })
  edge.write("app/hello.py", "import no_such_module\n")
  const { code, err } = await edge.command("reload")
  expect(code).toBe(1)
  expect(err).toContain("no_such_module")
  expect(await edge.get("/app/")).toContain("hello")
  edge.write("app/hello.py", python("mended"))
  expect((await edge.command("reload")).code).toBe(0)
  expect(await edge.get("/app/")).toContain("mended")
})

test("apps come and go with the config, and a changed pool is swapped whole", async () => {
  await using edge = await Edge.start({ config: pong() + pythonApp(1), files })
  const [old] = (await edge.status()).apps[0]!.workers
  edge.write("site.toml", pong() + pythonApp(3))
  expect((await edge.command("reload")).code).toBe(0)
  expect((await edge.status()).apps[0]!.workers.length).toBe(3)
  expect(await edge.get("/app/")).toContain("hello")
  await until(() => !alive(old!.pid))
  const workers = (await edge.status()).apps[0]!.workers
  edge.write("site.toml", inline)
  expect((await edge.command("reload")).code).toBe(0)
  expect((await edge.status()).apps).toEqual([])
  expect(await edge.get("/app/pid")).toContain("VERSION")
  await until(() => workers.every(({ pid }) => !alive(pid)))
})
