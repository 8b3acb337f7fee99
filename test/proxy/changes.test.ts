/** Upstreams that change while edge runs: by command, by DNS. Through the executable. */
import { afterEach, describe, expect, test } from "bun:test"
import { nameServer } from "../kit/dns.ts"
import { Edge, until } from "../kit/edge.ts"
import { answering, listenRaw, type FakeUpstream } from "../upstream/harness.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})
function named(name: string): FakeUpstream {
  const server = answering(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`)
  closers.push(() => server.stop())
  return server
}
const at = (server: FakeUpstream) => `http://127.0.0.1:${server.port}`
async function start(config: string): Promise<Edge> {
  const edge = await Edge.start({ config })
  closers.push(() => edge[Symbol.asyncDispose]())
  return edge
}
async function many(edge: Edge, n: number, path = "/"): Promise<string> {
  let text = ""
  for (let i = 0; i < n; i++) text += await edge.get(path)
  return [...text].toSorted().join("")
}

describe("edge upstream", () => {
  test("list, add, weigh, drain, remove: in every front, also one that starts later; a reload goes back to the file", async () => {
    const [a, b] = [named("a"), named("b")]
    const edge = await start(`
[server]
fronts = 2
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { name = "api", to = ["${at(a)}"] }
`)
    expect(await many(edge, 4)).toBe("aaaa")
    const added = await edge.command("upstream", "add", at(b), "--weight", "3")
    expect([added.code, added.err]).toEqual([0, ""])
    expect(added.out).toMatch(new RegExp(`api +${at(b)} +up +3 +0 +0 +0`))
    expect(await many(edge, 16)).toContain("b")

    // Connections land on either front: all of them know.
    await edge.command("upstream", "drain", at(a))
    expect(await many(edge, 12)).toBe("b".repeat(12))
    expect((await edge.command("upstream")).out).toMatch(new RegExp(`${at(a)} +draining`))
    const [front] = (await edge.status()).fronts
    process.kill(front!.pid, "SIGKILL")
    await until(async () => (await edge.status()).fronts.filter(one => one.state === "serving" && one.pid !== front!.pid).length === 2)
    await until(async () => (await edge.command("upstream", "--json")).code === 0)
    expect(await many(edge, 12)).toBe("b".repeat(12))

    await edge.command("upstream", "undrain", at(a))
    await edge.command("upstream", "remove", at(b))
    expect(await many(edge, 8)).toBe("a".repeat(8))
    await edge.command("upstream", "add", at(b))
    expect((await edge.command("reload")).code).toBe(0)
    expect(await many(edge, 8)).toBe("a".repeat(8))
  }, 60_000)

  test("a drained upstream finishes what it has", async () => {
    let answer: (() => void) | undefined
    const slow = listenRaw(c => (answer = () => c.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")))
    closers.push(() => slow.stop())
    const edge = await start(`
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { to = ["${at(slow)}"] }
`)
    const pending = edge.get("/")
    await until(() => answer !== undefined)
    await edge.command("upstream", "add", at(named("b")))
    await edge.command("upstream", "drain", at(slow))
    expect(await many(edge, 3)).toBe("bbb")
    expect((await edge.command("upstream")).out).toMatch(new RegExp(`${at(slow)} +draining +1 +1 `))
    await edge.command("upstream", "remove", at(slow))
    answer!()
    expect(await pending).toBe("slow")
  }, 60_000)

  test("what cannot be is told", async () => {
    const edge = await start(`
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
path = "/a/*"
proxy = { name = "one", to = "http://127.0.0.1:9" }
[[site.route]]
proxy = "http://127.0.0.1:10"
`)
    const say = async (...args: string[]) => {
      const { code, err } = await edge.command("upstream", ...args)
      return `${code} ${err.trim()}`
    }
    expect(await say("add", "http://127.0.0.1:11")).toBe("1 say which proxy with --to: one, site[0].route[1].proxy")
    expect(await say("add", "nonsense", "--to", "one")).toBe('1 "nonsense" is not http://HOST:PORT, https://HOST:PORT or unix:PATH')
    expect(await say("add", "http://127.0.0.1:9", "--to", "one")).toBe("1 http://127.0.0.1:9 is there already")
    expect(await say("remove", "http://127.0.0.1:9")).toBe("1 http://127.0.0.1:9 is the last one there; drain it instead")
    expect(await say("drain", "http://127.0.0.1:12")).toBe("1 no proxy has an upstream http://127.0.0.1:12")
    expect(await say("weigh", "http://127.0.0.1:9", "0")).toStartWith("1 ")
    expect(await say("drain")).toStartWith("1 ")
  }, 60_000)
})

describe("DNS", () => {
  test("each address is an upstream; the list is followed, and kept while the name server is silent", async () => {
    const server = named("x")
    const names = await nameServer(1)
    closers.push(() => names.close())
    names.names.set("app.internal", ["127.0.0.1"])
    const edge = await start(`
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { resolver = "${names.address}", to = [{ url = "http://app.internal:${server.port}", resolve = "30s" }] }
`)
    const list = async () => (await edge.command("upstream", "--json")).out
    await until(async () => (await list()).includes(`app.internal:${server.port} (127.0.0.1:${server.port})`))
    expect(await edge.get("/")).toBe("x")
    names.names.set("app.internal", ["127.0.0.2", "127.0.0.3"])
    await until(async () => (await list()).includes("(127.0.0.3:"))
    expect(await list()).not.toContain("(127.0.0.1:")
    names.names.delete("app.internal")
    await edge.heard("the name of an upstream is not found")
    expect(await list()).toContain("(127.0.0.3:")
    names.names.set("app.internal", ["127.0.0.1"])
    await until(async () => (await list()).includes("(127.0.0.1:"))
    expect(await edge.get("/")).toBe("x")
  }, 60_000)

  test("SRV records: ports, weights, and backups by priority", async () => {
    const [a, b, z] = [named("a"), named("b"), named("z")]
    const names = await nameServer(1)
    closers.push(() => names.close())
    names.names.set("srv _http._tcp.app.internal", [`1 2 ${a.port} 127.0.0.1`, `1 1 ${b.port} localhost`, `5 1 ${z.port} localhost`])
    const edge = await start(`
[server]
fronts = 1
[[site]]
listen = ["127.0.0.1:0"]
[[site.route]]
proxy = { resolver = "${names.address}", to = [{ url = "http://_http._tcp.app.internal", resolve = "30s", srv = true }] }
`)
    await until(async () => (await edge.command("upstream")).out.includes("backup"))
    expect(await many(edge, 6)).toBe("aaaabb")
  }, 60_000)
})
