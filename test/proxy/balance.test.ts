import { afterEach, describe, expect, test } from "bun:test"
import * as v from "valibot"
import proxy from "../../plugins/web/proxy/plugin.ts"
import { answering, listenRaw, type FakeUpstream } from "../upstream/harness.ts"
import { RawClient } from "./raw-client.ts"
import { serveProxy, type Served } from "./serve.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})
const up = (server: FakeUpstream) => (closers.push(() => server.stop()), server)
async function front(options: unknown): Promise<Served> {
  const served = await serveProxy(options)
  closers.push(() => served.stop())
  return served
}
const at = (server: FakeUpstream) => `http://127.0.0.1:${server.port}`
const named = (name: string) => up(answering(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`))
const dead = () => {
  const server = listenRaw(() => {})
  server.stop()
  return server
}
const closing = () => up(listenRaw(c => c.socket.end()))

async function ask({ url }: Served, init?: RequestInit): Promise<[status: number, text: string]> {
  const answer = await fetch(url, init)
  return [answer.status, await answer.text()]
}
async function many(served: Served, n: number): Promise<string> {
  let text = ""
  for (let i = 0; i < n; i++) text += (await ask(served))[1]
  return text
}

describe("who gets a request", () => {
  test("in turn", async () => {
    expect(await many(await front({ to: [at(named("a")), at(named("b")), at(named("c"))] }), 6)).toBe("abcabc")
  })
  test("by weight, smoothly", async () => {
    const served = await front({ to: [{ url: at(named("a")), weight: 2 }, at(named("b"))] })
    expect(await many(served, 6)).toBe("abaaba")
  })
  test("the same one for the same address", async () => {
    const served = await front({ to: [at(named("a")), at(named("b")), at(named("c"))], balance: "ip_hash" })
    expect(new Set(await many(served, 9)).size).toBe(1)
  })
  test("the least busy one", async () => {
    const slow = up(listenRaw(() => {}))
    const served = await front({ to: [at(slow), at(named("b"))], balance: "least_conn" })
    const hanging: RawClient[] = []
    while (slow.accepted.length === 0) {
      const client = await RawClient.to(served.port)
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      hanging.push(client)
      await Bun.sleep(10)
    }
    expect(await many(served, 8)).toBe("bbbbbbbb")
    for (const client of hanging) client.socket.terminate()
  })
  test("by a field, a cookie, a parameter or the URI: the same one for the same value, round for who has none", async () => {
    const to = [at(named("a")), at(named("b")), at(named("c"))]
    const cases: [balance: unknown, init: (key: string) => [path: string, headers: Record<string, string>]][] = [
      [{ header_hash: "X-User" }, key => ["/", { "X-User": key }]],
      [{ cookie_hash: "sid" }, key => ["/", { Cookie: `a=b; sid=${key}` }]],
      [{ query_hash: "id" }, key => [`/?id=${key}`, {}]],
      ["uri_hash", key => [`/${key}?x`, {}]],
    ]
    for (const [balance, init] of cases) {
      const served = await front({ to, balance })
      const who = async (key: string) => {
        const [path, headers] = init(key)
        return await (await fetch(served.url + path, { headers })).text()
      }
      const first = await Promise.all(Array.from({ length: 40 }, (_, i) => who(`k${i}`)))
      expect(await Promise.all(Array.from({ length: 40 }, (_, i) => who(`k${i}`)))).toEqual(first)
      expect([...new Set(first)].toSorted()).toEqual(["a", "b", "c"])
    }
    expect(await many(await front({ to, balance: { header_hash: "X-User" } }), 6)).toBe("abcabc")
  })
  test("sticky: by a cookie that nobody can make up; a new one when its upstream is gone", async () => {
    const servers = [named("a"), named("b"), named("c")]
    const served = await front({ to: servers.map(at), balance: { sticky: { secret: "0123456789abcdef", max_age: "1h" } }, health: { max_fails: 1, fail_timeout: "10m" } })
    const first = await fetch(served.url)
    const name = await first.text()
    const cookie = first.headers.get("set-cookie")!
    expect(cookie).toMatch(/^edge_upstream=[0-9a-f]{32}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=3600$/)
    expect(cookie).not.toContain(Bun.CryptoHasher.hash("sha256", at(servers["abc".indexOf(name)]!), "hex").slice(0, 32))
    const headers = { Cookie: cookie.split(";")[0]! }
    for (let i = 0; i < 6; i++) {
      const again = await fetch(served.url, { headers })
      expect([await again.text(), again.headers.get("set-cookie")]).toEqual([name, null])
    }
    const forged = await fetch(served.url, { headers: { Cookie: "edge_upstream=00" } })
    expect(forged.headers.get("set-cookie")).toStartWith("edge_upstream=")
    servers["abc".indexOf(name)]!.stop()
    const moved = await fetch(served.url, { headers })
    expect(await moved.text()).not.toBe(name)
    expect(moved.headers.get("set-cookie")).toStartWith("edge_upstream=")
    expect(moved.headers.get("set-cookie")).not.toBe(cookie)
  })
  test("no more at once than it may have; 503 with Retry-After when all are full", async () => {
    const slow = up(listenRaw(() => {}))
    const served = await front({ to: [{ url: at(slow), max_conns: 2 }] })
    const hanging: RawClient[] = []
    for (let i = 0; i < 2; i++) {
      const client = await RawClient.to(served.port)
      client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      hanging.push(client)
    }
    while (slow.accepted.length < 2) await Bun.sleep(5)
    const answer = await fetch(served.url)
    expect([answer.status, answer.headers.get("retry-after"), slow.accepted.length]).toEqual([503, "5", 2])
    for (const client of hanging) client.socket.terminate()
  })
  test("a backup only when the others are down", async () => {
    const a = named("a")
    const served = await front({ to: [at(a), { url: at(named("z")), backup: true }], health: { max_fails: 1 } })
    expect(await many(served, 2)).toBe("aa")
    a.stop()
    expect(await many(served, 3)).toMatch(/z+$/)
  })
})

describe("another upstream is tried", () => {
  test("when nobody listens, for every method, body and all", async () => {
    const server = up(listenRaw(c => c.text.endsWith("body") && c.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")))
    const served = await front({ to: [at(dead()), at(server)] })
    expect(await ask(served, { method: "POST", body: "body" })).toEqual([200, "ok"])
    expect(served.lines.find(line => line.message === "upstream failed, another one is tried")!.fields).toMatchObject({ fault: "connect" })
  })
  test("when it closed without an answer, for safe methods only", async () => {
    const other = named("b")
    const served = await front({ to: [at(closing()), at(other)], health: { max_fails: 0 } })
    expect(await ask(served)).toEqual([200, "b"])
    // Its turn again.
    await ask(served)
    const [status] = await ask(served, { method: "POST" })
    expect([status, other.accepted.length]).toEqual([502, 1])
  })
  test("not after a body was begun", async () => {
    const served = await front({ to: [at(closing()), at(named("b"))] })
    expect((await ask(served, { method: "POST", body: "x" }))[0]).toBe(502)
  })
  test("not after garbage or a time-out", async () => {
    const garbage = await front({ to: [at(up(answering("garbage\r\n\r\n"))), at(named("b"))] })
    expect((await ask(garbage))[0]).toBe(502)
    const slow = await front({ to: [at(up(listenRaw(() => {}))), at(named("b"))], timeout: "100ms" })
    expect((await ask(slow))[0]).toBe(504)
  })
  test("when its answer counts as a failure, for safe methods; the last answer is passed on", async () => {
    const busy = () => up(answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"))
    const health = { fail_status: [503], max_fails: 0 }
    const served = await front({ to: [at(busy()), at(named("b"))], health })
    expect(await ask(served)).toEqual([200, "b"])
    await ask(served)
    const posted = await front({ to: [at(busy()), at(named("b"))], health })
    expect(await ask(posted, { method: "POST" })).toEqual([503, "busy"])
    expect(await ask(await front({ to: [at(busy()), at(busy())], health, retries: 5 }))).toEqual([503, "busy"])
  })
  test("no more often than `retries` says", async () => {
    const all = [dead(), dead(), dead()].map(at)
    const last = named("d")
    expect((await ask(await front({ to: [...all, at(last)], retries: 2 })))[0]).toBe(502)
    expect((await ask(await front({ to: [...all, at(last)], retries: 3 })))[0]).toBe(200)
    expect((await ask(await front({ to: [...all, at(last)], retries: 0 })))[0]).toBe(502)
  })
})

describe("health", () => {
  test("failed requests make it rest, and all are tried when all rest", async () => {
    const a = dead()
    const served = await front({ to: [at(a), at(named("b"))], retries: 1, health: { max_fails: 2, fail_timeout: "10m" } })
    expect(await many(served, 8)).toBe("bbbbbbbb")
    expect(served.lines.filter(line => line.message === "upstream failed, another one is tried").length).toBe(2)
    expect(served.lines.filter(line => line.message === "upstream rests").length).toBe(1)

    const only = await front({ to: at(dead()), health: { max_fails: 1, fail_timeout: "10m" } })
    for (let i = 0; i < 3; i++) expect((await ask(only))[0]).toBe(502)
  })
  test("it is tried again after its rest", async () => {
    let well = false
    const a = up(listenRaw(c => (well ? c.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na") : c.socket.end())))
    const served = await front({ to: [at(a), at(named("b"))], health: { max_fails: 1, fail_timeout: "200ms" } })
    expect(await many(served, 4)).toBe("bbbb")
    well = true
    await Bun.sleep(220)
    expect(await many(served, 4)).toContain("a")
  })
  test("questions find it down and up again; with none up it is 503 with Retry-After", async () => {
    let well = true
    const questions: string[] = []
    const a = up(
      listenRaw(c => {
        if (c.text.includes("/up")) questions.push(c.text)
        c.write(c.text.includes("/up") && !well ? "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
        c.text = ""
      }),
    )
    const served = await front({ to: at(a), health: { path: "/up?x", every: "100ms", fall: 2, host: "health.example" } })
    expect((await ask(served))[0]).toBe(200)
    const logged = (message: string) => served.lines.some(line => line.message === message)
    well = false
    while (!logged("upstream is down")) await Bun.sleep(10)
    const answer = await fetch(served.url)
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"])
    well = true
    while (!logged("upstream is up")) await Bun.sleep(10)
    expect((await ask(served))[0]).toBe(200)
    expect(questions[0]).toStartWith("GET /up?x HTTP/1.1\r\nHost: health.example\r\n")
  })
})

describe("what a config may not say", () => {
  for (const [options, why] of [
    [{ to: ["ftp://a"] }, 'to.0: "ftp://a" is not http://HOST:PORT'],
    [{ to: [{ url: "http://a:70000" }] }, "to.0.url:"],
    [{ to: [] }, "to: names no upstream"],
    [{ to: "http://a", balance: "leest_conn" }, 'balance: no balancer named "leest_conn"'],
    [{ to: "http://a", balance: "header_hash" }, 'balance: "header_hash" needs the name'],
    [{ to: "http://a", balance: { header_hash: "a b" } }, "balance.header_hash: must be a name"],
    [{ to: "http://a", balance: { sticky: { secret: "short" } } }, "balance.sticky: must have 16"],
    [{ to: "http://a", balance: { random: 1 } }, 'balance: "random" takes no options'],
    [{ to: ["http://a", "http://a"] }, "to.1: http://a is there already"],
    [{ to: [{ url: "unix:/x", resolve: "5s" }] }, "a unix socket has no name"],
    [{ to: [{ url: "http://a", srv: true }] }, '"srv" needs "resolve"'],
    [{ to: "http://a", headers: { set: { Host: "x" } } }, "headers:"],
    [{ to: "http://a", tls: { ca: "nowhere.pem" } }, "tls.ca: cannot be read"],
    [{ to: "http://a", tls: { cert: "c.pem" } }, '"cert" and "key" go together'],
  ] as const) {
    test(JSON.stringify(options), async () => {
      await expect(serveProxy(options)).rejects.toThrow(why)
    })
  }
  for (const options of [{ to: "http://a", retrys: 1 }, { to: "http://a", timeout: 30 }, { to: "http://a", health: { pth: "/" } }, {}, 5]) {
    test(JSON.stringify(options), () => {
      expect(v.safeParse(proxy.config, options).success).toBe(false)
    })
  }
})
