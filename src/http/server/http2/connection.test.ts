import { afterAll, expect, test } from "bun:test"
import { $ } from "bun"
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:tls"
import { connect as connectPlain } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Logger } from "../../../log/logger.ts"
import type { Exchange } from "../../message/exchange.ts"
import { HeaderList } from "../../message/headers.ts"
import { defaultLimits } from "../limits.ts"
import { listen } from "../listener.ts"
import type { HttpListener, ListenOptions } from "../listener.ts"
import { Reply } from "../../message/reply.ts"
import { ByteStream } from "../../message/stream.ts"

const warnings: string[] = []
const log: Logger = { debug() {}, info() {}, warn: (message: string) => void warnings.push(message), error() {}, with: () => log }
const folder = mkdtempSync(join(tmpdir(), "http2-"))
const open: HttpListener[] = []
afterAll(() => {
  for (const listener of open) listener.closeNow()
  rmSync(folder, { recursive: true })
})

async function certificate(name: string): Promise<{ cert: string; key: string; hosts: string[]; file: string }> {
  const key = join(folder, `${name}.key`)
  const file = join(folder, `${name}.pem`)
  await $`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ${key} -out ${file} -days 2 -subj /CN=${name} -addext ${`subjectAltName=DNS:${name},DNS:*.${name}`}`.quiet()
  return { cert: await Bun.file(file).text(), key: await Bun.file(key).text(), hosts: [name, `*.${name}`], file }
}
const a = await certificate("a.test")
const b = await certificate("b.test")

const ends: string[] = []
let aborted = 0
const file = join(folder, "file")
writeFileSync(file, "x".repeat(300_000))

/** Four bytes and the end, each so many microtasks late. */
function soon(tasks: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller) {
      for (let i = 0; i < tasks; i++) await undefined
      controller.enqueue(new TextEncoder().encode("abcd"))
      for (let i = 0; i < tasks; i++) await undefined
      controller.close()
    },
  })
}

function handler(x: Exchange): Reply | Promise<Reply> {
  switch (x.path) {
    case "/show":
      return Reply.text(200, `${x.method} ${x.target} ${x.path} ${x.host} ${x.scheme} ${x.httpVersion} ${x.peer} ${x.conn.peerPort > 0} ${x.tls?.sni} ${x.tls?.alpn}\n${[...x.headers].map(([n, v]) => `${n}: ${v}\n`).join("")}`)
    case "/length":
      return x.body === null ? Reply.text(200, "0") : x.body.bytes().then(bytes => Reply.text(200, String(bytes.byteLength)))
    case "/echo":
      return new Reply(200, new HeaderList(["Set-Cookie", "a=1", "Set-Cookie", "b=2"]), x.body)
    case "/file": {
      const fd = openSync(file, "r")
      return new Reply(200, undefined, { fd, start: 0, end: 300_000, close: () => closeSync(fd) })
    }
    case "/split":
      return new Reply(200, new HeaderList(["X-A", "b\r\nX-B: c"]), "x")
    case "/short":
      return new Reply(200, new HeaderList(["Content-Length", "9"]), ByteStream.from(new Blob(["short"]).stream()))
    case "/never":
      x.signal.addEventListener("abort", () => aborted++)
      return new Promise(() => {})
    case "/slow":
      return Bun.sleep(300).then(() => Reply.text(200, "slow"))
    case "/throw":
      throw new Error("a secret")
    case "/soon":
      return new Reply(200, x.query.startsWith("told") ? new HeaderList(["Content-Length", "4"]) : undefined, ByteStream.from(soon(Number(x.query.slice(4)))))
    default:
      return Reply.text(200, "hello")
  }
}

function serve(o: Partial<ListenOptions> = {}): HttpListener {
  const listener = listen({
    hostname: "127.0.0.1",
    port: 0,
    address: "127.0.0.1:0",
    handler,
    limits: defaultLimits,
    trusted: () => false,
    log,
    onExchangeEnd: (x, end) => {
      ends.push(`${x.method} ${x.path} ${end.status} ${end.bytesOut}`)
    },
    ...o,
  })
  open.push(listener)
  return listener
}
const tls = serve({ tls: { certificates: [a, b] } })
const plain = serve()

/** curl over each way that a client may come; prints the body and then status and version. */
async function curl(way: "h2" | "h2c" | "tls", path: string, ...more: string[]): Promise<string> {
  const listener = way === "h2c" ? plain : tls
  const base = way === "h2c" ? `http://a.test:${listener.port}` : `https://a.test:${listener.port}`
  const version = { h2: "--http2", h2c: "--http2-prior-knowledge", tls: "--http1.1" }[way]
  const run = Bun.spawn(
    ["curl", "-s", "--path-as-is", version, "--cacert", a.file, "--resolve", `a.test:${listener.port}:127.0.0.1`, "-w", " %{http_code} %{http_version} %{exitcode}", ...more, base + path],
    { stdout: "pipe" },
  )
  return new Response(run.stdout).text()
}

for (const [way, version] of [["h2", "2"], ["h2c", "2"], ["tls", "1.1"]] as const) {
  const name = { h2: "HTTP/2 over TLS", h2c: "HTTP/2 with prior knowledge", tls: "HTTP/1.1 over TLS" }[way]

  test(`${name}: the client, the target and the fields are known`, async () => {
    const secure = way !== "h2c"
    const got = await curl(way, "/x/../sho%77?q=%20", "-H", "X-Forwarded-For: 1.2.3.4", "-H", "X_A: b", "-H", "Proxy: x", "-H", "X-B: 1")
    const lines = got.split("\n")
    expect(lines[0]).toMatch(/^GET \/x\/\.\.\/sho%77\?q=%20 \/show a\.test/)
    expect(lines[0]).toEndWith(` ${secure ? "https" : "http"} ${version} 127.0.0.1 true ${secure ? `a.test ${way === "h2" ? "h2" : "http/1.1"}` : "undefined undefined"}`)
    expect(got.toLowerCase()).toContain("x-b: 1\n")
    expect(got).not.toMatch(/x-forwarded-for|x_a|proxy/i)
    expect(got).toEndWith(` 200 ${version} 0`)
  })

  test(`${name}: bodies in both directions`, async () => {
    const data = Buffer.alloc(3_000_000, "abc")
    writeFileSync(join(folder, "data"), data)
    expect(await curl(way, "/length", "-T", join(folder, "data"))).toBe(`3000000 200 ${version} 0`)
    expect(await curl(way, "/echo", "-T", join(folder, "data"))).toBe(data.toString() + ` 200 ${version} 0`)
    expect(await curl(way, "/length")).toBe(`0 200 ${version} 0`)
    expect(await curl(way, "/file")).toBe("x".repeat(300_000) + ` 200 ${version} 0`)
    expect(ends.at(-1)).toBe("GET /file 200 300000")
  })

  test(`${name}: HEAD, errors and what cannot be sent`, async () => {
    expect(await curl(way, "/x", "-I")).toMatch(/content-length: 5\r\n/i)
    expect(await curl(way, "/throw")).toBe(`500 Internal Server Error\n 500 ${version} 0`)
    expect(await curl(way, "/split")).toBe(`502 Bad Gateway\n 502 ${version} 0`)
    expect(await curl(way, "/%zz")).toContain(` 400 ${version} 0`)
    for (const target of ["/%2e%2e/x", "/a\\b", "/x#y", "/x?y#z"]) {
      expect(await curl(way, "/", "--path-as-is", "--request-target", target)).toContain(` 400 ${version}`)
    }
    expect(await curl(way, "/short")).not.toEndWith(" 0")
    expect(await curl(way, "/", "-H", "Host: a b")).toContain(" 400 ")
  })
}

test("a body over the limit is refused", async () => {
  const small = serve({ tls: { certificates: [a] }, limits: { ...defaultLimits, bodyBytes: 1000 } })
  for (const version of ["--http2", "--http1.1"]) {
    const run = await $`head -c 5000 /dev/zero | curl -sk ${version} -T - -H "Expect:" -w "%{http_code}" https://127.0.0.1:${small.port}/length`.quiet().nothrow()
    expect(run.stdout.toString()).toContain("413")
  }
})

test("an answer to a body that nobody reads arrives", async () => {
  writeFileSync(join(folder, "small"), Buffer.alloc(5000))
  for (let i = 0; i < 20; i++) {
    const run = Bun.spawn(["sh", "-c", `cat ${join(folder, "small")} | curl -s --http2-prior-knowledge -T - -w "%{http_code}" http://127.0.0.1:${plain.port}/x`], { stdout: "pipe" })
    expect(await new Response(run.stdout).text()).toBe("hello200")
  }
})

test("a body that ends before its head could leave", async () => {
  for (const tasks of [0, 1, 2, 3, 5, 10, 50]) {
    const told = await curl("h2c", `/soon?told${tasks}`, "-D", "-")
    expect(told).toContain("content-length: 4\r\n")
    expect(told).toEndWith("abcd 200 2 0")
    expect(await curl("h2c", `/soon?none${tasks}`)).toBe("abcd 200 2 0")
  }
})

test("the folder of the inner sockets may be cleaned away", async () => {
  expect(await curl("h2c", "/")).toBe("hello 200 2 0")
  for (const name of readdirSync(tmpdir())) if (name.startsWith(`edge-h2-${process.pid}-`)) rmSync(join(tmpdir(), name), { recursive: true })
  expect(await curl("h2c", "/")).toBe("hello 200 2 0")
})

test("certificates are chosen by name, the first one else", async () => {
  const shown = (servername: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ host: "127.0.0.1", port: tls.port, servername, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerCertificate().subject.CN))
        socket.destroy()
      })
      socket.on("error", reject)
    })
  expect(await Promise.all(["a.test", "b.test", "B.TEST", "x.b.test", "x.y.b.test", "c.test"].map(shown))).toEqual(["a.test", "b.test", "b.test", "b.test", "a.test", "a.test"])
})

test("a client that is gone aborts its requests", async () => {
  for (const way of ["h2", "h2c"] as const) {
    const before = aborted
    expect(await curl(way, "/never", "--max-time", "0.3")).toContain(" 000 ")
    while (aborted === before) await Bun.sleep(2)
  }
})

test("HTTP/1.1 behind ALPN h2 is not answered", async () => {
  const got = await new Promise<string>(resolve => {
    let text = ""
    const socket = connect({ host: "127.0.0.1", port: tls.port, ALPNProtocols: ["h2"], rejectUnauthorized: false }, () =>
      socket.write("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    )
    socket.on("data", chunk => (text += chunk))
    socket.on("error", () => {})
    socket.on("close", () => resolve(text))
  })
  expect(got).toBe("")
})

test("a client that does not end its handshake is cut", async () => {
  const quick = serve({ tls: { certificates: [a] }, limits: { ...defaultLimits, headTimeoutMs: 100 } })
  for (const bytes of ["", "\x16\x03\x01", "GET / HTTP/1.1\r\n\r\n"]) {
    await new Promise(resolve => {
      const socket = connectPlain(quick.port, "127.0.0.1", () => socket.write(Buffer.from(bytes, "latin1")))
      socket.on("data", () => {})
      socket.on("error", () => {})
      socket.on("close", resolve)
    })
  }
  while (quick.connections > 0) await Bun.sleep(2)
})

test("a flood of PING is cut, some are answered", async () => {
  const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
  const ping = Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
  const pings = (count: number) =>
    new Promise<number>(resolve => {
      let got = 0
      const socket = connectPlain(plain.port, "127.0.0.1", () => {
        socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings, ...Array.from({ length: count }, () => ping)]))
      })
      socket.on("data", chunk => {
        got += chunk.length
        if (got >= count * 17) socket.destroy()
      })
      socket.on("error", () => {})
      socket.on("close", () => resolve(got))
    })
  expect(await pings(500)).toBeGreaterThanOrEqual(500 * 17)
  expect(warnings).toEqual([])
  await pings(5000)
  expect(warnings).toEqual(["an HTTP/2 client was cut: too many control frames"])
})

test("drain lets open streams end and closes", async () => {
  const leaving = serve({ tls: { certificates: [a] } })
  const slow = $`curl -sk --http2 https://127.0.0.1:${leaving.port}/slow`.text()
  while (leaving.connections === 0) await Bun.sleep(2)
  await Bun.sleep(100)
  const draining = leaving.drain({ graceMs: 3000, tunnelGraceMs: 3000 })
  expect(await slow).toBe("slow")
  await draining
  expect(leaving.connections).toBe(0)
})

test("a client's certificate is known when its authority is the right one", async () => {
  const seen: unknown[] = []
  const mutual = serve({
    tls: { certificates: [a], clientCa: b.cert },
    handler: x => {
      seen.push(x.tls?.clientCert !== undefined)
      return Reply.text(200, "")
    },
  })
  const ask = (...more: string[]) => $`curl -sk ${more} https://127.0.0.1:${mutual.port}/`.quiet().nothrow()
  await ask()
  await ask("--cert", b.file, "--key", join(folder, "b.test.key"))
  await ask("--cert", a.file, "--key", join(folder, "a.test.key"))
  expect(seen.filter(Boolean).length).toBe(1)
})
