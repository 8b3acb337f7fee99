import { afterAll, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fromSockaddr, parseAddress, toSockaddr, toText } from "./address.ts"
import { close } from "../../system/libc.ts"
import { listenUnix, openSocket } from "./listening-socket.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-sockets-"))
afterAll(() => rmSync(dir, { recursive: true }))

/** What a process that accepts from the descriptor would see. */
function echo(fd: number) {
  return Bun.listen({ fd, socket: { open: (s: { end(text: string): void }) => s.end("hello"), data() {} } } as never) as { stop(force: boolean): void }
}

function connect(where: { hostname: string; port: number } | { unix: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = { data: (_: unknown, chunk: Buffer) => resolve(chunk.toString()), connectError: (_: unknown, e: Error) => reject(e) }
    Bun.connect({ ...where, socket } as never).catch(reject)
  })
}

test.each(["127.0.0.1:80", "[::]:8080", "[::1]:1", "[2001:db8::5:0:9]:443", "[1:2:3:4:5:6:7:8]:9", "unix:/tmp/a b.sock"])(
  "%s is the same after a trip through sockaddr",
  text => expect(toText(fromSockaddr(toSockaddr(parseAddress(text, "/")))!)).toBe(text),
)

test("a dotted tail and a longer spelling come out in the short form", () => {
  expect(toText(fromSockaddr(toSockaddr(parseAddress("[::ffff:10.0.0.1]:5", "/")))!)).toBe("[::ffff:a00:1]:5")
  expect(toText(fromSockaddr(toSockaddr(parseAddress("[0:0:0:0:0:0:0:1]:5", "/")))!)).toBe("[::1]:5")
})

test.each(["80", "127.0.0.1", "127.0.0.1:65536", "256.0.0.1:80", "[::1:80", "[zz]:80", "unix:", "example.com:80", ":::80"])(
  "%s is refused",
  text => expect(() => parseAddress(text, "/")).toThrow(JSON.stringify(text)),
)

test("port 0 gives a real port, over IPv4 and IPv6", async () => {
  for (const [text, hostname] of [["127.0.0.1:0", "127.0.0.1"], ["[::1]:0", "::1"]] as const) {
    const opened = await openSocket(text, { dir })
    expect(opened.port).toBeGreaterThan(0)
    const listener = echo(opened.fd)
    expect(await connect({ hostname, port: opened.port })).toBe("hello")
    listener.stop(true)
  }
})

test("[::] takes IPv4 connections too", async () => {
  const opened = await openSocket("[::]:0", { dir })
  const listener = echo(opened.fd)
  expect(await connect({ hostname: "127.0.0.1", port: opened.port })).toBe("hello")
  listener.stop(true)
})

test("a port in use says by whom", async () => {
  const other = createServer().listen(0, "127.0.0.1")
  const { port } = other.address() as { port: number }
  const who = process.platform === "linux" ? ` (by bun, pid ${process.pid})` : ""
  await expect(openSocket(`127.0.0.1:${port}`, { dir })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: address already in use${who}`)
  other.close()
})

test("an address of another machine is an error with its name", async () => {
  await expect(openSocket("192.0.2.1:0", { dir })).rejects.toThrow("192.0.2.1:0: this machine has no such address")
})

test("a unix socket has its mode from the start, whatever the umask, and goes when closed", async () => {
  const before = process.umask(0o022)
  const opened = await openSocket("unix:a.sock", { dir })
  const path = join(dir, "a.sock")
  expect(process.umask(before)).toBe(0o022)
  expect(statSync(path).mode & 0o777).toBe(0o660)
  opened.close()
  expect(existsSync(path)).toBe(false)
})

test("a stale unix socket is replaced; one that answers and a plain file are not", async () => {
  const path = join(dir, "b.sock")
  close(listenUnix(path, 0o600))
  expect(existsSync(path)).toBe(true)
  const first = await openSocket("unix:b.sock", { dir })
  await expect(openSocket("unix:b.sock", { dir })).rejects.toThrow("cannot listen on unix:b.sock: address already in use")
  expect(existsSync(path)).toBe(true)
  first.close()
  writeFileSync(path, "precious")
  await expect(openSocket("unix:b.sock", { dir })).rejects.toThrow("not a socket")
  expect(existsSync(path)).toBe(true)
})

test("closing leaves a socket alone that somebody else has bound since", async () => {
  const path = join(dir, "c.sock")
  const first = await openSocket("unix:c.sock", { dir })
  rmSync(path)
  const second = await openSocket("unix:c.sock", { dir })
  first.close()
  expect(existsSync(path)).toBe(true)
  second.close()
})

test("a path longer than the system allows is an error, not another path", async () => {
  await expect(openSocket(`unix:${"x".repeat(200)}.sock`, { dir })).rejects.toThrow("the system allows 107")
})

// Root may write anywhere.
const unlessRoot = process.getuid?.() === 0 ? () => {} : test
unlessRoot("a folder without rights is an error", async () => {
  const closed = mkdtempSync(join(dir, "closed-"))
  chmodSync(closed, 0o500)
  await expect(openSocket(`unix:${closed}/a.sock`, { dir })).rejects.toThrow("permission denied")
})
