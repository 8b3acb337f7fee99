import { expect, test } from "bun:test"
import { Edge, until } from "../kit/edge.ts"
import { pong } from "./site.ts"

const python = `
import os, time
def app(environ, start_response):
    gate = environ["QUERY_STRING"].removeprefix("gate=")
    while gate and not os.path.exists(gate):
        time.sleep(0.005)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
`
const typescript = `
import { existsSync } from "node:fs"
export default {
  async fetch(request) {
    const gate = new URL(request.url).searchParams.get("gate")
    while (gate && !existsSync(gate)) await Bun.sleep(5)
    return new Response(String(process.pid))
  },
}
`
const wsgi = `runtime = "wsgi"\nentry = "hello:app"\npython = "/usr/bin/python3"`
const runtimes: Record<string, string> = { wsgi: `${wsgi}\nthreads = 3`, fetch: `entry = "app.ts"` }

for (const [name, runtime] of Object.entries(runtimes)) {
  test(`${name}: edge workers shows what each does now, without the query`, async () => {
    const config = `${pong()}\n[app.app]\ndir = "app"\nworkers = 1\n${runtime}\n`
    await using edge = await Edge.start({ config, files: { "app/hello.py": python, "app/app.ts": typescript } })
    const slow = edge.get("/app/first?gate=go")
    const now = async () => JSON.parse((await edge.command("workers", "--json")).out)[0].workers[0].now as { method: string; path: string; ms: number }[]
    await until(async () => (await now()).length === 1)
    const posted = edge.get("/app/second?gate=go", { method: "POST", body: "x" })
    await until(async () => (await now()).length === 2)
    expect(await now()).toMatchObject([{ method: "GET", path: "/app/first" }, { method: "POST", path: "/app/second" }])
    const [first, second] = await now()
    expect(first!.ms).toBeGreaterThanOrEqual(second!.ms)
    const { out } = await edge.command("workers", "--stack")
    expect(out).toMatch(/app +0 +\d+ +ready +\d+ s +\d+ +2 +\d+ MB +GET \/app\/first for \d+\.\d s, and 1 more\n/)
    expect(out).toContain(name === "wsgi" ? "time.sleep(0.005)" : "GET /app/first")
    edge.write("app/go", "")
    expect(await slow).toBe(await posted)
    await until(async () => (await now()).length === 0)
  }, 20_000)
}

test("scaled to zero, a request wakes it", async () => {
  const config = `${pong()}\n[app.app]\ndir = "app"\nworkers = { min = 0, max = 2 }\n${wsgi}\n`
  await using edge = await Edge.start({ config, files: { "app/hello.py": python } })
  const workers = async () => (await edge.status()).apps[0]!.workers.length
  expect((await edge.command("scale", "app", "0")).code).toBe(0)
  await until(async () => (await workers()) === 0)
  expect(await edge.get("/app/")).toMatch(/^\d+$/)
  expect(await workers()).toBe(1)
}, 20_000)
