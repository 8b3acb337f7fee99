import type { RequestHeadReader } from "../../codec/request-head.ts"
import type { RequestBody } from "./request-body.ts"

/** What was received of the next requests and is not read yet. */
export class InputBuffer {
  #bytes: Buffer | undefined
  #at = 0
  /** It ends in the middle of a head, and no line has ended since it was last read. */
  #partial = false
  readonly #headBytes: number

  constructor(headBytes: number) {
    this.#headBytes = headBytes
  }

  get empty(): boolean {
    return this.#bytes === undefined
  }

  get size(): number {
    return this.#bytes === undefined ? 0 : this.#bytes.length - this.#at
  }

  /** It is worth to read a head. */
  get ready(): boolean {
    return this.#bytes !== undefined && !this.#partial
  }

  /** chunk[at, ...) behind what is there. */
  append(chunk: Buffer, at: number): void {
    const have = this.#bytes
    if (have === undefined) {
      this.#bytes = chunk
      this.#at = at
      this.#partial = false
      return
    }
    // Read again only when a line has ended: one byte at a time must not cost a parse each.
    if (this.#partial && chunk.indexOf(10, at) >= 0) this.#partial = false
    this.#bytes = Buffer.concat([have.subarray(this.#at), chunk.subarray(at)])
    this.#at = 0
    if (this.#bytes.length >= this.#headBytes) this.#partial = false
  }

  /** Reads one head; false when it is not complete. Throws HeadError. */
  readHead(reader: RequestHeadReader): boolean {
    const bytes = this.#bytes!
    const end = reader.read(bytes, this.#at)
    if (end >= 0) {
      this.#moveTo(end)
      return true
    }
    this.#partial = true
    // The rest of a large chunk is not kept alive by the first bytes of a head.
    if (this.#at > 0) this.#bytes = Buffer.from(bytes.subarray(this.#at))
    this.#at = 0
    return false
  }

  /** Gives the body what is here of it. */
  feed(body: RequestBody): void {
    if (this.#bytes !== undefined) this.#moveTo(body.feed(this.#bytes, this.#at))
  }

  /** All of it, for whoever takes the connection over. */
  take(): Buffer | undefined {
    const rest = this.#bytes?.subarray(this.#at)
    this.#bytes = undefined
    return rest
  }

  #moveTo(at: number): void {
    if (at === this.#bytes!.length) this.#bytes = undefined
    else this.#at = at
  }
}
