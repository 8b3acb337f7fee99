import { afterEach, expect, test } from "bun:test"
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PartsStream } from "./parts-stream.ts"

const dir = mkdtempSync(join(tmpdir(), "edge-test-"))
const file = join(dir, "file")
const content = Buffer.alloc(1_000_000)
for (let i = 0; i < content.length; i += 4) content.writeUInt32BE(i, i)
writeFileSync(file, content)

let closed = 0
let fd = -1
const open = () => (fd = openSync(file, "r"))
const close = () => {
  closed++
  closeSync(fd)
}
afterEach(() => {
  closed = 0
})

test("bytes and pieces of a file behind each other", async () => {
  open()
  const parts = [Buffer.from("<"), { fd, start: 10, end: 700_000 }, Buffer.from("|"), { fd, start: 5, end: 5 }, Buffer.alloc(0), { fd, start: 0, end: 4 }, Buffer.from(">")]
  const stream = new PartsStream(parts, close)
  const want = Buffer.concat([Buffer.from("<"), content.subarray(10, 700_000), Buffer.from("|"), content.subarray(0, 4), Buffer.from(">")])
  expect(stream.length).toBe(want.length)
  expect(Buffer.from(await stream.bytes()).equals(want)).toBe(true)
  expect(closed).toBe(1)
})

test("nothing comes while it is paused", async () => {
  open()
  const stream = new PartsStream([{ fd, start: 0, end: content.length }], close)
  const { promise, resolve } = Promise.withResolvers<void>()
  let bytes = 0
  let paused = 0
  stream.pipe({
    data: chunk => {
      bytes += chunk.byteLength
      stream.pause()
      const at = bytes
      setTimeout(() => {
        if (bytes === at) paused++
        stream.resume()
      }, 5)
    },
    end: () => resolve(),
    fail: error => resolve(Promise.reject(error)),
  })
  await promise
  expect([bytes, paused, closed]).toEqual([content.length, 4, 1])
})

test("cancelled during a read: closed once the read is done, and silent", async () => {
  open()
  const stream = new PartsStream([{ fd, start: 0, end: content.length }], close)
  let said = 0
  stream.pipe({ data: () => void said++, end: () => void said++, fail: () => void said++ })
  stream.cancel()
  expect(closed).toBe(0)
  for (let i = 0; i < 200 && closed === 0; i++) await Bun.sleep(5)
  stream.cancel()
  expect([closed, said]).toEqual([1, 0])
})

test("a file that ends too early is a failure", async () => {
  open()
  const stream = new PartsStream([{ fd, start: 0, end: content.length + 1 }], close)
  await expect(stream.bytes()).rejects.toThrow("shorter")
  expect(closed).toBe(1)
  rmSync(dir, { recursive: true })
})
