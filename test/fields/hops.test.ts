/** What is of one hop and what goes on: Via, trailers, 1xx, upgrades, forwarding fields, cookies, line ends. Through the executable. */
import { afterEach, expect, test } from "bun:test"
import { Edge } from "../kit/edge.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { type Accepted, listenRaw } from "../upstream/harness.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** An upstream that answers each whole request with what `answer` gives, and the requests as they came. */
async function between(answer: (text: string, c: Accepted) => string | undefined, { options = "", server = "" } = {}) {
  const got: string[] = []
  const upstream = listenRaw(c => {
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(c.text)?.[1] ?? 0)
    const head = c.text.indexOf("\r\n\r\n") + 4
    const whole = head >= 4 && (/\r\ntransfer-encoding: chunked/i.test(c.text) ? /\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(c.text) : c.text.length >= head + length)
    if (!whole) return
    got.push(c.text)
    const { text } = c
    c.text = ""
    const said = answer(text, c)
    if (said !== undefined) c.write(said)
  })
  closers.push(() => upstream.stop())
  const config = `[server]\nfronts = 1\n${server}\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\npath = "/in/*"\nuse = [{ headers = { request = { set = { X-User = "ann" }, remove = ["X-Gone"] } } }]\nproxy = { to = "http://127.0.0.1:${upstream.port}"${options} }\n[[site.route]]\nproxy = { to = "http://127.0.0.1:${upstream.port}"${options} }\n`
  const edge = await Edge.start({ config })
  closers.push(() => edge[Symbol.asyncDispose]())
  const ask = (head: string, body = "") => RawClient.ask(edge.port(), `${head.replaceAll("\n", "\r\n")}\r\nConnection: close\r\n\r\n${body}`)
  return { edge, got, ask }
}
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

test("Via: added to what others said, with the version of the hop before", async () => {
  const { got, ask } = await between(() => "HTTP/1.1 200 OK\r\nVia: 1.0 far\r\nContent-Length: 2\r\n\r\nok")
  const answer = await ask("GET / HTTP/1.1\nHost: a\nVia: 1.1 front, 2 cdn")
  expect(got[0]!.match(/^Via: .*$/gim)).toEqual(["Via: 1.1 front, 2 cdn", "Via: 1.1 edge"])
  expect(answer.match(/^Via: .*$/gim)).toEqual(["Via: 1.0 far", "Via: 1.1 edge"])
  await ask("GET / HTTP/1.0\nHost: a")
  expect(got[1]).toContain("\r\nVia: 1.0 edge\r\n")
})

test.each([
  [', via = "shop-1"', "Via: 1.1 shop-1"],
  [", via = false", undefined],
  [', headers = { remove = ["Via"] }', undefined],
])("Via as told: %s", async (options, line) => {
  const { got, ask } = await between(() => ok, { options })
  const answer = await ask("GET / HTTP/1.1\nHost: a")
  expect(got[0]!.match(/^Via: .*$/gim)?.[0]).toBe(line as string)
  if (!options.includes("remove")) expect(answer.match(/^Via: .*$/gim)?.[0]).toBe(line as string)
})

test("trailers go on with the Trailer that announces them, other than those that only we may say", async () => {
  const said = "X-Sum: 1\r\nX-Accel-Redirect: /secret\r\nX.Accel.Redirect: /secret\r\nX_Under: 1\r\nX-Forwarded-For: 6.6.6.6\r\nSet-Cookie: a=1\r\nX-User: eve\r\nX.User: eve\r\nX-Gone: eve\r\nX-Own: late\r\n"
  const { got, ask } = await between(() => `HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${said}\r\n`)
  const answer = await ask("POST /in/a HTTP/1.1\nHost: a\nX-Own: early\nTrailer: X-Sum, X_Under, Content-Length\nTE: trailers\nTransfer-Encoding: chunked", `2\r\nhi\r\n0\r\n${said}\r\n`)
  const [head = "", body = ""] = got[0]!.split("\r\n\r\n")
  expect(head).toContain("\r\nTrailer: X-Sum\r\n")
  expect(body).toBe("2\r\nhi\r\n0\r\nX-Sum: 1")
  expect(answer).toContain("\r\nTrailer: X-Sum\r\n")
  expect(answer.slice(answer.indexOf("\r\n0\r\n"))).toBe("\r\n0\r\nX-Sum: 1\r\nX-User: eve\r\nX-Gone: eve\r\nX-Own: late\r\n\r\n")
  // A body of known length has none to announce.
  await ask("POST / HTTP/1.1\nHost: a\nTrailer: X-Sum\nContent-Length: 2", "hi")
  expect(got[1]).not.toContain("Trailer:")
})

test("a switch to another protocol than asked is no tunnel", async () => {
  const handshake = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
  let upgrade = "other"
  const { edge } = await between((_, c) => void c.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${upgrade}\r\n\r\nhello`))
  for (const [protocol, expected] of [["other", 502], ["h2c", 502], ["websocket, other", 502], ["WebSocket", 101]] as const) {
    upgrade = protocol
    const client = await RawClient.to(edge.port())
    client.send(handshake)
    await client.until(c => c.text.includes("\r\n\r\n"))
    expect({ protocol, status: Number(client.text.slice(9, 12)) }).toEqual({ protocol, status: expected })
    client.socket.terminate()
  }
}, 60_000)

test("scheme and address are of the same hop; empty members count for nothing", async () => {
  const server = `trusted_proxies = ["127.0.0.1/32", "10.0.0.0/8"]`
  const { got, ask } = await between(() => ok, { server })
  const told = async (...lines: string[]) => {
    await ask(`GET / HTTP/1.1\nHost: a\n${lines.join("\n")}`)
    const text = got.at(-1)!
    return [/^X-Forwarded-Proto: (.*)$/m.exec(text)?.[1], /^X-Forwarded-For: (.*)$/m.exec(text)?.[1]]
  }
  // Client over https to 10.0.0.1, which asks us over http.
  expect(await told("X-Forwarded-For: 1.2.3.4, 10.0.0.1", "X-Forwarded-Proto: https, http")).toEqual(["https", "1.2.3.4, 10.0.0.1, 127.0.0.1"])
  // What stands left of the client is the client's own.
  expect(await told("X-Forwarded-For: 6.6.6.6, 1.2.3.4", "X-Forwarded-Proto: https, http")).toEqual(["http", "6.6.6.6, 1.2.3.4, 127.0.0.1"])
  expect(await told("X-Forwarded-For: 1.2.3.4, 10.0.0.1", "X-Forwarded-Proto: https")).toEqual(["https", "1.2.3.4, 10.0.0.1, 127.0.0.1"])
  expect(await told("X-Forwarded-For: 1.2.3.4, ", "X-Forwarded-Proto: https,")).toEqual(["https", "1.2.3.4, 127.0.0.1"])
  expect(await told("X-Forwarded-For: 1.2.3.4,, 10.0.0.1 ,", "X-Forwarded-Proto: https, http")).toEqual(["https", "1.2.3.4, 10.0.0.1, 127.0.0.1"])
  expect(await told("Forwarded: for=1.2.3.4;proto=https, for=10.0.0.1;proto=http")).toEqual(["https", "127.0.0.1"])
}, 60_000)

test("an empty member of X-Forwarded-For does not make the proxy the client", async () => {
  const config = `[server]\nfronts = 1\ntrusted_proxies = ["127.0.0.1/32"]\n[log]\naccess = { format = "off" }\n[[site]]\nlisten = ["127.0.0.1:0"]\nuse = [{ ip = { deny = ["127.0.0.1/32"] } }]\n[[site.route]]\nrespond = "in"\n`
  const edge = await Edge.start({ config })
  closers.push(() => edge[Symbol.asyncDispose]())
  for (const list of ["1.2.3.4", "1.2.3.4,", "1.2.3.4, ,", ", 1.2.3.4, "]) {
    expect({ list, text: await edge.get("/", { headers: { "x-forwarded-for": list } }) }).toEqual({ list, text: "in" })
  }
  expect((await fetch(edge.url("/"), { headers: { "x-forwarded-for": "," } })).status).toBe(403)
}, 60_000)

test("an answer whose lines end in LF alone is read; one that mixes is refused", async () => {
  const { ask } = await between(text => {
    if (text.startsWith("GET /bare ")) return "HTTP/1.1 200 OK\nX-A: b\nContent-Length: 6\n\nok\r\n\r\n"
    if (text.startsWith("GET /chunked ")) return "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n"
    return "HTTP/1.1 200 OK\r\nX-A: b\nSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok"
  })
  for (let i = 0; i < 2; i++) {
    const bare = await ask("GET /bare HTTP/1.1\nHost: a")
    expect([bare.slice(0, 15), bare.includes("\r\nX-A: b\r\n"), bare.slice(bare.indexOf("\r\n\r\n") + 4)]).toEqual(["HTTP/1.1 200 OK", true, "ok\r\n\r\n"])
  }
  expect(await ask("GET /chunked HTTP/1.1\nHost: a")).toEndWith("\r\n\r\nok")
  const mixed = await ask("GET /mixed HTTP/1.1\nHost: a")
  expect(mixed).toStartWith("HTTP/1.1 502 ")
  expect(mixed).not.toContain("evil")
})

test("an upstream that says nothing to Expect is not waited for a second time", async () => {
  const chunks: string[] = []
  let says = false
  const upstream = listenRaw((c, chunk) => {
    chunks.push(chunk.latin1Slice())
    if (says && chunk.latin1Slice().endsWith("\r\n\r\n")) c.write("HTTP/1.1 100 Continue\r\n\r\n")
    if (chunk.latin1Slice().endsWith("hi")) c.write(ok)
  })
  closers.push(() => upstream.stop())
  const edge = await Edge.start({ config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nproxy = "http://127.0.0.1:${upstream.port}"\n` })
  closers.push(() => edge[Symbol.asyncDispose]())
  const post = () => RawClient.ask(edge.port(), "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
  const heads = () => chunks.splice(0).filter(chunk => chunk.endsWith("\r\n\r\n")).length
  // It is waited for once: the head goes alone.
  expect(await post()).toContain("HTTP/1.1 200 OK")
  expect(heads()).toBe(1)
  for (let i = 0; i < 3; i++) expect(await post()).toContain("HTTP/1.1 200 OK")
  expect(heads()).toBe(0)
  // And one that says it is, each time.
  says = true
  const other = await Edge.start({ config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\nproxy = "http://127.0.0.1:${upstream.port}"\n` })
  closers.push(() => other[Symbol.asyncDispose]())
  for (let i = 0; i < 2; i++) {
    expect(await RawClient.ask(other.port(), "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")).toContain("HTTP/1.1 200 OK")
    expect(heads()).toBe(1)
  }
}, 60_000)

test("426 says which protocol would do", async () => {
  const { ask } = await between(() => "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno")
  const answer = await ask("GET / HTTP/1.1\nHost: a")
  expect(answer).toContain("\r\nUpgrade: websocket\r\n")
  expect(answer).toMatch(/\r\nConnection: upgrade\r\n/)
})
