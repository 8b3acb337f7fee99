/**
 * A client's side of a WebSocket, as bytes (RFC 6455, 5): checks every rule for clients, unmasks, and hands a message on in
 * the parts in which it comes, so that a large one is never held whole. No extensions.
 * Own, because the `ws` package is replaced by a shim in Bun, whose Receiver throws.
 */
import { isUtf8 } from "node:buffer"

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** The client broke the protocol: the code to close with. */
export class WebSocketError extends Error {
  override readonly name = "WebSocketError"
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

export interface ReaderEvents {
  /** Bytes of a message, which goes on while `more`. Text is valid UTF-8 as a whole, its parts may cut a character. */
  part(kind: typeof TEXT | typeof BINARY, bytes: Buffer, more: boolean): void
  ping(payload: Buffer): void
  pong(): void
  /** `code` is 1005 when the client gave none. Nothing comes after it. */
  close(code: number, reason: Buffer): void
}

const noBytes: Buffer = Buffer.alloc(0)

export class WebSocketReader {
  readonly #events: ReaderEvents
  /** Bytes of one message. */
  readonly #most: number
  /** The head of a frame: 2 bytes, 0, 2 or 8 of length, 4 of mask. */
  readonly #head = Buffer.alloc(14)
  #have = 0
  #need = 2
  #opcode = 0
  #fin = false
  /** Bytes of the frame that have not come. */
  #left = 0
  /** Offset in the frame, for the mask. */
  #offset = 0
  #inFrame = false
  /** Of a control frame, which is handed on whole. */
  #control: Buffer = noBytes
  /** The message that goes on, or 0. */
  #kind = 0
  #size = 0
  #utf8: TextDecoder | undefined
  #closed = false

  constructor(events: ReaderEvents, { most }: { most: number }) {
    this.#events = events
    this.#most = most
  }

  /** Takes the chunk, which it changes. Throws WebSocketError. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#closed) {
      if (!this.#inFrame) at = this.#readHead(chunk, at)
      else {
        const stop = Math.min(chunk.length, at + this.#left)
        this.#payload(chunk.subarray(at, stop))
        at = stop
      }
    }
  }

  #readHead(chunk: Buffer, start: number): number {
    const head = this.#head
    let at = start
    while (at < chunk.length) {
      head[this.#have++] = chunk[at++]!
      if (this.#have < this.#need) continue
      if (this.#have === 2) this.#begin(head[0]!, head[1]!)
      if (this.#have < this.#need) continue
      this.#start(head)
      break
    }
    return at
  }

  /** The first two bytes say how long the head is. */
  #begin(first: number, second: number): void {
    const opcode = first & 15
    const length = second & 127
    this.#fin = first > 127
    this.#opcode = opcode
    if ((first & 0x70) !== 0) throw new WebSocketError(1002, "a reserved bit is set")
    if (second < 128) throw new WebSocketError(1002, "a frame is not masked")
    if (opcode >= 8) {
      if (opcode > PONG) throw new WebSocketError(1002, `unknown opcode ${opcode}`)
      if (!this.#fin || length > 125) throw new WebSocketError(1002, "a control frame is long or in parts")
    } else if (opcode > BINARY) throw new WebSocketError(1002, `unknown opcode ${opcode}`)
    else if ((opcode === 0) !== (this.#kind !== 0)) throw new WebSocketError(1002, "a message inside another, or none to go on with")
    this.#need = 6 + (length === 126 ? 2 : length === 127 ? 8 : 0)
  }

  #start(head: Buffer): void {
    const short = head[1]! & 127
    // A length above 2^53 is above any limit too: the rounding does no harm.
    const length = short === 126 ? head.readUInt16BE(2) : short === 127 ? head.readUInt32BE(2) * 2 ** 32 + head.readUInt32BE(6) : short
    head.copyWithin(0, this.#need - 4, this.#need)
    this.#have = 0
    this.#need = 2
    this.#left = length
    this.#offset = 0
    this.#inFrame = true
    if (this.#opcode >= 8) this.#control = noBytes
    else {
      if (this.#opcode !== 0) this.#kind = this.#opcode
      this.#size += length
      if (this.#size > this.#most) throw new WebSocketError(1009, "message too big")
    }
    if (length === 0) this.#payload(noBytes)
  }

  #payload(bytes: Buffer): void {
    const mask = this.#head
    let offset = this.#offset
    for (let i = 0; i < bytes.length; i++) bytes[i]! ^= mask[offset++ & 3]!
    this.#offset = offset & 3
    this.#left -= bytes.length
    const whole = this.#left === 0
    if (whole) this.#inFrame = false
    if (this.#opcode < 8) return this.#data(bytes, !(whole && this.#fin))
    this.#control = this.#control.length === 0 ? bytes : Buffer.concat([this.#control, bytes])
    if (whole) this.#controlFrame(this.#control)
  }

  #data(bytes: Buffer, more: boolean): void {
    const kind = this.#kind as typeof TEXT | typeof BINARY
    if (kind === TEXT) this.#checkText(bytes, more)
    if (!more) this.#kind = this.#size = 0
    this.#events.part(kind, bytes, more)
  }

  #checkText(bytes: Buffer, more: boolean): void {
    if (this.#utf8 === undefined && !more) {
      if (!isUtf8(bytes)) throw new WebSocketError(1007, "text that is not UTF-8")
      return
    }
    this.#utf8 ??= new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    try {
      this.#utf8.decode(bytes, { stream: more })
    } catch {
      throw new WebSocketError(1007, "text that is not UTF-8")
    }
    if (!more) this.#utf8 = undefined
  }

  #controlFrame(payload: Buffer): void {
    if (this.#opcode === PING) return this.#events.ping(payload)
    if (this.#opcode === PONG) return this.#events.pong()
    this.#closed = true
    if (payload.length === 0) return this.#events.close(1005, noBytes)
    const code = payload.length === 1 ? 0 : payload.readUInt16BE(0)
    if (!mayClose(code)) throw new WebSocketError(1002, "a bad close code")
    const reason = payload.subarray(2)
    if (!isUtf8(reason)) throw new WebSocketError(1007, "a reason that is not UTF-8")
    this.#events.close(code, reason)
  }
}

/** Codes that may stand in a close frame (RFC 6455, 7.4, and the IANA registry). */
export function mayClose(code: number): boolean {
  return (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 3000 && code <= 4999)
}
