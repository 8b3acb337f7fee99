import { ErrorCode, Flag, frame, type FrameHead, maxFrame, number32, Type } from "./frame.ts"
import { FrameGuard } from "./frame-guard.ts"
import { FrameScanner } from "./frame-scanner.ts"
import { HeadTranslator } from "./head-translator.ts"
import { HpackError } from "./hpack.ts"
import type { Uploads } from "./uploads.ts"

/** CONTINUATION frames of one block, and their bytes: Bun's own limit of a head is 16 kB. */
const mostPieces = 16
const mostBytes = 65_536

/** A block while it comes. */
interface Block {
  readonly head: FrameHead
  readonly parts: Uint8Array[]
  size: number
}

/**
 * The frames of a client on their way to Bun: header blocks translated, floods counted, uploads that nobody wants taken out,
 * all else as it is. What breaks the protocol goes on in a form that Bun refuses, so that the client hears of it.
 */
export class ClientFrames extends FrameScanner {
  readonly #guard = new FrameGuard()
  readonly #translator = new HeadTranslator()
  readonly #uploads: Uploads
  #block: Block | undefined
  #frame: FrameHead | undefined
  /** A block ended without its last frame. */
  #torn = false
  /** Bun was given what ends the connection. */
  #broken = false

  constructor(uploads: Uploads) {
    super()
    this.#uploads = uploads
  }

  protected begin(head: FrameHead): "pass" | "take" | "cut" {
    if (!this.#guard.allows(head)) return "cut"
    this.#frame = head
    if (this.#broken) return "take"
    const { type, stream, length } = head
    if (this.#block !== undefined) {
      if (type !== Type.Continuation || stream !== this.#block.head.stream) {
        this.#torn = true
        return "take"
      }
      return this.#block.parts.length >= mostPieces || this.#block.size + length > mostBytes ? "cut" : "take"
    }
    if (type === Type.Headers) {
      // Too long, or for no stream: Bun answers that.
      if (length > maxFrame || stream === 0) {
        this.#broken = true
        return "pass"
      }
      this.#block = { head, parts: [], size: 0 }
      return "take"
    }
    if (type === Type.Data) return this.#data(head)
    if (type === Type.Reset) this.#uploads.over(stream)
    return "pass"
  }

  #data(head: FrameHead): "pass" | "take" {
    // Too long: FRAME_SIZE_ERROR for the connection, which Bun says.
    if (head.length > maxFrame) {
      this.#broken = true
      return "pass"
    }
    if (!this.#uploads.isWrong(head)) return this.#uploads.data(head)
    this.#malformed(head.stream)
    return "take"
  }

  /** Whoever has the stream hears of it: the client, and Bun unless it is done with it. */
  #malformed(stream: number): void {
    if (this.#uploads.malformed(stream)) this.put(frame({ type: Type.Reset, flags: 0, stream }, number32(ErrorCode.Protocol)))
  }

  protected payload(bytes: Uint8Array, ended: boolean): void {
    if (this.#torn) this.#breakOff()
    const block = this.#block
    if (this.#broken || block === undefined) return
    // A chunk of the socket is a copy that nobody changes; this lives as long as the block.
    block.parts.push(bytes)
    block.size += bytes.length
    if (ended && (this.#frame!.flags & Flag.EndHeaders) !== 0) {
      this.#block = undefined
      this.#translate(block)
    }
  }

  #translate({ head, parts }: Block): void {
    const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts)
    const { flags, stream } = head
    const padded = (flags & Flag.Padded) !== 0
    const from = (padded ? 1 : 0) + ((flags & Flag.Priority) !== 0 ? 5 : 0)
    // The padding is at the end of the first frame, which is the block's only one nearly always.
    const pad = padded ? (all[0] ?? 0) : 0
    const first = head.length
    if (first < from + pad) return this.#breakOff()
    const block = pad === 0 ? all.subarray(from) : Buffer.concat([all.subarray(from, first - pad), all.subarray(first)])
    const bodiless = (flags & Flag.EndStream) !== 0
    let translated: Uint8Array
    try {
      translated = this.#translator.translate(block, { stream, bodiless })
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      // A field number 0: Bun ends the connection with COMPRESSION_ERROR.
      translated = Uint8Array.of(0x80)
      this.#broken = true
    }
    // Trailers, and such as are none: with more to come, or with what only a head has.
    if (this.#uploads.has(stream) && (!bodiless || this.#translator.pseudo)) return this.#malformed(stream)
    if (!bodiless) this.#uploads.begun(stream, this.#translator.declared)
    else this.#uploads.over(stream)
    const priority = all.subarray(padded ? 1 : 0, from)
    this.#send({ stream, flags: flags & (Flag.EndStream | Flag.Priority) }, priority.length === 0 ? translated : Buffer.concat([priority, translated]))
  }

  #send({ stream, flags }: { stream: number; flags: number }, payload: Uint8Array): void {
    for (let at = 0; at === 0 || at < payload.length; at += maxFrame) {
      const type = at === 0 ? Type.Headers : Type.Continuation
      const last = at + maxFrame >= payload.length ? Flag.EndHeaders : 0
      this.put(frame({ type, flags: (at === 0 ? flags : 0) | last, stream }, payload.subarray(at, at + maxFrame)))
    }
  }

  /** HEADERS for the connection: PROTOCOL_ERROR. */
  #breakOff(): void {
    this.#torn = false
    this.#broken = true
    this.put(frame({ type: Type.Headers, flags: Flag.EndHeaders, stream: 0 }, new Uint8Array(0)))
  }
}
