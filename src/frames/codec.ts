/**
 * Frames of the worker protocol (docs/worker-protocol.md): 16 bytes of header, little-endian, and a payload.
 * The reader takes chunks as the socket gives them; the writer gathers one event-loop turn into one write.
 */

export const headerBytes = 16
/** Largest payload in bytes. */
export const maxPayload = 1_048_576
/** Largest payload of PING and PONG in bytes. */
export const maxPing = 64
/** Flag: the sender's last frame for this id. */
export const END = 1

export const HELLO = 1
export const REQUEST = 2
export const RESPONSE = 3
export const DATA = 4
export const CANCEL = 5
export const ERROR = 6
export const CREDIT = 7
export const PING = 8
export const PONG = 9
export const EARLY = 10
export const STACK = 11
export const DRAIN = 12
export const MESSAGE = 13

/** The peer broke the protocol: the connection cannot go on. */
export class FrameError extends Error {
  override readonly name = "FrameError"
}

/** One frame. The reader uses one object for all: valid only while `onFrame` runs; the bytes stay valid. */
export interface Frame {
  type: number
  end: boolean
  id: number
  head: number
  depth: number
  /** Where the payload is: `bytes` from `start` to `stop`. */
  bytes: Buffer
  start: number
  stop: number
}

/** Which frames may carry what: 1 an id, 2 id 0, 4 a payload, 8 a head, 16 END. */
const rules: readonly number[] = [
  0,
  2 | 4, // HELLO
  1 | 4 | 8 | 16, // REQUEST
  1 | 4 | 8 | 16, // RESPONSE
  1 | 4 | 16, // DATA
  1, // CANCEL
  1 | 2 | 4 | 16, // ERROR
  1, // CREDIT
  2 | 4, // PING
  2 | 4, // PONG
  1 | 4 | 8, // EARLY
  2 | 4, // STACK
  2, // DRAIN
  1 | 4, // MESSAGE
]

/** Cuts a byte stream into frames, without copying those that one chunk holds whole. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void
  readonly #frame: Frame = { type: 0, end: false, id: 0, head: 0, depth: 0, bytes: empty, start: 0, stop: 0 }
  /** A frame that is not complete: its header, then (once the length is known) all of it. */
  #part: Buffer | null = null
  #have = 0

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  /** Throws FrameError when the bytes break the protocol; what `onFrame` throws goes through. */
  push(chunk: Buffer): void {
    let at = this.#part === null ? 0 : this.#fill(chunk)
    while (chunk.length - at >= headerBytes) {
      const size = headerBytes + payloadLength(chunk, at)
      if (chunk.length - at < size) break
      this.#emit(chunk, at)
      at += size
    }
    if (at < chunk.length) this.#keep(chunk, at)
  }

  /** Completes the kept frame from the start of `chunk`; returns how much of the chunk it took. */
  #fill(chunk: Buffer): number {
    let at = 0
    while (this.#part !== null) {
      const part = this.#part
      const n = chunk.copy(part, this.#have, at, at + part.length - this.#have)
      at += n
      this.#have += n
      if (this.#have < part.length) return at
      const size = headerBytes + payloadLength(part, 0)
      if (part.length === size) {
        this.#part = null
        this.#emit(part, 0)
      } else {
        this.#part = Buffer.allocUnsafeSlow(size)
        part.copy(this.#part)
      }
    }
    return at
  }

  #keep(chunk: Buffer, at: number): void {
    const left = chunk.length - at
    // Only what a valid header announces is allocated, and only one frame at a time.
    const size = left < headerBytes ? headerBytes : headerBytes + payloadLength(chunk, at)
    this.#part = Buffer.allocUnsafeSlow(size)
    this.#have = chunk.copy(this.#part, 0, at)
  }

  #emit(bytes: Buffer, at: number): void {
    const frame = this.#frame
    frame.start = at + headerBytes
    frame.stop = frame.start + readU32(bytes, at)
    frame.id = readU32(bytes, at + 4)
    frame.head = readU32(bytes, at + 8)
    frame.type = bytes[at + 12]!
    frame.end = (bytes[at + 13]! & END) !== 0
    frame.depth = bytes[at + 14]! | (bytes[at + 15]! << 8)
    frame.bytes = bytes
    this.#onFrame(frame)
    frame.bytes = empty
  }
}

/** Checks the header at `at` and returns the length of its payload. */
function payloadLength(bytes: Buffer, at: number): number {
  const length = readU32(bytes, at)
  const type = bytes[at + 12]!
  const flags = bytes[at + 13]!
  const rule = rules[type] ?? 0
  if (rule === 0) throw new FrameError(`unknown frame type ${type}`)
  if (length > maxPayload) throw new FrameError(`frame of ${length} bytes is longer than ${maxPayload}`)
  if (flags > ((rule & 16) >> 4)) throw new FrameError(`flags ${flags} on frame type ${type}`)
  if ((rule & (readU32(bytes, at + 4) === 0 ? 2 : 1)) === 0) throw new FrameError(`wrong id on frame type ${type}`)
  if (length > 0 && (rule & 4) === 0) throw new FrameError(`payload on frame type ${type}`)
  if (length > maxPing && (type === PING || type === PONG)) throw new FrameError("ping is too long")
  const head = readU32(bytes, at + 8)
  if (head > ((rule & 8) !== 0 ? length : type === CREDIT || type === CANCEL ? 0x7fffffff : 0)) throw new FrameError("head is too long")
  return length
}

function readU32(bytes: Buffer, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

/** The part of a socket that the writer needs: returns the bytes taken, -1 when closed (Bun.Socket.write). */
export interface FrameSocket {
  write(bytes: Uint8Array, offset: number, length: number): number
}

/** A head that writes itself; `write` may throw, and then the frame is not sent. */
export interface HeadBytes {
  readonly length: number
  write(buffer: Buffer, at: number): void
}

/** First size of the batch buffer; it shrinks back to this when empty. */
const batchBytes = 65_536
/** A turn that gathered this much is written at once. */
const flushBytes = 262_144
/** More than this waiting: whoever can wait should. */
const highWater = 1_048_576

/** Encodes frames into one buffer; all frames of an event-loop turn leave in one write. */
export class FrameWriter {
  readonly #socket: FrameSocket
  #buffer: Buffer = Buffer.allocUnsafeSlow(batchBytes)
  /** What waits is #buffer from #sent to #end. */
  #sent = 0
  #end = 0
  #scheduled = false
  /** The socket took less than we gave: nothing is written before its `drain`. */
  #blocked = false
  #closed = false
  /** Bytes that the socket took so far. */
  taken = 0
  /** Sent in every header: exchanges this side has (workers), else 0. */
  depth = 0

  constructor(socket: FrameSocket) {
    this.#socket = socket
  }

  /** Bytes not yet taken by the socket. */
  get pending(): number {
    return this.#end - this.#sent
  }

  /** Where the next frame begins, counted as `taken` is: it has not left while `taken` is not more. */
  get at(): number {
    return this.taken + this.pending
  }

  /** The peer reads too slowly: bodies should wait until the socket drained. */
  get congested(): boolean {
    return this.#blocked && this.pending > highWater
  }

  /** A frame without a head; `head` is the number granted by CREDIT, the milliseconds left of CANCEL. */
  frame(type: number, fields: { id?: number; end?: boolean; head?: number; payload?: Uint8Array }): void {
    const payload = fields.payload ?? empty
    const at = this.#reserve(headerBytes + payload.length)
    this.#header(at, payload.length, fields.id ?? 0)
    writeU32(this.#buffer, at + 8, fields.head ?? 0)
    this.#buffer[at + 12] = type
    this.#buffer[at + 13] = fields.end === true ? END : 0
    if (payload.length > 0) this.#buffer.set(payload, at + headerBytes)
  }

  /** A frame with a head (Latin-1) and the first bytes of the body; a string body is written as UTF-8. */
  head(type: number, id: number, fields: { head: string | HeadBytes; end: boolean; body: Uint8Array | string | null }): void {
    const { head, body } = fields
    const bodyBytes = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length
    const length = head.length + bodyBytes
    if (length > maxPayload) throw new RangeError(`frame of ${length} bytes is longer than ${maxPayload}`)
    const at = this.#reserve(headerBytes + length)
    const buffer = this.#buffer
    this.#header(at, length, id)
    writeU32(buffer, at + 8, head.length)
    buffer[at + 12] = type
    buffer[at + 13] = fields.end ? END : 0
    if (typeof head === "string") buffer.latin1Write(head, at + headerBytes, head.length)
    else this.#writeHead(head, at)
    if (bodyBytes === 0) return
    if (typeof body === "string") buffer.utf8Write(body, at + headerBytes + head.length, bodyBytes)
    else buffer.set(body!, at + headerBytes + head.length)
  }

  #writeHead(head: HeadBytes, at: number): void {
    try {
      head.write(this.#buffer, at + headerBytes)
    } catch (error) {
      this.#end = at
      throw error
    }
  }

  #header(at: number, length: number, id: number): void {
    const buffer = this.#buffer
    writeU32(buffer, at, length)
    writeU32(buffer, at + 4, id)
    buffer[at + 14] = this.depth
    buffer[at + 15] = this.depth >> 8
  }

  /** Makes room for `n` bytes at the end, plans the flush, and returns the offset. */
  #reserve(n: number): number {
    if (this.#end + n > this.#buffer.length) this.#grow(n)
    if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(flushWriter, this)
    }
    const at = this.#end
    this.#end += n
    return at
  }

  #grow(n: number): void {
    if (!this.#blocked && this.pending >= flushBytes) this.flush()
    const need = this.pending + n
    let size = this.#buffer.length
    while (size < need) size *= 2
    const target = size === this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(size)
    this.#buffer.copy(target, 0, this.#sent, this.#end)
    this.#buffer = target
    this.#end -= this.#sent
    this.#sent = 0
  }

  /** Writes what waits, as far as the socket takes it. */
  flush(): void {
    this.#scheduled = false
    if (this.#blocked || this.#sent === this.#end) return
    if (this.#closed) {
      this.#sent = this.#end = 0
      return
    }
    const wrote = this.#socket.write(this.#buffer, this.#sent, this.pending)
    if (wrote < 0) {
      this.close()
      return
    }
    this.#sent += wrote
    this.taken += wrote
    if (this.#sent < this.#end) this.#blocked = true
    else {
      this.#sent = this.#end = 0
      if (this.#buffer.length > flushBytes) this.#buffer = Buffer.allocUnsafeSlow(batchBytes)
    }
  }

  /** The socket takes bytes again (its `drain`, which may also come for nothing). */
  drain(): void {
    this.#blocked = false
    this.flush()
  }

  /** Nothing more goes out; frames written from now on are dropped. */
  close(): void {
    this.#closed = true
    this.#blocked = false
    this.#sent = this.#end = 0
  }
}

function flushWriter(writer: FrameWriter): void {
  writer.flush()
}

function writeU32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

const empty = Buffer.alloc(0)

/** The whole payload as UTF-8 text. */
export function textOf(frame: Frame): string {
  return frame.bytes.toString("utf8", frame.start, frame.stop)
}
