import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { alive, Edge, until } from "../kit/edge.ts"
import { pong } from "./site.ts"

const simple = pong().replace(/\[\[site\.route\]\]\npath = "\/app.*/s, "")
/** As systemd listens: one datagram is one message. */
const receiver = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1].replace("@", "\\0", 1))
print("bound", flush=True)
while True:
    print(json.dumps(s.recv(4096).decode()), flush=True)
`

class Receiver {
  readonly messages: string[] = []
  readonly #process: Bun.Subprocess<"ignore", "pipe", "inherit">
  #bound = false

  constructor(readonly path: string) {
    this.#process = Bun.spawn(["/usr/bin/python3", "-c", receiver, path], { stdio: ["ignore", "pipe", "inherit"] })
    void this.#read()
  }

  async start(): Promise<void> {
    await until(() => this.#bound)
  }

  /** The first message from `from` on that has the line. */
  async has(line: string, from = 0): Promise<string> {
    const find = () => this.messages.slice(from).find(message => message.split("\n").some(one => one.startsWith(line)))
    await until(() => find() !== undefined)
    return find()!
  }

  stop(): void {
    this.#process.kill()
  }

  async #read(): Promise<void> {
    let part = ""
    for await (const chunk of this.#process.stdout) {
      const lines = (part + Buffer.from(chunk).toString()).split("\n")
      part = lines.pop()!
      for (const line of lines) {
        if (line === "bound") this.#bound = true
        else this.messages.push(JSON.parse(line) as string)
      }
    }
  }
}

let folder: string
let systemd: Receiver
async function listen(name: string): Promise<Receiver> {
  folder = mkdtempSync(join(tmpdir(), "edge-notify-"))
  systemd = new Receiver(name.startsWith("@") ? name : join(folder, name))
  await systemd.start()
  return systemd
}
afterEach(() => {
  systemd.stop()
  rmSync(folder, { recursive: true, force: true })
})

test("READY, RELOADING, READY again also when the reload failed, STOPPING; the watchdog is fed meanwhile", async () => {
  await listen("notify")
  const env = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "400000" }
  await using edge = await Edge.start({ config: simple, env })
  expect(await systemd.has("READY=1")).toBe("READY=1\nSTATUS=serving generation 1")
  await systemd.has("WATCHDOG=1")

  let from = systemd.messages.length
  expect((await edge.command("reload")).code).toBe(0)
  expect(await systemd.has("RELOADING=1", from)).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d{6,}\n/)
  expect(await systemd.has("READY=1", from)).toContain("serving generation 2")
  await systemd.has("WATCHDOG=1", from)

  from = systemd.messages.length
  edge.write("site.toml", simple.replace("respond =", "respnd ="))
  expect((await edge.command("reload")).code).toBe(1)
  expect(await systemd.has("READY=1", from)).toContain("STATUS=the last reload failed: ")

  from = systemd.messages.length
  edge.signal("SIGTERM")
  expect(await systemd.has("STOPPING=1", from)).toMatch(/\nEXTEND_TIMEOUT_USEC=[3-9]\d{7}\n/)
  expect(await edge.exited).toBe(0)
}, 30_000)

test("an abstract socket; USR2 names the new main process", async () => {
  await listen(`@edge-test-${process.pid}`)
  // The watchdog of another process is not ours.
  const env = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: "100000", WATCHDOG_PID: "1" }
  await using edge = await Edge.start({ config: simple, env })
  await systemd.has("READY=1")
  edge.signal("SIGUSR2")
  const message = await systemd.has("MAINPID=")
  expect(await edge.exited).toBe(0)
  const { pid } = await edge.status()
  expect(message).toStartWith(`MAINPID=${pid}\n`)
  expect(systemd.messages.filter(one => one.startsWith("STOPPING"))).toEqual([])
  expect((await edge.command("stop")).code).toBe(0)
  await until(() => !alive(pid))
}, 30_000)

test("a socket that nobody reads stops nothing", async () => {
  await listen("notify")
  await using edge = await Edge.start({ config: simple, env: { NOTIFY_SOCKET: join(folder, "nobody") } })
  expect(await edge.get("/ping")).toBe("pong")
  expect(edge.output).toContain("systemd cannot be told")
})
