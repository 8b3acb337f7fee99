/** Frames of HTTP/2 (RFC 9113, 4.1) as an attacker writes them: nothing is checked, all goes out as it is told. */
import { connect, type TLSSocket } from "node:tls"

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

export const Type = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9 } as const
export const Flag = { endStream: 1, ack: 1, endHeaders: 4 } as const

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Literal fields without indexing (RFC 7541, 6.2.2), or with (6.2.1), without Huffman. */
export function block(fields: readonly (readonly [string, string])[], { indexed = false } = {}): Buffer {
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.from([indexed ? 0x40 : 0]), text(name), text(value)])))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1")
  const { length } = bytes
  if (length < 127) return Buffer.concat([Buffer.from([length]), bytes])
  const size = [127]
  let rest = length - 127
  for (; rest >= 128; rest >>= 7) size.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...size, rest]), bytes])
}

export function request(path: string, method = "GET"): Buffer {
  return block([[":method", method], [":scheme", "https"], [":authority", "a"], [":path", path]])
}

export interface Seen {
  /** Frames by type that the server sent. */
  readonly frames: Record<number, number>
  /** The server ended the connection. */
  readonly ended: boolean
}

/** Sends it all, as fast as the server takes it, and reads frames until the connection ends or nothing more is expected. */
export function attack(port: number, bytes: Iterable<Uint8Array>, { withinMs = 10_000 } = {}): Promise<Seen> {
  return new Promise(resolve => {
    const frames: Record<number, number> = {}
    let got = Buffer.alloc(0)
    let over = false
    const socket: TLSSocket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, servername: "localhost", ALPNProtocols: ["h2"] })
    const done = (ended: boolean): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      socket.destroy()
      resolve({ frames, ended })
    }
    const timer = setTimeout(() => done(false), withinMs)
    socket.on("data", (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      while (got.length >= 9 && got.length >= 9 + got.readUIntBE(0, 3)) {
        const type = got[3]!
        frames[type] = (frames[type] ?? 0) + 1
        got = got.subarray(9 + got.readUIntBE(0, 3))
      }
    })
    socket.on("error", () => done(true))
    socket.on("end", () => done(true))
    socket.on("close", () => done(true))
    socket.on("secureConnect", async () => {
      socket.write(Buffer.concat([PREFACE, frame(Type.settings, 0, 0)]))
      for (const piece of bytes) {
        if (over) return
        if (!socket.write(piece)) await Promise.race([new Promise(drained => socket.once("drain", drained)), Bun.sleep(1000)])
      }
    })
  })
}
