import { frame, type FrameHead, number32, Type } from "./frame.ts"
import { FrameScanner } from "./frame-scanner.ts"
import type { Uploads } from "./uploads.ts"

/** `:status 304` and `:status 204` as indexes of the static table (RFC 7541, A). */
const status304 = 0x8b
const status204 = 0x89

/**
 * The frames of Bun on their way to the client. Bun gives a 204 a Content-Length, which RFC 9110, 8.6 forbids, and has only one
 * status without: so a 204 is handed to it as 304 and becomes what it is here. It keeps a head back until the body's first byte: a body that
 * is not there yet begins with a zero of ours, which becomes the Pad Length of its frame (RFC 9113, 6.1) and so counts for the flow.
 */
export class ServerFrames extends FrameScanner {
  readonly #uploads: Uploads
  readonly #empty = new Set<number>()
  readonly #opened = new Set<number>()
  #headers = false
  #resizing = false
  #reset = 0
  #code: number[] = []

  constructor(uploads: Uploads) {
    super()
    this.#uploads = uploads
  }

  /** The 304 that comes on this stream is a 204. */
  noContent(stream: number): void {
    this.#empty.add(stream)
  }

  /** The first byte of its body is not the answer's. */
  opened(stream: number): void {
    this.#opened.add(stream)
  }

  protected begin({ type, stream, length }: FrameHead): "pass" | "take" | "pad" {
    if (type === Type.Data) return length > 0 && this.#opened.delete(stream) ? "pad" : "pass"
    this.#headers = type === Type.Headers && this.#empty.delete(stream)
    if (type !== Type.Reset || length !== 4) return "pass"
    this.#empty.delete(stream)
    this.#opened.delete(stream)
    this.#reset = stream
    this.#code = []
    return "take"
  }

  protected override passed(bytes: Uint8Array, at: number, size: number): void {
    for (let i = at; this.#headers && i < at + size; i++) {
      const byte = bytes[i]!
      // A change of the table's size may stand before it (RFC 7541, 6.3): a number of one byte or more.
      if (this.#resizing) this.#resizing = byte >= 0x80
      else if ((byte & 0xe0) === 0x20) this.#resizing = byte === 0x3f
      else {
        if (byte === status304) bytes[i] = status204
        this.#headers = false
      }
    }
  }

  protected payload(bytes: Uint8Array, ended: boolean): void {
    this.#code.push(...bytes)
    if (!ended) return
    const stream = this.#reset
    if (this.#code.some(byte => byte !== 0) || !this.#uploads.keepsBack(stream)) {
      this.put(frame({ type: Type.Reset, flags: 0, stream }, Uint8Array.from(this.#code)))
    }
  }
}

/** To let the client send more. */
export function windowUpdate(stream: number, bytes: number): Uint8Array {
  return frame({ type: Type.WindowUpdate, flags: 0, stream }, number32(bytes))
}

export function resetStream(stream: number): Uint8Array {
  return frame({ type: Type.Reset, flags: 0, stream }, number32(0))
}
