import { expect, test } from "bun:test"
import { ClientFrames } from "./client-frames.ts"
import { Flag, frame, Type } from "./frame.ts"
import { literal } from "./hpack.ts"
import { Uploads } from "./uploads.ts"

test("frames are the same however they are cut", () => {
  const block = Buffer.concat([literal(":method", "POST"), literal(":path", "/x"), literal("a", "b")])
  const padded = Buffer.concat([Uint8Array.of(3), block, new Uint8Array(3)])
  const bytes = Buffer.concat([
    frame({ type: Type.Settings, flags: 0, stream: 0 }, new Uint8Array(12)),
    frame({ type: Type.Headers, flags: Flag.Padded | Flag.EndHeaders, stream: 1 }, padded),
    frame({ type: Type.Data, flags: 0, stream: 1 }, Buffer.alloc(1000, "x")),
    frame({ type: Type.Data, flags: Flag.EndStream, stream: 1 }, new Uint8Array(0)),
    frame({ type: Type.Headers, flags: Flag.EndStream, stream: 3 }, block.subarray(0, 5)),
    frame({ type: Type.Continuation, flags: Flag.EndHeaders, stream: 3 }, block.subarray(5)),
    frame({ type: Type.Ping, flags: 0, stream: 0 }, new Uint8Array(8)),
  ])
  const through = (size: number): string => {
    const frames = new ClientFrames(new Uploads({ grant() {}, reset() {} }))
    const out: Uint8Array[] = []
    for (let i = 0; i < bytes.length; i += size) out.push(...frames.scan(bytes.subarray(i, i + size))!)
    return Buffer.concat(out).toString("hex")
  }
  const whole = through(bytes.length)
  for (const size of [1, 2, 3, 8, 9, 10, 17, 100]) expect(through(size)).toBe(whole)
})
