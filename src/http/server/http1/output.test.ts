import { expect, test } from "bun:test"
import type { Socket } from "bun"
import { ByteStream } from "../../message/stream.ts"
import type { ByteSink } from "../../message/stream.ts"
import { Output } from "./output.ts"
import { Framing } from "./reply-head.ts"
import { StreamSender } from "./senders.ts"

/** Takes what `room` allows, as a socket does. */
class FakeSocket {
  writes: string[] = []
  room = Infinity
  closed = false
  write(bytes: Uint8Array, from: number, size: number): number {
    if (this.closed) return -1
    const taken = Math.min(size, this.room)
    this.room -= taken
    if (taken > 0) this.writes.push(Buffer.from(bytes.subarray(from, from + taken)).toString("latin1"))
    return taken
  }
  get all(): string {
    return this.writes.join("")
  }
}
function make(): { socket: FakeSocket; out: Output } {
  const socket = new FakeSocket()
  return { socket, out: new Output(socket as unknown as Socket<unknown>) }
}

test("between cork and uncork everything leaves in one write, in order", () => {
  const { socket, out } = make()
  out.cork()
  out.text("head ")
  out.cork()
  out.utf8("žluť ", Buffer.byteLength("žluť "))
  out.uncork()
  out.bytes(Buffer.from("body"))
  expect(socket.writes).toEqual([])
  out.uncork()
  expect(socket.writes.length).toBe(1)
  expect(Buffer.from(socket.all, "latin1").toString()).toBe("head žluť body")
})

test("what is large goes directly, behind what was moved together", () => {
  const { socket, out } = make()
  const large = "x".repeat(100_000)
  out.cork()
  out.text("a")
  out.bytes(Buffer.from(large))
  out.text("b")
  out.uncork()
  expect(socket.writes).toEqual(["a", large, "b"])
})

test("more than the batch holds", () => {
  const { socket, out } = make()
  const piece = "y".repeat(30_000)
  out.cork()
  for (let i = 0; i < 50; i++) out.bytes(Buffer.from(piece + i))
  out.uncork()
  expect(socket.all).toBe(Array.from({ length: 50 }, (_, i) => piece + i).join(""))
})

test("outputs that are corked inside of each other do not mix", () => {
  const a = make()
  const b = make()
  a.out.cork()
  a.out.text("a1 ")
  b.out.cork()
  b.out.text("b1 ")
  // Not on top now.
  a.out.text("a2 ")
  b.out.text("b2 ")
  b.out.uncork()
  a.out.text("a3")
  a.out.uncork()
  expect([a.socket.all, b.socket.all]).toEqual(["a1 a2 a3", "b1 b2 "])
})

test("what a slow socket does not take is kept, in order, and may be changed by its owner where it said so", () => {
  const { socket, out } = make()
  socket.room = 3
  const shared = Buffer.from("date|" + "z".repeat(50_000))
  expect(out.bytes(shared, 5)).toBe(false)
  shared.fill("!", 0, 5)
  expect(out.blocked).toBe(true)
  out.cork()
  out.text("next")
  out.uncork()
  expect(out.offer(Buffer.from("file"), 0, 4)).toBe(0)
  socket.room = 10
  expect(out.drain()).toBe(false)
  socket.room = Infinity
  expect(out.drain()).toBe(true)
  expect(out.blocked).toBe(false)
  expect(socket.all).toBe("date|" + "z".repeat(50_000) + "next")
})

test("a batch that is taken in parts", () => {
  const { socket, out } = make()
  socket.room = 2
  out.cork()
  out.text("abcdef")
  out.uncork()
  // Another output uses the same batch meanwhile.
  const other = make()
  other.out.cork()
  other.out.text("XXXXXXXXXX")
  other.out.uncork()
  socket.room = Infinity
  expect(out.drain()).toBe(true)
  expect(socket.all).toBe("abcdef")
})

test("a closed socket takes nothing, and says so to a source that never stops by itself", () => {
  const { socket, out } = make()
  socket.closed = true
  expect(out.bytes(Buffer.alloc(100_000))).toBe(false)
  expect(out.closed).toBe(true)
  expect(out.blocked).toBe(false)

  let cancelled = false
  class Endless extends ByteStream {
    readonly length = -1
    pipe(sink: ByteSink): void {
      for (let i = 0; i < 1_000_000 && !cancelled; i++) sink.data(Buffer.alloc(1000))
    }
    pause(): void {}
    resume(): void {}
    cancel(): void {
      cancelled = true
    }
  }
  let told = 0
  const host = { out, bytesOut: 0, sent() {}, cut() {}, blocked: () => void told++ }
  new StreamSender(host, new Endless(), Framing.Chunked, -1).start()
  expect([cancelled, told]).toEqual([true, 1])
})
