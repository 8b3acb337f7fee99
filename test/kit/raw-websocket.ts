/** A WebSocket client that can break every rule: bytes out, frames in. */
import { connect, type Socket } from "node:net"

export interface SeenFrame {
  readonly fin: boolean
  readonly opcode: number
  readonly payload: Buffer
}

export interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly masked?: boolean
  readonly rsv?: number
}

/** A frame as a client sends it. */
export function clientFrame(payload: Uint8Array | string, { opcode = 1, fin = true, masked = true, rsv = 0 }: FrameOptions = {}): Buffer {
  const data = typeof payload === "string" ? Buffer.from(payload) : Buffer.from(payload)
  const first = (fin ? 128 : 0) | (rsv << 4) | opcode
  const bit = masked ? 128 : 0
  const n = data.length
  const head = n < 126 ? Buffer.from([first, bit | n]) : n < 65_536 ? Buffer.from([first, bit | 126, n >> 8, n & 255]) : Buffer.alloc(10)
  if (n >= 65_536) {
    head.set([first, bit | 127])
    head.writeBigUInt64BE(BigInt(n), 2)
  }
  if (!masked) return Buffer.concat([head, data])
  const mask = [0x12, 0xff, 0x34, 0x80]
  for (let i = 0; i < n; i++) data[i]! ^= mask[i & 3]!
  return Buffer.concat([head, Buffer.from(mask), data])
}

export function closeBody(code: number, reason = ""): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)])
}

export class RawWebSocket {
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)
  #wake: (() => void) | undefined
  /** The server closed the connection. */
  ended = false
  head = ""

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#wake?.()
    })
    const end = () => {
      this.ended = true
      this.#wake?.()
    }
    socket.on("end", end).on("close", end).on("error", end)
  }

  /** Sends the handshake and reads the head of the answer; `fields` replace those of a good handshake, "" takes one away. */
  static async open(port: number, path: string, fields: Record<string, string> = {}): Promise<RawWebSocket> {
    const socket = connect(port, "127.0.0.1")
    const client = new RawWebSocket(socket)
    const good = {
      Host: "h",
      Connection: "keep-alive, Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
      ...fields,
    }
    const lines = Object.entries(good).filter(([, value]) => value !== "").map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`)
    await client.#until(() => client.#bytes.includes("\r\n\r\n"))
    const at = client.#bytes.indexOf("\r\n\r\n") + 4
    client.head = client.#bytes.toString("latin1", 0, at)
    client.#bytes = client.#bytes.subarray(at)
    return client
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** The next frame; undefined at the end of the connection. */
  async frame(): Promise<SeenFrame | undefined> {
    for (;;) {
      const frame = this.#cut()
      if (frame !== undefined || this.ended) return frame
      await this.#more()
    }
  }

  /** The next message, put together from its parts. */
  async message(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const frame = await this.frame()
      if (frame === undefined) throw new Error("the connection ended")
      if (frame.opcode > 2) throw new Error(`a frame with opcode ${frame.opcode}: ${frame.payload}`)
      parts.push(frame.payload)
      if (frame.fin) return Buffer.concat(parts)
    }
  }

  /** The code of the close that comes next; 1005 for one without, 1006 when the connection ends without. */
  async closed(): Promise<number> {
    for (;;) {
      const frame = await this.frame()
      if (frame === undefined) return 1006
      if (frame.opcode === 8) return frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0)
    }
  }

  /** What is left when the server has closed. */
  async rest(): Promise<string> {
    await this.#until(() => this.ended)
    return this.#bytes.toString()
  }

  /** The first `n` bytes of what comes, as text; less at the end of the connection. */
  async bytes(n: number): Promise<string> {
    await this.#until(() => this.#bytes.length >= n || this.ended)
    return this.#bytes.toString("latin1", 0, n)
  }

  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }

  /** Bytes that the server has not taken. */
  get unsent(): number {
    return this.#socket.writableLength
  }

  half(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #cut(): SeenFrame | undefined {
    const bytes = this.#bytes
    if (bytes.length < 2) return undefined
    const short = bytes[1]! & 127
    const head = short === 126 ? 4 : short === 127 ? 10 : 2
    if (bytes.length < head) return undefined
    const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short
    if (bytes.length < head + length) return undefined
    this.#bytes = bytes.subarray(head + length)
    return { fin: bytes[0]! > 127, opcode: bytes[0]! & 15, payload: Buffer.from(bytes.subarray(head, head + length)) }
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.ended) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise(resolve => (this.#wake = resolve))
  }
}
