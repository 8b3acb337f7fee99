/** Upstreams over TLS, with certificates made for the test. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type TlsOptions } from "node:tls"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listenRaw } from "../upstream/harness.ts"
import { serveProxy } from "./serve.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-proxy-tls-"))
const file = (name: string) => join(dir, name)
const pem = (name: string) => readFileSync(file(name), "utf8")

function openssl(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { cwd: dir })
  if (exitCode !== 0) throw new Error(stderr.toString())
}

function certificate(name: string, san: string): void {
  writeFileSync(file("ext"), `subjectAltName=${san}`)
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`)
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-out", `${name}.pem`, "-extfile", "ext")
}

beforeAll(() => {
  for (const ca of ["ca", "other"]) {
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${ca}.key`, "-out", `${ca}.pem`, "-days", "2", "-subj", `/CN=${ca}`)
  }
  certificate("server", "DNS:good.test,IP:127.0.0.1")
  certificate("named", "DNS:good.test")
  certificate("client", "DNS:client.test")
})
afterAll(() => rmSync(dir, { recursive: true }))

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

interface Seen {
  port: number
  requests: number
  names: (string | false)[]
}

/** A TLS server of node's own; counts requests and the names that it was asked for. */
async function secure(options: TlsOptions): Promise<Seen> {
  const seen: Seen = { port: 0, requests: 0, names: [] }
  const server = createServer(options, socket => {
    seen.names.push((socket as unknown as { servername: string | false }).servername)
    socket.on("data", () => {
      seen.requests++
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    })
    socket.on("error", () => {})
  })
  server.on("tlsClientError", () => {})
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve))
  closers.push(() => server.close())
  seen.port = (server.address() as AddressInfo).port
  return seen
}

async function ask(options: object): Promise<number> {
  const served = await serveProxy(options, { dir })
  closers.push(() => served.stop())
  const { status } = await fetch(served.url)
  await fetch(served.url)
  return status
}

describe("https upstreams", () => {
  test("with a root of their own, by address and by name, on one kept connection", async () => {
    const server = await secure({ cert: pem("server.pem"), key: pem("server.key") })
    expect(await ask({ to: `https://127.0.0.1:${server.port}`, tls: { ca: "ca.pem" } })).toBe(200)
    expect(await ask({ to: `https://127.0.0.1:${server.port}`, tls: { ca: "ca.pem", server_name: "good.test" } })).toBe(200)
    expect(server.requests).toBe(4)
    expect(server.names.length).toBe(2)
    expect(server.names[1]).toBe("good.test")
  })
  const wrong: [name: string, cert: string, tls: object][] = [
    ["nobody vouches for", "server", {}],
    ["another root vouches for", "server", { ca: "other.pem" }],
    ["names somebody else", "server", { ca: "ca.pem", server_name: "bad.test" }],
    ["does not name the address", "named", { ca: "ca.pem" }],
  ]
  for (const [name, cert, tls] of wrong) {
    test(`a certificate that ${name} is 502, and not a byte is sent`, async () => {
      const server = await secure({ cert: pem(`${cert}.pem`), key: pem(`${cert}.key`) })
      expect(await ask({ to: `https://127.0.0.1:${server.port}`, tls })).toBe(502)
      expect(server.requests).toBe(0)
    })
  }
  test("any certificate, where the config says so", async () => {
    const server = await secure({ cert: pem("server.pem"), key: pem("server.key") })
    expect(await ask({ to: `https://127.0.0.1:${server.port}`, tls: { verify: false } })).toBe(200)
  })
  test("with our certificate where the upstream asks for one", async () => {
    const options = { cert: pem("server.pem"), key: pem("server.key"), ca: pem("ca.pem"), requestCert: true, rejectUnauthorized: true }
    const server = await secure(options)
    const to = `https://127.0.0.1:${server.port}`
    expect(await ask({ to, tls: { ca: "ca.pem", cert: "client.pem", key: "client.key" } })).toBe(200)
    expect(await ask({ to, tls: { ca: "ca.pem" } })).toBe(502)
  })
  const pairs: [name: string, tls: object, why: string][] = [
    ["a key of another certificate", { cert: "client.pem", key: "server.key" }, "tls.key: cannot be read: "],
    ["a key that is a certificate", { cert: "client.pem", key: "client.pem" }, "has no private key"],
    ["roots that are a key", { ca: "client.key" }, "has no certificate"],
  ]
  for (const [name, tls, why] of pairs) {
    test(`${name} is an error of the config, not of every request`, async () => {
      await expect(serveProxy({ to: "https://127.0.0.1:1", tls }, { dir })).rejects.toThrow(why)
    })
  }
  test("one that speaks no TLS, and one that never answers the handshake", async () => {
    const plain = listenRaw(c => c.write("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"))
    const mute = listenRaw(() => {})
    closers.push(() => (plain.stop(), mute.stop()))
    expect(await ask({ to: `https://127.0.0.1:${plain.port}` })).toBe(502)
    expect(await ask({ to: `https://127.0.0.1:${mute.port}`, connect_timeout: "100ms" })).toBe(504)
    for (const c of mute.accepted) await c.until(a => a.closed || a.ended)
  })
})
