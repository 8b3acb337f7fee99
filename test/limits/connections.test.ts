/** Floods of connections, through the executable. */
import { expect, test } from "bun:test"
import { connect, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { Edge, until } from "../kit/edge.ts"
import { describeWith } from "../kit/needs.ts"

const site = (limits: string, more = ""): string => `
  [log]
  access = { format = "off" }
  [server]
  fronts = 1
  trusted_proxies = ["127.0.0.9/32"]
  [server.limits]
  ${limits}
  [[site]]
  listen = ["127.0.0.1:0"]
  ${more}
  [[site.route]]
  respond = { body = "ok" }
`

interface Client {
  readonly socket: Socket
  closed: boolean
}

/** Resolves when the connection is made; that it was closed again comes later. */
async function open(port: number, localAddress = "127.0.0.1"): Promise<Client> {
  const socket = connect({ port, host: "127.0.0.1", localAddress })
  const client: Client = { socket, closed: false }
  socket.on("error", () => {})
  // Unread, its end might not be seen.
  socket.resume()
  // It may be over before we hear that it began.
  await new Promise<void>(resolve => {
    socket.once("connect", () => resolve())
    socket.once("close", () => {
      client.closed = true
      resolve()
    })
  })
  return client
}

/** Whether the connection is served. */
async function served(client: Client): Promise<boolean> {
  let got = ""
  client.socket.on("data", data => (got += data.toString("latin1")))
  client.socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  await until(() => client.closed || got.includes("ok"))
  return !client.closed
}

const end = (clients: readonly { socket: Socket }[]): void => clients.forEach(({ socket }) => socket.destroy())

test("one client's are bounded, others and trusted proxies come in; what is closed makes room", async () => {
  await using edge = await Edge.start({ config: site("connections_per_ip = 5") })
  const first = []
  for (let i = 0; i < 5; i++) first.push(await open(edge.port()))
  for (const client of first) expect(await served(client)).toBe(true)
  const more = await Promise.all(Array.from({ length: 5 }, () => open(edge.port())))
  await until(() => more.every(({ closed }) => closed))
  const other = await open(edge.port(), "127.0.0.2")
  expect(await served(other)).toBe(true)
  const proxies = await Promise.all(Array.from({ length: 8 }, () => open(edge.port(), "127.0.0.9")))
  for (const proxy of proxies) expect(await served(proxy)).toBe(true)
  expect(edge.output).toContain("too many connections: new ones are closed")
  expect(edge.output).toContain("limit=connections_per_ip")
  end(first.slice(0, 2))
  await until(async () => {
    const next = await open(edge.port())
    const came = await served(next)
    first.push(next)
    return came
  })
  end([...first, other, ...proxies])
}, 30_000)

test("all together are bounded", async () => {
  await using edge = await Edge.start({ config: site("connections = 3") })
  const clients = [await open(edge.port()), await open(edge.port(), "127.0.0.2"), await open(edge.port(), "127.0.0.9")]
  for (const client of clients) expect(await served(client)).toBe(true)
  const more = await open(edge.port(), "127.0.0.3")
  await until(() => more.closed)
  end(clients)
  await until(async () => (await fetch(edge.url("/"), { keepalive: false }).catch(() => undefined))?.status === 200)
}, 30_000)

describeWith(["openssl"], "over TLS", () => {
  test("counted before the handshake, which is what a flood wants", async () => {
    const files = (dir: string): void => {
      const made = Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", `${dir}/k.pem`, "-out", `${dir}/c.pem`])
      if (made.exitCode !== 0) throw new Error(made.stderr.toString())
    }
    await using edge = await Edge.start({ config: site("connections_per_ip = 2", 'tls = { cert = "c.pem", key = "k.pem" }'), prepare: files })
    const silent = [await open(edge.port()), await open(edge.port())]
    const third = await open(edge.port())
    await until(() => third.closed)
    end(silent)
    const ask = (): Promise<string> =>
      new Promise(resolve => {
        const socket: TLSSocket = connectTls({ port: edge.port(), host: "127.0.0.1", rejectUnauthorized: false }, () => socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        socket.on("data", data => {
          resolve(data.toString("latin1").split("\r\n")[0]!)
          socket.destroy()
        })
        socket.on("error", () => resolve(""))
        socket.on("close", () => resolve(""))
      })
    await until(async () => (await ask()) === "HTTP/1.1 200 OK")
    // Connections that were served and closed are not counted any more.
    for (let i = 0; i < 5; i++) await until(async () => (await ask()) === "HTTP/1.1 200 OK")
  }, 30_000)
})
