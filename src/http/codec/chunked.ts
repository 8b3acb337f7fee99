import { HeaderList } from "../message/headers.ts"
import { readFields } from "./fields.ts"
import { mayTrail } from "./trailers.ts"

/** The sender broke the chunked coding (RFC 9112, 7.1); where its message ends is unknown, so the connection must close. */
export class ChunkedError extends Error {
  override readonly name = "ChunkedError"
}

/** Bounds in bytes. Extensions count over the whole body: one-byte chunks with long extensions cost nothing to send. */
export interface ChunkedLimits {
  readonly extensionBytes: number
  readonly trailerBytes: number
  readonly trailerFields: number
}
const defaults: ChunkedLimits = { extensionBytes: 16_384, trailerBytes: 8192, trailerFields: 64 }

/** Pieces below this many bytes are moved together, so that a body of one-byte chunks is not one call per byte. */
const smallPiece = 4096

const enum At {
  SizeFirst,
  Size,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  Trailer,
  Done,
}

/** A hex digit's value, 255 for other bytes: no sign, no "0x", no space, no underscore. */
const hex = new Uint8Array(256).fill(255)
for (let i = 0; i < 16; i++) {
  hex["0123456789abcdef".charCodeAt(i)] = i
  hex["0123456789ABCDEF".charCodeAt(i)] = i
}

/**
 * Reads one chunked body piece by piece (RFC 9112, 7.1). Strict where lenient readers were used for smuggling: bare LF,
 * signs, spaces, overflow and a missing CRLF after the data are all errors.
 */
export class ChunkedReader {
  #at: At = At.SizeFirst
  /** The size being read; then the bytes of data still missing. */
  #left = 0
  #digits = 0
  #extension = 0
  /** The trailer section so far, Latin-1. */
  #tail = ""
  #limits: ChunkedLimits
  /** Fields after the last chunk, without those that may not stand there; set when done, undefined when there were none. */
  trailers: HeaderList | undefined = undefined

  constructor(limits: Partial<ChunkedLimits> = {}) {
    this.#limits = { ...defaults, ...limits }
  }

  /** True once the last chunk and the trailers were read. */
  get done(): boolean {
    return this.#at === At.Done
  }

  /**
   * Reads `bytes` from `from` on and gives the data to `emit` as views of `bytes`, whose framing may be overwritten.
   * Returns the offset behind what was read: `bytes.length`, or less when the body ended before. Throws ChunkedError.
   */
  read(bytes: Buffer, from: number, emit: (data: Buffer) => void): number {
    const n = bytes.length
    let i = from
    /** Data moved together and not yet given away: bytes[start, end). */
    let start = 0
    let end = 0
    while (i < n && this.#at !== At.Done) {
      if (this.#at === At.Data) {
        const take = Math.min(this.#left, n - i)
        if (end === start) start = end = i
        else if (end !== i) {
          if (take >= smallPiece) {
            emit(bytes.subarray(start, end))
            start = end = i
          } else bytes.copyWithin(end, i, i + take)
        }
        end += take
        i += take
        this.#left -= take
        if (this.#left === 0) this.#at = At.DataCr
      } else if (this.#at === At.Trailer) i = this.#readTrailer(bytes, i)
      else this.#readFraming(bytes[i++]!)
    }
    if (end > start) emit(bytes.subarray(start, end))
    return i
  }

  #readFraming(c: number): void {
    switch (this.#at) {
      case At.SizeFirst:
        if (hex[c] === 255) throw new ChunkedError("a chunk without a size")
        this.#left = hex[c]!
        this.#digits = 1
        this.#at = At.Size
        return
      case At.Size:
        if (hex[c] !== 255) {
          // 13 hex digits are 2^52: exact in a double. 16 digits, so that zeros in front may stand there.
          this.#left = this.#left * 16 + hex[c]!
          if (++this.#digits > 16 || this.#left > 0xfffffffffffff) throw new ChunkedError("a chunk size that is too large")
        } else if (c === 13) this.#at = At.SizeLf
        else if (c === 59) this.#at = At.Extension
        else throw new ChunkedError("a forbidden byte in a chunk size")
        return
      case At.Extension:
        if (c === 13) this.#at = At.SizeLf
        else if ((c < 32 && c !== 9) || c === 127) throw new ChunkedError("a forbidden byte in a chunk extension")
        else if (++this.#extension > this.#limits.extensionBytes) throw new ChunkedError("chunk extensions that are too long")
        return
      case At.SizeLf:
        if (c !== 10) throw new ChunkedError("a chunk size line that does not end in CRLF")
        this.#at = this.#left === 0 ? At.Trailer : At.Data
        return
      case At.DataCr:
        if (c !== 13) throw new ChunkedError("a chunk longer than its size")
        this.#at = At.DataLf
        return
      default:
        if (c !== 10) throw new ChunkedError("a chunk that does not end in CRLF")
        this.#at = At.SizeFirst
    }
  }

  /** Collects up to the empty line; nearly always that is these two bytes. */
  #readTrailer(bytes: Buffer, from: number): number {
    if (this.#tail === "" && bytes[from] === 13 && bytes[from + 1] === 10) {
      this.#at = At.Done
      return from + 2
    }
    const room = this.#limits.trailerBytes + 4 - this.#tail.length
    const before = this.#tail.length
    const text = this.#tail + bytes.latin1Slice(from, Math.min(bytes.length, from + room))
    // At the very start "CRLF" alone is the end; else the blank line after a field.
    const end = text.startsWith("\r\n") ? 2 : text.indexOf("\r\n\r\n") + 4
    if (end < 4 && end !== 2) {
      if (text.length > this.#limits.trailerBytes) throw new ChunkedError("trailers that are too long")
      if (bareLine.test(text)) throw new ChunkedError("a bare CR or LF in the trailers")
      this.#tail = text
      return bytes.length
    }
    this.#finish(text.slice(0, end))
    return from + end - before
  }

  #finish(text: string): void {
    const flat: string[] = []
    readFields(text, 0, { flat, fail: why => new ChunkedError(`${why} in the trailers`) })
    if (flat.length > this.#limits.trailerFields * 2) throw new ChunkedError("too many trailers")
    const kept = new HeaderList()
    for (let i = 0; i < flat.length; i += 2) {
      if (mayTrail(flat[i]!)) kept.append(flat[i]!, flat[i + 1]!)
    }
    if (kept.size > 0) this.trailers = kept
    this.#tail = ""
    this.#at = At.Done
  }
}

const bareLine = /(?:^|[^\r])\n|\r[^\n]/

/** Most bytes that `writeChunk` adds to the data: 13 digits and two CRLF. */
export const chunkOverhead = 17

/** Writes one chunk at `at` of `out`, which must have room for the data and `chunkOverhead`; returns the offset behind it. */
export function writeChunk(out: Buffer, at: number, data: Uint8Array): number {
  // An empty chunk would be the last one.
  if (data.byteLength === 0) return at
  let i = at + out.latin1Write(data.byteLength.toString(16) + "\r\n", at)
  out.set(data, i)
  i += data.byteLength
  out[i] = 13
  out[i + 1] = 10
  return i + 2
}

/** One chunk in a buffer of its own, for one write; empty for no data. */
export function encodeChunk(data: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(data.byteLength + chunkOverhead)
  return out.subarray(0, writeChunk(out, 0, data))
}

const plainEnd = "0\r\n\r\n"

/** The last chunk, with trailers when there are any; the caller has checked that their values hold no CR, LF or NUL. */
export function lastChunk(trailers?: HeaderList): string {
  if (trailers === undefined || trailers.size === 0) return plainEnd
  let text = "0\r\n"
  for (const [name, value] of trailers) text += `${name}: ${value}\r\n`
  return text + "\r\n"
}
