/** Out of descriptors: who is well is not killed, who is idle goes first, and everybody else is served. */
import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { readdirSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { alive, Edge, until } from "../kit/edge.ts"
import { app, pong, python } from "./site.ts"

setDefaultTimeout(90_000)

const limited = (count: number) => (argv: string[]) => ["/bin/sh", "-c", `ulimit -n ${count}; exec "$@"`, "sh", ...argv]
const config = `${pong()}
[app.app]
entry = "app/app.ts"
workers = 1
[[site.route]]
path = "/w/*"
app = "w"
[app.w]
runtime = "wsgi"
dir = "app"
entry = "hello:app"
python = "/usr/bin/python3"
workers = 1
`
const files = { "app/app.ts": app, "app/hello.py": python() }
/** A front that did not answer for so long was killed, and some more. */
const WATCHED_MS = 17_000

/** One client's kept connection; `ask` resolves with the status, or rejects when the connection was closed. */
class Client {
  closed = false
  readonly #socket: Socket
  #text = ""
  #wake = (): void => {}

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1")
    this.#socket.on("data", chunk => {
      this.#text += chunk.toString("latin1")
      this.#wake()
    })
    this.#socket.on("error", () => {})
    this.#socket.on("close", () => {
      this.closed = true
      this.#wake()
    })
  }

  async ask(path: string): Promise<number> {
    this.#text = ""
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
    for (;;) {
      const [head, body] = this.#text.split("\r\n\r\n")
      const length = Number(/^content-length: (\d+)$/im.exec(head ?? "")?.[1])
      if (body !== undefined && body.length >= length) return Number(head!.split(" ")[1])
      if (this.closed) throw new Error(`closed after ${JSON.stringify(this.#text)}`)
      await new Promise<void>(resolve => (this.#wake = resolve))
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Connections that say nothing (or ask once): so many at once, then ten new ones a second, until the signal. */
async function flood(port: number, { count, asks, signal, onBurst }: { count: number; asks: boolean; signal: AbortSignal; onBurst(): void }): Promise<void> {
  const open: Client[] = []
  const add = async (): Promise<void> => {
    const client = new Client(port)
    open.push(client)
    if (asks) await client.ask("/ping").catch(() => {})
  }
  await Promise.all(Array.from({ length: count }, add))
  onBurst()
  while (!signal.aborted) {
    void add()
    await Bun.sleep(100)
  }
  for (const client of open) client.close()
}

for (const limit of [64, 256])
  for (const asks of [false, true])
    describe.concurrent(`ulimit -n ${limit}`, () => {
      test(`300 connections that ${asks ? "asked once" : "never say anything"}: clients that ask are answered, no front is killed`, async () => {
        await using edge = await Edge.start({ config, files, wrap: limited(limit) })
        const { fronts } = await edge.status()
        const pids = fronts.map(({ pid }) => pid)
        const before = new Client(edge.port())
        expect(await before.ask("/app/pid")).toBe(200)
        const over = new AbortController()
        const burst = Promise.withResolvers<void>()
        const flooding = flood(edge.port(), { count: 300, asks, signal: over.signal, onBurst: burst.resolve })
        await burst.promise
        await edge.heard(/nearly out of file descriptors/)
        // Among 300 who were served as well, the oldest may have been closed.
        const honest = asks ? new Client(edge.port()) : before
        const answers: Record<string, number> = {}
        const start = performance.now()
        for (let i = 0; performance.now() - start < WATCHED_MS; i++) {
          for (const path of ["/app/pid", "/w/x", "/ping"]) {
            const status = await honest.ask(path)
            answers[status] = (answers[status] ?? 0) + 1
          }
          const fresh = new Client(edge.port())
          const status = await fresh.ask("/app/pid").catch((error: Error) => error.message)
          fresh.close()
          answers[status] = (answers[status] ?? 0) + 1
          await Bun.sleep(50)
        }
        expect(Object.keys(answers)).toEqual(["200"])
        expect((await edge.status()).fronts.map(({ pid }) => pid)).toEqual(pids)
        expect(pids.every(alive)).toBe(true)
        expect((await edge.command("reload")).code).toBe(0)
        over.abort()
        await flooding
        expect(edge.output).not.toMatch(/killed|defect|uncaught|EMFILE/)
        // What was kept in reserve was not used up.
        for (const { pid } of (await edge.status()).fronts) expect(readdirSync(`/proc/${pid}/fd`).length).toBeLessThan(limit)
      })
    })

test("all connections busy: new ones are closed and said, the busy ones are answered, and it heals", async () => {
  await using edge = await Edge.start({ config: config.replace("fronts = 2", "fronts = 1"), files, wrap: limited(64) })
  const busy = Array.from({ length: 60 }, () => new Client(edge.port()))
  const answers = busy.map(client => client.ask("/app/wait?gate=go").catch(() => 0))
  await edge.heard(/nearly out of file descriptors.*limit=64/)
  edge.write("app/go", "")
  const statuses = await Promise.all(answers)
  expect(new Set(statuses)).toEqual(new Set([200, 0]))
  expect(statuses.filter(status => status === 200).length).toBeGreaterThan(15)
  for (const client of busy) client.close()
  await until(async () => (await edge.get("/app/pid").catch(() => "")) !== "")
  expect((await edge.command("reload")).code).toBe(0)
})
