/** The proxy as a user starts it: a config file and the command line. */
import { afterEach, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listenRaw } from "../upstream/harness.ts"
import { RawClient } from "./raw-client.ts"

const main = join(import.meta.dir, "../../src/main.ts")
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface Running {
  readonly port: number
  readonly run: Bun.Subprocess<"ignore", "pipe", "pipe">
  output: string
  until(text: string): Promise<void>
}

async function edge(routes: string): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), "edge-proxy-site-"))
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = probe
  probe.stop(true)
  const file = join(dir, "site.toml")
  writeFileSync(file, `[server]\nfronts = 1\ncontrol = "edge.sock"\n[log]\naccess = { path = "-", format = "off" }\n[[site]]\nlisten = ["127.0.0.1:${port}"]\n${routes}`)
  const run = Bun.spawn([process.execPath, main, "run", "--config", file], { stdout: "pipe", stderr: "pipe" })
  const running: Running = {
    port,
    run: run as Running["run"],
    output: "",
    async until(text) {
      while (!running.output.includes(text)) await Bun.sleep(5)
    },
  }
  for (const stream of [run.stdout, run.stderr]) {
    void (async () => {
      for await (const chunk of stream) running.output += Buffer.from(chunk).toString()
    })()
  }
  closers.push(async () => {
    run.kill("SIGTERM")
    const forced = setTimeout(() => run.kill("SIGKILL"), 8000)
    await run.exited
    clearTimeout(forced)
    rmSync(dir, { recursive: true, force: true })
  })
  await running.until("serving")
  return running
}

test("strip, prefix, 502 with its log line; a stop waits for what is under way", async () => {
  let answer: (() => void) | undefined
  const server = listenRaw((c, chunk) => {
    const text = chunk.latin1Slice()
    const reply = () => c.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`)
    if (text.includes("/slow")) answer = reply
    else reply()
  })
  closers.push(() => server.stop())
  const { port, until, run } = await edge(`
[[site.route]]
path = "/api/*"
strip = "/api"
proxy = { to = ["http://127.0.0.1:${server.port}/base"], headers = { set = { X-From = "edge" } } }
[[site.route]]
proxy = "http://127.0.0.1:9"
`)
  const seen = await (await fetch(`http://127.0.0.1:${port}/api/a%2Fb?c=d`)).text()
  expect(seen).toStartWith("GET /base/a%2Fb?c=d HTTP/1.1\r\n")
  expect(seen).toContain("\r\nX-Forwarded-Prefix: /api\r\n")
  expect(seen).toContain("\r\nX-From: edge\r\n")
  expect((await fetch(`http://127.0.0.1:${port}/x`)).status).toBe(502)
  await until("no connection: ECONNREFUSED")

  const client = await RawClient.to(port)
  client.send("GET /api/slow HTTP/1.1\r\nHost: a\r\n\r\n")
  while (answer === undefined) await Bun.sleep(5)
  run.kill("SIGTERM")
  await until("stopping")
  await Bun.sleep(600)
  answer()
  await client.until(c => c.ended || c.closed)
  expect(client.text).toContain("GET /base/slow HTTP/1.1")
  expect(await run.exited).toBe(0)
}, 20_000)
