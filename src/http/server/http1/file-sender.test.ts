import { afterAll, expect, test } from "bun:test"
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FileSender } from "./file-sender.ts"
import type { Output } from "./output.ts"
import type { SenderHost } from "./senders.ts"

const folder = mkdtempSync(join(tmpdir(), "edge-sender-"))
const file = join(folder, "data")
const data = Buffer.from(crypto.getRandomValues(new Uint8Array(65_536)).buffer)
writeFileSync(file, Buffer.concat(Array(8).fill(data)))
const size = 8 * data.length
afterAll(() => rmSync(folder, { recursive: true }))

/** A socket with room for `room` bytes until it drains; `direct`: what sendfile gives of what it is asked for. */
class FakeHost implements SenderHost {
  bytesOut = 0
  isSent = false
  blocks = 0
  fromKernel = 0
  readonly taken: Buffer[] = []
  readonly out: Output

  constructor(
    public room: number,
    direct: (asked: number) => number,
  ) {
    const fake = {
      takesFiles: true,
      sendFile: (_fd: number, _at: number, asked: number) => {
        const sent = Math.min(direct(asked), this.room)
        this.room -= sent
        this.fromKernel += sent
        return sent
      },
      offer: (bytes: Buffer, from: number, length: number) => {
        const taken = Math.min(length, this.room)
        this.room -= taken
        this.taken.push(Buffer.from(bytes.subarray(from, from + taken)))
        return taken
      },
    }
    this.out = fake as unknown as Output
  }
  sent(): void {
    this.isSent = true
  }
  cut(error: Error): void {
    throw error
  }
  blocked(): void {
    this.blocks++
  }
}

function send(host: FakeHost): { sender: FileSender; closed: () => number } {
  let closed = 0
  const fd = openSync(file, "r")
  const close = () => {
    closed++
    closeSync(fd)
  }
  const sender = new FileSender(host, { fd, start: 0, end: size, close })
  sender.start()
  return { sender, closed: () => closed }
}

test("what the kernel sends is not read", () => {
  const host = new FakeHost(Infinity, asked => asked)
  const { closed } = send(host)
  expect(host).toMatchObject({ isSent: true, fromKernel: size, bytesOut: size, taken: [] })
  expect(closed()).toBe(1)
})

test("a full socket is waited for, and the rest follows", () => {
  const host = new FakeHost(100_000, asked => asked)
  const { sender, closed } = send(host)
  while (!host.isSent) {
    expect(host.blocks).toBeLessThan(10)
    host.room = 100_000
    sender.resume()
  }
  expect(host.blocks).toBe(5)
  expect(host.fromKernel).toBe(size)
  expect(closed()).toBe(1)
})

test("where the kernel cannot, it is read and written", () => {
  const host = new FakeHost(Infinity, () => 0)
  send(host)
  expect(host).toMatchObject({ isSent: true, fromKernel: 0, bytesOut: size })
  expect(Buffer.concat(host.taken).equals(Buffer.concat(Array(8).fill(data)))).toBe(true)
})
