import { Flag, frame, type FrameHead, maxFrame, number32, Type, type ErrorCode } from "./frame.ts"
import { FrameScanner } from "./frame-scanner.ts"
import { HpackError, HpackReader, type WireField } from "./hpack.ts"
import type { Uploads } from "./uploads.ts"

/** `:status 304` and `:status 204` as indexes of the static table (RFC 7541, A). */
const status304 = 0x8b
const status204 = 0x89
/** Heads of answers are bounded elsewhere. */
const mostBytes = 16 * 1024 * 1024

/** What Bun does not say of an answer. */
export interface AnswerFacts {
  /** It is a 204; Bun was given a 304. */
  readonly noContent: boolean
  /** Bytes of a body that Bun was given as a stream without a length. */
  readonly length: number
}

/**
 * The frames of Bun on their way to the client. Bun gives a 204 a Content-Length, which RFC 9110, 8.6 forbids, and has only one
 * status without: so a 204 is handed to it as 304 and becomes what it is here. And it leaves the Content-Length of a stream
 * away unless it has all of it by then: here it is put behind the block. It keeps a head back until the body's first byte: a body that
 * is not there yet begins with a zero of ours, which becomes the Pad Length of its frame (RFC 9113, 6.1) and so counts for the flow.
 */
export class ServerFrames extends FrameScanner {
  readonly #uploads: Uploads
  readonly #facts = new Map<number, AnswerFacts>()
  /** In step with the client's, because what Bun has said already must be known. */
  readonly #reader = new HpackReader(mostBytes, mostBytes)
  readonly #opened = new Set<number>()
  readonly #heads = new Map<number, () => void>()
  #said = false
  readonly #see = (field: WireField): void => {
    this.#said ||= field.name === "content-length"
  }
  /** A block that cannot be read: from there on all goes through as it is. */
  #blind = false
  #head: FrameHead | undefined
  /** HEADERS of the block under way. */
  #first: FrameHead | undefined
  #parts: Uint8Array[] = []
  #size = 0

  constructor(uploads: Uploads) {
    super()
    this.#uploads = uploads
  }

  /** To be told before Bun begins the answer of the stream. */
  answer(stream: number, facts: AnswerFacts): void {
    dropOldest(this.#facts)
    this.#facts.set(stream, facts)
  }

  /** The first byte of its body is not the answer's. `onHead` is called when Bun has sent the head. */
  opened(stream: number, onHead: () => void): void {
    dropOldest(this.#heads)
    dropOldest(this.#opened)
    this.#opened.add(stream)
    this.#heads.set(stream, onHead)
  }

  protected begin(head: FrameHead): "pass" | "take" | "pad" {
    this.#head = head
    const { type, stream } = head
    if ((type === Type.Headers || type === Type.Data) && (head.flags & Flag.EndStream) !== 0) {
      const credit = this.#uploads.answered(stream)
      if (credit > 0) this.before(windowUpdate(stream, credit))
    }
    if (type === Type.Data) return head.length > 0 && this.#opened.delete(stream) ? "pad" : "pass"
    if (type === Type.Headers && this.#heads.size > 0) this.#headOf(stream)
    if (type === Type.Headers && !this.#blind) this.#first = head
    else if (type === Type.Reset) return "take"
    else if (type !== Type.Continuation || this.#first === undefined) return "pass"
    return this.#facts.size > 0 && this.#facts.has(stream) ? "take" : "pass"
  }

  #headOf(stream: number): void {
    const onHead = this.#heads.get(stream)
    this.#heads.delete(stream)
    // Not in the middle of what Bun sends.
    if (onHead !== undefined) queueMicrotask(onHead)
  }

  protected override passed(bytes: Uint8Array, at: number, size: number): void {
    if (this.#first === undefined) return
    this.#size += size
    const ended = this.#size === this.#head!.length
    this.#collect(bytes.subarray(at, at + size), ended)
  }

  protected payload(bytes: Uint8Array, ended: boolean): void {
    if (this.#head!.type !== Type.Reset) return this.#collect(bytes, ended)
    this.#parts.push(bytes)
    if (!ended) return
    const { type, flags, stream } = this.#head!
    const code = Buffer.concat(this.#parts.splice(0))
    this.#facts.delete(stream)
    this.#opened.delete(stream)
    this.#heads.delete(stream)
    if (code.some(byte => byte !== 0)) this.#uploads.over(stream)
    if (code.some(byte => byte !== 0) || !this.#uploads.hides(stream)) this.put(frame({ type, flags, stream }, code))
  }

  #collect(bytes: Uint8Array, ended: boolean): void {
    this.#parts.push(bytes)
    if (!ended) return
    this.#size = 0
    if ((this.#head!.flags & Flag.EndHeaders) === 0) return
    const block = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
    const first = this.#first!
    this.#first = undefined
    this.#parts = []
    this.#said = false
    try {
      // Bun neither pads nor gives priorities.
      this.#reader.read(block, this.#see)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      this.#blind = true
    }
    const facts = this.#facts.get(first.stream)
    if (facts === undefined) return
    this.#facts.delete(first.stream)
    this.#send(first, facts.noContent ? withoutContent(block) : this.#said || this.#blind ? block : Buffer.concat([block, contentLength(facts.length)]))
  }

  #send({ flags, stream }: FrameHead, block: Uint8Array): void {
    for (let at = 0; at === 0 || at < block.length; at += maxFrame) {
      const last = at + maxFrame >= block.length ? Flag.EndHeaders : 0
      const type = at === 0 ? Type.Headers : Type.Continuation
      this.put(frame({ type, flags: (at === 0 ? flags & Flag.EndStream : 0) | last, stream }, block.subarray(at, at + maxFrame)))
    }
  }
}

/** Of streams that the client gave up Bun says no more. It takes 256 at once: what is older than twice that is of such a one. */
function dropOldest(streams: Map<number, unknown> | Set<number>): void {
  if (streams.size >= 512) streams.delete(streams.keys().next().value!)
}

function withoutContent(block: Uint8Array): Uint8Array {
  const out = block.slice()
  // A change of the table's size may stand before it (RFC 7541, 6.3): a number of one byte or more.
  let at = 0
  while ((out[at]! & 0xe0) === 0x20) {
    if (out[at++] === 0x3f) while (out[at++]! >= 0x80);
  }
  if (out[at] === status304) out[at] = status204
  return out
}

/** A literal without indexing, its name number 28 of the static table: no table is changed by it. */
function contentLength(length: number): Uint8Array {
  const digits = String(length)
  return Buffer.concat([Uint8Array.of(0x0f, 28 - 15, digits.length), Buffer.from(digits)])
}

/** To let the client send more. */
export function windowUpdate(stream: number, bytes: number): Uint8Array {
  return frame({ type: Type.WindowUpdate, flags: 0, stream }, number32(bytes))
}

export function resetStream(stream: number, code: ErrorCode): Uint8Array {
  return frame({ type: Type.Reset, flags: 0, stream }, number32(code))
}
