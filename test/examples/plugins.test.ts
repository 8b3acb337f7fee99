/** The worked examples of third-party plugins, each run by the executable in a copy of its folder. */
import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Edge, type EdgeOptions, until } from "../kit/edge.ts"

const root = join(import.meta.dir, "../../examples/plugins")

function example(name: string): EdgeOptions {
  const dir = join(root, name)
  const files: Record<string, string> = {}
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files[path.slice(dir.length + 1)] = readFileSync(path, "utf8")
  }
  return { config: files["site.toml"]!, files, env: { PORT: "0" } }
}

test("middleware: an id on its way in and on the answer", async () => {
  await using edge = await Edge.start(example("middleware"))
  const made = await fetch(edge.url("/"))
  expect(made.headers.get("x-trace")).toMatch(/^[0-9a-f-]{36}$/)
  const kept = await fetch(edge.url("/"), { headers: { "X-Trace": "from-the-client" } })
  expect(kept.headers.get("x-trace")).toBe("from-the-client")
  expect(await kept.text()).toBe("hello\n")
})

test("balancer: a tenant at its home, the others where there is room", async () => {
  const [one, two] = ["one", "two"].map(name => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(name) }))
  const env = { PORT: "0", ONE: String(one!.port), TWO: String(two!.port) }
  await using edge = await Edge.start({ ...example("balancer"), env })
  const ask = async (host: string) => {
    const response = await fetch(edge.url("/"), { headers: { Host: host } })
    return [await response.text(), response.headers.get("x-answered-by")]
  }
  for (let i = 0; i < 3; i++) expect(await ask("blue.example")).toEqual(["two", `http://127.0.0.1:${two!.port}`])
  expect(await ask("other.example")).toEqual(["one", `http://127.0.0.1:${one!.port}`])
  await Promise.all([one!.stop(true), two!.stop(true)])
})

test("handler: Markdown files are pages, what is not there goes on", async () => {
  await using edge = await Edge.start(example("handler"))
  expect(await edge.get("/")).toContain('<a href="/second">the second</a>')
  const page = await fetch(edge.url("/second"))
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8")
  expect(await page.text()).toContain("<li>one</li>")
  expect((await fetch(edge.url("/third"))).status).toBe(404)
  expect((await fetch(edge.url("/../site"))).status).toBe(404)
})

test("web: a layer 1 of its own, with its own top-level keys", async () => {
  await using edge = await Edge.start(example("web"))
  expect(await edge.get("/somewhere")).toBe("hello from /somewhere\n")
  const health = await fetch(edge.url("/-/health"))
  expect(health.headers.get("retry-after")).toBe("5")
  expect(await health.text()).toBe("hello is served here\n")
  edge.write("site.toml", edge.read("site.toml").replace('app    = "hello"', 'app    = "hello"\nretry_afterr = "1s"'))
  const check = await edge.command("check", "--config", "site.toml")
  expect(check.code).toBe(1)
  expect(check.err + check.out).toMatch(/site\.toml:\d+:1: .*retry_afterr.*did you mean "retry_after"\?/)
})

test("framework: an app's module means what the plugin says", async () => {
  await using edge = await Edge.start(example("framework"))
  expect(await edge.get("/")).toBe("<!doctype html><title>My notes</title><h1>Home</h1><a href=/time>time</a>")
  expect(await edge.get("/time")).toMatch(/<p>\d{4}-/)
  expect((await fetch(edge.url("/x"))).status).toBe(404)
})

test("hooks: what happens to the server is told in order, and a bad hook harms nothing", async () => {
  await using edge = await Edge.start(example("hooks"))
  const lines = () => edge.read("history.log").trimEnd().split("\n").map(line => line.slice(25))
  const told = (text: string, times = 1) => until(() => lines().filter(line => line === text).length >= times)
  await told("edge started")
  expect(lines()).toEqual(["worker 0 of hello is ready", "edge started"])
  expect(await edge.get("/history")).toContain("worker 0 of hello is ready")
  const pid = Number((await edge.get("/")).split(" ").at(-1))
  process.kill(pid, "SIGKILL")
  await told("worker 0 of hello is ready", 2)
  expect(lines()).toContain("worker 0 of hello ended: SIGKILL")

  // New code of a hook is loaded by a reload; what it throws is said, and nothing else.
  edge.write("history.ts", edge.read("history.ts").replace("on_reload: ({ dir }) =>", 'on_reload: ({ dir }) => { void note(dir, "reloaded"); throw new Error("as asked") }, on_reload_old: ({ dir }) =>'))
  const refused = await edge.command("reload")
  expect([refused.code, refused.err + refused.out]).toEqual([1, expect.stringContaining('there is no hook "on_reload_old"; did you mean "on_reload"?')])
  edge.write("history.ts", edge.read("history.ts").replace(/on_reload_old: .*/, ""))
  expect((await edge.command("reload")).code).toBe(0)
  await told("reloaded")
  await edge.heard(/hook on_reload failed plugin=history\s+Error: as asked/)
  expect(lines().filter(line => line === "a reload begins").length).toBe(2)
  expect(lines()).not.toContain("a reload succeeded")

  edge.signal("SIGTERM")
  expect(await edge.exited).toBe(0)
  expect(lines().slice(-2)).toEqual([expect.stringMatching(/^worker \d of hello ended: exit code 0$/), "edge stopped"])
}, 30_000)

test("gateway: workers taken in turn, a killed one replaced, new code rolled in", async () => {
  await using edge = await Edge.start(example("gateway"))
  const seen = async (requests: number) => {
    const pids = new Set<string>()
    for (let i = 0; i < requests; i++) pids.add((await edge.get("/")).replace(/\D+/g, ""))
    return pids
  }
  const before = await seen(9)
  expect(before.size).toBe(3)
  const victim = [...before][0]!
  process.kill(Number(victim), "SIGKILL")
  await until(async () => {
    const now = await seen(9)
    return now.size === 3 && !now.has(victim)
  })
  edge.write("hello.ts", 'export default { fetch: () => new Response(`new code ${process.pid}\\n`) }')
  expect(await edge.command("reload", "--config", "site.toml")).toMatchObject({ code: 0 })
  await until(async () => (await edge.get("/")).startsWith("new code"))
  edge.write("hello.ts", "throw new Error('cannot boot')")
  const reload = await edge.command("reload", "--config", "site.toml")
  expect(reload.code).toBe(1)
  expect(reload.err + reload.out).toContain("cannot boot")
  expect(await edge.get("/")).toStartWith("new code")
})
