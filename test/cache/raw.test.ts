/** What only bytes show: the head of a hit, pipelined; HTTP/1.0; HTTP/2. */
import { afterEach, expect, test } from "bun:test"
import { connect, type IncomingHttpHeaders } from "node:http2"
import { join } from "node:path"
import { Edge } from "../kit/edge.ts"
import { RawClient } from "../proxy/raw-client.ts"
import { Origin } from "./origin.ts"

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

async function start(site = "", prepare?: (dir: string) => void) {
  const date = new Date(Date.now() - 100_000).toUTCString()
  const origin = new Origin(() => ({ status: 200, headers: [["Cache-Control", "max-age=600"], ["Date", date]], body: "hello" }))
  closers.push(() => origin.stop())
  const edge = await Edge.start({
    config: `[server]\nfronts = 1\n[[site]]\nlisten = ["127.0.0.1:0"]\n${site}\nuse = ["cache"]\n[[site.route]]\nproxy = "http://127.0.0.1:${origin.port}"\n`,
    ...(prepare !== undefined && { prepare }),
  })
  closers.push(() => edge[Symbol.asyncDispose]())
  return { edge, origin, date }
}

test("a hit: the origin's date, one age, one length; the same again and again on one connection", async () => {
  const { edge, origin, date } = await start()
  await edge.get("/a", { headers: { Host: "a.test" } })
  const request = "GET /a HTTP/1.1\r\nHost: A.test\r\n\r\n"
  const text = await RawClient.ask(edge.port(), request.repeat(5) + "HEAD /a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
  const answers = text.split("HTTP/1.1 200 OK\r\n").slice(1)
  expect(answers).toHaveLength(6)
  for (const [i, answer] of answers.entries()) {
    expect(answer.match(/^Age: +10[0-9]\r$/gm)).toHaveLength(1)
    expect(answer.match(/^Date: .*$/gm)).toEqual([`Date: ${date}`])
    expect(answer.match(/^Content-Length: 5\r$/gm)).toHaveLength(1)
    expect(answer.endsWith(i < 5 ? "\r\n\r\nhello" : "\r\n\r\n")).toBe(true)
  }
  expect(origin.got).toHaveLength(1)
}, 60_000)

test("HTTP/1.0 gets a hit too; without Host nothing is kept or given", async () => {
  const { edge, origin } = await start()
  await edge.get("/a", { headers: { Host: "a.test" } })
  expect(await RawClient.ask(edge.port(), "GET /a HTTP/1.0\r\nHost: a.test\r\n\r\n")).toContain("Cache-Status: edge; hit")
  for (let i = 0; i < 2; i++) expect(await RawClient.ask(edge.port(), "GET /a HTTP/1.0\r\n\r\n")).toContain("Cache-Status: edge; fwd=bypass")
  expect(origin.got).toHaveLength(3)
}, 60_000)

test("Host with a port is another key; absolute-form is the same", async () => {
  const { edge, origin } = await start()
  await edge.get("/a", { headers: { Host: "a.test" } })
  expect(await RawClient.ask(edge.port(), "GET http://a.test/a HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")).toContain("edge; hit")
  await RawClient.ask(edge.port(), "GET /a HTTP/1.1\r\nHost: a.test:81\r\nConnection: close\r\n\r\n")
  expect(origin.got).toHaveLength(2)
}, 60_000)

function makeCertificate(dir: string): void {
  const files = ["-keyout", join(dir, "k.pem"), "-out", join(dir, "c.pem")]
  Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", ...files, "-days", "2", "-subj", "/CN=localhost"])
}

test("over HTTP/2, with its age", async () => {
  const { edge, origin, date } = await start('tls = { cert = "c.pem", key = "k.pem" }', makeCertificate)
  const session = connect(`https://127.0.0.1:${edge.port()}`, { rejectUnauthorized: false })
  closers.push(() => session.destroy())
  const ask = () =>
    new Promise<IncomingHttpHeaders>((resolve, reject) => {
      const stream = session.request({ ":path": "/a" })
      stream.on("response", resolve)
      stream.on("error", reject)
      stream.resume()
      stream.end()
    })
  await ask()
  const hit = await ask()
  expect(hit).toMatchObject({ ":status": 200, age: expect.stringMatching(/^10\d$/), date, "cache-status": "edge; hit" })
  expect(origin.got).toHaveLength(1)
}, 60_000)
