/** What is cheap to send over HTTP/2 and dear to take in (RFC 9113, 10.5). The connection ends; the server does not notice. */
import { block, attack, Flag, frame, request, Type } from "../http2-frames.ts"
import type { Siege } from "../siege.ts"

const { endHeaders, endStream } = Flag
const FRAMES = 20_000

function* times(n: number, make: (i: number) => Uint8Array): Generator<Uint8Array> {
  // 50 frames a write: what a hostile client does, too.
  for (let i = 0; i < n; i += 50) yield Buffer.concat(Array.from({ length: Math.min(50, n - i) }, (_, j) => make(i + j)))
}

const head = request("/files/a.txt")
const word = (n: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(n)
  return bytes
}
const settings = Buffer.concat([Buffer.from([0, 4]), word(65_535)])

/** Each: its name, its bytes, and whether the server must end the connection. */
const attacks: Readonly<Record<string, { bytes(): Iterable<Uint8Array>; ends: boolean }>> = {
  "rapid reset": {
    bytes: () => times(FRAMES, i => Buffer.concat([frame(Type.headers, endHeaders | endStream, 2 * i + 1, head), frame(Type.reset, 0, 2 * i + 1, word(8))])),
    ends: true,
  },
  "made to reset": {
    // A WINDOW_UPDATE of 0 on an open stream makes the server reset it, while its handler goes on.
    bytes: () => times(FRAMES, i => Buffer.concat([frame(Type.headers, endHeaders, 2 * i + 1, head), frame(Type.windowUpdate, 0, 2 * i + 1, word(0))])),
    ends: true,
  },
  "CONTINUATION without end": {
    bytes: function* () {
      yield frame(Type.headers, endStream, 1, head)
      yield* times(FRAMES, i => frame(Type.continuation, 0, 1, block([[`x-${i}`, "a".repeat(100)]])))
    },
    ends: true,
  },
  "SETTINGS flood": { bytes: () => times(FRAMES, () => frame(Type.settings, 0, 0, settings)), ends: true },
  "PING flood": { bytes: () => times(FRAMES, () => frame(Type.ping, 0, 0, Buffer.alloc(8))), ends: true },
  "PRIORITY flood": { bytes: () => times(FRAMES, i => frame(Type.priority, 0, 2 * i + 1, Buffer.alloc(5))), ends: true },
  "empty DATA flood": {
    bytes: function* () {
      yield frame(Type.headers, endHeaders, 1, request("/wsgi/x", "POST"))
      yield* times(FRAMES, () => frame(Type.data, 0, 1))
    },
    ends: true,
  },
  "header bomb": {
    // One field of 4 kB in the table, named again and again by one byte: 4 MB of fields in a kilobyte.
    bytes: function* () {
      const bomb = Buffer.concat([head, block([["x-bomb", "a".repeat(3900)]], { indexed: true }), Buffer.alloc(1000, 0x80 | 62)])
      yield frame(Type.headers, endHeaders | endStream, 1, bomb)
      yield* times(2000, i => frame(Type.headers, endHeaders | endStream, 2 * i + 3, Buffer.concat([head, Buffer.alloc(1000, 0x80 | 62)])))
    },
    ends: true,
  },
  "many fields": {
    bytes: () => [frame(Type.headers, endHeaders | endStream, 1, Buffer.concat([head, block(Array.from({ length: 400 }, (_, i) => [`x-${i}`, "a"] as const))]))],
    ends: false,
  },
  "a window past its bound": { bytes: () => [frame(Type.windowUpdate, 0, 0, word(0x7fffffff)), frame(Type.windowUpdate, 0, 0, word(0x7fffffff))], ends: true },
  "an even stream": { bytes: () => [frame(Type.headers, endHeaders | endStream, 2, head)], ends: true },
  "DATA to nobody": { bytes: () => [frame(Type.data, 0, 7, Buffer.from("x"))], ends: true },
  "no frames at all": { bytes: () => [Buffer.alloc(100_000, 0xff)], ends: true },
}

export async function http2({ ports, ledger, rounds }: Siege): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      Object.entries(attacks).map(async ([name, { bytes, ends }]) => {
        const row = ledger.row(`HTTP/2: ${name}`)
        row.sent++
        const { ended, frames } = await attack(ports.https, bytes(), { withinMs: ends ? 30_000 : 3000 })
        if (ended) row.refused++
        else if (ends) row.lost++
        else row.answered[200] = (row.answered[200] ?? 0) + (frames[Type.headers] === 1 || frames[Type.reset] === 1 ? 1 : 0)
        if (ends && !ended) row.wrong.push(`the connection is still open; frames seen: ${JSON.stringify(frames)}`)
      }),
    )
  }
}
